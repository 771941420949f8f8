//! Verifying keys: embedded against its floor, cold against one select, over HTTP against a bare handler.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark may panic, and prints its results"
)]

mod cold;
mod embedded;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use keyward_rig::bench::{
    Answer, Bare, Goal, Load, Report, Size, cpu_time, databases, load, median, pin, release_server,
    serve_bare_if_asked, start_with_log,
};
use keyward_test_support::{Backend, TestApp, TestDatabase};
use serde_json::json;

/// Number of concurrent requests.
const CONNECTIONS: usize = 64;

/// The processors of the servers and of the load.
const SERVER: usize = 0;
const LOAD: usize = 1;

fn main() -> ExitCode {
    serve_bare_if_asked();
    let Some(size) = Size::from_args() else { return ExitCode::from(2) };
    let program = release_server();
    println!("{}", machine());
    let mut report = Report::default();
    for count in [1_000, size.many] {
        actix_web::rt::System::new().block_on(embedded::run(&program, count as usize, &mut report));
    }
    for (name, database) in databases() {
        actix_web::rt::System::new().block_on(cold::run(name, database, size.rounds, &mut report));
    }
    actix_web::rt::System::new().block_on(async {
        let database = TestDatabase::create(Backend::Sqlite).expect("SQLite");
        let app = TestApp::start(database).await;
        let gateway = app.person("gateway", &["verifier"]).await;
        let asker = gateway.token(&json!({ "scopes": ["api_key:verify"] })).await["key"].clone();
        let asked = app.owner.token(&json!({ "scopes": ["workspace:read"], "allow_list": ["workspace:w1"] })).await;
        let (asker, key) = (asker.as_str().expect("a key"), asked["key"].as_str().expect("a key").to_owned());
        let malformed = format!("{}x", &key[..key.len() - 1]);
        let database = app.stop().await;
        pin(SERVER);
        let server = start_with_log(&program, &database);
        pin(LOAD);
        let address: SocketAddr = server.url.trim_start_matches("http://").parse().expect("an address");
        let verify = |key: &str| {
            let body = json!({ "key": key, "scopes": ["workspace:read"], "resource": "workspace:w1" }).to_string();
            post("/api/v2/keys/verify", asker, &body)
        };
        let authz = |key: &str| get("/authz?scope=workspace:read&resource=workspace:w1", key);
        for (what, request, goal) in [
            ("POST /api/v2/keys/verify, warm", verify(&key), 0.8),
            ("/authz, warm", authz(&key), 0.8),
            ("POST /api/v2/keys/verify, malformed key", verify(&malformed), 0.9),
            ("/authz, malformed key", authz(&malformed), 0.9),
        ] {
            let answer = Answer::learn(address, &request).await;
            println!("\n{what}: {} bytes back, beginning {:?}", answer.bytes.len(), first_line(&answer));
            pin(SERVER);
            let bare = Bare::start(&answer, database.directory());
            pin(LOAD);
            let (mut bares, mut ours) = (Side::default(), Side::default());
            for _ in 0..size.rounds {
                bares.measure(bare.address, &request, || bare.cpu_time()).await;
                ours.measure(address, &request, || cpu_time(server.pid())).await;
            }
            compare(what, &bares, &ours, goal, &mut report);
        }
    });
    report.print();
    ExitCode::SUCCESS
}

/// The results of one server in all rounds. Rounds are short and alternate, so that other load on the
/// machine affects both sides equally.
#[derive(Default)]
struct Side {
    loads: Vec<Load>,
    cpu: Duration,
}

/// Duration of a round.
const ROUND: Duration = Duration::from_millis(300);

impl Side {
    /// Runs one round and adds the processor time of the server.
    async fn measure(&mut self, address: SocketAddr, request: &[u8], cpu: impl Fn() -> Duration) {
        let before = cpu();
        self.loads.push(load(address, request, CONNECTIONS, ROUND).await);
        self.cpu += cpu().saturating_sub(before);
    }

    fn median(&self, figure: fn(&Load) -> f64) -> f64 {
        median(&self.loads.iter().map(|one| (figure(one) * 1e6) as u64).collect::<Vec<_>>()) as f64 / 1e6
    }

    /// Processor time of the server per response, in microseconds.
    fn micros(&self) -> f64 {
        let answers: f64 = self.loads.iter().map(|one| one.rate * ROUND.as_secs_f64()).sum();
        self.cpu.as_secs_f64() * 1e6 / answers.max(1.0)
    }
}

fn compare(what: &str, bare: &Side, our: &Side, goal: f64, report: &mut Report) {
    let ratio = |figure: fn(&Load) -> f64| {
        let pairs = bare.loads.iter().zip(&our.loads);
        median(&pairs.map(|(bare, our)| (figure(our) / figure(bare) * 1e6) as u64).collect::<Vec<_>>()) as f64 / 1e6
    };
    let rate = |one: &Load| one.rate;
    let p99 = |one: &Load| one.p99.as_secs_f64() * 1e3;
    let figures = format!("{:.0} a second, the bare handler {:.0}", our.median(rate), bare.median(rate));
    report.figure("SQLite", what, &figures, ratio(rate), Goal::AtLeast(goal));
    let figures = format!("{:.2} ms, the bare handler {:.2} ms", our.median(p99), bare.median(p99));
    report.figure("SQLite", &format!("{what}: p99"), &figures, ratio(p99), Goal::Ratio(2.0));
    println!("processor time for an answer: {:.2} µs, the bare handler {:.2} µs", our.micros(), bare.micros());
}

fn post(path: &str, key: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: keyward\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn get(path: &str, key: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: keyward\r\nauthorization: Bearer {key}\r\n\r\n").into_bytes()
}

fn first_line(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.bytes).lines().next().unwrap_or_default().to_owned()
}

/// The machine's processors.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{count} processors, {}", model.map_or("of an unknown kind", |(_, model)| model))
}
