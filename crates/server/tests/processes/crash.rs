//! A server is killed while it writes. Everything it acknowledged must be stored, every change must
//! have its audit entry, and every entry its change.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use keyward_test_support::{Backend, Http, ServerProcess, TestDatabase};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::PROGRAM;

const ROUNDS: usize = 20;
const WRITERS: usize = 4;

/// What the server acknowledged.
#[derive(Debug, Default)]
struct Acknowledged {
    created: Vec<String>,
    expired: Vec<String>,
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_half_done_on_sqlite() {
    crash(Backend::Sqlite);
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_half_done_on_postgres() {
    crash(Backend::Postgres);
}

fn crash(backend: Backend) {
    let Some(database) = TestDatabase::create(backend) else { return };
    actix_web::rt::System::new().block_on(async {
        let done = Rc::new(RefCell::new(Acknowledged::default()));
        let mut session: Option<String> = None;
        for round in 0..ROUNDS {
            let server = ServerProcess::start(Path::new(PROGRAM), database.url(), database.directory());
            let http = Http::new(&server.url, None);
            let http = match &session {
                Some(session) => http.with(session),
                None => http.with(session.insert(server.first_session())),
            };
            let (notify, mut acknowledgements) = unbounded_channel();
            let writers: Vec<_> = (0..WRITERS)
                .map(|_| actix_web::rt::spawn(write(http.clone(), Rc::clone(&done), notify.clone())))
                .collect();
            // Kills the server after a number of acknowledgements, at a different point in each round.
            for _ in 0..10 + round * 3 {
                acknowledgements.recv().await.unwrap();
            }
            server.kill();
            for writer in writers {
                writer.await.unwrap();
            }
        }
        // Starts once more, so that SQLite recovers its log, as after any crash.
        drop(ServerProcess::start(Path::new(PROGRAM), database.url(), database.directory()));
        check(&database, &done.borrow());
    });
}

/// Creates tokens and expires every second one, until the server is gone.
async fn write(http: Http, done: Rc<RefCell<Acknowledged>>, notify: UnboundedSender<()>) {
    loop {
        let request = http.request("POST", "/api/v2/users/me/keys/tokens").header("content-type", "application/json");
        let Ok(answer) = request.body("{}").send().await else { return };
        assert_eq!(answer.status().as_u16(), 201);
        let Ok(text) = answer.text().await else { return };
        let created: Value = serde_json::from_str(&text).unwrap();
        let id = created.get("id").and_then(Value::as_str).unwrap().to_owned();
        let expire = {
            let mut done = done.borrow_mut();
            done.created.push(id.clone());
            done.created.len().is_multiple_of(2)
        };
        // The receiver is dropped once it has counted enough; the kill follows.
        let _sent = notify.send(());
        if expire {
            let request = http.request("PUT", &format!("/api/v2/users/me/keys/{id}/expire"));
            let Ok(answer) = request.send().await else { return };
            assert_eq!(answer.status().as_u16(), 204);
            done.borrow_mut().expired.push(id);
            let _sent = notify.send(());
        }
    }
}

fn check(database: &TestDatabase, done: &Acknowledged) {
    assert!(done.created.len() > ROUNDS * WRITERS && done.expired.len() > ROUNDS, "the writers wrote");
    let list = |ids: &[String]| ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(",");
    let count = |sql: String| usize::try_from(database.count(&sql)).unwrap();
    let created = count(format!("SELECT count(*) AS count FROM api_keys WHERE id IN ({})", list(&done.created)));
    assert_eq!(created, done.created.len(), "an acknowledged create was lost");
    let expired = count(format!(
        "SELECT count(*) AS count FROM api_keys WHERE ended_at IS NOT NULL AND expires_at = ended_at AND id IN ({})",
        list(&done.expired)
    ));
    assert_eq!(expired, done.expired.len(), "an acknowledged expire was lost");

    for (what, sql) in [
        (
            "a token without its one create entry",
            "SELECT count(*) AS count FROM api_keys k WHERE k.kind = 'token' AND 1 <> (SELECT count(*) FROM audit_logs a
             WHERE a.resource_id = k.id AND a.action = 'create')",
        ),
        (
            "an ended token without its one write entry",
            "SELECT count(*) AS count FROM api_keys k WHERE k.kind = 'token' AND k.ended_at IS NOT NULL
             AND 1 <> (SELECT count(*) FROM audit_logs a WHERE a.resource_id = k.id AND a.action = 'write')",
        ),
        (
            "a create entry without its key",
            "SELECT count(*) AS count FROM audit_logs a WHERE a.action = 'create' AND a.resource_type = 'api_key'
             AND NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.id = a.resource_id)",
        ),
        (
            "a write entry without its ended key",
            "SELECT count(*) AS count FROM audit_logs a WHERE a.action = 'write' AND a.resource_type = 'api_key'
             AND NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.id = a.resource_id AND k.ended_at IS NOT NULL)",
        ),
    ] {
        assert_eq!(database.count(sql), 0, "{what}");
    }
}
