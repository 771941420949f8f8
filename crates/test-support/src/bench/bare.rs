//! A bare actix server that gives one answer: what a server costs that does nothing.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, web};

use super::load::Answer;
use super::server::cpu_time;

/// In its process, the file with the bytes that it is to answer.
const ASKED: &str = "KEYWARD_BENCH_BARE";

/// A bare server in a process of its own. Killed when dropped.
#[derive(Debug)]
pub struct Bare {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Bare {
    /// Starts this very program again, to answer each request by these bytes.
    #[must_use]
    pub fn start(answer: &Answer, directory: &std::path::Path) -> Self {
        let file = directory.join("answer");
        std::fs::write(&file, &answer.bytes).expect("a file");
        let program = std::env::current_exe().expect("this program");
        let mut child =
            Command::new(program).env(ASKED, &file).stdout(Stdio::piped()).spawn().expect("this program again");
        let mut first = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut first).expect("its first line");
        Self { child, address: first.trim().parse().expect("an address") }
    }

    /// The processor time that it has taken.
    #[must_use]
    pub fn cpu_time(&self) -> std::time::Duration {
        cpu_time(self.child.id())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Is the bare server, if this process was started as one, and does not come back. To be called
/// before anything else in `main`.
pub fn be_bare_if_asked() {
    let Some(file) = std::env::var_os(ASKED) else { return };
    let bytes = std::fs::read(file).expect("the answer");
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
    let status = StatusCode::from_bytes(status.as_bytes()).expect("a status");
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        // The framework writes these itself.
        .filter(|(name, _)| !["date", "content-length"].contains(&name.to_ascii_lowercase().as_str()))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let answer = web::Data::new((status, headers, web::Bytes::from(body.to_owned())));
    let served = actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || App::new().app_data(answer.clone()).default_service(web::to(bare)));
        let server = server.bind("127.0.0.1:0").expect("a port");
        println!("{}", server.addrs()[0]);
        server.run().await
    });
    served.expect("a server");
    std::process::exit(0);
}

type Given = (StatusCode, Vec<(String, String)>, web::Bytes);

async fn bare(_: web::Bytes, answer: web::Data<Given>) -> HttpResponse {
    let (status, headers, body) = &**answer;
    let mut built = HttpResponse::build(*status);
    for (name, value) in headers {
        built.insert_header((name.as_str(), value.as_str()));
    }
    built.body(body.clone())
}
