//! What Keyward's own tests stand on: throw-away databases, a clock to move, a real server on a
//! free port, and people of every role to talk to it.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up fails, loudly and at once"
)]

mod app;
pub mod barrier;
pub mod bench;
mod clock;
mod contents;
mod database;
mod http;
mod judge;
mod new_app;
mod nginx;
mod postgres;
mod process;
mod proxy;
mod seed;
mod wire;

pub use app::{PASSWORD, Person, TestApp};
pub use clock::ManualClock;
pub use contents::Contents;
pub use database::{Backend, TestDatabase};
pub use http::{Answer, Http};
pub use judge::{Judge, judge_if_asked};
pub use new_app::NewApp;
pub use nginx::Nginx;
pub use process::ServerProcess;
pub use proxy::TcpProxy;
pub use wire::{Wire, WireAnswer, request};

/// Runs an async test body against a new server on the given database. Without PostgreSQL a test
/// of it is left out, loudly; with `CI=true` it fails.
pub fn run<F: Future<Output = ()>>(backend: Backend, body: impl FnOnce(TestApp) -> F) {
    if let Some(database) = TestDatabase::create(backend) {
        actix_web::rt::System::new().block_on(async move { body(TestApp::start(database).await).await });
    }
}

/// Makes of each async function a module of its name with a test for each database.
#[macro_export]
macro_rules! on_both {
    ($($(#[$attribute:meta])* async fn $name:ident($app:ident: TestApp) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, clippy::allow_attributes, reason = "not every body needs what stands around it")]
            use super::*;

            $(#[$attribute])*
            async fn body($app: $crate::TestApp) $body

            #[test]
            fn sqlite() {
                $crate::run($crate::Backend::Sqlite, body);
            }

            #[test]
            fn postgres() {
                $crate::run($crate::Backend::Postgres, body);
            }
        }
    )*};
}
