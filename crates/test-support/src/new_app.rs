//! A server in this process without users, with its own database and clock.

use std::sync::Arc;

use keyward_domain::Catalogue;
use keyward_server::{RequestLog, Running, start};
use keyward_service::{Service, Settings};

use crate::http::Http;
use keyward_test_database::{ManualClock, TestDatabase};

/// A real server on a free port, without users.
#[derive(Debug)]
pub struct NewApp {
    /// The server's database.
    pub database: TestDatabase,
    /// The server's clock.
    pub clock: Arc<ManualClock>,
    /// The server's service.
    pub service: Service,
    /// Its URL, such as `http://127.0.0.1:12345`.
    pub url: String,
    running: Running,
}

impl NewApp {
    /// Starts the server with the default settings.
    pub async fn start(database: TestDatabase) -> Self {
        Self::start_with(database, Settings::default(), &[]).await
    }

    /// Starts the server. It trusts the headers of these proxies (such as `127.0.0.0/8`).
    pub async fn start_with(database: TestDatabase, settings: Settings, trusted_proxies: &[&str]) -> Self {
        Self::start_by(database, settings, trusted_proxies, Arc::default()).await
    }

    /// Starts another server on this database with the same clock. Only PostgreSQL supports several.
    pub async fn start_beside(&self) -> Self {
        Self::start_by(self.database.clone(), Settings::default(), &[], Arc::clone(&self.clock)).await
    }

    async fn start_by(
        database: TestDatabase,
        settings: Settings,
        trusted_proxies: &[&str],
        clock: Arc<ManualClock>,
    ) -> Self {
        let service = Service::open(&database.parsed(), Arc::clone(&clock) as _, Catalogue::built_in(), settings)
            .await
            .expect("a service");
        let listen = "127.0.0.1:0".parse().expect("an address");
        let proxies = trusted_proxies.iter().map(|network| network.parse().expect("a network")).collect();
        let running = start(service.clone(), listen, proxies, RequestLog::off(), None).await.expect("a server");
        let url = format!("http://{}", running.address());
        Self { database, clock, service, url, running }
    }

    /// An HTTP client without a key.
    #[must_use]
    pub fn anonymous(&self) -> Http {
        Http::new(&self.url, None)
    }

    /// The setup code, which remote clients need to create the first user.
    #[must_use]
    pub fn setup_code(&self) -> &str {
        self.running.app().setup_code.as_ref().expect("no user exists yet").expose()
    }

    /// Stops the server gracefully and returns its database.
    pub async fn stop(self) -> TestDatabase {
        self.running.stop().await.expect("a graceful stop");
        self.database
    }
}
