//! A server in this process that nobody has used yet, on a database and a clock of its own.

use std::sync::Arc;

use keyward_domain::Catalogue;
use keyward_server::{Running, start};
use keyward_service::{Service, Settings};

use crate::clock::ManualClock;
use crate::database::TestDatabase;
use crate::http::Http;

/// A real server on a free port, without any user.
#[derive(Debug)]
pub struct NewApp {
    /// Where it keeps its data.
    pub database: TestDatabase,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// Its use cases.
    pub service: Service,
    /// Its address, as in `http://127.0.0.1:12345`.
    pub url: String,
    running: Running,
}

impl NewApp {
    /// Starts it with the normal settings.
    pub async fn start(database: TestDatabase) -> Self {
        Self::start_with(database, Settings::default(), &[]).await
    }

    /// Starts it; the word of these proxies (as in `127.0.0.0/8`) is believed.
    pub async fn start_with(database: TestDatabase, settings: Settings, trusted_proxies: &[&str]) -> Self {
        Self::start_by(database, settings, trusted_proxies, Arc::default()).await
    }

    /// Starts one more server on this database, with the same clock. Only PostgreSQL takes several.
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
        let running = start(service.clone(), listen, proxies).await.expect("a server");
        let url = format!("http://{}", running.address());
        Self { database, clock, service, url, running }
    }

    /// A client without a key.
    #[must_use]
    pub fn anonymous(&self) -> Http {
        Http::new(&self.url, None)
    }

    /// What the server would have printed at its start, for the first user from elsewhere.
    #[must_use]
    pub fn setup_code(&self) -> &str {
        &self.running.app().setup_code
    }

    /// Stops the server in order, and gives back the database.
    pub async fn stop(self) -> TestDatabase {
        self.running.stop().await.expect("an orderly end");
        self.database
    }
}
