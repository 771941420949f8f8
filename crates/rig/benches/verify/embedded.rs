//! The embedded verifier with all keys cached, against its floor.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use keyward_api::verifiers::LookUpResponse;
use keyward_domain::{KeyKind, Moment, PlainKey};
use keyward_rig::bench::{Goal, Report, median, spaced};
use keyward_sdk::Client;
use keyward_sdk::verify::{Need, Verifier};
use keyward_test_support::{Backend, Http, ServerProcess, TestApp, TestDatabase};
use serde_json::json;
use sha2::{Digest as _, Sha256};

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
pub async fn run(program: &Path, count: usize, report: &mut Report) {
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
