//! A server in this process without users, with its own database and clock.

use std::sync::Arc;

use keyward_domain::Catalogue;
use keyward_server::{RequestLog, Running, Sealing, SealingError, SealingFiles, seal_audit_log, start};
use keyward_service::{Service, Settings};
use keyward_transparency::SigningKey;
use tempfile::TempDir;

use crate::http::Http;
use keyward_test_database::{ManualClock, TestDatabase};

/// The directory of a server's signing key and checkpoints.
#[derive(Clone, Debug)]
pub struct Files {
    dir: Arc<TempDir>,
}

impl Default for Files {
    fn default() -> Self {
        Self { dir: Arc::new(TempDir::new().expect("a directory")) }
    }
}

impl Files {
    /// The files as the server wants them.
    #[must_use]
    pub fn in_dir(&self) -> SealingFiles {
        SealingFiles {
            key: self.dir.path().join("key.pem"),
            may_create_key: true,
            checkpoints: self.dir.path().join("checkpoints"),
        }
    }
}

/// A real server on a free port, without users.
#[derive(Debug)]
pub struct NewApp {
    /// The server's database.
    pub database: TestDatabase,
    /// The server's clock.
    pub clock: Arc<ManualClock>,
    /// The server's service.
    pub service: Service,
    /// Where its signing key and checkpoints are.
    pub files: Files,
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
        Self::start_by(database, settings, trusted_proxies, Arc::default(), Files::default()).await
    }

    /// Starts another server on this database with the same clock. Only PostgreSQL supports several.
    pub async fn start_beside(&self) -> Self {
        let files = Files { dir: Arc::clone(&self.files.dir) };
        Self::start_by(self.database.clone(), Settings::default(), &[], Arc::clone(&self.clock), files).await
    }

    async fn start_by(
        database: TestDatabase,
        settings: Settings,
        trusted_proxies: &[&str],
        clock: Arc<ManualClock>,
        files: Files,
    ) -> Self {
        let service = Service::open(&database.parsed(), Arc::clone(&clock) as _, Catalogue::built_in(), settings)
            .await
            .expect("a service");
        let listen = "127.0.0.1:0".parse().expect("an address");
        let proxies = trusted_proxies.iter().map(|network| network.parse().expect("a network")).collect();
        let sealing = Sealing::OnDemand(files.in_dir());
        let running = start(service.clone(), listen, proxies, RequestLog::off(), sealing).await.expect("a server");
        let url = format!("http://{}", running.address());
        Self { database, clock, service, url, files, running }
    }

    /// Seals the audit entries that wait.
    pub async fn seal(&self) {
        self.try_to_seal().await.expect("a sealed audit log");
    }

    /// Tries to seal the audit entries that wait.
    ///
    /// # Errors
    /// If the database is not as the kept checkpoints say.
    pub async fn try_to_seal(&self) -> Result<(), SealingError> {
        seal_audit_log(&self.service, &self.files.in_dir()).await
    }

    /// The public key that verifies this server's checkpoints and receipts.
    pub async fn verifier_key(&self) -> String {
        let origin = self.service.audit_origin().await.expect("an origin");
        let pem = self.files.in_dir().signing_key().expect("a signing key");
        SigningKey::from_pem(&origin, &pem).expect("a signing key").verifier().to_string()
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
