//! The real nginx with the configuration from the documentation.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

const DOCUMENTED: &str = include_str!("../../../docs/proxies/nginx.conf");

/// A running nginx in front of an application that echoes request headers. Stopped when dropped.
#[derive(Debug)]
pub struct Nginx {
    process: Child,
    _directory: TempDir,
    /// Its URL, such as `http://127.0.0.1:12345`.
    pub url: String,
}

impl Nginx {
    /// Starts nginx in front of the Keyward server at `keyward` (`http://…`). `None` if nginx is not
    /// installed; with `CI=true` that is a failure.
    #[must_use]
    pub fn start(keyward: &str) -> Option<Self> {
        let installed = Command::new("nginx").arg("-v").stderr(Stdio::null()).status();
        if installed.is_err() {
            let message = "nginx is not installed, so its test is skipped; install nginx";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
            let _written = writeln!(std::io::stderr(), "!!! {message} !!!");
            return None;
        }
        let directory = TempDir::with_prefix("keyward-nginx-").expect("a temporary directory");
        let listen = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let application = serve_headers();
        let path = directory.path().display();
        // nginx's temporary files. The packaged nginx keeps them in folders that need root.
        let own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("    {name}_temp_path {path}/{name};\n"))
            .concat();
        let config = DOCUMENTED
            .replace("127.0.0.1:7080", keyward.trim_start_matches("http://"))
            .replace("127.0.0.1:8080", &application)
            .replace("127.0.0.1:8000", &listen.to_string())
            .replace("http {\n", &format!("http {{\n    access_log off;\n{own}"));
        let file = directory.path().join("nginx.conf");
        std::fs::write(
            &file,
            format!("daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log stderr;\n{config}"),
        )
        .expect("a configuration");
        let mut process =
            Command::new("nginx").arg("-c").arg(&file).stderr(Stdio::null()).spawn().expect("nginx starts");
        while TcpStream::connect(listen).is_err() {
            assert!(process.try_wait().is_ok_and(|ended| ended.is_none()), "nginx ended");
            std::thread::yield_now();
        }
        Some(Self { process, _directory: directory, url: format!("http://{listen}") })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The process may have ended already.
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// Starts an application that answers with the head of the request. It ends with the process.
fn serve_headers() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // An error means that nginx closed the connection, which does not matter here.
            let _answered = echo_head(stream);
        }
    });
    address
}

fn echo_head(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = String::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        head.push_str(&line.to_lowercase());
        head.push('\n');
    }
    write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len())
}
