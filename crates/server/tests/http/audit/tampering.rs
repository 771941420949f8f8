//! Random single changes of the database, by someone who has it and none of its rules: each is found, and the
//! entry is named.

use keyward_sdk::Client;
use keyward_sdk::audit_export::{Report, Verifier};
use keyward_test_support::{Backend, TestApp, on_both};
use serde_json::json;

use crate::support::text;

on_both! {
    each_single_change_is_found_and_named,
}

/// How many changes are made; `KEYWARD_TEST_CHANGES` sets another number.
const CHANGES: u64 = 150;

const TABLES: [&str; 5] = ["audit_logs", "audit_leaves", "audit_nodes", "audit_tree", "audit_unsealed"];

/// The columns of an entry that are text on both databases.
const TEXTS: [&str; 16] = [
    "ip",
    "user_agent",
    "actor_username",
    "actor_email",
    "event",
    "cause",
    "action",
    "resource_type",
    "resource_id",
    "resource_target",
    "description",
    "old",
    "new",
    "diff",
    "additional_fields",
    "key_id",
];

/// Columns that are ids, which SQLite keeps as text.
const IDS: [&str; 3] = ["request_id", "actor_id", "incident_id"];

/// The generator of G. Marsaglia's "Xorshift RNGs": the same changes in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[usize::try_from(self.below(words.len() as u64)).unwrap()]
    }
}

/// A change, and the leaves of which one must be named, or the id that must be.
struct Change {
    sql: Vec<String>,
    leaves: Vec<u64>,
    id: Option<&'static str>,
}

/// The id of an inserted entry.
const INSERTED: &str = "6f9619ff-8b86-4011-b42d-00cf4fc964ff";

/// The checkpoints at two sizes, and the ids of the entries by leaf.
struct Log {
    older: (u64, String),
    newest: String,
    ids: Vec<String>,
}

impl Log {
    fn change(&self, backend: Backend, random: &mut Random) -> Change {
        let size = self.ids.len() as u64;
        let leaf = random.below(size);
        let other = (leaf + 1 + random.below(size - 1)) % size;
        let id = |leaf: u64| self.ids[usize::try_from(leaf).unwrap()].as_str();
        let of_entry = format!("WHERE id = '{}'", id(leaf));
        let one = |sql: String| Change { sql: vec![sql], leaves: vec![leaf], id: None };
        match random.below(10) {
            0..=3 => one(format!("UPDATE audit_logs SET {} {of_entry}", another_value(backend, random))),
            4 => one(format!("DELETE FROM audit_logs {of_entry}")),
            5 => {
                let columns =
                    TEXTS.iter().filter(|it| !["ip", "cause", "key_id"].contains(it) && !it.starts_with("actor"));
                let columns: Vec<String> = columns.map(|it| format!("\"{it}\"")).collect();
                let columns = format!("time, {}", columns.join(", "));
                let sql = format!(
                    "INSERT INTO audit_logs (id, {columns}) SELECT '{INSERTED}', {columns} FROM audit_logs {of_entry}"
                );
                Change { sql: vec![sql], leaves: Vec::new(), id: Some(INSERTED) }
            }
            6 => {
                let swap = |from: &str, to: &str| format!("UPDATE audit_logs SET id = '{to}' WHERE id = '{from}'");
                let sql = vec![swap(id(leaf), INSERTED), swap(id(other), id(leaf)), swap(INSERTED, id(other))];
                Change { sql, leaves: vec![leaf, other], id: None }
            }
            7 => {
                let zeros = bytes(backend, "00".repeat(32).as_str());
                one(format!("UPDATE audit_leaves SET hash = {zeros} WHERE leaf_index = {leaf}"))
            }
            8 => one(format!("DELETE FROM audit_leaves WHERE leaf_index = {leaf}")),
            _ => {
                let (size, note) = &self.older;
                let gone = format!("(SELECT entry_id FROM audit_leaves WHERE leaf_index >= {size})");
                let sql = vec![
                    format!("DELETE FROM audit_logs WHERE id IN {gone}"),
                    format!("DELETE FROM audit_leaves WHERE leaf_index >= {size}"),
                    format!("UPDATE audit_tree SET size = {size}, checkpoint = '{note}'"),
                ];
                Change { sql, leaves: (*size..self.ids.len() as u64).collect(), id: None }
            }
        }
    }
}

fn bytes(backend: Backend, hex: &str) -> String {
    match backend {
        Backend::Sqlite => format!("X'{hex}'"),
        Backend::Postgres => format!("decode('{hex}', 'hex')"),
    }
}

/// Another value of a random column, as an assignment.
fn another_value(backend: Backend, random: &mut Random) -> String {
    let is_sqlite = backend == Backend::Sqlite;
    match random.below(22) {
        0 => "clock_epoch = clock_epoch + 1".to_owned(),
        1 => format!("salt = {}", bytes(backend, &format!("{:032x}", random.below(u64::MAX)))),
        2 if !is_sqlite => "time = time + interval '1 microsecond'".to_owned(),
        3..=5 if !is_sqlite => format!("{} = gen_random_uuid()", random.one_of(&IDS)),
        choice => {
            let column = match choice {
                2 => "time",
                3..=5 => random.one_of(&IDS),
                _ => random.one_of(&TEXTS),
            };
            let place = random.below(10_000);
            format!(
                "\"{column}\" = CASE WHEN coalesce(length(\"{column}\"), 0) = 0 THEN 'x' ELSE \
                 substr(\"{column}\", 1, {place} % length(\"{column}\")) \
                 || CASE substr(\"{column}\", 1 + {place} % length(\"{column}\"), 1) WHEN '0' THEN '1' ELSE '0' END \
                 || substr(\"{column}\", 2 + {place} % length(\"{column}\")) END"
            )
        }
    }
}

async fn verified(app: &TestApp, log: &Log, client: &Client) -> Report {
    let mut verifier = Verifier::new(vec![app.verifier_key().await.parse().unwrap()], vec![log.newest.clone()]);
    let mut export = client.audit_export().await.unwrap();
    while let Some(lines) = export.next_lines().await.unwrap() {
        verifier.read(lines.as_bytes());
    }
    verifier.finish()
}

async fn each_single_change_is_found_and_named(app: TestApp) {
    let checkpoint = async || app.owner.http.get("/api/v2/audit/checkpoint").await.expect(200).text;
    let tree = async || app.owner.http.get("/api/v2/audit/tree").await.expect(200).json();
    for name in ["a", "b", "c", "d", "e", "f"] {
        let token = app.owner.token(&json!({ "token_name": name })).await;
        let path = format!("/api/v2/users/me/keys/{}/expire", text(&token, "id"));
        app.owner.http.json("PUT", &path, &json!({ "reason": "policy", "note": "n\u{e9}" })).await.expect(204);
    }
    app.seal().await;
    let older = (tree().await["size"].as_u64().unwrap(), checkpoint().await);
    for name in ["g", "h", "i"] {
        app.owner.token(&json!({ "token_name": name })).await;
    }
    app.seal().await;
    let leaves = app.owner.http.get("/api/v2/audit/leaves").await.expect(200).json();
    let ids = leaves["leaves"].as_array().unwrap().iter().map(|leaf| text(leaf, "id").to_owned()).collect();
    let log = Log { older, newest: checkpoint().await, ids };
    let client = Client::builder(&app.url).token(app.owner.session.clone()).build().unwrap();
    for table in TABLES {
        app.database.execute(&format!("CREATE TABLE saved_{table} AS SELECT * FROM {table}")).unwrap();
        super::proofs::without_triggers(&app, table, "SELECT 1");
    }
    assert_eq!(verified(&app, &log, &client).await.finding_count(), 0);

    let count = std::env::var("KEYWARD_TEST_CHANGES").map_or(CHANGES, |count| count.parse().unwrap());
    let mut random = Random(0x6b65_7977_6172_6421);
    for number in 0..count {
        let change = log.change(app.database.backend, &mut random);
        let all = change.sql.join("; ");
        app.database.execute(&all).unwrap();
        let report = verified(&app, &log, &client).await;
        let is_named = report.findings.iter().any(|finding| {
            let by_index = finding.first.zip(finding.last);
            let names = |leaf: &u64| {
                by_index.is_some_and(|(first, last)| (first..=last).contains(leaf))
                    || finding.entry_id.as_deref() == log.ids.get(usize::try_from(*leaf).unwrap()).map(String::as_str)
            };
            change.leaves.iter().any(names) || (change.id.is_some() && finding.entry_id.as_deref() == change.id)
        });
        assert!(is_named, "change {number} is not found: {all}\n{report:?}");
        let restore = TABLES.map(|table| {
            format!(
                "DELETE FROM {table}; INSERT INTO {table} {} SELECT * FROM saved_{table}",
                if table == "audit_unsealed" && app.database.backend == Backend::Postgres {
                    "OVERRIDING SYSTEM VALUE"
                } else {
                    ""
                }
            )
        });
        app.database.execute(&restore.join("; ")).unwrap();
    }
    assert_eq!(verified(&app, &log, &client).await.finding_count(), 0);
}
