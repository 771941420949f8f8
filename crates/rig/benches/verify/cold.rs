//! Keys that are used for the first time, against selects by key.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use futures_util::future::join_all;
use keyward_domain::event::RequestInfo;
use keyward_domain::{KeyKind, PlainKey};
use keyward_rig::bench::{Goal, Report, median};
use keyward_sdk::verify::Need;
use keyward_service::{Checked, Lane};
use keyward_test_support::{Backend, TestApp, TestDatabase};
use keyward_verdict::Verdict;
use serde_json::json;
use uuid::Uuid;

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

/// Number of keys per round of [`run`] on each side, and number of concurrent uses in its second half.
const COLD_KEYS: usize = 320;
const CONCURRENT: usize = 16;

/// Measures keys that are used for the first time, first one by one and then concurrently, against as
/// many prepared selects by key through the same driver.
pub async fn run(name: &str, database: TestDatabase, rounds: usize, report: &mut Report) {
    let app = TestApp::start(database).await;
    let model = app.owner.token(&json!({ "scopes": ["workspace:read"], "allow_list": ["workspace:w1"] })).await;
    let keys: Vec<PlainKey> =
        (0..COLD_KEYS * rounds * 2).map(|_| PlainKey::generate(KeyKind::Token).expect("randomness")).collect();
    app.database.copy_live_key(model["id"].as_str().expect("an id"), &keys).expect("copies");
    let mut selects: Vec<Select> = (0..CONCURRENT).map(|_| prepared(&app.database)).collect();
    let need = Need::scope("workspace:read").on("workspace:w1");
    let request = RequestInfo { id: Uuid::nil(), ip: None, user_agent: String::new() };
    let caller = app
        .service
        .authenticate(&app.owner.session, keyward_service::activity::Via::Api, Lane::Normal, request)
        .await
        .expect("a caller");
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
