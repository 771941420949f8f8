//! Keyward's use cases. Each checks the caller's rights, applies the rules of the domain, and writes
//! the change with its audit entry in one transaction.
//!
//! **Invariant:** nothing here knows of HTTP. A refusal is an [`Error`] with a reason.

pub mod activity;
pub mod audit;
mod auth;
mod caller;
mod coherence;
mod confirmations;
mod desk;
mod error;
mod failed_logins;
pub mod incidents;
mod key_cache;
pub mod keys;
pub mod locks;
mod login;
mod login_throttle;
mod password;
pub mod receipts;
pub mod reports;
mod retention;
pub mod right;
mod sealer;
mod settings;
mod setup_code;
mod stats;
mod time;
mod usage;
pub mod users;
mod verifiers;
mod verify;

pub use auth::{Holder, Rejection};
pub use caller::Caller;
pub use coherence::PEER_SYNC_INTERVAL;
pub use desk::{Desk, LookedUp};
pub use error::Error;
pub use keyward_storage::deadline::within;
pub use keyward_storage::{DatabaseUrl, InvalidDatabaseUrl, Lane, Servers, StoreError, backup};
pub use login_throttle::network;
pub use retention::{HeldKeys, Retired};
pub use sealer::{EntryJson, SealError, Sealed, Sealer};
pub use settings::{RetentionSettings, SessionSettings, Settings, TokenSettings, VerifierSettings};
pub use setup_code::SetupCode;
pub use stats::Stats;
pub use time::Accepted;
pub use verifiers::{Barrier, Connected, PollReply};
pub use verify::{Checked, Facts};

use std::sync::Arc;
use std::time::Duration;

use keyward_domain::{Catalogue, Clock};
use keyward_storage::Store;

use crate::activity::Tallies;
use crate::coherence::Coherence;
use crate::confirmations::Confirmations;
use crate::failed_logins::FailedLogins;
use crate::key_cache::KeyCache;
use crate::login_throttle::LoginThrottle;
use crate::password::Passwords;
use crate::reports::Reports;
use crate::stats::Counters;
use crate::time::Skew;
use crate::usage::Usage;
use crate::verifiers::Verifiers;

/// The use cases on one database. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    skew: Skew,
    counters: Counters,
    catalogue: Catalogue,
    settings: Settings,
    cache: KeyCache,
    passwords: Passwords,
    usage: Usage,
    tallies: Tallies,
    reports: Reports,
    failed_logins: FailedLogins,
    confirmations: Confirmations,
    login_throttle: LoginThrottle,
    verifiers: Verifiers,
    coherence: Coherence,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("store", &self.inner.store).finish_non_exhaustive()
    }
}

impl Service {
    /// Opens the database for a server: creates and migrates it if needed, and checks that the clock is
    /// not behind the newest audit entry. Blocks; call it before serving.
    ///
    /// # Errors
    /// If the database cannot be opened, or the clock is more than 1 min behind the newest audit entry.
    pub async fn open(
        url: &DatabaseUrl,
        clock: Arc<dyn Clock>,
        catalogue: Catalogue,
        settings: Settings,
    ) -> Result<Self, Error> {
        let service = Self::on(Store::open(url)?, clock, catalogue, settings).await?;
        service.check_clock().await?;
        Ok(service)
    }

    /// Opens the database for a command of an operator. It creates and migrates nothing, and does not
    /// check the clock: see [`Self::check_clock`]. Blocks.
    ///
    /// # Errors
    /// If there is no database, it has another schema, or it cannot be opened.
    pub async fn open_existing(
        url: &DatabaseUrl,
        servers: Servers,
        clock: Arc<dyn Clock>,
        catalogue: Catalogue,
        settings: Settings,
    ) -> Result<Self, Error> {
        Self::on(Store::open_existing(url, servers)?, clock, catalogue, settings).await
    }

    async fn on(store: Store, clock: Arc<dyn Clock>, catalogue: Catalogue, settings: Settings) -> Result<Self, Error> {
        let passwords = Passwords::new()?;
        let stored = store.read(Lane::Normal, keyward_storage::verifiers::longest_lease).await?;
        let stored = stored.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
        let coherence = Coherence::of(&store, stored);
        let verifiers = Verifiers::new(settings.verifiers.verifier_lease, coherence.unknown_leases(stored));
        let cache = KeyCache::new(coherence.may_cache());
        let inner = Inner {
            store,
            clock,
            skew: Skew::default(),
            counters: Counters::default(),
            catalogue,
            settings,
            cache,
            passwords,
            usage: Usage::default(),
            tallies: Tallies::default(),
            reports: Reports::default(),
            failed_logins: FailedLogins::default(),
            confirmations: Confirmations::default(),
            login_throttle: LoginThrottle::default(),
            verifiers,
            coherence,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The catalogue of scopes.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.inner.catalogue
    }

    /// Whether the database answers and has the schema of this program.
    ///
    /// # Errors
    /// [`Error::Store`] if the database does not answer.
    pub async fn is_ready(&self) -> Result<bool, Error> {
        Ok(self.inner.store.is_ready().await?)
    }

    /// Whether the database answers, as known without asking it. Always true on SQLite.
    #[must_use]
    pub fn is_database_up(&self) -> bool {
        self.inner.store.is_up()
    }

    /// The database, for tests and benchmarks that bypass the use cases.
    #[doc(hidden)]
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }
}
