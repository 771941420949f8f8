//! Keyward's tables, queries and migrations. One source serves both SQLite and PostgreSQL.
//!
//! A use case is one closure that runs on a blocking thread. [`Store::read`] passes it a [`Conn`];
//! [`Store::write`] passes it a [`Tx`], which is one transaction.
//!
//! **Invariant:** a function that changes something takes a [`Tx`] and records an event in it. The
//! audit entry is written from the event. Use (last use, a slide) is not a change, and the functions
//! that record use update no other column.
//!
//! **Invariant:** SQL never reads the time. Every timestamp is a bound value from the caller's clock.

pub mod activity;
pub mod audit;
pub mod audit_tree;
mod backup;
pub mod clock;
pub mod confirmations;
mod conn;
pub mod deadline;
mod error;
mod explain;
mod file_lock;
mod health;
pub mod incidents;
pub mod keys;
pub mod locks;
mod migrate;
mod pool;
mod reserve;
mod schema;
mod sql_types;
mod store;
mod tx;
mod url;
pub mod usage;
pub mod users;
pub mod verifiers;
mod watch;

pub use backup::backup;
pub use conn::Conn;
pub use error::StoreError;
pub use store::{Lane, Servers, Store};
pub use tx::{Changes, Outcome, Rehearsed, Tx};
pub use url::{DatabaseUrl, InvalidDatabaseUrl};

// Linked for their features, which build both database clients into the program.
use libsqlite3_sys as _;
use openssl_sys as _;
use pq_sys as _;
