//! The database itself refuses changes and deletions of audit entries, whoever makes them.

use keyward_domain::Lifetime;
use keyward_test_support::{Backend, TestApp, on_both};
use serde_json::json;

on_both! {
    nothing_done_by_hand_changes_or_removes_an_entry,
    the_way_of_retention_lets_only_the_older_go,
}

async fn nothing_done_by_hand_changes_or_removes_an_entry(app: TestApp) {
    app.owner.token(&json!({ "token_name": "ci" })).await;
    let before = app.database.contents();
    let columns = "time, user_agent, action, resource_type, resource_id, resource_target, event, \
                   description, old, \"new\", diff, additional_fields";
    let oldest = "(SELECT id FROM audit_logs ORDER BY time, id LIMIT 1)";
    let mut attempts = vec![
        "UPDATE audit_logs SET description = 'nothing happened'".to_owned(),
        "UPDATE audit_logs SET time = time, action = 'login'".to_owned(),
        format!("UPDATE audit_logs SET actor_username = NULL WHERE id = {oldest}"),
        "DELETE FROM audit_logs".to_owned(),
        format!("DELETE FROM audit_logs WHERE id = {oldest}"),
    ];
    match app.database.backend {
        Backend::Sqlite => attempts.extend([
            "UPDATE OR REPLACE audit_logs SET id = '0'".to_owned(),
            "INSERT OR REPLACE INTO audit_logs SELECT * FROM audit_logs".to_owned(),
            format!("REPLACE INTO audit_logs (id, {columns}) SELECT id, {columns} FROM audit_logs"),
            format!(
                "INSERT OR REPLACE INTO audit_logs (rowid, id, {columns}) \
                 SELECT rowid, 'other-' || id, {columns} FROM audit_logs"
            ),
            format!(
                "INSERT INTO audit_logs (id, {columns}) SELECT id, {columns} FROM audit_logs WHERE true \
                 ON CONFLICT (id) DO UPDATE SET description = ''"
            ),
        ]),
        Backend::Postgres => attempts.extend([
            "TRUNCATE audit_logs".to_owned(),
            "TRUNCATE users CASCADE; TRUNCATE audit_logs CASCADE".to_owned(),
            format!(
                "INSERT INTO audit_logs (id, {columns}) SELECT id, {columns} FROM audit_logs \
                 ON CONFLICT (id) DO UPDATE SET description = ''"
            ),
        ]),
    }
    for attempt in attempts {
        assert!(app.database.execute(&attempt).is_err(), "{attempt}");
        assert_eq!(app.database.contents(), before, "{attempt}");
    }
}

async fn the_way_of_retention_lets_only_the_older_go(app: TestApp) {
    app.advance(Lifetime::hours(1));
    app.owner.token(&json!({ "token_name": "ci" })).await;
    let entries = "SELECT count(*) AS count FROM audit_logs";
    let before = app.database.count(entries);
    let newest = "(SELECT max(time) FROM audit_logs)";
    app.database.execute(&format!("UPDATE audit_retention SET cutoff = {newest}")).unwrap();
    assert!(app.database.execute(&format!("DELETE FROM audit_logs WHERE time = {newest}")).is_err());
    app.database.execute(&format!("DELETE FROM audit_logs WHERE time < {newest}")).unwrap();
    assert_eq!(app.database.count(entries), 1);
    assert!(before > 1);
    app.database.execute("UPDATE audit_retention SET cutoff = NULL").unwrap();
    assert!(app.database.execute("DELETE FROM audit_logs").is_err());
}
