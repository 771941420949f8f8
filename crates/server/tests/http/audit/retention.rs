//! Retention deletes old records in batches, with one audit entry per batch.

use keyward_domain::Lifetime;
use keyward_service::{Retired, Settings};
use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{SECOND, another, expire, service_account, text};

on_both! {
    keys_go_when_they_have_been_over_for_long_enough,
    more_than_half_of_all_keys_wait_for_an_operator_and_go_in_batches,
    a_clock_far_after_the_newest_entry_removes_nothing,
    zero_keeps_everything,
    entries_go_when_they_are_old_enough_and_one_tells_of_it,
}

/// Runs retention, and returns the numbers of removed keys and entries.
async fn run(app: &TestApp) -> (usize, usize) {
    let retired = app.service.run_retention().await.unwrap();
    assert_eq!(retired.held, None);
    (retired.keys, retired.entries)
}

async fn keys_go_when_they_have_been_over_for_long_enough(app: TestApp) {
    let mut settings = Settings::default();
    settings.retention.api_keys_retention = Lifetime::days(10);
    settings.sessions.session_duration = Lifetime::days(30);
    let app = another(&app, settings).await;
    let short = app.owner.token(&json!({ "token_name": "short", "lifetime": SECOND })).await;
    let ended = app.owner.token(&json!({ "token_name": "ended" })).await;
    let week = app.owner.token(&json!({ "token_name": "week", "lifetime": 7 * 86_400 * SECOND })).await;
    expire(&app.owner.http, text(&ended, "id")).await;
    let names = async || {
        let list = app.owner.http.get("/api/v2/users/me/keys/tokens?include_expired=true").await.expect(200).json();
        crate::support::each(&list, "token_name")
    };
    assert_eq!(run(&app).await, (0, 0));
    app.advance(Lifetime::days(10));
    service_account(&app, "one", &[]).await;
    assert_eq!(run(&app).await, (0, 0), "a key at the cutoff stays");
    app.advance(Lifetime::from_secs(1).unwrap());
    assert_eq!(run(&app).await, (1, 0));
    assert_eq!(names().await, ["week", "short"]);
    app.advance(Lifetime::from_secs(1).unwrap());
    assert_eq!(run(&app).await, (1, 0));
    assert_eq!(names().await, ["week"]);
    app.advance(Lifetime::days(7));
    assert_eq!(run(&app).await, (0, 0), "the newest audit entry is a week old");
    service_account(&app, "two", &[]).await;
    assert_eq!(run(&app).await, (1, 0));
    assert_eq!(names().await, [""; 0]);
    app.owner.http.get("/api/v2/users/me").await.expect(200);

    let entries = app.audit("action:delete").await;
    assert_eq!(entries.len(), 3, "one entry per batch");
    assert_eq!(entries[2]["user"], Value::Null);
    assert_eq!(entries[2]["resource_type"], "api_key");
    assert_eq!(entries[2]["additional_fields"]["count"], 1);
    assert_eq!(text(&entries[2], "ip"), "");
    // The audit log of the deleted keys stays.
    for token in [&short, &ended, &week] {
        assert!(!app.audit(&format!("action:create resource_id:{}", text(token, "id"))).await.is_empty());
    }
}

async fn more_than_half_of_all_keys_wait_for_an_operator_and_go_in_batches(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "one", "lifetime": SECOND })).await;
    app.database.copy_expired_key(text(&token, "id"), 1..=1_200).unwrap();
    app.advance(Lifetime::days(92));
    let session = app
        .anonymous()
        .post("/api/v2/users/login", &json!({ "email": "owner", "password": keyward_test_support::PASSWORD }))
        .await;
    let http = app.with(text(&session.expect(201).json(), "session_token"));
    assert_eq!(app.service.confirm_retention().await.unwrap(), None, "nothing waits yet");
    let held = app.service.run_retention().await.unwrap().held.unwrap();
    assert_eq!(held.count, 1_202, "with the old session");
    app.advance(Lifetime::hours(1));
    let again = app.service.run_retention().await.unwrap();
    assert_eq!(again, Retired { held: Some(held), ..Retired::default() }, "it waits for the same");
    assert_eq!(app.service.held_retention().await.unwrap(), Some(held));
    assert_eq!(app.service.confirm_retention().await.unwrap(), Some(held));
    assert_eq!(run(&app).await, (1_202, 0));
    assert_eq!(app.service.held_retention().await.unwrap(), None);
    assert_eq!(app.database.count("SELECT count(*) AS count FROM api_keys"), 1);
    let confirmed = http.get("/api/v2/audit?q=resource_type:api_key action:write").await.expect(200).json();
    assert_eq!(confirmed["audit_logs"][0]["additional_fields"]["count"], 1_202);
    assert_eq!(confirmed["audit_logs"][0]["user"], Value::Null);
    let log = http.get("/api/v2/audit?q=action:delete").await.expect(200).json();
    let counts: Vec<u64> = log["audit_logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["additional_fields"]["count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts.iter().sum::<u64>(), 1_202);
    assert!(counts.len() > 1 && counts.iter().all(|count| *count <= 500), "{counts:?}");
}

/// A server that is started with a wrong clock has no step to notice.
async fn a_clock_far_after_the_newest_entry_removes_nothing(app: TestApp) {
    app.owner.token(&json!({ "lifetime": SECOND })).await;
    for name in ["a", "b", "c"] {
        app.owner.token(&json!({ "token_name": name, "lifetime": 6 * 86_400 * SECOND })).await;
    }
    app.advance(Lifetime::days(365));
    assert_eq!(run(&app).await, (0, 0));
}

async fn zero_keeps_everything(app: TestApp) {
    let mut settings = Settings::default();
    settings.retention.api_keys_retention = Lifetime::default();
    let app = another(&app, settings).await;
    app.owner.token(&json!({ "lifetime": SECOND })).await;
    let before = app.database.contents();
    app.advance(Lifetime::days(3_650));
    assert_eq!(run(&app).await, (0, 0));
    assert_eq!(app.database.contents(), before);
}

async fn entries_go_when_they_are_old_enough_and_one_tells_of_it(app: TestApp) {
    let mut settings = Settings::default();
    settings.retention.audit_logs_retention = Lifetime::days(3);
    settings.sessions.session_duration = Lifetime::days(30);
    let app = another(&app, settings).await;
    app.advance(Lifetime::days(2));
    app.owner.token(&json!({ "token_name": "ci", "lifetime": 7 * 86_400 * SECOND })).await;
    app.advance(Lifetime::days(1));
    assert_eq!(run(&app).await, (0, 0));
    app.advance(Lifetime::from_secs(1).unwrap());
    assert_eq!(run(&app).await, (0, 0), "the newest audit entry is more than a day old");
    service_account(&app, "robot", &[]).await;
    assert_eq!(run(&app).await, (0, 0), "no entry is sealed");
    app.seal().await;
    assert_eq!(run(&app).await, (0, 2));
    assert_eq!(run(&app).await, (0, 0));
    let log = app.owner.http.get("/api/v2/audit").await.expect(200).json();
    let left = log["audit_logs"].as_array().unwrap();
    assert_eq!(left.len(), 3);
    assert_eq!((text(&left[0], "action"), text(&left[0], "resource_type")), ("delete", "audit_log"));
    assert_eq!(left[0]["additional_fields"]["count"], 2);
    assert_eq!(left[0]["additional_fields"]["leaves"], json!([[0, 1]]));
    assert_eq!(text(&left[1], "resource_target"), "robot");
    assert_eq!(text(&left[2], "resource_target"), "ci");
    assert_eq!(app.database.count("SELECT count(*) AS count FROM audit_retention WHERE cutoff IS NOT NULL"), 0);
    assert!(app.database.execute("DELETE FROM audit_logs").is_err());
}
