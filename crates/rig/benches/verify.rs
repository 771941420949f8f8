//! Verifying keys: embedded against its floor, cold against one select, over HTTP against a bare handler.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark may panic, and prints its results"
)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use futures_util::future::join_all;
use keyward_api::verifiers::LookUpResponse;
use keyward_domain::event::RequestInfo;
use keyward_domain::{KeyKind, Moment, PlainKey};
use keyward_rig::bench::{
    Answer, Bare, Goal, Load, Report, Size, cpu_time, databases, load, median, pin, release_server,
    serve_bare_if_asked, spaced,
};
use keyward_sdk::Client;
use keyward_sdk::verify::{Need, Verifier};
use keyward_service::{Checked, Lane};
use keyward_test_support::{Backend, Http, ServerProcess, TestApp, TestDatabase};
use keyward_verdict::Verdict;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

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
        actix_web::rt::System::new().block_on(embedded(&program, count as usize, &mut report));
    }
    for (name, database) in databases() {
        actix_web::rt::System::new().block_on(cold(name, database, size.rounds, &mut report));
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

/// The minimum work of an embedded verifier: hash the secret, read a map that others may be changing,
/// compare in constant time, and read the clock.
struct Floor {
    keys: RwLock<HashMap<[u8; 32], Arc<FloorFacts>>>,
}

struct FloorFacts {
    digest: [u8; 32],
    ends: Moment,
}

impl Floor {
    fn of(keys: &[PlainKey]) -> Self {
        let ends = Moment::now().after(Duration::from_secs(3_600));
        let facts = |key: &PlainKey| {
            let digest: [u8; 32] = Sha256::digest(key.expose()).into();
            (digest, Arc::new(FloorFacts { digest, ends }))
        };
        Self { keys: RwLock::new(keys.iter().map(facts).collect()) }
    }

    fn verify(&self, token: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let facts = self.keys.read().expect("the map").get(&digest).cloned();
        facts.is_some_and(|facts| {
            constant_time_eq::constant_time_eq_32(&facts.digest, &digest) && Moment::now() < facts.ends
        })
    }
}

/// Measures a verifier that has cached all keys, used in random order, against its floor.
async fn embedded(program: &Path, count: usize, report: &mut Report) {
    let database = TestDatabase::create(Backend::Sqlite).expect("SQLite");
    let app = TestApp::start(database).await;
    let gateway = app.person("gateway", &["verifier"]).await;
    let asker = gateway.token(&json!({ "scopes": ["api_key:verify"] })).await["key"].clone();
    let model = app.owner.token(&json!({ "scopes": ["workspace:read"], "allow_list": ["workspace:w1"] })).await;
    let (asker, model) = (asker.as_str().expect("a key"), model["key"].as_str().expect("a key"));
    let database = app.stop().await;
    let server = ServerProcess::start(program, database.url(), database.directory());
    let client = Client::builder(&server.url).token(asker).build().expect("a client");
    let verifier = Verifier::builder(&client, "bench").most_keys(count + 1).start();
    let http = Http::new(&server.url, Some(asker));
    while !verifier.holds_lease() {
        actix_web::rt::time::sleep(Duration::from_millis(5)).await;
    }
    // One response of the server, reused for each key.
    let told = http.post("/api/v2/verifiers/look-up", &json!({ "key": model })).await.expect(200).json();
    let mut told: LookUpResponse = serde_json::from_value(told).expect("an answer");
    let mut keys: Vec<PlainKey> = (0..count).map(|_| PlainKey::generate(KeyKind::Token).expect("randomness")).collect();
    for key in &keys {
        let facts = told.facts.as_mut().expect("facts");
        facts.key_id = key.id().to_string();
        verifier.learn(key.expose(), &told).expect("a key to remember");
    }
    assert_eq!(verifier.remembered_keys(), count);
    let floor = Floor::of(&keys);
    shuffle(&mut keys);
    let uses: Vec<&PlainKey> = keys.iter().cycle().take(USES).collect();
    let need = Need::scope("workspace:read").on("workspace:w1");
    let (mut floors, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..EMBEDDED_ROUNDS {
        let begin = Instant::now();
        for key in &uses {
            assert!(floor.verify(key.expose()));
        }
        let least = begin.elapsed();
        let mut taken = Duration::ZERO;
        for some in uses.chunks(10_000) {
            // If the machine was suspended for a second, the lease has run out.
            while !verifier.holds_lease() {
                actix_web::rt::time::sleep(Duration::from_millis(5)).await;
            }
            let begin = Instant::now();
            for key in some {
                let verified = verifier.verify(key.expose(), &need).await;
                assert!(verified.is_ok(), "{verified:?}");
            }
            taken += begin.elapsed();
            // A service yields between requests. The lease is renewed on this same thread, which must
            // be able to poll its sockets.
            actix_web::rt::time::sleep(Duration::from_millis(1)).await;
        }
        ratios.push((taken.as_secs_f64() / least.as_secs_f64() * 1e6) as u64);
        floors.push(least);
        ours.push(taken);
    }
    let each = |times: &[Duration]| median(times).as_secs_f64() * 1e9 / USES as f64;
    let figures = format!("{:.0} ns, the floor {:.0} ns", each(&ours), each(&floors));
    let what = format!("Verifier::verify, warm, {} keys", spaced(u32::try_from(count).expect("few enough")));
    report.figure("embedded", &what, &figures, median(&ratios) as f64 / 1e6, Goal::Ratio(1.5));
}

/// Number of uses per round.
const USES: usize = 200_000;

/// Number of rounds.
const EMBEDDED_ROUNDS: usize = 7;

/// Shuffles the keys, in the same order in each run.
fn shuffle(keys: &mut [PlainKey]) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for last in (1..keys.len()).rev() {
        // xorshift64 (Marsaglia). Any order will do that the processor cannot predict.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        keys.swap(last, (state % (last as u64 + 1)) as usize);
    }
}

/// Selects the row of a key, with either driver.
macro_rules! select {
    ($id:expr, $conn:expr) => {
        api_keys::table
            .find($id)
            .select((api_keys::digest, api_keys::scopes, api_keys::allow_list))
            .get_result::<(Vec<u8>, String, String)>($conn)
            .expect("a row")
    };
}
diesel::table! {
    /// The columns that the floor reads.
    api_keys (id) {
        /// The key ID.
        id -> Text,
        /// The digest of the secret.
        digest -> Binary,
        /// The key's scopes.
        scopes -> Text,
        /// The key's allow list.
        allow_list -> Text,
    }
}

/// Number of keys per round of [`cold`] on each side, and number of concurrent uses in its second half.
const COLD_KEYS: usize = 320;
const CONCURRENT: usize = 16;

/// Measures keys that are used for the first time, first one by one and then concurrently, against as
/// many prepared selects by key through the same driver.
async fn cold(name: &str, database: TestDatabase, rounds: usize, report: &mut Report) {
    let app = TestApp::start(database).await;
    let model = app.owner.token(&json!({ "scopes": ["workspace:read"], "allow_list": ["workspace:w1"] })).await;
    let keys: Vec<PlainKey> =
        (0..COLD_KEYS * rounds * 2).map(|_| PlainKey::generate(KeyKind::Token).expect("randomness")).collect();
    app.database.copy_live_key(model["id"].as_str().expect("an id"), &keys).expect("copies");
    let mut selects: Vec<Select> = (0..CONCURRENT).map(|_| prepared(&app.database)).collect();
    let need = Need::scope("workspace:read").on("workspace:w1");
    let request = RequestInfo { id: Uuid::nil(), ip: None, user_agent: String::new() };
    let caller = app.service.authenticate(&app.owner.session, Lane::Normal, request).await.expect("a caller");
    let desk = app.service.desk(&caller).expect("an owner");
    let verify = async |keys: &[PlainKey]| {
        for key in keys {
            let checked = desk.check_key(key.expose(), &need).await.expect("a verdict");
            assert!(matches!(checked, Checked::Known { verdict: Verdict::Valid, .. }), "{checked:?}");
        }
    };
    let (one_by_one, at_once) = keys.split_at(COLD_KEYS * rounds);
    let mut pairs = Pairs::default();
    for round in one_by_one.chunks(COLD_KEYS) {
        let begin = Instant::now();
        for key in round {
            selects[0](key.id().as_str());
        }
        let floor = begin.elapsed();
        let begin = Instant::now();
        verify(round).await;
        pairs.push(floor, begin.elapsed());
    }
    pairs.report(name, "cold verify", report);
    let mut pairs = Pairs::default();
    for round in at_once.chunks(COLD_KEYS) {
        let begin = Instant::now();
        std::thread::scope(|scope| {
            for (select, keys) in selects.iter_mut().zip(round.chunks(COLD_KEYS / CONCURRENT)) {
                scope.spawn(|| keys.iter().for_each(|key| select(key.id().as_str())));
            }
        });
        let floor = begin.elapsed();
        let begin = Instant::now();
        join_all(round.chunks(COLD_KEYS / CONCURRENT).map(&verify)).await;
        pairs.push(floor, begin.elapsed());
    }
    pairs.report(name, &format!("cold verify, {CONCURRENT} at once"), report);
    app.stop().await;
}

/// Selects the row of an ID with a prepared statement.
type Select = Box<dyn FnMut(&str) + Send>;

fn prepared(database: &TestDatabase) -> Select {
    match database.backend {
        Backend::Sqlite => {
            let path = database.url().trim_start_matches("sqlite://");
            let mut conn = SqliteConnection::establish(path).expect("a connection");
            Box::new(move |id| drop(select!(id, &mut conn)))
        }
        Backend::Postgres => {
            let mut conn = PgConnection::establish(database.url()).expect("a connection");
            Box::new(move |id| drop(select!(id, &mut conn)))
        }
    }
}

/// Rounds of [`COLD_KEYS`] keys: the times of the floor and of Keyward, measured alternately.
#[derive(Default)]
struct Pairs {
    floors: Vec<Duration>,
    ours: Vec<Duration>,
}

impl Pairs {
    fn push(&mut self, floor: Duration, our: Duration) {
        self.floors.push(floor);
        self.ours.push(our);
    }

    fn report(&self, name: &str, what: &str, report: &mut Report) {
        let each = |times: &[Duration]| median(times).as_secs_f64() * 1e6 / COLD_KEYS as f64;
        let figures = format!("{:.1} µs, prepared selects {:.1} µs", each(&self.ours), each(&self.floors));
        let ratio = |(floor, our): (&Duration, &Duration)| (floor.as_secs_f64() / our.as_secs_f64() * 1e6) as u64;
        let ratios: Vec<u64> = self.floors.iter().zip(&self.ours).map(ratio).collect();
        report.figure(name, what, &figures, median(&ratios) as f64 / 1e6, Goal::AtLeast(0.6));
    }
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
