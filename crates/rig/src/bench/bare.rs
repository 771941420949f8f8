//! A bare actix server that returns one fixed response, to measure the cost of a server without work.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, web};

use super::load::Answer;
use super::server::cpu_time;

/// Names the file with the response. It is set only in the bare server's process.
const ANSWER_FILE: &str = "KEYWARD_BENCH_BARE";

/// A bare server in a separate process. Killed when dropped.
#[derive(Debug)]
pub struct Bare {
    child: Child,
    /// The address it listens on.
    pub address: SocketAddr,
}

impl Bare {
    /// Starts this same program as a bare server that answers each request with these bytes.
    #[must_use]
    pub fn start(answer: &Answer, directory: &std::path::Path) -> Self {
        let file = directory.join("answer");
        std::fs::write(&file, &answer.bytes).expect("a file");
        let program = std::env::current_exe().expect("this program");
        let mut child =
            Command::new(program).env(ANSWER_FILE, &file).stdout(Stdio::piped()).spawn().expect("this program again");
        let mut first = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut first).expect("its first line");
        Self { child, address: first.trim().parse().expect("an address") }
    }

    /// Processor time used so far.
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

/// If this process was started as a bare server, serves and never returns. Call it first in `main`.
pub fn serve_bare_if_asked() {
    let Some(file) = std::env::var_os(ANSWER_FILE) else { return };
    let bytes = std::fs::read(file).expect("the answer");
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
    let status = StatusCode::from_bytes(status.as_bytes()).expect("a status");
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        // The framework writes these headers itself.
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

type FixedResponse = (StatusCode, Vec<(String, String)>, web::Bytes);

async fn bare(_: web::Bytes, answer: web::Data<FixedResponse>) -> HttpResponse {
    let (status, headers, body) = &**answer;
    let mut built = HttpResponse::build(*status);
    for (name, value) in headers {
        built.insert_header((name.as_str(), value.as_str()));
    }
    built.body(body.clone())
}
