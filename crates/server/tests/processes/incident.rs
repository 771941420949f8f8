//! A server is killed while it ends many keys. The same request goes on where it stopped.

use std::path::Path;
use std::time::{Duration, Instant};

use keyward_test_support::{Backend, Http, ServerProcess, TestDatabase};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::PROGRAM;

const EXPIRE: &str = "/api/v2/keys/expire";

/// Keys to end, in 20 batches.
const KEYS: i64 = 10_000;

const KILLS: i64 = 5;

#[test]
fn a_killed_incident_goes_on_and_each_key_has_one_entry_on_sqlite() {
    kill_an_incident(Backend::Sqlite);
}

#[test]
fn a_killed_incident_goes_on_and_each_key_has_one_entry_on_postgres() {
    kill_an_incident(Backend::Postgres);
}

fn kill_an_incident(backend: Backend) {
    let Some(database) = TestDatabase::create(backend) else { return };
    actix_web::rt::System::new().block_on(async {
        let start = || ServerProcess::start(Path::new(PROGRAM), database.url(), database.directory());
        let server = start();
        let session = server.first_session();
        let http = Http::new(&server.url, None).with(&session);
        let body = json!({ "token_name": "leaked" });
        let first = http.post("/api/v2/users/me/keys/tokens", &body).await.expect(201).json();
        let spared = http.post("/api/v2/users/me/keys/tokens", &json!({})).await.expect(201).json();
        copy(&database, first["id"].as_str().unwrap());

        let selector = json!({ "name": "leaked" });
        let preview = http.post(EXPIRE, &json!({ "selector": selector, "dry_run": true })).await.expect(200).json();
        assert_eq!(preview["matched"], json!(KEYS));
        let id = Uuid::now_v7();
        let order =
            json!({ "selector": selector, "reason": "compromised", "expect": preview["digest"], "incident_id": id });
        let mut server = Some(server);
        for kill in 0..KILLS {
            let running = server.take().unwrap();
            let sent = actix_web::rt::spawn(request(running.url.clone(), session.clone(), order.clone()));
            let enough = 1 + kill * KEYS / (KILLS + 1);
            let began = Instant::now();
            while database.count("SELECT coalesce(max(done), 0) AS count FROM incidents") < enough {
                assert!(began.elapsed() < Duration::from_secs(60), "no progress beyond {kill} kills");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            running.kill();
            assert!(sent.await.unwrap().is_none(), "killed before its end");
            server = Some(start());
        }
        let server = server.unwrap();
        let done = request(server.url.clone(), session.clone(), order).await.unwrap();
        assert_eq!((&done["expired"], &done["already_expired"]), (&json!(KEYS), &json!(0)), "{done}");
        let http = Http::new(&server.url, None).with(&session);
        http.with(spared["key"].as_str().unwrap()).get("/api/v2/users/me").await.expect(200);
        http.with(first["key"].as_str().unwrap()).get("/api/v2/users/me").await.refused(401, "key_expired");
    });
    for (what, sql, expected) in [
        ("ended keys", "SELECT count(*) AS count FROM api_keys WHERE ended_at IS NOT NULL", KEYS),
        ("entries", "SELECT count(*) AS count FROM audit_logs WHERE event = 'key.expired'", KEYS),
        (
            "keys with an entry",
            "SELECT count(DISTINCT resource_id) AS count FROM audit_logs WHERE event = 'key.expired'",
            KEYS,
        ),
        ("incidents", "SELECT count(*) AS count FROM audit_logs WHERE event = 'incident.began'", 1),
    ] {
        assert_eq!(database.count(sql), expected, "{what}");
    }
}

/// The response, unless the server is gone.
async fn request(url: String, session: String, body: Value) -> Option<Value> {
    let http = Http::new(&url, None).with(&session);
    let sent = http.request("POST", EXPIRE).header("content-type", "application/json").body(body.to_string()).send();
    let answer = sent.await.ok()?;
    assert_eq!(answer.status().as_u16(), 200);
    serde_json::from_str(&answer.text().await.ok()?).ok()
}

/// Copies a token until there are [`KEYS`], with its name and its secret's digest.
fn copy(database: &TestDatabase, id: &str) {
    let columns = "user_id, token_name, kind, login_type, digest, digest_version, scopes, allow_list,
                   lifetime_seconds, created_at, updated_at, expires_at";
    let (series, new) = match database.backend {
        Backend::Sqlite => (
            format!("WITH RECURSIVE series (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM series WHERE n < {KEYS})"),
            "printf('kwd_%010d', n)",
        ),
        Backend::Postgres => (
            format!("WITH series AS (SELECT n FROM generate_series(2, {KEYS}) AS n)"),
            "'kwd_' || lpad(n::text, 10, '0')",
        ),
    };
    let sql = format!(
        "{series} INSERT INTO api_keys (id, {columns}) SELECT {new}, {columns} FROM api_keys, series WHERE id = '{id}'"
    );
    database.execute(&sql).unwrap();
}
