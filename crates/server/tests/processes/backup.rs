//! A backup of a SQLite database, while a server writes to it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use keyward_test_support::{Backend, ServerProcess, TestDatabase, Wire, request};

use crate::PROGRAM;

fn backup(database: &TestDatabase, file: &Path) -> Output {
    Command::new(PROGRAM)
        .args(["backup", "--database-url", database.url(), "--data-dir"])
        .arg(database.directory())
        .arg(file)
        .output()
        .unwrap()
}

#[test]
fn a_backup_is_whole_while_a_server_writes() {
    let database = TestDatabase::create(Backend::Sqlite).unwrap();
    let server = ServerProcess::start(Path::new(PROGRAM), database.url(), database.directory());
    let session = server.first_session();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let is_done = AtomicBool::new(false);
    let create = request("POST", "/api/v2/users/me/keys/tokens", &session, "{}");
    let created = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut wire = Wire::connect(server.address()).unwrap();
            let mut created = 0;
            while !is_done.load(Ordering::Relaxed) {
                wire.call(&create).unwrap().expect(201);
                created += 1;
            }
            created
        });
        while database.count("SELECT count(*) AS count FROM api_keys WHERE kind = 'token'") < 20 {
            thread::yield_now();
        }
        let output = backup(&database, &copy);
        is_done.store(true, Ordering::Relaxed);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("copied the database to {}\n", copy.display()));
        writer.join().unwrap()
    });
    assert!(created >= 20, "{created}");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let again = backup(&database, &copy);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("File exists"), "{again:?}");
    drop(server);

    let url = format!("sqlite://{}", copy.display());
    let restored = ServerProcess::start(Path::new(PROGRAM), &url, folder.path());
    let mut wire = Wire::connect(restored.address()).unwrap();
    let tokens = wire.call(&request("GET", "/api/v2/users/me/keys/tokens", &session, "")).unwrap().expect(200);
    assert!(tokens.as_array().unwrap().len() >= 20, "{tokens}");
}

#[test]
fn another_database_has_its_own_program() {
    let Some(database) = TestDatabase::create(Backend::Postgres) else { return };
    let file = database.directory().join("copy");
    let output = backup(&database, &file);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("pg_dump"), "{output:?}");
    assert!(!file.exists());
}
