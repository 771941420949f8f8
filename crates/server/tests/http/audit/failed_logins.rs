//! Failed logins, logged asynchronously, at most once a minute for each address and name.

use keyward_test_support::{PASSWORD, TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{seconds, text};

async fn fail(app: &TestApp, login: &str, password: &str) {
    let body = json!({ "email": login, "password": password });
    let answer = app.anonymous().post("/api/v2/users/login", &body).await;
    assert_eq!(answer.status, 401);
}

/// Waits until the entries count this many failures, and returns them. The server's own job may write
/// them just now.
async fn entries_counting(app: &TestApp, failures: u64) -> Vec<Value> {
    let counted = |entries: &[Value]| -> u64 {
        entries.iter().map(|entry| entry["additional_fields"]["count"].as_u64().unwrap()).sum()
    };
    for _ in 0..1_000 {
        app.service.flush_failed_logins(false).await.unwrap();
        let entries = app.audit("action:login resource_type:user").await;
        if counted(&entries) >= failures {
            assert_eq!(counted(&entries), failures);
            return entries;
        }
    }
    panic!("the audit log does not count {failures} failed logins");
}

on_both! {
    an_entry_tells_who_was_meant_and_holds_no_password,
    a_name_that_nobody_has_is_not_written_down,
    one_address_and_name_is_told_of_once_a_minute_with_a_count,
    a_suspended_user_who_logs_in_is_told_of_too,
    what_waits_is_told_when_the_server_stops,
}

async fn an_entry_tells_who_was_meant_and_holds_no_password(app: TestApp) {
    fail(&app, "owner@example.com", "not the password").await;
    let entries = entries_counting(&app, 1).await;
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!(entry["status_code"], 401);
    assert_eq!(entry["user"], Value::Null);
    assert_eq!((text(entry, "resource_id"), text(entry, "resource_target")), (app.owner.id.as_str(), "owner"));
    assert_eq!(text(entry, "ip"), "127.0.0.1");
    assert!(!entry.to_string().contains("not the password"));
}

async fn a_name_that_nobody_has_is_not_written_down(app: TestApp) {
    // People sometimes type their password into the name field.
    fail(&app, PASSWORD, "x").await;
    let entries = entries_counting(&app, 1).await;
    assert_eq!((text(&entries[0], "resource_id"), text(&entries[0], "resource_target")), ("", ""));
    assert!(!app.database.contents().contains(PASSWORD));
}

async fn one_address_and_name_is_told_of_once_a_minute_with_a_count(app: TestApp) {
    fail(&app, "owner", "wrong one").await;
    assert_eq!(entries_counting(&app, 1).await.len(), 1);
    for login in ["owner", "OWNER", "owner"] {
        fail(&app, login, "wrong again").await;
    }
    fail(&app, "nobody", "wrong").await;
    app.advance(seconds(59));
    assert_eq!(entries_counting(&app, 2).await.len(), 2, "one entry for each name");
    app.advance(seconds(1));
    let entries = entries_counting(&app, 5).await;
    assert_eq!(entries.len(), 3);
    let count = |name: &str| {
        let of_name = entries.iter().filter(|entry| entry["resource_target"] == name);
        of_name.map(|entry| entry["additional_fields"]["count"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let mut of_owner = count("owner");
    of_owner.sort_unstable();
    assert_eq!((of_owner, count("")), (vec![1, 3], vec![1]));
}

async fn a_suspended_user_who_logs_in_is_told_of_too(app: TestApp) {
    app.person("member", &[]).await;
    app.owner.http.send("PUT", "/api/v2/users/member/status/suspend").await.expect(200);
    fail(&app, "member", PASSWORD).await;
    let entries = entries_counting(&app, 1).await;
    assert_eq!(text(&entries[0], "resource_target"), "member");
    assert!(text(&entries[0], "description").contains("suspended"));
}

async fn what_waits_is_told_when_the_server_stops(app: TestApp) {
    fail(&app, "owner", "wrong").await;
    app.service.flush_failed_logins(false).await.unwrap();
    fail(&app, "owner", "wrong again").await;
    fail(&app, "owner", "and again").await;
    let database = app.stop().await;
    let failed_logins = "SELECT count(*) AS count FROM audit_logs WHERE event = 'user.login_failed'";
    assert_eq!(database.count(failed_logins), 2);
}
