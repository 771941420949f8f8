//! Runs the tour's script within a time limit, in a home of its own, and leaves nothing running.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How the tour failed.
#[derive(Debug)]
pub(super) struct Failed {
    /// What follows "the tour …".
    pub(super) why: String,
    /// All it printed, stdout and stderr in the order they came.
    pub(super) output: String,
}

/// Sourced by bash before the script, which stays as it is written: says which command failed.
const PRELUDE: &str = r#"unset BASH_ENV
set -o errtrace
trap 'printf "README.md: line %s: failed with exit code %s: %s\n" "$LINENO" "$?" "$BASH_COMMAND" >&2' ERR
"#;

/// Runs the script in the current directory, with `programs` first in PATH.
pub(super) fn perform(script: &str, programs: &Path, limit: Duration) -> Result<(), Failed> {
    let cannot = |error: io::Error| Failed { why: format!("could not be run: {error}"), output: String::new() };
    let scratch = Scratch::new().map_err(cannot)?;
    let ended = run(script, programs, limit, &scratch).map_err(cannot)?;
    let why = match ended {
        Some(status) if status.success() => return Ok(()),
        Some(status) => format!("failed: {status}"),
        None => format!("was not over within {} s", limit.as_secs()),
    };
    let output = fs::read(scratch.output()).map_err(cannot)?;
    Err(Failed { why, output: String::from_utf8_lossy(&output).into_owned() })
}

/// How the script ended; none when it had to be stopped.
fn run(script: &str, programs: &Path, limit: Duration, scratch: &Scratch) -> io::Result<Option<ExitStatus>> {
    fs::write(scratch.script(), script)?;
    fs::write(scratch.prelude(), PRELUDE)?;
    let mut tour = command(programs, scratch)?.spawn()?;
    let leash = match Leash::on(&tour) {
        Ok(leash) => leash,
        Err(error) => {
            tour.kill()?;
            return Err(error);
        }
    };
    let ended = wait(&mut tour, limit)?;
    drop(leash);
    tour.wait()?;
    Ok(ended)
}

fn command(programs: &Path, scratch: &Scratch) -> io::Result<Command> {
    let mut tour = Command::new("bash");
    tour.args(["-euo", "pipefail"]).arg(scratch.script());
    // A file, not a pipe: what the script leaves running keeps a pipe open, and a full one blocks it.
    let output = File::options().create(true).append(true).open(scratch.output())?;
    tour.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    // A group of its own, so that everything it starts can be killed with it.
    tour.process_group(0);
    // A developer's own KEYWARD_URL or session would lead the tour to another server.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KEYWARD_") {
            tour.env_remove(&name);
        }
    }
    tour.env("BASH_ENV", scratch.prelude()).env("PATH", path_with_first(programs)?);
    tour.env("HOME", scratch.home());
    for (name, folder) in [
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_STATE_HOME", ".local/state"),
        ("XDG_CACHE_HOME", ".cache"),
    ] {
        tour.env(name, scratch.home().join(folder));
    }
    Ok(tour)
}

/// Waits for the script itself; what it left running does not count.
fn wait(tour: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        match tour.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if Instant::now() >= deadline => return Ok(None),
            None => thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn path_with_first(folder: &Path) -> io::Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).map_err(io::Error::other)
}

/// Kills a process group when it is dropped, and also when this program dies before that: a second
/// shell waits for the end of a pipe that only this program holds open.
struct Leash(Child);

impl Leash {
    fn on(leader: &Child) -> io::Result<Self> {
        // The shell's own `kill`: not every machine has the program.
        let script = r#"read -r _; kill -KILL -- "-$1" 2>/dev/null"#;
        let mut watcher = Command::new("bash");
        watcher.args(["-c", script, "leash"]).arg(leader.id().to_string());
        watcher.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl-C ends this program and must not end the watcher with it.
        watcher.process_group(0).spawn().map(Self)
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        // `wait` closes the pipe first. Killing fails when the group has ended already: all is well.
        if let Err(error) = self.0.wait() {
            eprintln!("xtask: processes of the tour may still be running: {error}");
        }
    }
}

/// A new folder under the system's temporary one, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("keyward-tour-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let scratch = Self(std::env::temp_dir().join(name));
        DirBuilder::new().mode(0o700).create(&scratch.0)?;
        DirBuilder::new().mode(0o700).create(scratch.home())?;
        Ok(scratch)
    }

    /// Named so that bash's messages name the place to look at.
    fn script(&self) -> PathBuf {
        self.0.join("README.md")
    }

    fn prelude(&self) -> PathBuf {
        self.0.join("prelude")
    }

    fn output(&self) -> PathBuf {
        self.0.join("output")
    }

    fn home(&self) -> PathBuf {
        self.0.join("home")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("xtask: cannot remove {}: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn perform_here(script: &str, limit: Duration) -> Result<(), Failed> {
        perform(script, Path::new("/nonexistent"), limit)
    }

    /// A process that was killed has gone, or waits for its parent to notice.
    fn is_running(pid: &str) -> bool {
        fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn a_script_that_ends_well_passes() {
        perform_here("test -d \"$HOME\"; test -z \"$(ls -A \"$HOME\")\"", Duration::from_secs(20)).unwrap();
    }

    #[test]
    fn a_failing_line_is_named() {
        let failed = perform_here("\n\necho before\nfalse\necho after\n", Duration::from_secs(20)).unwrap_err();
        assert_eq!(failed.why, "failed: exit status: 1");
        assert_eq!(failed.output, "before\nREADME.md: line 4: failed with exit code 1: false\n");
    }

    #[test]
    fn an_unset_variable_and_a_broken_pipeline_fail() {
        assert!(perform_here("echo $no_such_variable", Duration::from_secs(20)).is_err());
        assert!(perform_here("false | true", Duration::from_secs(20)).is_err());
    }

    /// Is the process gone, or about to be? One that was killed goes when the machine gets round to it.
    fn ends(pid: &str) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        while is_running(pid) && Instant::now() < deadline {
            std::thread::yield_now();
        }
        !is_running(pid)
    }

    #[test]
    fn nothing_is_left_running_after_the_end() {
        let note = Scratch::new().unwrap();
        let file = note.output();
        perform_here(&format!("sleep 300 &\necho $! > {}\n", file.display()), Duration::from_secs(20)).unwrap();
        assert!(ends(&fs::read_to_string(&file).unwrap()));
    }

    #[test]
    fn a_script_that_hangs_is_stopped_with_all_it_started() {
        let note = Scratch::new().unwrap();
        let file = note.output();
        let script = format!("sleep 300 &\necho $! > {}\nwait\n", file.display());
        let failed = perform_here(&script, Duration::from_secs(2)).unwrap_err();
        assert_eq!(failed.why, "was not over within 2 s");
        assert!(ends(&fs::read_to_string(&file).unwrap()));
    }
}
