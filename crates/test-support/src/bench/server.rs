//! The server as it is shipped, in a process of its own.

use std::num::NonZero;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::ServerProcess;

/// Builds the server with optimisations, and says where it is.
#[must_use]
pub fn release_server() -> PathBuf {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo tells this program of itself. Some build scripts (ring's) ask to be run again when it changes, and
    // this would rebuild what has just been built.
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

/// What a process takes of the memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Now.
    pub now: u64,
    /// The most since its start, or since [`Memory::forget_peak`].
    pub peak: u64,
}

impl Memory {
    /// Looks at a server.
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

    /// Makes the present the peak.
    pub fn forget_peak(server: &ServerProcess) {
        std::fs::write(format!("/proc/{}/clear_refs", server.pid()), "5").expect("Linux's /proc");
    }
}

/// Bytes in MiB.
#[must_use]
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The processor time that a process has taken so far.
#[must_use]
pub fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("Linux's /proc");
    // The name, in brackets, may hold spaces. The times are in hundredths of a second, on Linux always.
    let (_, rest) = stat.rsplit_once(") ").expect("a name");
    let ticks: u64 = rest.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("a time")).sum();
    Duration::from_millis(ticks * 10)
}

/// Keeps this process, and those that it starts from now on, to one processor, so that a server and
/// its load do not take each other's. Does nothing where there is only one.
pub fn pin(processor: usize) {
    // Counted before the first pin: afterwards there is only the one that this process is kept to.
    static THERE_ARE: OnceLock<usize> = OnceLock::new();
    let there_are = *THERE_ARE.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZero::get));
    if processor >= there_are {
        return;
    }
    let pinned = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid", &processor.to_string(), &std::process::id().to_string()])
        .stdout(std::process::Stdio::null())
        .status();
    assert!(pinned.is_ok_and(|status| status.success()), "taskset of util-linux does not work");
}
