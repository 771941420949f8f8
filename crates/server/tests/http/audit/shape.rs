//! The fields of an audit entry, and which actions write one.

use keyward_test_support::{Answer, NewApp, PASSWORD, TestApp, TestDatabase, on_both};
use serde_json::{Value, json};

use crate::support::{create, seconds, text};

/// Sends a request with a user agent and a forwarded address.
async fn through_a_proxy(app: &TestApp, method: &str, path: &str, forwarded: &str) -> Answer {
    let request = app.owner.http.request(method, path).header("User-Agent", "shape/1.0");
    Answer::of(request.header("X-Forwarded-For", forwarded)).await
}

on_both! {
    an_entry_tells_who_did_what_to_which_and_by_which_request,
    the_address_is_the_clients_where_proxies_are_trusted,
    what_is_refused_or_only_read_leaves_no_entry,
    the_first_user_is_made_by_someone_unknown,
    an_entry_names_people_as_they_were_called_then,
}

async fn an_entry_tells_who_did_what_to_which_and_by_which_request(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "ci", "scopes": ["workspace:read"] })).await;
    app.advance(seconds(60));
    let path = format!("/api/v2/users/me/keys/{}/expire", text(&token, "id"));
    let answer = through_a_proxy(&app, "PUT", &path, "203.0.113.9").await.expect(204);

    let log = app.owner.http.get("/api/v2/audit?limit=1").await.expect(200).json();
    assert_eq!(log["count_cap"], 2_000);
    let entry = &log["audit_logs"][0];
    let mut fields: Vec<&str> = entry.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let expected = [
        "action",
        "additional_fields",
        "cause",
        "description",
        "diff",
        "event",
        "id",
        "ip",
        "key_id",
        "new",
        "old",
        "request_id",
        "resource_id",
        "resource_target",
        "resource_type",
        "status_code",
        "time",
        "user",
        "user_agent",
    ];
    assert_eq!(fields, expected);
    assert_eq!(Some(text(entry, "request_id")), answer.header("Keyward-Request-Id"));
    assert_eq!(text(entry, "time"), app.service.now().to_string());
    assert_eq!((text(entry, "ip"), text(entry, "user_agent")), ("127.0.0.1", "shape/1.0"));
    assert_eq!((text(entry, "resource_type"), text(entry, "action")), ("api_key", "write"));
    assert_eq!((&entry["resource_id"], text(entry, "resource_target")), (&token["id"], "ci"));
    assert_eq!(entry["status_code"], 204);
    assert_eq!(entry["event"], "key.expired");
    assert!(text(entry, "description").contains("ci"));
    let owner = json!({ "id": app.owner.id, "username": "owner", "email": "owner@example.com" });
    assert_eq!(entry["user"], owner);
    assert_eq!(entry["additional_fields"], json!({ "owner_id": app.owner.id }));

    let mut changed: Vec<&str> = entry["diff"].as_object().unwrap().keys().map(String::as_str).collect();
    changed.sort_unstable();
    assert_eq!(changed, ["ended_at", "expires_at"]);
    let end = json!({ "old": token["expires_at"], "new": entry["time"], "secret": false });
    assert_eq!(entry["diff"]["expires_at"], end);
    for state in ["old", "new"] {
        for field in ["id", "user_id", "token_name", "login_type", "scopes", "allow_list", "created_at", "updated_at"] {
            assert_eq!(entry[state][field], token[field], "{state}.{field}");
        }
        assert!(entry[state].get("digest").is_none());
    }
    let secret = text(&token, "key").split('-').nth(1).unwrap();
    assert!(!entry.to_string().contains(secret));
}

async fn the_address_is_the_clients_where_proxies_are_trusted(app: TestApp) {
    let database = TestDatabase::create(app.database.backend).unwrap();
    let server =
        NewApp::start_with(database, keyward_service::Settings::default(), &["127.0.0.0/8", "10.0.0.0/8"]).await;
    let app = TestApp::of(server).await;
    for (forwarded, client) in [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.1.2.3", "203.0.113.9"),
        // The addresses that the client claims come before those that a trusted proxy added.
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("nonsense", "127.0.0.1"),
        ("198.51.100.1, nonsense", "127.0.0.1"),
    ] {
        through_a_proxy(&app, "POST", "/api/v2/users/me/keys", forwarded).await.expect(201);
        let log = app.owner.http.get("/api/v2/audit?limit=1").await.expect(200).json();
        assert_eq!(log["audit_logs"][0]["ip"], client, "{forwarded}");
    }
}

async fn what_is_refused_or_only_read_leaves_no_entry(app: TestApp) {
    let member = app.person("member", &[]).await;
    let token = app.owner.token(&json!({ "token_name": "ci" })).await;
    let before = app.database.count("SELECT count(*) AS count FROM audit_logs");
    let path = format!("/api/v2/users/me/keys/{}", text(&token, "id"));
    member.http.send("PUT", &format!("{path}/expire")).await.refused(404, "not_found");
    member.http.send("DELETE", &path).await.refused(404, "not_found");
    create(&app.owner.http, &json!({ "token_name": "ci" })).await.refused(409, "conflict");
    app.owner.http.send("DELETE", "/api/v2/users/me").await.refused(400, "validation_failed");
    let password = json!({ "old_password": "not the old one", "password": PASSWORD });
    member.http.json("PUT", "/api/v2/users/me/password", &password).await.refused(400, "validation_failed");
    for path in [
        &path,
        "/api/v2/users",
        "/api/v2/users/me/keys",
        "/api/v2/users/me/keys/tokens?include_all=true",
        "/api/v2/audit",
    ] {
        app.owner.http.get(path).await.expect(200);
    }
    app.service.flush_usage().await.unwrap();
    assert_eq!(app.database.count("SELECT count(*) AS count FROM audit_logs"), before);
}

async fn the_first_user_is_made_by_someone_unknown(app: TestApp) {
    let entries = app.audit("action:create resource_type:user").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["user"], Value::Null);
    assert_eq!((text(&entries[0], "resource_target"), &entries[0]["status_code"]), ("owner", &json!(201)));
}

async fn an_entry_names_people_as_they_were_called_then(app: TestApp) {
    let member = app.person("member", &[]).await;
    member.token(&json!({ "token_name": "ci" })).await;
    app.owner.http.send("DELETE", "/api/v2/users/member").await.expect(200);
    let entries = app.audit("username:member action:create").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["user"]["id"], member.id.as_str());
    assert_eq!(entries[0]["user"]["email"], "member@example.com");
}
