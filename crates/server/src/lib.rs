//! keyward-server: the HTTP server. [`routes`] lists all routes on one page; the service crate
//! implements the use cases behind them.
//!
//! **Invariant:** this crate knows nothing about the database except its URL.

mod app;
mod audit;
mod background;
mod clock;
mod command;
pub mod config;
mod http;
mod keys;
mod logging;
mod metrics;
mod request_log;
pub mod routes;
mod run;
mod system;
mod systemd;
mod users;
mod verify;

pub use app::App;
pub use audit::sealing::{Sealing, SealingError, SealingFiles, seal_audit_log};
pub use command::main;
pub use request_log::RequestLog;
pub use run::{Running, start};

/// The version of this program, as in `0.1.0`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version in the form that Coder clients expect, as in `v0.1.0`.
const LINEAGE_VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));
