//! The audit tree: checkpoints, inclusion proofs, and what a database that was changed looks like.

use keyward_domain::Lifetime;
use keyward_service::Settings;
use keyward_test_support::{Backend, NewApp, TestApp, on_both, run};
use keyward_transparency::{Checkpoint, Hash, Proof, SigningKey, Tree, VerifierKey, canonical_json, leaf_hash};
use serde_json::{Value, json};

use crate::support::{another, each, text};

on_both! {
    each_entry_is_proven_by_what_a_client_sees,
    an_entry_that_is_not_sealed_has_no_proof_yet,
    checkpoints_are_kept_outside_of_the_database,
    a_database_that_was_replaced_by_an_older_one_is_not_sealed,
    a_tree_that_was_changed_by_hand_is_not_sealed,
    the_database_itself_keeps_the_tree,
    an_entry_that_was_changed_or_inserted_is_listed,
    retention_keeps_the_leaves,
    the_log_names_its_signing_keys,
}

#[test]
fn two_servers_seal_one_tree() {
    run(Backend::Postgres, |app: TestApp| async move {
        let other = app.start_beside().await;
        for _ in 0..20 {
            let made = async {
                for _ in 0..5 {
                    app.owner.token(&json!({})).await;
                }
            };
            tokio::join!(app.seal(), other.seal(), made);
        }
        tokio::join!(app.seal(), other.seal());
        let listed = leaves(&app, "").await;
        assert_eq!(listed.len(), 2 + 100, "the user, the login, the tokens");
        let unsealed = app.owner.http.get("/api/v2/audit/unsealed").await.expect(200).json();
        assert_eq!(unsealed, json!({ "leaves": [] }));
        let mut tree = Tree::default();
        for (index, leaf) in listed.iter().enumerate() {
            assert_eq!(leaf["index"], index);
            tree.push(leaf_hash(&hash_input(leaf), canonical_json(&leaf["entry"]).unwrap().as_bytes()));
        }
        assert_eq!(tree.root(), checkpoint(&app).await.root);
    });
}

async fn key_of(app: &NewApp) -> VerifierKey {
    app.verifier_key().await.parse().unwrap()
}

async fn checkpoint(app: &TestApp) -> Checkpoint {
    let answer = app.owner.http.get("/api/v2/audit/checkpoint").await.expect(200);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    Checkpoint::open(&answer.text, &[key_of(app).await]).unwrap()
}

async fn proof(app: &TestApp, entry: &Value) -> Proof {
    let path = format!("/api/v2/audit/{}/proof", text(entry, "id"));
    app.owner.http.get(&path).await.expect(200).text.parse().unwrap()
}

async fn leaves(app: &TestApp, query: &str) -> Vec<Value> {
    let list = app.owner.http.get(&format!("/api/v2/audit/leaves?{query}")).await.expect(200).json();
    list["leaves"].as_array().unwrap().clone()
}

/// Runs a statement that a trigger would refuse.
pub(super) fn without_triggers(app: &TestApp, table: &str, sql: &str) {
    let triggers = match app.database.backend {
        Backend::Sqlite => {
            let list = format!(
                "SELECT coalesce(group_concat(name), '') AS text FROM sqlite_master WHERE tbl_name = '{table}' AND type = 'trigger'"
            );
            let names = app.database.text(&list);
            names
                .split(',')
                .filter(|name| !name.is_empty())
                .map(|name| format!("DROP TRIGGER {name}"))
                .collect::<Vec<_>>()
        }
        Backend::Postgres => vec![format!("ALTER TABLE {table} DISABLE TRIGGER ALL")],
    };
    for statement in triggers.iter().map(String::as_str).chain([sql]) {
        app.database.execute(statement).unwrap();
    }
}

async fn each_entry_is_proven_by_what_a_client_sees(app: TestApp) {
    for name in ["a", "b", "c"] {
        app.owner.token(&json!({ "token_name": name })).await;
    }
    app.seal().await;
    app.advance(Lifetime::from_secs(5).unwrap());
    let body = json!({ "reason": "policy", "note": "a note with \u{e9} and \u{1F600}" });
    let id = text(&app.owner.token(&json!({ "token_name": "d" })).await, "id").to_owned();
    app.owner.http.json("PUT", &format!("/api/v2/users/me/keys/{id}/expire"), &body).await.expect(204);
    app.seal().await;

    let entries = app.audit("").await;
    let now = checkpoint(&app).await;
    assert_eq!(now.size, u64::try_from(entries.len()).unwrap());
    let keys = [key_of(&app).await];
    let mut indexes = Vec::new();
    for entry in &entries {
        let proof = proof(&app, entry).await;
        assert_eq!(proof.salt.len(), 16);
        assert_eq!(proof.verify(&canonical_json(entry).unwrap(), &keys).unwrap(), now);
        let mut changed = entry.clone();
        changed["ip"] = json!("203.0.113.1");
        assert!(proof.verify(&canonical_json(&changed).unwrap(), &keys).is_err());
        indexes.push(proof.index);
    }
    indexes.sort_unstable();
    assert_eq!(indexes, (0..now.size).collect::<Vec<_>>());
    let listed = leaves(&app, "").await;
    assert_eq!(listed.len(), entries.len());
    for (index, leaf) in listed.iter().enumerate() {
        assert_eq!(leaf["index"], index);
        let entry = entries.iter().find(|entry| entry["id"] == leaf["id"]).unwrap();
        assert_eq!(&leaf["entry"], entry);
    }
    assert_eq!(leaves(&app, "from=2&size=4").await, listed[2..4]);
    assert_eq!(leaves(&app, "limit=1").await, listed[..1]);
    app.owner.http.get("/api/v2/audit/leaves?limit=1001").await.refused(400, "validation_failed");
    let unknown = "/api/v2/audit/6f9619ff-8b86-d011-b42d-00cf4fc964ff/proof";
    app.owner.http.get(unknown).await.refused(404, "not_found");
    app.owner.http.get("/api/v2/audit/nonsense/proof").await.refused(404, "not_found");
}

async fn an_entry_that_is_not_sealed_has_no_proof_yet(app: TestApp) {
    app.owner.http.get("/api/v2/audit/checkpoint").await.refused(503, "not_sealed");
    app.seal().await;
    let sealed = checkpoint(&app).await.size;
    app.owner.token(&json!({ "token_name": "late" })).await;
    let entry = &app.audit("action:create").await[0];
    let path = format!("/api/v2/audit/{}/proof", text(entry, "id"));
    let answer = app.owner.http.get(&path).await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    answer.refused(503, "not_sealed");
    let unsealed = app.owner.http.get("/api/v2/audit/unsealed").await.expect(200).json();
    assert_eq!(each(&unsealed["leaves"], "id"), [text(entry, "id")]);
    assert_eq!((&unsealed["leaves"][0]["is_waiting"], &unsealed["leaves"][0]["entry"]), (&json!(true), entry));
    app.seal().await;
    app.owner.http.get(&path).await.expect(200);
    assert_eq!(checkpoint(&app).await.size, sealed + 1);
    assert_eq!(app.owner.http.get("/api/v2/audit/unsealed").await.expect(200).json(), json!({ "leaves": [] }));
    // An export of the first checkpoint still tells of what came after it.
    let after = app.owner.http.get(&format!("/api/v2/audit/unsealed?size={sealed}")).await.expect(200).json();
    assert_eq!(each(&after["leaves"], "id"), [text(entry, "id")]);
    assert_eq!(after["leaves"][0]["is_waiting"], true);
}

async fn checkpoints_are_kept_outside_of_the_database(app: TestApp) {
    assert_eq!(app.files.in_dir().newest_checkpoint().unwrap(), None);
    app.seal().await;
    let first = checkpoint(&app).await;
    assert_eq!(app.files.in_dir().newest_checkpoint().unwrap(), Some(first.clone()));
    app.seal().await;
    app.owner.token(&json!({})).await;
    app.seal().await;
    let second = checkpoint(&app).await;
    assert_eq!(second.size, first.size + 1);
    let file = std::fs::read_to_string(app.files.in_dir().checkpoints).unwrap();
    let sizes: Vec<u64> =
        keyward_transparency::notes(&file).map(|note| Checkpoint::unverified(&note).unwrap().size).collect();
    assert_eq!(sizes, [first.size, second.size], "{file}");
    assert_eq!(app.files.in_dir().newest_checkpoint().unwrap(), Some(second));
}

async fn a_database_that_was_replaced_by_an_older_one_is_not_sealed(app: TestApp) {
    app.seal().await;
    let known = checkpoint(&app).await;
    let files = app.files.in_dir();
    let key = SigningKey::from_pem(&known.origin, &files.signing_key().unwrap()).unwrap();
    let keep = |checkpoint: Checkpoint| std::fs::write(&files.checkpoints, checkpoint.sign(&key)).unwrap();
    keep(Checkpoint { size: known.size + 3, ..known.clone() });
    let error = app.try_to_seal().await.unwrap_err().to_string();
    let sizes =
        format!("has {} sealed audit entries, but a checkpoint that was kept has {}", known.size, known.size + 3);
    assert!(error.contains(&sizes), "{error}");

    keep(Checkpoint { root: Hash([1; 32]), ..known.clone() });
    let error = app.try_to_seal().await.unwrap_err().to_string();
    assert!(error.contains("someone has changed it"), "{error}");

    keep(Checkpoint { origin: "keyward/other".to_owned(), ..known.clone() });
    let error = app.try_to_seal().await.unwrap_err().to_string();
    assert!(error.contains("\"keyward/other\""), "{error}");

    keep(known);
    app.seal().await;
}

async fn a_tree_that_was_changed_by_hand_is_not_sealed(app: TestApp) {
    for _ in 0..5 {
        app.owner.token(&json!({})).await;
    }
    app.seal().await;
    let zeros = match app.database.backend {
        Backend::Sqlite => "zeroblob(32)",
        Backend::Postgres => "decode(repeat('00', 32), 'hex')",
    };
    for table in ["audit_leaves", "audit_nodes"] {
        without_triggers(&app, table, &format!("UPDATE {table} SET hash = {zeros}"));
    }
    let error = app.try_to_seal().await.unwrap_err().to_string();
    assert!(error.contains("someone has changed it"), "{error}");
}

async fn the_database_itself_keeps_the_tree(app: TestApp) {
    for _ in 0..3 {
        app.owner.token(&json!({})).await;
    }
    app.seal().await;
    let mut attempts = vec![
        "UPDATE audit_leaves SET hash = hash",
        "DELETE FROM audit_leaves",
        "UPDATE audit_nodes SET hash = hash",
        "DELETE FROM audit_nodes WHERE node = 1",
    ];
    match app.database.backend {
        Backend::Sqlite => attempts.extend([
            "INSERT OR REPLACE INTO audit_leaves SELECT * FROM audit_leaves",
            "INSERT OR REPLACE INTO audit_leaves SELECT 100 + leaf_index, entry_id, hash FROM audit_leaves",
            "REPLACE INTO audit_nodes SELECT * FROM audit_nodes",
        ]),
        Backend::Postgres => attempts.extend(["TRUNCATE audit_leaves", "TRUNCATE audit_nodes"]),
    }
    for attempt in attempts {
        assert!(app.database.execute(attempt).is_err(), "{attempt}");
    }
    app.seal().await;
}

async fn an_entry_that_was_changed_or_inserted_is_listed(app: TestApp) {
    app.owner.token(&json!({ "token_name": "a" })).await;
    app.owner.token(&json!({ "token_name": "b" })).await;
    app.seal().await;
    let entries = app.audit("action:create resource_type:api_key").await;
    let (changed, damaged) = (text(&entries[0], "id"), text(&entries[1], "id"));
    without_triggers(&app, "audit_logs", &format!("UPDATE audit_logs SET user_agent = 'x' WHERE id = '{changed}'"));
    app.database.execute(&format!("UPDATE audit_logs SET action = 'nothing' WHERE id = '{damaged}'")).unwrap();
    let columns = "time, user_agent, action, resource_type, resource_id, resource_target, event, description, old, \
                   \"new\", diff, additional_fields";
    let copied = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";
    app.database
        .execute(&format!(
            "INSERT INTO audit_logs (id, {columns}) SELECT '{copied}', {columns} FROM audit_logs WHERE id = '{changed}'"
        ))
        .unwrap();
    let listed = leaves(&app, "").await;
    let of = |id: &str| listed.iter().find(|leaf| leaf["id"] == id).unwrap();
    let entry = &of(changed)["entry"];
    let salt = hash_input(of(changed));
    assert_ne!(of(changed)["hash"], leaf_hash(&salt, canonical_json(entry).unwrap().as_bytes()).to_string());
    assert_eq!(of(damaged)["entry"], Value::Null);
    assert!(text(of(damaged), "unreadable").contains(damaged));
    let unsealed = app.owner.http.get("/api/v2/audit/unsealed").await.expect(200).json();
    assert_eq!(each(&unsealed["leaves"], "id"), [copied]);
    assert_eq!(unsealed["leaves"][0]["is_waiting"], false);
    // What is not queued is never sealed.
    app.seal().await;
    assert_eq!(app.owner.http.get("/api/v2/audit/unsealed").await.expect(200).json(), unsealed);
}

fn hash_input(leaf: &Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.decode(text(leaf, "salt")).unwrap()
}

async fn retention_keeps_the_leaves(app: TestApp) {
    let mut settings = Settings::default();
    settings.retention.audit_logs_retention = Lifetime::days(3);
    settings.sessions.session_duration = Lifetime::days(30);
    let app = another(&app, settings).await;
    app.seal().await;
    let before = leaves(&app, "").await;
    app.advance(Lifetime::days(4));
    app.owner.token(&json!({ "token_name": "new" })).await;
    assert_eq!(app.service.run_retention().await.unwrap().entries, before.len());
    app.seal().await;
    let after = leaves(&app, "").await;
    assert_eq!(after.len(), before.len() + 2, "the new token, and the entry of retention");
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((&before["hash"], &before["id"]), (&after["hash"], &after["id"]));
        assert_eq!((&after["entry"], &after["salt"]), (&Value::Null, &Value::Null));
    }
    let retired = &app.audit("resource_type:audit_log action:delete").await[0];
    assert_eq!(retired["additional_fields"]["leaves"], json!([[0, before.len() - 1]]));
    proof(&app, retired).await.verify(&canonical_json(retired).unwrap(), &[key_of(&app).await]).unwrap();
}

async fn the_log_names_its_signing_keys(app: TestApp) {
    app.seal().await;
    app.seal().await;
    let first = app.verifier_key().await;
    let tree = app.owner.http.get("/api/v2/audit/tree").await.expect(200).json();
    assert_eq!(tree["verifier_keys"], json!([first]));
    std::fs::remove_file(app.files.in_dir().key).unwrap();
    app.advance(Lifetime::from_secs(1).unwrap());
    app.owner.token(&json!({})).await;
    app.seal().await;
    let second = app.verifier_key().await;
    assert_ne!(first, second);
    let tree = app.owner.http.get("/api/v2/audit/tree").await.expect(200).json();
    assert_eq!(tree["verifier_keys"], json!([first, second]));
    let named = app.audit("resource_type:audit_log action:create").await;
    assert_eq!(named.len(), 1, "the first key belongs to the log from its begin");
    assert_eq!(named[0]["additional_fields"]["verifier_key"], json!(second));
}
