//! PostgreSQL for tests: the server at `KEYWARD_TEST_POSTGRES_URL`, or a temporary cluster created with
//! the installed programs, which ends with the test process. A test that stops or freezes its server has
//! one of its own.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};
use rustix::process::{Pid, Signal, kill_process};

/// The PostgreSQL server; `None` if there is none.
static SERVER: OnceLock<Option<Server>> = OnceLock::new();

static DATABASES: AtomicU32 = AtomicU32::new(0);

#[derive(Debug)]
struct Server {
    /// The URL of an existing database.
    admin: String,
    /// Holds the pipe that the keeper script reads. It closes when this process ends.
    keeper: Option<Child>,
}

/// A PostgreSQL server of one test, which may stop or freeze it. It ends when dropped.
#[derive(Debug)]
pub struct PostgresServer {
    server: Server,
    keeper: Child,
}

impl PostgresServer {
    /// Starts a server on a free port. `None` if PostgreSQL is not installed; with `CI=true` that is a
    /// failure.
    #[must_use]
    pub fn start() -> Option<Self> {
        let mut server = start(&programs_or_warn()?);
        let keeper = server.keeper.take()?;
        Some(Self { server, keeper })
    }

    /// The URL of its only database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.server.admin
    }

    /// Stops the server as `pg_ctl stop --mode=fast` does: it ends every connection.
    pub fn stop(&mut self) {
        self.tell("stop");
        let deadline = Instant::now() + Duration::from_secs(20);
        while PgConnection::establish(&self.server.admin).is_ok() {
            assert!(Instant::now() < deadline, "the PostgreSQL of the test did not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts a stopped server again, and returns at once.
    pub fn resume(&mut self) {
        self.tell("start");
    }

    fn tell(&mut self, command: &str) {
        let pipe = self.keeper.stdin.as_mut().expect("the keeper's pipe");
        writeln!(pipe, "{command}").expect("a keeper that reads");
    }

    /// Stops all processes of the server (`SIGSTOP`): connections stay open, and nothing answers.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Ends [`Self::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        for pid in descendants(self.keeper.id()) {
            // A process may have ended meanwhile.
            let _sent = Pid::from_raw(pid).map(|pid| kill_process(pid, signal));
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.thaw();
        // The keeper stops the server when its pipe closes.
        drop(self.keeper.stdin.take());
        let _ended = self.keeper.wait();
    }
}

/// The processes named `postgres` that descend from this one.
fn descendants(ancestor: u32) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    // `pid (name) state parent …`
    let processes: Vec<(i32, bool, i32)> = stats
        .filter_map(|stat| {
            let (pid, rest) = stat.split_once(" (")?;
            let (name, rest) = rest.rsplit_once(") ")?;
            let parent = rest.split(' ').nth(1)?;
            Some((pid.parse().ok()?, name == "postgres", parent.parse().ok()?))
        })
        .collect();
    let mut family = vec![i32::try_from(ancestor).expect("a process id")];
    let mut at = 0;
    while let Some(&parent) = family.get(at) {
        family.extend(processes.iter().filter(|process| process.2 == parent).map(|process| process.0));
        at += 1;
    }
    let is_server = |pid: &i32| processes.iter().any(|process| process.0 == *pid && process.1);
    family.into_iter().filter(is_server).collect()
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
        return Some(Server { admin, keeper: None });
    }
    Some(start(&programs_or_warn()?))
}

fn programs_or_warn() -> Option<PathBuf> {
    let found = programs();
    if found.is_none() {
        let message = "PostgreSQL is not installed; install it or set KEYWARD_TEST_POSTGRES_URL";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
        warn(&format!("!!! POSTGRESQL TESTS ARE SKIPPED: {message} !!!"));
    }
    found
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

/// Creates the cluster, starts it, obeys the commands on stdin until it is closed, then stops and removes
/// the cluster.
const KEEPER: &str = r#"
set -eu
dir=$(mktemp -d /tmp/keyward-postgres-XXXXXX)
cd "$dir"
trap 'cd /; rm -rf "$dir"' EXIT
trap '' INT TERM
"$BIN/initdb" --pgdata="$dir/data" --username=keyward --auth=trust --encoding=UTF8 --no-sync >/dev/null
start() {
    "$BIN/postgres" -D "$dir/data" -p "$PORT" -k '' -c listen_addresses=127.0.0.1 -c fsync=off \
        -c max_connections=400 -c shared_buffers=64MB </dev/null >>"$dir/log" 2>&1 &
    server=$!
}
stop() {
    # It may have been stopped already.
    kill -INT "$server" 2>/dev/null && wait "$server" || true
}
start
while read -r command; do "$command"; done
stop
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
    Server { admin, keeper: Some(keeper) }
}
