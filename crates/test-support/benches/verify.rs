//! Verifying keys: cold beside one select, and over HTTP beside a bare handler.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench that cannot go on ends, and it prints what it measured"
)]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use keyward_domain::key::{Need, Verdict};
use keyward_domain::{LoginType, PlainKey};
use keyward_service::Checked;
use keyward_test_support::bench::{
    Answer, Bare, Goal, Load, Report, Size, be_bare_if_asked, cpu_time, databases, load, median, pin, release_server,
};
use keyward_test_support::{Backend, ServerProcess, TestApp, TestDatabase};
use serde_json::json;

/// How many requests are under way at once.
const CONNECTIONS: usize = 64;

/// Where the servers run, and where the load comes from.
const SERVER: usize = 0;
const LOAD: usize = 1;

fn main() -> ExitCode {
    be_bare_if_asked();
    let Some(size) = Size::from_args() else { return ExitCode::from(2) };
    let program = release_server();
    let (rounds, length) = if size.many < 1_000_000 { (5, 1) } else { (7, 3) };
    let mut report = Report::default();
    for (name, database) in databases() {
        actix_web::rt::System::new().block_on(cold(name, database, rounds, size.many / 250, &mut report));
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
        let server = ServerProcess::start(&program, database.url(), database.directory());
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
            let (mut bares, mut ours) = (Vec::new(), Vec::new());
            for _ in 0..rounds {
                let length = Duration::from_secs(length);
                bares.push(measure(bare.address, &request, length, || bare.cpu_time()).await);
                ours.push(measure(address, &request, length, || cpu_time(server.pid())).await);
            }
            compare(what, &bares, &ours, goal, &mut report);
        }
    });
    report.print();
    ExitCode::SUCCESS
}

/// The row of a key; the same for both drivers.
macro_rules! select {
    ($id:expr, $conn:expr) => {
        api_keys::table
            .find($id)
            .select((api_keys::digest, api_keys::scopes, api_keys::allow_list))
            .first::<(Vec<u8>, String, String)>($conn)
            .expect("a row")
    };
}
diesel::table! {
    /// As much of it as the floor reads.
    api_keys (id) {
        /// Which key.
        id -> Text,
        /// Of its secret.
        digest -> Binary,
        /// What it may do.
        scopes -> Text,
        /// What it may do it to.
        allow_list -> Text,
    }
}

/// Keys that are used for the first time, one after the other, beside one prepared select of a row by
/// its key, through the same driver.
async fn cold(name: &str, database: TestDatabase, rounds: usize, count: u32, report: &mut Report) {
    let app = TestApp::start(database).await;
    let model = app.owner.token(&json!({ "scopes": ["workspace:read"], "allow_list": ["workspace:w1"] })).await;
    let keys: Vec<PlainKey> =
        (0..count as usize * rounds).map(|_| PlainKey::generate(LoginType::Token).expect("randomness")).collect();
    app.database.copy_live_key(model["id"].as_str().expect("an id"), &keys).expect("copies");
    let mut selects: Box<dyn FnMut(&str)> = match app.database.backend {
        Backend::Sqlite => {
            let path = app.database.url().trim_start_matches("sqlite://");
            let mut conn = SqliteConnection::establish(path).expect("a connection");
            Box::new(move |id| drop(select!(id, &mut conn)))
        }
        Backend::Postgres => {
            let mut conn = PgConnection::establish(app.database.url()).expect("a connection");
            Box::new(move |id| drop(select!(id, &mut conn)))
        }
    };
    let need = Need {
        scopes: vec!["workspace:read".parse().expect("a scope")],
        resources: vec!["workspace:w1".parse().expect("a thing")],
    };
    let (mut floors, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in keys.chunks(count as usize) {
        let begin = Instant::now();
        for key in round {
            selects(key.id().as_str());
        }
        let floor = begin.elapsed();
        let begin = Instant::now();
        for key in round {
            let checked = app.service.check_key(key.expose(), &need).await.expect("a judgement");
            assert!(matches!(checked, Checked::Known { verdict: Verdict::Valid, .. }), "{checked:?}");
        }
        let our = begin.elapsed();
        ratios.push((floor.as_secs_f64() / our.as_secs_f64() * 1e6) as u64);
        floors.push(floor);
        ours.push(our);
    }
    let each = |times: &[Duration]| median(times).as_secs_f64() * 1e6 / f64::from(count);
    let figures = format!("{:.1} µs, a prepared select {:.1} µs", each(&ours), each(&floors));
    report.figure(name, "cold verify", &figures, median(&ratios) as f64 / 1e6, Goal::AtLeast(0.6));
    app.stop().await;
}

/// A load, and how long the server's processor worked for each answer.
async fn measure(
    address: SocketAddr,
    request: &[u8],
    length: Duration,
    cpu: impl Fn() -> Duration,
) -> (Load, Duration) {
    let before = cpu();
    let done = load(address, request, CONNECTIONS, length).await;
    let taken = cpu().saturating_sub(before);
    (done, taken.div_f64((done.rate * length.as_secs_f64()).max(1.0)))
}

fn compare(what: &str, bares: &[(Load, Duration)], ours: &[(Load, Duration)], goal: f64, report: &mut Report) {
    let ratios = |figure: fn(&(Load, Duration)) -> f64| {
        let ratios: Vec<u64> =
            bares.iter().zip(ours).map(|(bare, our)| (figure(our) / figure(bare) * 1e6) as u64).collect();
        median(&ratios) as f64 / 1e6
    };
    let middle = |of: &[(Load, Duration)], figure: fn(&(Load, Duration)) -> f64| {
        median(&of.iter().map(|one| (figure(one) * 1e3) as u64).collect::<Vec<_>>()) as f64 / 1e3
    };
    let rate = |one: &(Load, Duration)| one.0.rate;
    let p99 = |one: &(Load, Duration)| one.0.p99.as_secs_f64() * 1e3;
    let cpu = |one: &(Load, Duration)| one.1.as_secs_f64() * 1e6;
    let figures = format!("{:.0} a second, the bare handler {:.0}", middle(ours, rate), middle(bares, rate));
    report.figure("SQLite", what, &figures, ratios(rate), Goal::AtLeast(goal));
    let figures = format!("{:.2} ms, the bare handler {:.2} ms", middle(ours, p99), middle(bares, p99));
    report.figure("SQLite", &format!("{what}: p99"), &figures, ratios(p99), Goal::Ratio(2.0));
    println!(
        "processor time for an answer: {:.2} µs, the bare handler {:.2} µs",
        middle(ours, cpu),
        middle(bares, cpu)
    );
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
