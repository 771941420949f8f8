//! A server just built, and its page of metrics.

use std::fs::{self, DirBuilder};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::outcome::Failure;
use crate::programs;

const PROGRAM: &str = "keyward-server";

/// How long the server may take to send a response.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// A running server with a new database. Killed when dropped.
pub(super) struct Server {
    process: Child,
    /// Kept open: a server that cannot write its instructions ends.
    _stdout: BufReader<ChildStdout>,
    _folder: Folder,
    /// Such as `127.0.0.1:12345`.
    address: String,
}

impl Server {
    /// Builds the server and starts it on a free port.
    pub(super) fn start() -> Result<Self, Failure> {
        let programs = programs::build(&[PROGRAM], &[PROGRAM])?;
        let folder = Folder::new()?;
        let mut process = command(&programs, &folder).spawn().map_err(Failure::io(format_args!("start {PROGRAM}")))?;
        let (address, stdout) = match announced(&mut process) {
            Ok(announced) => announced,
            Err(failure) => {
                end(&mut process);
                return Err(failure);
            }
        };
        Ok(Self { process, _stdout: stdout, _folder: folder, address })
    }

    /// Uses the server once in each way that a metric counts, and returns its page of metrics, so that the
    /// parser also reads counts and filled buckets.
    pub(super) fn metrics(&self) -> Result<String, Failure> {
        let user = r#"{"username":"ada","email":"ada@example.com","password":"correct horse battery"}"#;
        self.request("POST /api/v2/users/first", "", user, 201)?;
        let login = r#"{"email":"ada","password":"correct horse battery"}"#;
        let session = self.request("POST /api/v2/users/login", "", login, 201)?;
        let Some(token) = session.split('"').find(|text| text.starts_with("kws_")) else {
            return Err(Failure::failed("the response to a login has no session token"));
        };
        let credential = format!("Authorization: Bearer {token}\r\n");
        // A verification, and a change that waits for embedded verifiers.
        self.request("GET /authz", &credential, "", 200)?;
        self.request("POST /api/v2/users/logout", &credential, "", 200)?;
        self.request("GET /metrics", "", "", 200)
    }

    /// Sends a request, and returns the body of its response, which must have this status.
    fn request(&self, line: &str, header: &str, body: &str, status: u16) -> Result<String, Failure> {
        let cannot = || format!("send {line} to the server");
        let mut stream = TcpStream::connect(&self.address).map_err(Failure::io(cannot()))?;
        stream.set_read_timeout(Some(ANSWERS_WITHIN)).map_err(Failure::io(cannot()))?;
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{header}\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).map_err(Failure::io(cannot()))?;
        let mut response = String::new();
        stream.read_to_string(&mut response).map_err(Failure::io(cannot()))?;
        let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
        if !head.starts_with(&format!("HTTP/1.1 {status} ")) {
            let first = head.lines().next().unwrap_or_default();
            return Err(Failure::Failed(format!("{line}: the server answered \"{first}\", not {status}: {body}")));
        }
        Ok(body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Kills the server. It has no data to keep.
fn end(process: &mut Child) {
    if let Err(error) = process.kill().and_then(|()| process.wait()) {
        eprintln!("xtask: {PROGRAM} may still be running: {error}");
    }
}

fn command(programs: &Path, folder: &Folder) -> Command {
    let mut server = Command::new(programs.join(PROGRAM));
    server.args(["--listen", "127.0.0.1:0", "--log-filter", "warn", "--data-dir"]).arg(&folder.0);
    // A developer's own settings would name another database.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KEYWARD_") {
            server.env_remove(&name);
        }
    }
    server.stdin(Stdio::null()).stdout(Stdio::piped());
    server
}

/// The address in the server's first line, `listening on http://…`.
fn announced(process: &mut Child) -> Result<(String, BufReader<ChildStdout>), Failure> {
    let stdout = process.stdout.take().ok_or_else(|| Failure::failed("the server has no stdout"))?;
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    stdout.read_line(&mut line).map_err(Failure::io(format_args!("read the output of {PROGRAM}")))?;
    match line.trim_end().strip_prefix("listening on http://") {
        Some(address) => Ok((address.to_owned(), stdout)),
        None => Err(Failure::Failed(format!("{PROGRAM} printed \"{}\", not its address", line.trim_end()))),
    }
}

/// A new folder in the system's temporary folder, for the server's data. Removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("keyward-deploy-{}", std::process::id()));
        let created = DirBuilder::new().mode(0o700).create(&path);
        created.map_err(Failure::io(format_args!("create {}", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("xtask: cannot remove {}: {error}", self.0.display());
        }
    }
}
