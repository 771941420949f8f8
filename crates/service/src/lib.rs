//! Keyward's use cases. Each checks the caller's rights, applies the rules of the domain, and writes
//! the change with its audit entry in one transaction.
//!
//! **Invariant:** nothing here knows of HTTP. A refusal is an [`Error`] with a reason.

pub mod audit;
mod auth;
mod caller;
mod coherence;
mod desk;
mod error;
mod failed_logins;
mod key_cache;
pub mod keys;
mod login;
mod password;
mod retention;
pub mod right;
mod settings;
mod usage;
pub mod users;
mod verifiers;
mod verify;

pub use auth::Rejection;
pub use caller::Caller;
pub use coherence::PEER_SYNC_INTERVAL;
pub use desk::{Desk, LookedUp};
pub use error::Error;
pub use keyward_storage::{DatabaseUrl, InvalidDatabaseUrl, Lane, StoreError};
pub use settings::{RetentionSettings, SessionSettings, Settings, TokenSettings, VerifierSettings};
pub use verifiers::{Barrier, Connected, PollReply};
pub use verify::{Checked, Facts};

use std::sync::Arc;
use std::time::Duration;

use keyward_domain::{Catalogue, Clock, Timestamp};
use keyward_storage::Store;

use crate::coherence::Coherence;
use crate::failed_logins::FailedLogins;
use crate::key_cache::KeyCache;
use crate::password::Passwords;
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
    catalogue: Catalogue,
    settings: Settings,
    cache: KeyCache,
    passwords: Passwords,
    usage: Usage,
    failed_logins: FailedLogins,
    verifiers: Verifiers,
    coherence: Coherence,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("store", &self.inner.store).finish_non_exhaustive()
    }
}

impl Service {
    /// Opens the database, and checks that the clock is not behind the newest audit entry. Blocks; call
    /// it before serving.
    ///
    /// # Errors
    /// If the database cannot be opened, or the clock is more than 1 min behind the newest audit entry.
    pub async fn open(
        url: &DatabaseUrl,
        clock: Arc<dyn Clock>,
        catalogue: Catalogue,
        settings: Settings,
    ) -> Result<Self, Error> {
        let store = Store::open(url)?;
        let passwords = Passwords::new()?;
        let stored = store.read(Lane::Normal, keyward_storage::verifiers::longest_lease).await?;
        let stored = stored.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
        let coherence = Coherence::of(&store, stored);
        let verifiers = Verifiers::new(settings.verifiers.verifier_lease, coherence.unknown_leases(stored));
        let cache = KeyCache::new(coherence.may_cache());
        let (usage, failed_logins) = (Usage::default(), FailedLogins::default());
        let inner =
            Inner { store, clock, catalogue, settings, cache, passwords, usage, failed_logins, verifiers, coherence };
        let service = Self { inner: Arc::new(inner) };
        service.check_clock().await?;
        Ok(service)
    }

    /// Refuses a clock far behind the newest audit entry: expired keys would be live again.
    async fn check_clock(&self) -> Result<(), Error> {
        let newest = self.inner.store.read(Lane::Normal, keyward_storage::audit::newest_time).await?;
        let now = self.now();
        match newest {
            Some(newest) if newest.since(now) > settings::CLOCK_TOLERANCE => Err(Error::ClockBehind { now, newest }),
            _ => Ok(()),
        }
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
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

    /// The database, for tests and benchmarks that bypass the use cases.
    #[doc(hidden)]
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }
}
