//! A server whose disk is full, or read-only: a small file system in memory.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use keyward_test_support::{ServerProcess, Wire, WireAnswer, request};
use serde_json::{Value, json};

use crate::PROGRAM;

/// A mounted file system, which only the superuser can make.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// None if this user may not mount. With `CI=true` that is a failure.
    fn mount() -> Option<Self> {
        let folder = tempfile::TempDir::with_prefix("keyward-disk-").unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(folder.path()).output();
        if !done.as_ref().is_ok_and(|done| done.status.success()) {
            assert!(std::env::var_os("CI").is_none(), "cannot mount a file system: {done:?}");
            println!("skipped: this user cannot mount a file system");
            return None;
        }
        Some(Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes up all free space.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = File::create(&path).unwrap();
        for size in [65_536, 4_096] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }

    fn remount(&self, option: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{option}")]).arg(self.path()).status().unwrap();
        assert!(done.success());
    }

    fn command(&self) -> Command {
        let url = format!("sqlite://{}", self.path().join("keyward.db").display());
        let mut command = ServerProcess::command(Path::new(PROGRAM), &url, self.path());
        command.args(["--log-filter", "off"]);
        command
    }

    fn start(&self) -> ServerProcess {
        ServerProcess::run(&mut self.command())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, because the server may still be ending.
        let _unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

fn call(server: &ServerProcess, method: &str, path: &str, key: &str, body: &Value) -> WireAnswer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Wire::connect(server.address()).unwrap().call(&request(method, path, key, &body)).unwrap()
}

fn expire(server: &ServerProcess, session: &str, token: &Value) -> WireAnswer {
    let path = format!("/api/v2/users/me/keys/{}/expire", token["id"].as_str().unwrap());
    call(server, "PUT", &path, session, &Value::Null)
}

#[test]
fn a_full_disk_lets_keys_be_used_and_expired_and_nothing_be_created() {
    const TOKENS: &str = "/api/v2/users/me/keys/tokens";

    let Some(disk) = Disk::mount() else { return };
    let server = disk.start();
    let session = server.first_session();
    let tokens: Vec<Value> = (0..60).map(|_| call(&server, "POST", TOKENS, &session, &json!({})).expect(201)).collect();
    let filler = disk.fill();

    // Creates fail once SQLite's log has no free space left, and then at once.
    let mut created = 0;
    let refused = loop {
        let answer = call(&server, "POST", TOKENS, &session, &json!({}));
        if answer.status != 201 {
            break answer;
        }
        created += 1;
        assert!(created < 2_000, "the disk is not full");
    };
    assert_eq!(refused.expect(503)["code"], "storage_full");
    assert_eq!(call(&server, "POST", TOKENS, &session, &json!({})).expect(503)["code"], "storage_full");
    let used = |token: &Value| call(&server, "GET", "/api/v2/users/me", token["key"].as_str().unwrap(), &Value::Null);
    for token in &tokens {
        assert_eq!(used(token).status, 200);
        assert_eq!(expire(&server, &session, token).status, 204);
        assert_eq!(used(token).expect(401)["code"], "key_expired");
    }
    assert_eq!(call(&server, "GET", "/readyz", "", &Value::Null).status, 200);

    fs::remove_file(filler).unwrap();
    let began = Instant::now();
    while call(&server, "POST", TOKENS, &session, &json!({})).status != 201 {
        assert!(began.elapsed() < Duration::from_secs(10), "the server does not notice the free space");
        std::thread::sleep(Duration::from_millis(100));
    }
    let log = call(&server, "GET", "/api/v2/audit?q=action:write&limit=100", &session, &Value::Null).expect(200);
    assert_eq!(log["count"], 60, "each expire has its entry");
    server.tell_to_stop();
    assert!(server.ended().success());
    let server = disk.start();
    for token in &tokens {
        assert_eq!(expire(&server, &session, token).status, 204);
    }
}

/// A file system that is read-only because of an error. One that is in use cannot be made so from outside.
#[test]
fn a_server_on_a_read_only_disk_does_not_start_and_says_why() {
    let Some(disk) = Disk::mount() else { return };
    let server = disk.start();
    let session = server.first_session();
    server.tell_to_stop();
    assert!(server.ended().success());
    disk.remount("ro");
    let refused = disk.command().output().unwrap();
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{error}");
    assert!(error.contains("keyward.db") && error.contains("Read-only file system"), "{error}");
    disk.remount("rw");
    let server = disk.start();
    assert_eq!(call(&server, "GET", "/api/v2/users/me", &session, &Value::Null).status, 200);
}
