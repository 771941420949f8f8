//! Searching the audit log.

use keyward_test_support::{Answer, Http, TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{each, expire, seconds, text, wrong_fields};

async fn search(http: &Http, q: &str) -> Answer {
    Answer::of(http.request("GET", "/api/v2/audit").query(&[("q", q)])).await
}

/// The resource targets of the entries found, oldest first.
async fn found(http: &Http, q: &str) -> Vec<String> {
    let log = search(http, q).await.expect(200).json();
    assert_eq!(log["count"].as_u64().unwrap() as usize, log["audit_logs"].as_array().unwrap().len());
    let mut targets = each(&log["audit_logs"], "resource_target");
    targets.reverse();
    targets
}

on_both! {
    terms_narrow_the_list,
    dates_include_their_instant,
    a_request_is_found_by_its_id,
    nothing_searched_for_is_no_filter,
    what_cannot_be_understood_is_refused_and_named,
    who_may_is_judged_before_the_search,
}

async fn terms_narrow_the_list(app: TestApp) {
    let http = &app.owner.http;
    let member = app.person("member", &[]).await;
    app.advance(seconds(60));
    let ci = member.token(&json!({ "token_name": "ci" })).await;
    app.advance(seconds(60));
    member.token(&json!({ "token_name": "my token: 1" })).await;
    app.advance(seconds(60));
    expire(&member.http, text(&ci, "id")).await;

    assert_eq!(found(http, "resource_type:user").await, ["owner", "member"]);
    assert_eq!(found(http, "user").await, ["owner", "member"]);
    assert_eq!(found(http, "USER").await, ["owner", "member"]);
    assert_eq!(found(http, "action:create api_key").await, ["ci", "my token: 1"]);
    assert_eq!(found(http, "action:login").await, ["", ""]);
    assert_eq!(found(http, "Action:WRITE").await, ["ci"]);
    assert_eq!(found(http, &format!("resource_id:{}", text(&ci, "id"))).await, ["ci", "ci"]);
    assert_eq!(found(http, "resource_target:ci").await, ["ci", "ci"]);
    assert_eq!(found(http, "resource_target:\"my token: 1\"").await, ["my token: 1"]);
    assert_eq!(found(http, "resource_target:\"my token\"").await, [""; 0]);
    assert_eq!(found(http, "username:member action:create").await, ["ci", "my token: 1"]);
    assert_eq!(found(http, "username:MEMBER action:write").await, ["ci"]);
    assert_eq!(found(http, "username:nobody").await, [""; 0]);
    assert_eq!(found(http, "email:member@example.com action:write").await, ["ci"]);
    assert_eq!(found(http, "ip:127.0.0.1 action:write").await, ["ci"]);
    assert_eq!(found(http, "ip:::ffff:127.0.0.2").await, [""; 0]);
    assert_eq!(found(http, "ip:192.0.2.1").await, [""; 0]);
}

async fn dates_include_their_instant(app: TestApp) {
    let http = &app.owner.http;
    app.advance(seconds(60));
    app.owner.token(&json!({ "token_name": "one" })).await;
    let one = app.service.now();
    app.advance(seconds(60));
    app.owner.token(&json!({ "token_name": "two" })).await;
    let two = app.service.now();
    assert_eq!(found(http, &format!("date_from:{one} api_key")).await, ["one", "two"]);
    assert_eq!(found(http, &format!("date_from:{two}")).await, ["two"]);
    assert_eq!(found(http, &format!("date_to:{one} action:create api_key")).await, ["one"]);
    assert_eq!(found(http, &format!("date_from:{one} date_to:{one}")).await, ["one"]);
    assert_eq!(found(http, &format!("date_from:\"{two}\"")).await, ["two"]);
    let day = one.to_string().split('T').next().unwrap().to_owned();
    let other_day = two.to_string().split('T').next().unwrap().to_owned();
    assert_eq!(
        found(http, &format!("date_from:{day} date_to:{other_day} action:create api_key")).await,
        ["one", "two"]
    );
    assert_eq!(found(http, "date_to:2001-01-01").await, [""; 0]);
    assert_eq!(found(http, "date_from:2999-01-01").await, [""; 0]);
}

async fn a_request_is_found_by_its_id(app: TestApp) {
    let answer = app.owner.http.send("POST", "/api/v2/users/me/keys").await.expect(201);
    let id = answer.header("Keyward-Request-Id").unwrap();
    let entries = app.audit(&format!("request_id:{id}")).await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["action"], "create");
    assert_eq!(app.audit("request_id:00000000-0000-0000-0000-000000000000").await.len(), 0);
}

async fn nothing_searched_for_is_no_filter(app: TestApp) {
    let all = app.owner.http.get("/api/v2/audit").await.expect(200).json();
    assert_eq!(all["audit_logs"].as_array().unwrap().len(), 2, "the first user and their login");
    for q in ["", "   "] {
        assert_eq!(search(&app.owner.http, q).await.expect(200).json(), all);
    }
}

async fn what_cannot_be_understood_is_refused_and_named(app: TestApp) {
    for (q, fields) in [
        ("colour:red", &["colour"][..]),
        ("nonsense", &["resource_type"]),
        ("action:fly", &["action"]),
        ("ip:nowhere", &["ip"]),
        ("date_from:yesterday", &["date_from"]),
        ("date_to:2026-13-01", &["date_to"]),
        ("request_id:7", &["request_id"]),
        ("resource_target:a:b", &["resource_target"]),
        ("username:", &["username"]),
        ("action:write action:create", &["action"]),
        ("resource_target:\"open", &["q"]),
        ("resource_target:a\u{0}b", &["resource_target"]),
        ("colour:red action:fly", &["colour", "action"]),
    ] {
        let refused = search(&app.owner.http, q).await.refused(400, "validation_failed");
        assert_eq!(refused.json()["message"], "Invalid audit search query.", "{q}");
        assert_eq!(wrong_fields(&refused), fields, "{q}");
    }
}

async fn who_may_is_judged_before_the_search(app: TestApp) {
    let member = app.person("member", &[]).await;
    search(&member.http, "colour:red").await.refused(403, "forbidden");
    let auditor = app.person("auditor", &["auditor"]).await;
    let log: Value = search(&auditor.http, "action:create").await.expect(200).json();
    assert_eq!(log["count"], 3);
}
