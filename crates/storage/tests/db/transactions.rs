//! The effects of transactions, and how their outcome is reported.

use std::sync::mpsc;

use diesel::connection::SimpleConnection as _;
use keyward_domain::event::{Cause, Event, Origin};
use keyward_domain::{KeyId, Timestamp};
use keyward_storage::{Changes, Conn, Lane, Outcome, StoreError, Tx, keys};
use keyward_test_support::{TestApp, on_both};
use serde_json::json;

fn expire(tx: &mut Tx<'_>, id: &KeyId, now: Timestamp) -> Result<(), StoreError> {
    let owned = keys::find_for_update(tx, id)?.unwrap();
    keys::expire(tx, owned.key, now, Cause::Requested, &Origin::system(now))
}

/// Runs a transaction, and returns its result and the reported outcome.
async fn write(
    app: &TestApp,
    work: impl FnOnce(&mut Tx<'_>) -> Result<(), StoreError> + Send + 'static,
) -> (Result<(), StoreError>, Outcome) {
    let (report, reported) = mpsc::channel();
    let done =
        app.service.store().write(Lane::Normal, work, move |outcome| report.send(outcome.clone()).unwrap()).await;
    (done, reported.try_recv().unwrap())
}

async fn token(app: &TestApp) -> KeyId {
    app.owner.token(&json!({})).await["id"].as_str().unwrap().parse().unwrap()
}

fn entries(app: &TestApp) -> i64 {
    app.database.count("SELECT count(*) AS count FROM audit_logs")
}

on_both! {
    async fn a_commit_is_reported_with_its_changes(app: TestApp) {
        let (one, two) = (token(&app).await, token(&app).await);
        let (now, before) = (app.service.now(), entries(&app));
        let ids = [one.clone(), two.clone()];
        let (done, outcome) = write(&app, move |tx| ids.iter().try_for_each(|id| expire(tx, id, now))).await;
        done.unwrap();
        let changes = Changes { keys: vec![one.clone(), two], users: Vec::new(), promises_end: true };
        assert_eq!(outcome, Outcome::Committed(changes));
        assert_eq!(entries(&app), before + 2, "one entry for each key");

        let (done, outcome) = write(&app, move |tx| expire(tx, &one, now)).await;
        done.unwrap();
        assert_eq!(outcome, Outcome::Committed(Changes { promises_end: true, ..Changes::default() }), "already dead");
        assert_eq!(entries(&app), before + 2);
    }

    async fn a_failed_use_case_is_rolled_back(app: TestApp) {
        let (id, now, before) = (token(&app).await, app.service.now(), entries(&app));
        let (done, outcome) = write(&app, move |tx| {
            expire(tx, &id, now)?;
            Err(StoreError::Busy(0))
        }).await;
        assert!(matches!(done, Err(StoreError::Busy(0))), "{done:?}");
        assert_eq!((outcome, entries(&app)), (Outcome::RolledBack, before));
        assert_eq!(app.owner.token_ids("").await.len(), 1, "still live");
    }

    async fn a_change_is_not_committed_without_its_audit_entry(app: TestApp) {
        let (id, now, before) = (token(&app).await, app.service.now(), entries(&app));
        let (done, outcome) = write(&app, move |tx| {
            expire(tx, &id, now)?;
            // Within the same transaction, so that it is rolled back too.
            match &mut **tx {
                Conn::Sqlite(db) => db.batch_execute("ALTER TABLE audit_logs RENAME TO elsewhere")?,
                Conn::Postgres(db) => db.batch_execute("ALTER TABLE audit_logs RENAME TO elsewhere")?,
            }
            Ok(())
        }).await;
        assert!(matches!(done, Err(StoreError::Database(_))), "{done:?}");
        assert_eq!((outcome, entries(&app)), (Outcome::RolledBack, before));
        assert_eq!(app.owner.token_ids("").await.len(), 1, "still live");
    }

    async fn a_failed_commit_has_an_unknown_outcome(app: TestApp) {
        let id = token(&app).await;
        // A constraint that is checked only at the COMMIT.
        let deferred = "UPDATE api_keys SET user_id = '00000000-0000-0000-0000-000000000000'";
        let (done, outcome) = write(&app, move |tx| {
            match &mut **tx {
                Conn::Sqlite(db) => db.batch_execute(&format!("PRAGMA defer_foreign_keys = ON; {deferred}"))?,
                Conn::Postgres(db) => db.batch_execute(&format!(
                    "ALTER TABLE api_keys ALTER CONSTRAINT api_keys_user_id_fkey DEFERRABLE INITIALLY DEFERRED;
                     {deferred}"
                ))?,
            }
            Ok(())
        }).await;
        assert!(matches!(done, Err(StoreError::Database(_))), "{done:?}");
        assert_eq!(outcome, Outcome::Unknown);
        assert_eq!(app.owner.token_ids("").await, [id.as_str()]);
    }

    async fn a_rehearsal_reports_its_changes_and_leaves_nothing(app: TestApp) {
        let (id, now) = (token(&app).await, app.service.now());
        let before = (app.database.contents(), entries(&app));
        let wanted = id.clone();
        let rehearsed = app.service.store().rehearse(Lane::Normal, move |tx| expire(tx, &wanted, now)).await;
        let rehearsed = rehearsed.map_err(|error: StoreError| error).unwrap();
        assert_eq!(rehearsed.changes, Changes { keys: vec![id.clone()], users: Vec::new(), promises_end: true });
        match rehearsed.events.as_slice() {
            [Event::KeyExpired { before, after, cause: Cause::Requested }] => {
                assert_eq!((&before.id, before.ended_at, &after.id, after.ended_at), (&id, None, &id, Some(now)));
            }
            events => panic!("{events:?}"),
        }
        assert!((app.database.contents(), entries(&app)) == before, "rows, values and audit entries are unchanged");
        let refused = app.service.store().rehearse(Lane::Normal, |_| Err::<(), _>(StoreError::Busy(7))).await;
        assert!(matches!(refused, Err(StoreError::Busy(7))), "{refused:?}");
    }
}
