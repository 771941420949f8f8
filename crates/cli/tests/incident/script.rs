//! The steps of the operator, in order, and what must hold after each.

use std::env;
use std::time::Instant;

use keyward_test_support::{Backend, TestDatabase};
use serde_json::{Value, json};

use crate::callers::Callers;
use crate::operator::Operator;
use crate::scene::{ACCOUNT, LEAKED, PREFIX, Scene, VERIFIERS};

/// What callers with a locked key are told.
const MESSAGE: &str = "A key of svc-deploy has leaked. Ask security@example.com.";

/// Selects the leaked keys.
const CONDITIONS: &str = "--user svc-deploy --name deploy-";

/// Sets the number of keys.
const KEYS: &str = "KEYWARD_INCIDENT_KEYS";

/// Number of keys without [`KEYS`]. A list by name or lock looks at every key; a server without optimizations
/// needs most of the 5 s that a request may take to look at 200 000.
const FEWER: usize = 20_000;

fn keys() -> usize {
    env::var(KEYS).map_or(FEWER, |keys| keys.parse().unwrap())
}

pub(crate) fn run(backend: Backend) {
    let Some(database) = TestDatabase::create(backend) else { return };
    let times = Times { backend, began: Instant::now() };
    let keys = keys();
    let scene = times.step(&format!("set-up with {keys} keys"), || Scene::set_up(database, keys));
    let unchanged = Unchanged::note(&scene.database);
    let callers = times.step("first use at every door", || {
        let keys = scene.leaked.iter().map(|copy| copy.key.expose().to_owned()).collect();
        let callers = Callers::start(keys, &scene.doors());
        callers.await_use();
        callers
    });

    times.step("tokens identify", || found(&scene));
    let lock = times.step("locks add", || lock(&scene));
    let locked = Instant::now();
    times.step("refused at every door, by the lock", || callers.refused_since(locked, MESSAGE));
    times.step("tokens list, with filters", || listed(&scene));
    times.step("tokens expire --dry-run", || previewed(&scene));
    let incident = times.step("tokens expire --yes", || ended(&scene));
    let dead = Instant::now();
    times.step("refused at every door, once ended", || callers.refused_since(dead, "expired at"));
    times.step("locks remove", || scene.operator.keyward(&format!("locks remove {lock}")));
    let unlocked = Instant::now();
    times.step("refused at every door, without the lock", || callers.refused_since(unlocked, "expired at"));

    times.step("incidents receipt, audit-key, receipts verify", || proven(&scene, &incident));
    let calls = times.step("last calls", || callers.stop());
    let accepted = times.step("use of all other keys", || scene.accepted(&scene.others));
    assert_eq!(accepted, keys - LEAKED);
    assert_eq!(scene.accepted(&scene.leaked), 0);
    times.step("comparison of the database", || unchanged.check(&scene.database));
    times.step("audit verify", || audited(&scene));
    println!(
        "{backend:?}: the leaked keys were used {calls} times; in all {:.1} s",
        times.began.elapsed().as_secs_f64()
    );
}

/// The pasted line leads to the key and its owner.
fn found(scene: &Scene) {
    let key = &scene.leaked[7].key;
    let found = scene.operator.json_reading("tokens identify -o json", key.expose());
    assert_eq!((&found["how"], &found["key"]["id"]), (&json!("exact"), &json!(key.id().as_str())));
    assert_eq!(found["user"]["username"], ACCOUNT);
}

/// Returns the ID of the lock.
fn lock(scene: &Scene) -> String {
    let line =
        format!("locks add --user {ACCOUNT} --name-prefix {PREFIX} --reason compromised --message '{MESSAGE}' -o json");
    scene.operator.json(&line)["id"].as_str().unwrap().to_owned()
}

/// Lists show exactly the leaked keys as locked, and as lately used.
fn listed(scene: &Scene) {
    let operator = &scene.operator;
    scene.are_leaked(&operator.json("tokens list --all --status locked -o json"));
    // The server writes uses every 5 s.
    let line = format!("tokens list {CONDITIONS} --used-after 1h --sort last-used -o json");
    let used = operator.retry(&line, |keys| keys.as_array().is_some_and(|keys| keys.len() == LEAKED));
    scene.are_leaked(&serde_json::from_str(&used).unwrap());
    scene.are_leaked(&operator.json("tokens list --all --used-after 1h --name deploy -o json"));
    let all = operator.json(&format!("tokens list --user {ACCOUNT} -o json"));
    let live = all.as_array().unwrap().iter().filter(|key| key["status"] == "live").count();
    assert_eq!(live, LEAKED, "the account's other keys are not locked");
}

fn previewed(scene: &Scene) {
    let preview = scene.operator.json(&format!("tokens expire {CONDITIONS} --dry-run -o json"));
    let counts = ["matched", "already_expired", "children", "used_last_hour", "used_last_day"];
    let expected = [LEAKED, 0, 0, LEAKED, LEAKED];
    assert_eq!(counts.map(|count| &preview[count]), expected.map(|count| json!(count)).each_ref(), "{preview}");
    let owners: Vec<_> = preview["owners"].as_array().unwrap().iter().collect();
    assert_eq!((owners.len(), &owners[0]["username"], &owners[0]["keys"]), (1, &json!(ACCOUNT), &json!(LEAKED)));
}

/// Returns the ID of the incident.
fn ended(scene: &Scene) -> String {
    let line = format!("tokens expire {CONDITIONS} --yes --reason compromised --note 'found in a build log' -o json");
    let done = scene.operator.json(&line);
    assert_eq!((&done["expired"], &done["already_expired"]), (&json!(LEAKED), &json!(0)), "{done}");
    let number = |name: &str| done["barrier"][name].as_u64().unwrap_or(0);
    assert_eq!(number("confirmed") + number("lapsed"), 2, "each verifier is accounted for: {done}");
    done["incident_id"].as_str().unwrap().to_owned()
}

/// Somebody who cannot reach the server verifies the receipt, which names the verifiers.
fn proven(scene: &Scene, incident: &str) {
    // The receipt waits until the audit log is sealed, and the verifiers' confirmations are written.
    let receipt = scene
        .operator
        .retry(&format!("incidents receipt {incident}"), |receipt| !receipt["confirmation"]["verifiers"].is_null());
    let key = scene.operator.server_command("audit-key", scene.database.url(), scene.database.directory());
    let auditor = Operator::new();
    let (receipt, key) = (auditor.write("receipt.json", &receipt), auditor.write("audit-key.txt", &key));
    let line = format!("receipts verify {} --key-file {}", receipt.display(), key.display());
    let said = auditor.keyward(&line);
    assert!(said.starts_with(&format!("Incident {incident}, by owner: {LEAKED} keys were expired.")), "{said}");
    for name in VERIFIERS {
        assert!(said.contains(&format!("Verifier {name} ")), "{said}");
    }
    scene.are_leaked(&auditor.json(&format!("{line} -o json"))["keys"]);
}

/// Nobody has changed the audit log, which has an entry for each key.
fn audited(scene: &Scene) {
    let directory = scene.database.directory();
    let key = scene.operator.server_command("audit-key", scene.database.url(), directory);
    let key = scene.operator.write("audit-key.txt", &key);
    let checkpoints = directory.join("audit-checkpoints");
    let line = format!("audit verify --key-file {} --checkpoint {} -o json", key.display(), checkpoints.display());
    let sealed = |report: &Value| report["unsealed"] == 0;
    let report: Value = serde_json::from_str(&scene.operator.retry(&line, sealed)).unwrap();
    assert_eq!((&report["findings"], &report["proven_size"]), (&json!([]), &report["leaves"]), "{report}");
    let ended = scene.operator.json("audit list --all --event key.expired -o json");
    assert_eq!(ended.as_array().unwrap().len(), LEAKED);
}

/// A copy of all tokens, to find out which have changed.
#[derive(Debug)]
struct Unchanged {
    /// All columns but those that mere use changes.
    columns: String,
}

impl Unchanged {
    fn note(database: &TestDatabase) -> Self {
        let columns = match database.backend {
            Backend::Sqlite => "SELECT group_concat(name) AS text FROM pragma_table_info('api_keys') WHERE name",
            Backend::Postgres => {
                "SELECT string_agg(column_name, ',') AS text FROM information_schema.columns
                 WHERE table_name = 'api_keys' AND column_name"
            }
        };
        let columns = database.text(&format!("{columns} NOT IN ('last_used', 'last_used_ip')"));
        database.execute(&format!("CREATE TABLE keys_before AS SELECT {columns} FROM api_keys")).unwrap();
        Self { columns }
    }

    /// Asserts that of all tokens only the leaked ones have changed, and that they have ended.
    fn check(&self, database: &TestDatabase) {
        let columns = &self.columns;
        let both_ways = [("api_keys", "keys_before"), ("keys_before", "api_keys")];
        for (one, other) in both_ways {
            let changed = format!(
                "(SELECT {columns} FROM {one} WHERE kind = 'token' EXCEPT SELECT {columns} FROM {other}) AS changed"
            );
            let owner = format!("SELECT id FROM users WHERE username = '{ACCOUNT}'");
            let leaked = format!("user_id = ({owner}) AND token_name LIKE '{PREFIX}%'");
            let all = format!("SELECT count(*) AS count FROM {changed}");
            assert_eq!(database.count(&all), i64::try_from(LEAKED).unwrap(), "{one} except {other}");
            assert_eq!(database.count(&format!("{all} WHERE {leaked}")), i64::try_from(LEAKED).unwrap());
        }
        let ended = "SELECT count(*) AS count FROM api_keys WHERE ended_at IS NOT NULL";
        assert_eq!(database.count(ended), i64::try_from(LEAKED).unwrap());
    }
}

/// Prints how long each step takes.
#[derive(Debug)]
struct Times {
    backend: Backend,
    began: Instant,
}

impl Times {
    fn step<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = work();
        println!("{:?}: {what}: {:.3} s", self.backend, began.elapsed().as_secs_f64());
        result
    }
}
