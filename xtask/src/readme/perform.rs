//! Runs a tour's script within a time limit and with its own home directory, then kills everything it
//! started.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The tour of a page.
#[derive(Debug)]
pub(super) struct Tour {
    /// The page, relative to the repository's root.
    pub(super) page: PathBuf,
    /// Its blocks, as one bash script.
    pub(super) script: String,
}

/// A failed tour.
#[derive(Debug)]
pub(super) struct Failed {
    /// The reason, which follows "the tour …" in the message.
    pub(super) why: String,
    /// Its stdout and stderr, in order of arrival.
    pub(super) output: String,
}

/// Bash sources this before the script and so reports which command failed. The script itself stays
/// unchanged. Its file has the name of the page.
const PRELUDE: &str = r#"unset BASH_ENV
set -o errtrace
trap 'printf "%s: line %s: failed with exit code %s: %s\n" "${0##*/}" "$LINENO" "$?" "$BASH_COMMAND" >&2' ERR
"#;

impl Tour {
    /// Runs the script in the current directory, with `programs` first in PATH.
    pub(super) fn perform(&self, programs: &Path, limit: Duration) -> Result<(), Failed> {
        let cannot = |error: io::Error| Failed { why: format!("could not run: {error}"), output: String::new() };
        let scratch = Scratch::new().map_err(cannot)?;
        let ended = self.run(programs, limit, &scratch).map_err(cannot)?;
        let why = match ended {
            Some(status) if status.success() => return Ok(()),
            Some(status) => format!("failed: {status}"),
            None => format!("did not end within {} s", limit.as_secs()),
        };
        let output = fs::read(scratch.output()).map_err(cannot)?;
        Err(Failed { why, output: String::from_utf8_lossy(&output).into_owned() })
    }

    /// The script's exit status; `None` if it was stopped at the time limit.
    fn run(&self, programs: &Path, limit: Duration, scratch: &Scratch) -> io::Result<Option<ExitStatus>> {
        // Bash's messages contain this file name, so it is named after the page to look at.
        let script = scratch.script(self.page.file_name().unwrap_or(self.page.as_os_str()));
        fs::write(&script, &self.script)?;
        fs::write(scratch.prelude(), PRELUDE)?;
        let mut tour = command(&script, programs, scratch)?.spawn()?;
        let killer = match GroupKiller::on(&tour) {
            Ok(killer) => killer,
            Err(error) => {
                tour.kill()?;
                return Err(error);
            }
        };
        let ended = wait(&mut tour, limit)?;
        drop(killer);
        tour.wait()?;
        Ok(ended)
    }
}

fn command(script: &Path, programs: &Path, scratch: &Scratch) -> io::Result<Command> {
    let mut tour = Command::new("bash");
    tour.args(["-euo", "pipefail"]).arg(script);
    // A file instead of a pipe: processes that the script leaves running would keep a pipe open, and a
    // full pipe would block the script.
    let output = File::options().create(true).append(true).open(scratch.output())?;
    tour.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    // Its own process group, so that everything it starts can be killed with it.
    tour.process_group(0);
    // A developer's own KEYWARD_URL or session would make the tour use another server.
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

/// Waits for the script only, not for processes that it leaves running.
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

/// Kills a process group when dropped, and also if this program dies before that: a second shell waits
/// for the end of a pipe that only this program holds open.
struct GroupKiller(Child);

impl GroupKiller {
    fn on(leader: &Child) -> io::Result<Self> {
        // The shell's built-in `kill`, because not every machine has the program.
        let script = r#"read -r _; kill -KILL -- "-$1" 2>/dev/null"#;
        let mut watcher = Command::new("bash");
        watcher.args(["-c", script, "killer"]).arg(leader.id().to_string());
        watcher.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl-C ends this program and must not end the watcher with it.
        watcher.process_group(0).spawn().map(Self)
    }
}

impl Drop for GroupKiller {
    fn drop(&mut self) {
        // `wait` closes the pipe first. It does not matter if the group has already ended.
        if let Err(error) = self.0.wait() {
            eprintln!("xtask: processes of the tour may still be running: {error}");
        }
    }
}

/// A new folder in the system's temporary folder. Removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("keyward-tour-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let scratch = Self(std::env::temp_dir().join(name));
        DirBuilder::new().mode(0o700).create(&scratch.0)?;
        DirBuilder::new().mode(0o700).create(scratch.home())?;
        DirBuilder::new().mode(0o700).create(scratch.0.join("script"))?;
        Ok(scratch)
    }

    /// A folder of its own, since the page may have the name of another file here.
    fn script(&self, page: &OsStr) -> PathBuf {
        self.0.join("script").join(page)
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
        let tour = Tour { page: PathBuf::from("docs/page.md"), script: script.to_owned() };
        tour.perform(Path::new("/nonexistent"), limit)
    }

    /// Whether the process is running. A killed one has gone or is a zombie.
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
        assert_eq!(failed.output, "before\npage.md: line 4: failed with exit code 1: false\n");
    }

    #[test]
    fn an_unset_variable_and_a_broken_pipeline_fail() {
        assert!(perform_here("echo $no_such_variable", Duration::from_secs(20)).is_err());
        assert!(perform_here("false | true", Duration::from_secs(20)).is_err());
    }

    /// Whether the process ends within 10 s. A killed process may take a moment to end.
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
        assert_eq!(failed.why, "did not end within 2 s");
        assert!(ends(&fs::read_to_string(&file).unwrap()));
    }
}
