//! What a transaction leaves behind, and how its end is reported.

use std::sync::mpsc;

use diesel::connection::SimpleConnection as _;
use keyward_domain::event::{Cause, Event};
use keyward_storage::{Changes, Conn, Lane, Outcome, StoreError, Tx};

use crate::support::{Db, expire, on_both};

/// Runs a transaction, and returns how it was reported to have ended.
async fn write(
    db: &Db,
    work: impl FnOnce(&mut Tx<'_>) -> Result<(), StoreError> + Send + 'static,
) -> (Result<(), StoreError>, Outcome) {
    let (tell, told) = mpsc::channel();
    let done = db.store.write(Lane::Normal, work, move |outcome| tell.send(outcome.clone()).unwrap()).await;
    (done, told.try_recv().unwrap())
}

on_both! {
    a_commit_is_reported_with_its_changes,
    a_failed_use_case_is_rolled_back,
    a_change_is_not_committed_without_its_audit_entry,
    a_failed_commit_has_an_unknown_outcome,
    a_rehearsal_reports_its_changes_and_leaves_nothing,
}

async fn a_commit_is_reported_with_its_changes(db: Db) {
    let (one, two) = (db.token("one").await, db.token("two").await);
    let (now, before) = (db.now(), db.entries());
    let ids = [one.clone(), two.clone()];
    let (done, outcome) = write(&db, move |tx| ids.iter().try_for_each(|id| expire(tx, id, now))).await;
    done.unwrap();
    let keys = vec![one.clone(), two];
    let changes = Changes { ended: keys.clone(), keys, promises_end: true, entries: 2, ..Changes::default() };
    assert_eq!(outcome, Outcome::Committed(changes));
    assert_eq!(db.entries(), before + 2, "one entry for each key");

    let (done, outcome) = write(&db, move |tx| expire(tx, &one, now)).await;
    done.unwrap();
    assert_eq!(outcome, Outcome::Committed(Changes { promises_end: true, ..Changes::default() }), "already dead");
    assert_eq!(db.entries(), before + 2);
}

async fn a_failed_use_case_is_rolled_back(db: Db) {
    let (id, now, before) = (db.token("ci").await, db.now(), db.entries());
    let (done, outcome) = write(&db, move |tx| {
        expire(tx, &id, now)?;
        Err(StoreError::Busy)
    })
    .await;
    assert!(matches!(done, Err(StoreError::Busy)), "{done:?}");
    assert_eq!((outcome, db.entries()), (Outcome::RolledBack, before));
    assert_eq!(db.tokens(false).await.len(), 1, "still live");
}

async fn a_change_is_not_committed_without_its_audit_entry(db: Db) {
    let (id, now, before) = (db.token("ci").await, db.now(), db.entries());
    let (done, outcome) = write(&db, move |tx| {
        expire(tx, &id, now)?;
        // Within the same transaction, so that it is rolled back too.
        match &mut **tx {
            Conn::Sqlite(db) => db.batch_execute("ALTER TABLE audit_logs RENAME TO elsewhere")?,
            Conn::Postgres(db) => db.batch_execute("ALTER TABLE audit_logs RENAME TO elsewhere")?,
        }
        Ok(())
    })
    .await;
    assert!(matches!(done, Err(StoreError::Database(_))), "{done:?}");
    assert_eq!((outcome, db.entries()), (Outcome::RolledBack, before));
    assert_eq!(db.tokens(false).await.len(), 1, "still live");
}

async fn a_failed_commit_has_an_unknown_outcome(db: Db) {
    let id = db.token("ci").await;
    // A constraint that is checked only at the COMMIT.
    let deferred = "UPDATE api_keys SET user_id = '00000000-0000-0000-0000-000000000000'";
    let (done, outcome) = write(&db, move |tx| {
        match &mut **tx {
            Conn::Sqlite(db) => db.batch_execute(&format!("PRAGMA defer_foreign_keys = ON; {deferred}"))?,
            Conn::Postgres(db) => db.batch_execute(&format!(
                "ALTER TABLE api_keys ALTER CONSTRAINT api_keys_user_id_fkey DEFERRABLE INITIALLY DEFERRED;
                 {deferred}"
            ))?,
        }
        Ok(())
    })
    .await;
    assert!(matches!(done, Err(StoreError::Database(_))), "{done:?}");
    assert_eq!(outcome, Outcome::Unknown);
    assert_eq!(db.tokens(false).await, [id.as_str()]);
}

async fn a_rehearsal_reports_its_changes_and_leaves_nothing(db: Db) {
    let (id, now) = (db.token("ci").await, db.now());
    let before = (db.database.contents(), db.entries());
    let wanted = id.clone();
    let rehearsed = db.store.rehearse(Lane::Normal, move |tx| expire(tx, &wanted, now)).await;
    let rehearsed = rehearsed.map_err(|error: StoreError| error).unwrap();
    let keys = vec![id.clone()];
    let expected = Changes { ended: keys.clone(), keys, promises_end: true, entries: 1, ..Changes::default() };
    assert_eq!(rehearsed.changes, expected);
    match rehearsed.events.as_slice() {
        [Event::KeyExpired { before, after, cause: Cause::Requested, incident: None }] => {
            assert_eq!((&before.id, before.ended_at, &after.id, after.ended_at), (&id, None, &id, Some(now)));
        }
        events => panic!("{events:?}"),
    }
    assert!((db.database.contents(), db.entries()) == before, "rows, values and audit entries are unchanged");
    let refused = db.store.rehearse(Lane::Normal, |_| Err::<(), _>(StoreError::Busy)).await;
    assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
}
