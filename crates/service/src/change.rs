//! The way that every change takes: commit, out of the cache, told to the verifiers, true
//! everywhere; and changes that others make.

use std::sync::Arc;
use std::time::Instant;

use keyward_storage::{Conn, Lane, StoreError};
use tokio::sync::oneshot;

use crate::Service;
use crate::cache::Touched;
use crate::verifiers::Barrier;

impl Service {
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
        let takes_away = matches!(touched, Touched::Key(_) | Touched::Everything);
        if !self.inner.store.is_exclusive() {
            // The database itself logs what verifiers must be told, in the same transaction, and
            // there is nothing in the cache: a request that is given up leaves nothing undone.
            let done = self.inner.store.write(lane, work, || {}).await?;
            if !takes_away {
                return Ok((done, Barrier::default()));
            }
            let committed = Instant::now();
            let others = self.hear_peers_after_change().await.map(|leases| committed + leases);
            let verifiers = &self.inner.verifiers;
            return Ok((done, verifiers.barrier(verifiers.latest(), others).await));
        }
        let inner = Arc::clone(&self.inner);
        let (numbered, number) = oneshot::channel();
        let afterwards = move || {
            inner.cache.forget(&touched);
            // Nobody waits for it any more if the request was given up.
            let _heard = numbered.send(inner.verifiers.record(&touched));
        };
        let done = self.inner.store.write(lane, work, afterwards).await?;
        let barrier = match number.await {
            Ok(number) if takes_away => self.inner.verifiers.barrier(number, None).await,
            Ok(_) | Err(_) => Barrier::default(),
        };
        Ok((done, barrier))
    }

    /// Empties the cache when another program has changed the database: somebody at work with
    /// `sqlite3`. Asked before each use of the cache.
    pub(crate) async fn heed_changes_from_outside(&self) {
        if !self.inner.store.external_check_is_fresh() {
            Box::pin(self.look_for_changes()).await;
        }
    }

    async fn look_for_changes(&self) {
        let changed = self.inner.store.has_external_writes().await;
        if let Err(error) = &changed {
            tracing::warn!(error = error as &dyn std::error::Error, "cannot tell whether the database was changed");
        }
        // Not known to be unchanged is as good as changed.
        if changed.unwrap_or(true) {
            self.inner.cache.forget(&Touched::Everything);
            self.inner.verifiers.record(&Touched::Everything);
        }
    }

    /// Learns, before verifiers are told anything, what was changed by others until now: through
    /// other servers, or by somebody at work on the database.
    pub(crate) async fn catch_up(&self) -> Result<(), StoreError> {
        if self.inner.store.is_exclusive() {
            self.heed_changes_from_outside().await;
            return Ok(());
        }
        self.hear_peers(Instant::now()).await.map(drop)
    }
}
