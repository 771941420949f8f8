//! keyward-server: the HTTP server. What the routes are stands on one page, in [`routes`]; what is
//! done in them, in the service crate.
//!
//! **Invariant:** nothing here knows of a database but its URL.

mod app;
mod audit;
mod background;
mod command;
pub mod config;
mod http;
mod keys;
mod logging;
mod metrics;
pub mod routes;
mod run;
mod system;
mod users;
mod verify;

pub use app::App;
pub use command::main;
pub use run::{Running, start};

/// The version of this program, as in `0.1.0`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The same, as the lineage writes it.
const LINEAGE_VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));
