//! PostgreSQL for tests: the server at `KEYWARD_TEST_POSTGRES_URL`, or a temporary cluster created with
//! the installed programs, which ends with the test process.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};

/// The PostgreSQL server; `None` if there is none.
static SERVER: OnceLock<Option<Server>> = OnceLock::new();

static DATABASES: AtomicU32 = AtomicU32::new(0);

#[derive(Debug)]
struct Server {
    /// The URL of an existing database.
    admin: String,
    /// Holds the pipe that the keeper script reads. It closes when this process ends.
    _keeper: Option<Child>,
}

/// Creates a database with a new name. `None` if there is no server.
pub(crate) fn create_database() -> Option<String> {
    let server = SERVER.get_or_init(find).as_ref()?;
    let name = format!("keyward_{}_{}", std::process::id(), DATABASES.fetch_add(1, Ordering::Relaxed));
    admin(server).batch_execute(&format!("CREATE DATABASE {name}")).expect("a new database");
    Some(with_database(&server.admin, &name))
}

/// Drops the database, even if there are still connections.
pub(crate) fn drop_database(url: &str) {
    let name = url.rsplit('/').next().and_then(|rest| rest.split('?').next()).unwrap_or_default();
    if let Some(server) = SERVER.get().and_then(Option::as_ref) {
        // An error must not fail the test; the database is removed with the cluster.
        if let Err(error) = admin(server).batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")) {
            warn(&format!("cannot drop the test database {name}: {error}"));
        }
    }
}

fn admin(server: &Server) -> PgConnection {
    PgConnection::establish(&server.admin).expect("the PostgreSQL of the tests")
}

fn with_database(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, String::new()), |(a, q)| (a, format!("?{q}")));
    let authority = address.find("://").map_or(0, |at| at + 3);
    let end = address[authority..].find('/').map_or(address.len(), |at| authority + at);
    format!("{}/{name}{query}", &address[..end])
}

fn find() -> Option<Server> {
    if let Ok(admin) = std::env::var("KEYWARD_TEST_POSTGRES_URL") {
        return Some(Server { admin, _keeper: None });
    }
    let Some(bin) = programs() else {
        let message = "PostgreSQL is not installed; install it or set KEYWARD_TEST_POSTGRES_URL";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
        warn(&format!("!!! POSTGRESQL TESTS ARE SKIPPED: {message} !!!"));
        return None;
    };
    Some(start(&bin))
}

/// Writes to stderr directly, because the test harness hides the output of passing tests.
fn warn(message: &str) {
    let _written = writeln!(std::io::stderr(), "{message}");
}

/// Where `initdb` and `postgres` are: Debian's folders first, then PATH.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    debian.sort();
    debian.reverse();
    debian
        .into_iter()
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// Creates the cluster, starts it, waits until stdin is closed, then stops and removes it.
const KEEPER: &str = r#"
set -eu
dir=$(mktemp -d /tmp/keyward-postgres-XXXXXX)
cd "$dir"
trap 'cd /; rm -rf "$dir"' EXIT
trap '' INT TERM
"$BIN/initdb" --pgdata="$dir/data" --username=keyward --auth=trust --encoding=UTF8 --no-sync >/dev/null
"$BIN/postgres" -D "$dir/data" -p "$PORT" -k '' -c listen_addresses=127.0.0.1 -c fsync=off \
    -c max_connections=400 -c shared_buffers=64MB </dev/null >"$dir/log" 2>&1 &
server=$!
cat >/dev/null
kill -INT "$server"
wait "$server" || true
"#;

fn start(bin: &std::path::Path) -> Server {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    // PostgreSQL refuses to run as root.
    let root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let mut command = if root { Command::new("runuser") } else { Command::new("sh") };
    if root {
        command.args(["-u", "postgres", "--", "sh"]);
    }
    let keeper = command
        .args(["-c", KEEPER])
        .env("BIN", bin)
        .env("PORT", port.to_string())
        .current_dir("/")
        .stdin(Stdio::piped())
        .spawn()
        .expect("a keeper for the cluster");
    let admin = format!("postgres://keyward@127.0.0.1:{port}/postgres");
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(error) = PgConnection::establish(&admin) {
        assert!(Instant::now() < deadline, "the temporary PostgreSQL did not start: {error}");
        std::thread::sleep(Duration::from_millis(50));
    }
    Server { admin, _keeper: Some(keeper) }
}
