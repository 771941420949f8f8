//! The audit log of a real server, checked by another implementation of the formats.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keyward_test_support::{Backend, ServerProcess, TestDatabase, Wire, request};
use serde_json::{Value, json};

use crate::PROGRAM;

/// How long after an entry it is sealed at the latest.
const SEALED_WITHIN: Duration = Duration::from_secs(2);

#[test]
fn another_implementation_proves_every_entry_on_sqlite() {
    every_entry_is_proven(Backend::Sqlite);
}

#[test]
fn another_implementation_proves_every_entry_on_postgres() {
    every_entry_is_proven(Backend::Postgres);
}

/// A Python that has `aics-tlog`. With `CI=true` there must be one.
fn python() -> Option<std::path::PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tlog/bin/python");
    if own.is_file() {
        return Some(own);
    }
    let message = "AICS-TLOG IS NOT INSTALLED, SO THE TEST OF THE AUDIT LOG'S FORMATS IS SKIPPED; .ci/run INSTALLS IT";
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
    let _written = writeln!(io::stderr(), "!!! {message} !!!");
    None
}

fn every_entry_is_proven(backend: Backend) {
    let (Some(database), Some(python)) = (TestDatabase::create(backend), python()) else { return };
    let server = ServerProcess::start(Path::new(PROGRAM), database.url(), database.directory());
    let session = server.first_session();
    let mut wire = Wire::connect(server.address()).unwrap();
    for _ in 0..20 {
        let token = wire.call(&request("POST", "/api/v2/users/me/keys/tokens", &session, "{}")).unwrap().expect(201);
        let path = format!("/api/v2/users/me/keys/{}/expire", token["id"].as_str().unwrap());
        let body = json!({ "reason": "policy", "note": "a note with \u{e9}, \u{1F600}, \" and \\" });
        let expired = wire.call(&request("PUT", &path, &session, &body.to_string())).unwrap();
        assert_eq!(expired.status, 204);
    }
    let asked = Instant::now();
    let mut get = |path: &str| wire.call(&request("GET", path, &session, "")).unwrap();
    let log = get("/api/v2/audit?limit=1000").expect(200);
    let entries = log["audit_logs"].as_array().unwrap().clone();
    let proven: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let path = format!("/api/v2/audit/{}/proof", entry["id"].as_str().unwrap());
            loop {
                let answer = get(&path);
                if answer.status == 200 {
                    return json!({ "entry": entry, "proof": answer.text });
                }
                assert!(asked.elapsed() < SEALED_WITHIN, "{}: {}", answer.status, answer.text);
                std::thread::sleep(Duration::from_millis(20));
            }
        })
        .collect();
    let tree = get("/api/v2/audit/tree").expect(200);
    let key = Command::new(PROGRAM)
        .args(["audit-key", "--database-url", database.url(), "--data-dir"])
        .arg(database.directory())
        .output()
        .unwrap();
    let key = String::from_utf8(key.stdout).unwrap();
    let given = json!({
        "verifier_key": key.trim(),
        "origin": tree["origin"],
        "checkpoint": tree["checkpoint"],
        "entries": proven,
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/processes/proofs/check.py");
    let mut check = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    check.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(output.status.success(), "the other implementation refuses a proof");
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), entries.len().to_string());
}
