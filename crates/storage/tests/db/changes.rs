//! The change log on PostgreSQL returns exactly the changes committed since the last read.

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};
use keyward_domain::event::Origin;
use keyward_domain::user::UserStatus;
use keyward_domain::{KeyId, Lifetime};
use keyward_storage::usage::{self, Use};
use keyward_storage::users::{self, Change};
use keyward_storage::verifiers::{self, ChangeLogRead, Snapshot};
use keyward_storage::{Changes, Conn, Lane, Store, StoreError, Tx};
use keyward_test_database::Backend;
use uuid::Uuid;

use crate::support::{Db, run};

fn on_postgres<F: Future<Output = ()>>(body: impl FnOnce(Db) -> F) {
    run(Backend::Postgres, body);
}

async fn read_log(db: &Db, last: Option<&Snapshot>) -> ChangeLogRead {
    let last = last.cloned();
    let work = move |conn: &mut Conn<'_>| verifiers::read_change_log(conn, last.as_ref());
    db.store.read::<_, StoreError, _>(Lane::ChangeLog, work).await.unwrap().unwrap()
}

/// The ids of the keys that changed since `last`, sorted, and the snapshot of this read.
async fn since(db: &Db, last: &Snapshot) -> (Vec<String>, Snapshot) {
    let read = read_log(db, Some(last)).await;
    let mut ids: Vec<String> = read.changes.unwrap().keys.iter().map(ToString::to_string).collect();
    ids.sort();
    (ids, read.snapshot)
}

async fn token(db: &Db) -> KeyId {
    db.token(&format!("t{}", db.entries())).await
}

#[test]
fn expiries_and_deletions_by_any_writer_are_logged_but_uses_are_not() {
    on_postgres(async |db| {
        let start = read_log(&db, None).await;
        assert_eq!(start.changes, None, "changes before the first read are unknown");
        let (one, two) = (token(&db).await, token(&db).await);
        let (ids, last) = since(&db, &start.snapshot).await;
        assert!(ids.is_empty(), "a new key needs no eviction: {ids:?}");

        db.expire(&one).await;
        let (ids, last) = since(&db, &last).await;
        assert_eq!(ids, [one.as_str()]);
        db.database.execute(&format!("UPDATE api_keys SET expires_at = created_at WHERE id = '{two}'")).unwrap();
        db.database.execute(&format!("DELETE FROM api_keys WHERE id = '{one}'")).unwrap();
        let (ids, last) = since(&db, &last).await;
        let mut both = [one.to_string(), two.to_string()];
        both.sort();
        assert_eq!(ids, both);

        // The session slides, and its use is recorded.
        let (session, owner) = (db.session().await, db.owner.id);
        db.clock.advance(Lifetime::hours(2));
        let now = db.now();
        db.write(move |tx| {
            usage::note(tx, &[Use { key: session.clone(), user: owner, at: now, ip: None }])?;
            usage::slide(tx, &session, now, now.checked_add(Lifetime::days(7)).unwrap())
        })
        .await;
        let (ids, last) = since(&db, &last).await;
        assert!(ids.is_empty(), "{ids:?}");

        let alice = db.user("alice").await;
        let (_, last) = since(&db, &last).await;
        let (id, origin) = (alice.id, Origin::system(db.now()));
        let suspend = Change::Status(UserStatus::Suspended);
        db.write(move |tx| users::update(tx, alice, suspend, origin.time, &origin)).await;
        assert_eq!(
            read_log(&db, Some(&last)).await.changes,
            Some(Changes { users: vec![id], ..Changes::default() }),
            "all keys of a user"
        );
        let last = read_log(&db, None).await.snapshot;
        db.database.execute("TRUNCATE api_keys").unwrap();
        assert_eq!(read_log(&db, Some(&last)).await.changes, None);
    });
}

#[test]
fn a_change_by_a_database_role_with_few_rights_is_logged() {
    on_postgres(async |db| {
        let id = token(&db).await;
        let last = read_log(&db, None).await.snapshot;
        // Roles belong to the whole PostgreSQL server, so the name must be unique to this test.
        let role = format!("operator_{}", Uuid::new_v4().simple());
        db.database
            .execute(&format!(
                "CREATE ROLE {role}; GRANT SELECT, UPDATE ON api_keys TO {role}; SET ROLE {role}; SET search_path = '';
                 UPDATE public.api_keys SET expires_at = created_at WHERE id = '{id}';
                 RESET search_path; RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}"
            ))
            .unwrap();
        assert_eq!(since(&db, &last).await.0, [id.as_str()]);
    });
}

#[test]
fn a_change_that_commits_out_of_order_is_not_lost() {
    on_postgres(async |db| {
        let (early, late) = (token(&db).await, token(&db).await);
        let last = read_log(&db, None).await.snapshot;
        let end = |id: &KeyId| format!("UPDATE api_keys SET expires_at = created_at WHERE id = '{id}'");
        let mut slow = PgConnection::establish(db.database.url()).unwrap();
        slow.batch_execute(&format!("BEGIN; {}", end(&early))).unwrap();
        db.database.execute(&end(&late)).unwrap();
        let (ids, last) = since(&db, &last).await;
        assert_eq!(ids, [late.as_str()], "the other change is not committed");
        slow.batch_execute("COMMIT").unwrap();
        let (ids, last) = since(&db, &last).await;
        assert_eq!(ids, [early.as_str()]);
        assert!(since(&db, &last).await.0.is_empty());
    });
}

#[test]
fn a_reader_from_before_a_trim_learns_that_it_missed_changes() {
    on_postgres(async |db| {
        let (before, id) = (read_log(&db, None).await.snapshot, token(&db).await);
        db.expire(&id).await;
        // A change stays while a transaction is open that is older, also one on another database of the
        // server, where other tests run.
        let after = loop {
            let after = read_log(&db, Some(&before)).await.snapshot;
            let upto = after.clone();
            let trim = move |tx: &mut Tx<'_>| verifiers::trim(tx, &upto);
            db.store.write::<_, StoreError, _, _>(Lane::ChangeLog, trim, |_| ()).await.unwrap();
            if db.database.count("SELECT count(*) AS count FROM verifier_changes") == 0 {
                break after;
            }
        };
        assert_eq!(read_log(&db, Some(&before)).await.changes, None);
        assert_eq!(read_log(&db, Some(&after)).await.changes, Some(Changes::default()), "it had read all changes");
    });
}

#[test]
fn too_many_changes_are_reported_as_unknown() {
    on_postgres(async |db| {
        let id = token(&db).await;
        db.expire(&id).await;
        db.database.copy_expired_key(id.as_str(), 1..=4_096).unwrap();
        let last = read_log(&db, None).await.snapshot;
        db.database.execute("DELETE FROM api_keys WHERE kind = 'token'").unwrap();
        assert_eq!(read_log(&db, Some(&last)).await.changes, None);
    });
}

#[test]
fn a_server_is_listed_until_it_deregisters_with_its_latest_beat() {
    on_postgres(async |db| {
        let id = Uuid::from_u128(7);
        let write = async |work: fn(&mut Tx<'_>) -> Result<(), StoreError>| {
            db.store.write::<_, StoreError, _, _>(Lane::ChangeLog, work, |_| ()).await.unwrap();
        };
        write(|tx| verifiers::record_heartbeat(tx, Uuid::from_u128(7), 1)).await;
        write(|tx| verifiers::record_heartbeat(tx, Uuid::from_u128(7), 2)).await;
        assert_eq!(read_log(&db, None).await.servers, [(id, 2)]);
        write(|tx| verifiers::deregister(tx, Uuid::from_u128(7), 1)).await;
        assert_eq!(read_log(&db, None).await.servers, [(id, 2)], "its latest beat is 2");
        write(|tx| verifiers::deregister(tx, Uuid::from_u128(7), 2)).await;
        assert_eq!(read_log(&db, None).await.servers, []);
    });
}

#[test]
fn the_change_log_of_another_cluster_is_forgotten_at_the_start() {
    on_postgres(async |db| {
        // As after a restore from a cluster whose transaction ids are far ahead.
        for sql in [
            "INSERT INTO verifier_changes (xid, key_id) VALUES ('9000000000000000000', 'kwd_0000000000')",
            "UPDATE verifier_lease SET trimmed_before = '9000000000000000000'",
        ] {
            db.database.execute(sql).unwrap();
        }
        let last = read_log(&db, None).await.snapshot;
        assert_eq!(read_log(&db, Some(&last)).await.changes, None, "every read seems to have missed changes");
        let _restarted = Store::open(&db.database.parsed()).unwrap();
        assert_eq!(db.database.count("SELECT count(*) AS count FROM verifier_changes"), 0);
        let (id, last) = (token(&db).await, read_log(&db, None).await.snapshot);
        db.expire(&id).await;
        assert_eq!(since(&db, &last).await.0, [id.as_str()]);
    });
}
