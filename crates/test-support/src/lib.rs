//! The basis of Keyward's tests: a real server on a free port and a temporary database, and users of
//! every role.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test panics if it cannot be set up"
)]

mod app;
mod http;
mod new_app;
mod nginx;
mod process;
mod proxy;
mod wire;

pub use app::{PASSWORD, Person, TestApp};
pub use http::{Answer, Http};
pub use keyward_test_database::{Backend, Contents, KeyCopy, ManualClock, PostgresServer, TestDatabase};
pub use new_app::NewApp;
pub use nginx::Nginx;
pub use process::ServerProcess;
pub use proxy::TcpProxy;
pub use wire::{TIMEOUT, Wire, WireAnswer, request};

/// Runs an async test with a new server on the given kind of database. Without PostgreSQL, its tests
/// are skipped with a warning; with `CI=true` they fail.
pub fn run<F: Future<Output = ()>>(backend: Backend, body: impl FnOnce(TestApp) -> F) {
    if let Some(database) = TestDatabase::create(backend) {
        actix_web::rt::System::new().block_on(async move { body(TestApp::start(database).await).await });
    }
}

/// For each async function of these names, which takes a [`TestApp`], makes a module of its name with
/// one test per database.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[test]
            fn sqlite() {
                $crate::run($crate::Backend::Sqlite, super::$name);
            }

            #[test]
            fn postgres() {
                $crate::run($crate::Backend::Postgres, super::$name);
            }
        }
    )*};
}
