//! The release build of the server in a separate process.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use keyward_test_support::{ServerProcess, TestDatabase};

/// Starts the server with the log that it has by default, a line for each request, in a file.
#[must_use]
pub fn start_with_log(program: &Path, database: &TestDatabase) -> ServerProcess {
    let log = std::fs::File::create(database.directory().join("log")).expect("a file for the log");
    ServerProcess::run(ServerProcess::command(program, database.url(), database.directory()).stderr(log))
}

/// Builds the server in release mode and returns its path.
#[must_use]
pub fn release_server() -> PathBuf {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // `cargo bench` sets these for this program. Some build scripts (ring's) run again when they
    // change, so this would rebuild what has just been built.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    let built = cargo
        .args(["build", "--quiet", "--release", "--package", "keyward-server"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .status();
    assert!(built.is_ok_and(|status| status.success()), "the server does not build");
    // This program is in target/release/deps.
    let own = std::env::current_exe().expect("this program's path");
    own.ancestors().nth(2).expect("the folder of the release").join("keyward-server")
}

/// Memory use of a process, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Current memory use.
    pub now: u64,
    /// Peak since the start or since [`Memory::forget_peak`].
    pub peak: u64,
}

impl Memory {
    /// Reads the memory use of a server.
    #[must_use]
    pub fn of(server: &ServerProcess) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("Linux's /proc");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the field");
            let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number of KiB");
            kib * 1_024
        };
        Self { now: field("VmRSS:"), peak: field("VmHWM:") }
    }

    /// Resets the peak to the current use.
    pub fn forget_peak(server: &ServerProcess) {
        std::fs::write(format!("/proc/{}/clear_refs", server.pid()), "5").expect("Linux's /proc");
    }
}

/// Converts bytes to MiB.
#[must_use]
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Processor time used by a process so far.
#[must_use]
pub fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("Linux's /proc");
    // The name in parentheses may contain spaces. On Linux, the times are always in units of 10 ms.
    let (_, rest) = stat.rsplit_once(") ").expect("a name");
    let ticks: u64 = rest.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("a time")).sum();
    Duration::from_millis(ticks * 10)
}

/// Restricts this process and its future children to one processor, so that a server and its load do
/// not compete. Does nothing on a machine with one processor.
pub fn pin(processor: usize) {
    // Counted before the first call, because afterwards this process sees only one processor.
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    let processors = *PROCESSORS.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZero::get));
    if processor >= processors {
        return;
    }
    let pinned = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid", &processor.to_string(), &std::process::id().to_string()])
        .stdout(std::process::Stdio::null())
        .status();
    assert!(pinned.is_ok_and(|status| status.success()), "cannot run taskset (util-linux)");
}
