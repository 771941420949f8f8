//! Runs transactions: commits or rehearses them, and reports how they ended.

use std::sync::Arc;

use diesel::connection::Connection as _;
use diesel::result::Error as DieselError;

use super::Store;
use super::gate::{Lane, Pools, Progress, run};
use crate::conn::Conn;
use crate::error::StoreError;
use crate::tx::{Changes, Outcome, Rehearsed, Tx};

impl Store {
    /// Runs a use case as one transaction: either all changes are on disk with their audit entries, or
    /// nothing changed.
    ///
    /// `ended` always runs, on the same thread as the transaction and right after its end, so that a
    /// dropped request cannot skip it after the COMMIT.
    ///
    /// # Errors
    /// The use case's error, or why it could not run. Then nothing changed, unless `ended` got
    /// [`Outcome::Unknown`].
    pub async fn write<T, E, F, A>(&self, lane: Lane, work: F, ended: A) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        A: FnOnce(&Outcome) + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.inner.pools {
            Pools::Sqlite(gates) => {
                let reserve = Arc::clone(&gates.reserve);
                // Immediate: a deferred transaction that reads first fails with SQLITE_BUSY, without
                // waiting, when it starts to write.
                run(&gates.writer, lane, move |pooled, progress| {
                    if lane == Lane::Urgent {
                        reserve.release_if_low();
                    } else if !reserve.is_kept() {
                        return Err(StoreError::StorageFull(None).into());
                    }
                    let done = commit(ended, |attempt| {
                        let transaction = |conn: &mut _| attempt.run(Tx::new(Conn::Sqlite(conn)), progress, work);
                        pooled.conn.immediate_transaction(transaction)
                    });
                    if done.is_err() {
                        reserve.release_if_low();
                    }
                    done
                })
                .await
            }
            Pools::Postgres(gates) => {
                run(gates.of(lane), lane, move |pooled, progress| {
                    commit(ended, |attempt| {
                        let transaction = |conn: &mut _| attempt.run(Tx::new(Conn::Postgres(conn)), progress, work);
                        pooled.conn.transaction(transaction)
                    })
                })
                .await
            }
        }
    }

    /// Runs a use case like [`Store::write`], including the audit entries, rolls it back, and returns
    /// what it would have done. It takes the same locks.
    ///
    /// # Errors
    /// The use case's error, or why it could not run.
    pub async fn rehearse<T, E, F>(&self, lane: Lane, work: F) -> Result<Rehearsed<T>, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.inner.pools {
            Pools::Sqlite(gates) => {
                run(&gates.writer, lane, move |pooled, _| {
                    roll_back(|abort| {
                        pooled
                            .conn
                            .immediate_transaction(|conn| Err(abort(rehearse(Tx::new(Conn::Sqlite(conn)), work))))
                    })
                })
                .await
            }
            Pools::Postgres(gates) => {
                run(gates.of(lane), lane, move |pooled, _| {
                    roll_back(|abort| {
                        pooled.conn.transaction(|conn| Err(abort(rehearse(Tx::new(Conn::Postgres(conn)), work))))
                    })
                })
                .await
            }
        }
    }
}

/// Reports how a transaction ended, also after a panic.
struct Ended<A: FnOnce(&Outcome)> {
    outcome: Outcome,
    report: Option<A>,
}

impl<A: FnOnce(&Outcome)> Drop for Ended<A> {
    fn drop(&mut self) {
        if let Some(report) = self.report.take() {
            report(&self.outcome);
        }
    }
}

/// A transaction to be committed.
#[derive(Default)]
struct Attempt {
    /// The transaction's changes; set just before the COMMIT.
    changes: Option<Changes>,
}

impl Attempt {
    fn run<T, E: From<StoreError>>(
        &mut self,
        mut tx: Tx<'_>,
        progress: &Progress,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, Abort<E>> {
        let done = work(&mut tx).map_err(Abort::UseCase)?;
        let (changes, _) = tx.finish().map_err(|error| Abort::UseCase(error.into()))?;
        if !progress.may_commit() {
            return Err(Abort::UseCase(StoreError::TooSlow.into()));
        }
        self.changes = Some(changes);
        Ok(done)
    }
}

/// Runs a transaction and reports how it ended.
fn commit<T, E: From<StoreError>>(
    ended: impl FnOnce(&Outcome),
    transaction: impl FnOnce(&mut Attempt) -> Result<T, Abort<E>>,
) -> Result<T, E> {
    let mut ended = Ended { outcome: Outcome::RolledBack, report: Some(ended) };
    let mut attempt = Attempt::default();
    let done = transaction(&mut attempt);
    let was_sent = attempt.changes.is_some();
    ended.outcome = match (&done, attempt.changes) {
        (Ok(_), Some(changes)) => Outcome::Committed(changes),
        // The COMMIT was sent, and failed or its result was lost.
        (Err(_), Some(_)) => Outcome::Unknown,
        (_, None) => Outcome::RolledBack,
    };
    done.map_err(|abort| match abort {
        Abort::UseCase(error) => error,
        Abort::Database(error) if was_sent => StoreError::commit(error).into(),
        Abort::Database(error) => StoreError::from(error).into(),
    })
}

fn rehearse<T, E: From<StoreError>>(
    mut tx: Tx<'_>,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Result<Rehearsed<T>, E> {
    let done = work(&mut tx)?;
    let (changes, events) = tx.finish()?;
    Ok(Rehearsed { done, changes, events: events.into_iter().map(|(_, event)| event).collect() })
}

/// Runs a transaction that returns an error to roll back, and returns the result from before the
/// rollback.
fn roll_back<T, E: From<StoreError>>(
    transaction: impl FnOnce(&mut dyn FnMut(Result<T, E>) -> DieselError) -> Result<(), DieselError>,
) -> Result<T, E> {
    let mut rehearsed = None;
    let ended = transaction(&mut |result| {
        rehearsed = Some(result);
        DieselError::RollbackTransaction
    });
    match (rehearsed, ended) {
        (Some(result), Err(DieselError::RollbackTransaction) | Ok(())) => result,
        // The transaction did not begin, or the connection was lost, which rolls it back too.
        (_, Err(error)) => Err(StoreError::from(error).into()),
        (None, Ok(())) => Err(StoreError::from(DieselError::NotInTransaction).into()),
    }
}

/// Why a transaction was rolled back: an error of the use case or of the database.
enum Abort<E> {
    UseCase(E),
    Database(DieselError),
}

impl<E> From<DieselError> for Abort<E> {
    fn from(error: DieselError) -> Self {
        Self::Database(error)
    }
}
