//! Keyward's use cases. Each authorises, decides by the rules of the domain, and writes the change
//! with its audit entry in one transaction.
//!
//! **Invariant:** nothing here knows of HTTP; a refusal is an [`Error`] that says what was wrong.

pub mod audit;
mod auth;
mod cache;
mod caller;
mod error;
mod failed_logins;
pub mod keys;
mod login;
mod password;
mod retention;
mod settings;
mod usage;
pub mod users;
mod verifiers;
mod verify;

pub use auth::Rejection;
pub use caller::Caller;
pub use error::{Error, InvalidField};
pub use keyward_storage::{DatabaseUrl, InvalidDatabaseUrl, Lane, StoreError};
pub use settings::Settings;
pub use verifiers::{Barrier, Connected, News};
pub use verify::{Checked, Facts, LookedUp};

use std::sync::Arc;
use std::time::Duration;

use keyward_domain::{Catalogue, Clock, Timestamp};
use keyward_storage::{Conn, Store};
use tokio::sync::oneshot;

use crate::cache::{KeyCache, Touched};
use crate::failed_logins::FailedLogins;
use crate::password::Passwords;
use crate::usage::Usage;
use crate::verifiers::Verifiers;

/// The use cases, over one database. Cheap to clone.
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
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("store", &self.inner.store).finish_non_exhaustive()
    }
}

impl Service {
    /// Opens the database and checks that the clock is not behind what is recorded there. Blocks;
    /// call it before serving.
    ///
    /// # Errors
    /// When the database cannot be used, or the clock is more than a minute behind it.
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
        // Where other servers change the same database, no verifier may rest on what it remembers.
        let lease = if store.is_exclusive() { settings.verifier_lease } else { Duration::ZERO };
        let verifiers = Verifiers::new(lease, stored);
        let cache = KeyCache::new(store.is_exclusive());
        let (usage, failed_logins) = (Usage::default(), FailedLogins::default());
        let inner = Inner { store, clock, catalogue, settings, cache, passwords, usage, failed_logins, verifiers };
        let service = Self { inner: Arc::new(inner) };
        service.check_clock().await?;
        Ok(service)
    }

    /// A clock that stands far behind the newest audit entry would bring expired keys back to life.
    async fn check_clock(&self) -> Result<(), Error> {
        let newest = self.inner.store.read(Lane::Normal, keyward_storage::audit::newest_time).await?;
        let now = self.now();
        match newest {
            Some(newest) if newest.since(now) > settings::CLOCK_TOLERANCE => Err(Error::ClockBehind { now, newest }),
            _ => Ok(()),
        }
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The scopes that exist.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.inner.catalogue
    }

    /// Does the database answer, with the schema this program needs?
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn is_ready(&self) -> Result<bool, Error> {
        Ok(self.inner.store.is_ready().await?)
    }

    /// Runs a change as one transaction, and waits until it is true everywhere. What it touched is
    /// out of the cache, and numbered for the verifiers, as soon as the transaction has ended,
    /// however it ended, on the thread that ran it: a request that is given up cannot leave a dead
    /// key behind. Only the waiting can be given up.
    pub(crate) async fn change<T, E, F>(&self, lane: Lane, touched: Touched, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Conn<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.change_and_tell(lane, touched, work).await.map(|(done, _)| done)
    }

    /// The same, and tells how the verifiers took it up.
    pub(crate) async fn change_and_tell<T, E, F>(
        &self,
        lane: Lane,
        touched: Touched,
        work: F,
    ) -> Result<(T, Barrier), E>
    where
        F: FnOnce(&mut Conn<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let takes_away = matches!(touched, Touched::Key(_) | Touched::Everything);
        let (numbered, number) = oneshot::channel();
        let afterwards = move || {
            inner.cache.forget(&touched);
            // Nobody waits for it any more if the request was given up.
            let _heard = numbered.send(inner.verifiers.record(&touched));
        };
        let done = self.inner.store.write(lane, work, afterwards).await?;
        let barrier = match number.await {
            Ok(number) if takes_away => self.inner.verifiers.barrier(number).await,
            Ok(_) | Err(_) => Barrier::default(),
        };
        Ok((done, barrier))
    }

    /// Empties the cache when another program has changed the database: somebody at work with
    /// `sqlite3`. Asked before each use of the cache.
    pub(crate) async fn heed_changes_from_outside(&self) {
        let changed = self.inner.store.changed_from_outside().await;
        if let Err(error) = &changed {
            tracing::warn!(error = error as &dyn std::error::Error, "cannot tell whether the database was changed");
        }
        // Not known to be unchanged is as good as changed.
        if changed.unwrap_or(true) {
            self.inner.cache.forget(&Touched::Everything);
            self.inner.verifiers.record(&Touched::Everything);
        }
    }

    /// The database, for tests and benches that look behind the use cases.
    #[doc(hidden)]
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }
}
