//! `keyward audit export`, `verify` and `proof`

use std::fs;
use std::path::PathBuf;

use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::shell::{Shell, mode};

on_both! {
    a_log_that_nobody_changed_is_verified_offline_and_online,
    a_changed_removed_or_inserted_entry_is_found,
    an_older_copy_of_the_database_is_found,
    a_log_without_a_checkpoint_proves_nothing,
    an_entry_is_proven,
    a_member_may_not_export_it,
}

/// Creates some tokens and seals the log. Returns the number of sealed entries.
async fn sealed(app: &TestApp) -> u64 {
    for name in ["one", "two", "three"] {
        app.owner.token(&json!({ "token_name": name })).await;
    }
    seal(app).await
}

async fn seal(app: &TestApp) -> u64 {
    app.seal().await;
    tree(app).await["size"].as_u64().unwrap()
}

async fn tree(app: &TestApp) -> Value {
    app.owner.http.get("/api/v2/audit/tree").await.json()
}

async fn key(app: &TestApp) -> String {
    tree(app).await["verifier_keys"][0].as_str().unwrap().to_owned()
}

/// Exports the log to a file.
async fn exported(app: &TestApp, shell: &Shell) -> PathBuf {
    let path = app.database.directory().join("audit.jsonl");
    let run = shell.keyward(&format!("audit export --output {}", path.display())).await;
    run.printed("");
    assert!(run.stderr.starts_with("Exported the log with its checkpoint of "), "{run:?}");
    path
}

/// Changes the log as someone can who has the database and none of its rules.
fn tamper(app: &TestApp, triggers: &[&str], sql: &str) {
    for trigger in triggers {
        let drop = if app.database.url().starts_with("postgres") {
            "ALTER TABLE audit_logs DISABLE TRIGGER USER".to_owned()
        } else {
            format!("DROP TRIGGER {trigger}")
        };
        app.database.execute(&drop).unwrap();
    }
    app.database.execute(sql).unwrap();
}

async fn a_log_that_nobody_changed_is_verified_offline_and_online(app: TestApp) {
    let size = sealed(&app).await;
    app.owner.token(&json!({ "token_name": "four" })).await;
    let (shell, key) = (Shell::of(&app, &app.owner), key(&app).await);
    let path = exported(&app, &shell).await;
    assert_eq!(mode(&path), 0o600);
    let proven =
        format!("Entries 0 to {} are proven by the checkpoint of size {size}.\n1 entry is not sealed yet.\n", size - 1);

    // Offline, nothing is configured.
    let offline = Shell::new();
    let run = offline.run(&format!("audit verify {} --key {key}", path.display()));
    run.printed(&proven);
    assert_eq!(run.stderr, "");
    let text = fs::read_to_string(&path).unwrap();
    let run = offline.run_reading("audit verify -", &text);
    run.printed(&proven);
    assert_eq!(
        run.stderr,
        "The keys come from the export itself. `keyward-server audit-key` prints the key to keep and to pass with \
         --key.\n"
    );
    shell.keyward("audit export").await.printed(&text);

    let run = shell.keyward("audit verify").await;
    run.printed(&proven);
    assert!(run.stderr.starts_with("The keys come from the server itself."), "{run:?}");
    let checkpoints = app.files.in_dir().checkpoints;
    let run = shell.keyward(&format!("audit verify --key {key} --checkpoint {}", checkpoints.display())).await;
    let (entries, unsealed) = proven.split_once('\n').unwrap();
    run.printed(&format!("{entries}\nThe log has everything that the kept checkpoint vouches for.\n{unsealed}"));
    assert_eq!(run.stderr, "");
    let report = shell.keyward(&format!("audit verify --key {key} -o json")).await.json();
    assert_eq!(
        (&report["proven_size"], &report["unsealed"], &report["findings"]),
        (&json!(size), &json!(1), &json!([]))
    );
}

async fn a_changed_removed_or_inserted_entry_is_found(app: TestApp) {
    let size = sealed(&app).await;
    let (shell, key) = (Shell::of(&app, &app.owner), key(&app).await);
    let ids: Vec<String> = app.audit("").await.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect();
    let (changed, removed) = (&ids[1], &ids[2]);
    let triggers = app.database.text(if app.database.url().starts_with("postgres") {
        "SELECT '' AS text"
    } else {
        "SELECT group_concat(name, ' ') AS text FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_logs'"
    });
    let triggers: Vec<&str> = triggers.split(' ').collect();
    tamper(&app, &triggers, &format!("UPDATE audit_logs SET resource_target = 'other' WHERE id = '{changed}'"));
    app.database.execute(&format!("DELETE FROM audit_logs WHERE id = '{removed}'")).unwrap();
    let columns = "request_id, ip, user_agent, actor_id, actor_username, actor_email, event, cause, action, \
                   resource_type, resource_id, resource_target, description, old, new, diff, additional_fields, key_id, \
                   incident_id, clock_epoch, time";
    let inserted = "019ac3f0-7a1e-7000-8000-000000000001";
    let insert = format!(
        "INSERT INTO audit_logs (id, {columns}) SELECT '{inserted}', {columns} FROM audit_logs WHERE id = '{}'",
        ids[0]
    );
    app.database.execute(&insert).unwrap();

    let path = exported(&app, &shell).await;
    let offline = shell.keyward(&format!("audit verify {} --key {key}", path.display())).await;
    let online = shell.keyward(&format!("audit verify --key {key}")).await;
    assert_eq!(offline, online);
    assert_eq!(online.exit, Some(1), "{online:?}");
    assert_eq!(online.stderr, "error: the audit log is not as it was sealed: 3 findings\n");
    let lines: Vec<&str> = online.stdout.lines().collect();
    let first =
        format!("Entries 0 to {} are proven by the checkpoint of size {size}, except those named below.", size - 1);
    assert_eq!((lines[0], lines.len()), (first.as_str(), 4), "{online:?}");
    let says = |parts: &[&str]| lines.iter().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(says(&[changed, "was changed"]), "{online:?}");
    assert!(says(&[removed, "is missing, and retention did not remove it"]), "{online:?}");
    assert!(says(&[inserted, "was inserted by hand"]), "{online:?}");
    let run = shell.keyward(&format!("audit verify --key {key} -o json")).await;
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let kinds: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!((run.exit, kinds.len()), (Some(1), 3), "{kinds:?}");
    assert!(kinds.contains(&"entry_changed") && kinds.contains(&"entry_inserted"), "{kinds:?}");
}

async fn an_older_copy_of_the_database_is_found(app: TestApp) {
    sealed(&app).await;
    let shell = Shell::of(&app, &app.owner);
    let older = exported(&app, &shell).await;
    let size = tree(&app).await["size"].as_u64().unwrap();
    app.owner.token(&json!({ "token_name": "four" })).await;
    assert_eq!(seal(&app).await, size + 1);
    let checkpoints = app.files.in_dir().checkpoints;
    let line = format!("audit verify {} --checkpoint {}", older.display(), checkpoints.display());
    let run = Shell::new().run(&line);
    assert_eq!(run.exit, Some(1), "{run:?}");
    let said = format!("A kept checkpoint has {} entries, and the log has {size}: entry {size} is missing.", size + 1);
    assert!(run.stdout.contains(&said), "{run:?}");
    assert!(run.stderr.ends_with("error: the audit log is not as it was sealed: 1 finding\n"), "{run:?}");
}

async fn a_log_without_a_checkpoint_proves_nothing(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    let run = shell.keyward("audit verify").await;
    assert_eq!(run.exit, Some(0), "{run:?}");
    assert!(run.stdout.starts_with("Nothing is proven by a checkpoint.\n"), "{run:?}");
    assert!(run.stdout.contains(" not sealed yet.\n"), "{run:?}");
}

async fn an_entry_is_proven(app: TestApp) {
    use keyward_sdk::transparency::{Proof, canonical_json};

    sealed(&app).await;
    let (shell, key) = (Shell::of(&app, &app.owner), key(&app).await);
    let entry = app.audit("").await[0].clone();
    let run = shell.keyward(&format!("audit proof {}", entry["id"].as_str().unwrap())).await;
    assert_eq!((run.exit, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    let proof: Proof = run.stdout.parse().unwrap();
    proof.verify(&canonical_json(&entry).unwrap(), &[key.parse().unwrap()]).unwrap();
    shell.keyward("audit proof 019ac3f0-7a1e-7000-8000-000000000001").await.failed(3, "cannot get the proof");
}

async fn a_member_may_not_export_it(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let shell = Shell::of(&app, &ada);
    let path = app.database.directory().join("none.jsonl");
    shell.keyward(&format!("audit export --output {}", path.display())).await.failed(4, "cannot export the audit log");
    assert!(!path.exists());
    shell.keyward("audit verify").await.failed(4, "cannot export the audit log");
}

#[test]
fn what_is_no_export_is_refused() {
    let shell = Shell::new();
    shell.run("audit verify --key nonsense -").failed(2, "is not a verifier key");
    shell.run("audit verify nothing-here").failed(1, "cannot read nothing-here");
    shell.run("audit verify - --checkpoint nothing-here").failed(1, "cannot read nothing-here");
    let path = shell.dir.path().join("empty");
    fs::write(&path, "not a checkpoint\n").unwrap();
    shell.run(&format!("audit verify - --checkpoint {}", path.display())).failed(1, "has no signed checkpoint");
    let run = shell.run_reading("audit verify -", "nonsense\n");
    assert_eq!(run.exit, Some(1), "{run:?}");
    assert!(run.stdout.contains("Line 1 is not a line of an export"), "{run:?}");
    shell.run("audit verify").failed(4, "no server is configured");
    shell.run("audit proof ci").failed(2, "'ci'");
}

#[test]
fn an_export_is_refused_without_a_server() {
    Shell::new().run("audit export").failed(4, "no server is configured");
}
