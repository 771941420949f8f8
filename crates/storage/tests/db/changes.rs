//! The change log on PostgreSQL returns exactly the changes committed since the last read.

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};
use keyward_domain::{Lifetime, UserId};
use keyward_storage::verifiers::{self, ChangeLogRead, Snapshot};
use keyward_storage::{Changes, Conn, Lane, StoreError, Tx};
use keyward_test_support::{Backend, TestApp};
use serde_json::json;
use uuid::Uuid;

fn on_postgres<F: Future<Output = ()>>(body: impl FnOnce(TestApp) -> F) {
    keyward_test_support::run(Backend::Postgres, body);
}

async fn read_log(app: &TestApp, last: Option<&Snapshot>) -> ChangeLogRead {
    let last = last.cloned();
    let work = move |conn: &mut Conn<'_>| verifiers::read_change_log(conn, last.as_ref());
    app.service.store().read::<_, StoreError, _>(Lane::ChangeLog, work).await.unwrap().unwrap()
}

/// The ids of the keys that changed since `last`, sorted, and the snapshot of this read.
async fn since(app: &TestApp, last: &Snapshot) -> (Vec<String>, Snapshot) {
    let read = read_log(app, Some(last)).await;
    let mut ids: Vec<String> = read.changes.unwrap().keys.iter().map(ToString::to_string).collect();
    ids.sort();
    (ids, read.snapshot)
}

async fn token(app: &TestApp) -> String {
    app.owner.token(&json!({})).await["id"].as_str().unwrap().to_owned()
}

#[test]
fn expiries_and_deletions_by_any_writer_are_logged_but_uses_are_not() {
    on_postgres(async |app| {
        let start = read_log(&app, None).await;
        assert_eq!(start.changes, None, "changes before the first read are unknown");
        let (one, two) = (token(&app).await, token(&app).await);
        let (ids, last) = since(&app, &start.snapshot).await;
        assert!(ids.is_empty(), "a new key needs no eviction: {ids:?}");

        app.owner.http.send("PUT", &format!("/api/v2/users/me/keys/{one}/expire")).await.expect(204);
        let (ids, last) = since(&app, &last).await;
        assert_eq!(ids, [one.as_str()]);
        app.database.execute(&format!("UPDATE api_keys SET expires_at = created_at WHERE id = '{two}'")).unwrap();
        app.database.execute(&format!("DELETE FROM api_keys WHERE id = '{one}'")).unwrap();
        let (ids, last) = since(&app, &last).await;
        let mut both = [one, two];
        both.sort();
        assert_eq!(ids, both);

        // The session slides, and its use is recorded.
        app.advance(Lifetime::hours(2));
        app.owner.http.get("/api/v2/users/me").await.expect(200);
        app.service.flush_usage().await.unwrap();
        let (ids, last) = since(&app, &last).await;
        assert!(ids.is_empty(), "{ids:?}");

        let alice = app.person("alice", &[]).await;
        let (_, last) = since(&app, &last).await;
        app.owner.http.send("PUT", "/api/v2/users/alice/status/suspend").await.expect(200);
        let alice = UserId::from_uuid(alice.id.parse().unwrap());
        assert_eq!(
            read_log(&app, Some(&last)).await.changes,
            Some(Changes { users: vec![alice], ..Changes::default() }),
            "all keys of a user"
        );
        let last = read_log(&app, None).await.snapshot;
        app.database.execute("TRUNCATE api_keys").unwrap();
        assert_eq!(read_log(&app, Some(&last)).await.changes, None);
    });
}

#[test]
fn a_change_by_a_database_role_with_few_rights_is_logged() {
    on_postgres(async |app| {
        let id = token(&app).await;
        let last = read_log(&app, None).await.snapshot;
        // Roles belong to the whole PostgreSQL server, so the name must be unique to this test.
        let role = format!("operator_{}", Uuid::new_v4().simple());
        app.database
            .execute(&format!(
                "CREATE ROLE {role}; GRANT SELECT, UPDATE ON api_keys TO {role}; SET ROLE {role}; SET search_path = '';
                 UPDATE public.api_keys SET expires_at = created_at WHERE id = '{id}';
                 RESET search_path; RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}"
            ))
            .unwrap();
        assert_eq!(since(&app, &last).await.0, [id.as_str()]);
    });
}

#[test]
fn a_change_that_commits_out_of_order_is_not_lost() {
    on_postgres(async |app| {
        let (early, late) = (token(&app).await, token(&app).await);
        let last = read_log(&app, None).await.snapshot;
        let end = |id: &str| format!("UPDATE api_keys SET expires_at = created_at WHERE id = '{id}'");
        let mut slow = PgConnection::establish(app.database.url()).unwrap();
        slow.batch_execute(&format!("BEGIN; {}", end(&early))).unwrap();
        app.database.execute(&end(&late)).unwrap();
        let (ids, last) = since(&app, &last).await;
        assert_eq!(ids, [late.as_str()], "the other change is not committed");
        slow.batch_execute("COMMIT").unwrap();
        let (ids, last) = since(&app, &last).await;
        assert_eq!(ids, [early.as_str()]);
        assert!(since(&app, &last).await.0.is_empty());
    });
}

#[test]
fn a_reader_from_before_a_trim_learns_that_it_missed_changes() {
    on_postgres(async |app| {
        let (before, id) = (read_log(&app, None).await.snapshot, token(&app).await);
        app.owner.http.send("PUT", &format!("/api/v2/users/me/keys/{id}/expire")).await.expect(204);
        let after = read_log(&app, Some(&before)).await.snapshot;
        let upto = after.clone();
        let trim = move |tx: &mut Tx<'_>| verifiers::trim(tx, &upto);
        app.service.store().write::<_, StoreError, _, _>(Lane::ChangeLog, trim, |_| ()).await.unwrap();
        assert_eq!(app.database.count("SELECT count(*) AS count FROM verifier_changes"), 0);
        assert_eq!(read_log(&app, Some(&before)).await.changes, None);
        assert_eq!(read_log(&app, Some(&after)).await.changes, Some(Changes::default()), "it had read all changes");
    });
}

#[test]
fn too_many_changes_are_reported_as_unknown() {
    on_postgres(async |app| {
        let id = token(&app).await;
        app.owner.http.send("PUT", &format!("/api/v2/users/me/keys/{id}/expire")).await.expect(204);
        app.database.copy_expired_key(&id, 1..=4_096).unwrap();
        let last = read_log(&app, None).await.snapshot;
        app.database.execute("DELETE FROM api_keys WHERE kind = 'token'").unwrap();
        assert_eq!(read_log(&app, Some(&last)).await.changes, None);
    });
}

#[test]
fn a_server_is_listed_until_it_deregisters_with_its_latest_beat() {
    on_postgres(async |app| {
        let id = Uuid::from_u128(7);
        let write = async |work: fn(&mut Tx<'_>) -> Result<(), StoreError>| {
            app.service.store().write::<_, StoreError, _, _>(Lane::ChangeLog, work, |_| ()).await.unwrap();
        };
        write(|tx| verifiers::record_heartbeat(tx, Uuid::from_u128(7), 1)).await;
        write(|tx| verifiers::record_heartbeat(tx, Uuid::from_u128(7), 2)).await;
        assert_eq!(read_log(&app, None).await.servers, [(id, 2)]);
        write(|tx| verifiers::deregister(tx, Uuid::from_u128(7), 1)).await;
        assert_eq!(read_log(&app, None).await.servers, [(id, 2)], "its latest beat is 2");
        write(|tx| verifiers::deregister(tx, Uuid::from_u128(7), 2)).await;
        assert_eq!(read_log(&app, None).await.servers, []);
    });
}
