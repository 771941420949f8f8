//! Keyward's tables, queries and migrations, on SQLite and PostgreSQL from one body.
//!
//! A use case is one closure, run on a blocking thread: over a [`Conn`] by [`Store::read`], or over a
//! [`Tx`], which is one transaction, by [`Store::write`].
//!
//! **Invariant:** a function that changes something takes a [`Tx`] and records an event in it, from
//! which the audit entry is written. Use (last use, a slide) is no change, and its functions can touch
//! nothing else.
//!
//! **Invariant:** `now` is never SQL's: every instant is bound, and comes from the caller's clock.

pub mod audit;
mod conn;
mod error;
mod explain;
pub mod keys;
mod migrate;
mod pool;
mod schema;
mod sql_types;
mod store;
mod tx;
mod url;
pub mod usage;
pub mod users;
pub mod verifiers;
mod watch;

pub use conn::Conn;
pub use error::StoreError;
pub use store::{Lane, Store};
pub use tx::{Changes, Outcome, Rehearsed, Tx};
pub use url::{DatabaseUrl, InvalidDatabaseUrl};

// Linked for what their features do: both databases come with the program.
use libsqlite3_sys as _;
use openssl_sys as _;
use pq_sys as _;
