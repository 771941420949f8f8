//! `POST /users/login` and `POST /users/logout`

use keyward_test_support::{PASSWORD, TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{id_of, micros, text, token_of};

const LOGIN: &str = "/api/v2/users/login";
const LOGOUT: &str = "/api/v2/users/logout";

on_both! {
    address_and_username_are_taken_in_any_case,
    every_failure_before_the_password_is_right_looks_alike,
    a_body_that_is_not_understood_is_not_repeated,
    logging_out_ends_the_presented_key,
    too_many_wrong_passwords_shut_out_one_address_for_a_while,
}

async fn too_many_wrong_passwords_shut_out_one_address_for_a_while(app: TestApp) {
    app.person("member", &[]).await;
    let http = app.anonymous();
    let wrong = json!({ "email": "owner", "password": "not the password" });
    for _ in 0..10 {
        http.post(LOGIN, &wrong).await.refused(401, "incorrect_credentials");
    }
    // The address of the user is the same account.
    let right = json!({ "email": "owner@example.com", "password": PASSWORD });
    for body in [&wrong, &right] {
        let refused = http.post(LOGIN, body).await.refused(429, "too_many_attempts");
        assert_eq!(refused.header("Retry-After"), Some("31"));
    }
    http.post(LOGIN, &json!({ "email": "member", "password": PASSWORD })).await.expect(201);
    app.service.flush_failed_logins(true).await.unwrap();
    let entries = app.audit("event:user.login_throttled").await;
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0]["status_code"], text(&entries[0], "resource_target")), (&json!(429), "owner"));
    app.advance(keyward_domain::Lifetime::seconds(31));
    http.post(LOGIN, &right).await.expect(201);
}

async fn address_and_username_are_taken_in_any_case(app: TestApp) {
    for login in ["owner@example.com", "OWNER@Example.com", "owner", "Owner"] {
        let answer = app.anonymous().post(LOGIN, &json!({ "email": login, "password": PASSWORD })).await.expect(201);
        assert_eq!(answer.header("Set-Cookie"), None);
        let made = answer.json();
        assert_eq!(made.as_object().unwrap().len(), 1);
        let key = text(&made, "session_token");
        assert!(key.starts_with("kws_"), "{key}");
        let session = app.with(key).get(&format!("/api/v2/users/me/keys/{}", id_of(key))).await.expect(200).json();
        assert_eq!(text(&session, "login_type"), "password");
        assert_eq!(session["scopes"], json!(["*:*"]));
        assert_eq!(micros(&session, "expires_at") - micros(&session, "created_at"), 86_400_000_000);
    }
    let entries = app.audit("action:login").await;
    assert_eq!(entries.len(), 5);
    assert_eq!(entries[0]["status_code"], 201);
    assert_eq!(entries[0]["user"]["username"], "owner");
    assert!(text(&entries[0], "resource_id").starts_with("kws_"));
}

async fn every_failure_before_the_password_is_right_looks_alike(app: TestApp) {
    let member = app.person("member", &[]).await;
    app.person("gone", &[]).await;
    app.owner.http.send("DELETE", "/api/v2/users/gone").await.expect(200);
    let before = app.database.count("SELECT count(*) AS count FROM api_keys");
    let mut bodies = Vec::new();
    for (login, password) in [
        ("member", "not the password"),
        ("member", ""),
        ("nobody", PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("gone", PASSWORD),
        ("", PASSWORD),
        ("a b", PASSWORD),
        ("member\u{0}", PASSWORD),
        ("\u{0}@example.com", PASSWORD),
        (member.id.as_str(), PASSWORD),
        ("member", &"x".repeat(1_000)),
    ] {
        let answer = app.anonymous().post(LOGIN, &json!({ "email": login, "password": password })).await;
        let mut body = answer.refused(401, "incorrect_credentials").json();
        assert_eq!(body["message"], "Incorrect email or password.");
        body["request_id"] = Value::Null;
        bodies.push(body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    for wrong in [
        json!({}),
        json!({ "email": "member" }),
        json!({ "email": "member", "password": null }),
        json!({ "email": 7, "password": PASSWORD }),
    ] {
        app.anonymous().post(LOGIN, &wrong).await.refused(400, "bad_request");
    }
    assert_eq!(app.database.count("SELECT count(*) AS count FROM api_keys"), before);
}

async fn a_body_that_is_not_understood_is_not_repeated(app: TestApp) {
    let request = app.anonymous().request("POST", LOGIN).header("content-type", "application/json");
    let body = format!("{{\"email\":\"owner\",\"password\":[\"{PASSWORD}\"]}}");
    let refused = keyward_test_support::Answer::of(request.body(body)).await.refused(400, "bad_request");
    assert!(!refused.text.contains(PASSWORD));
    let wrong = app.anonymous().post(LOGIN, &json!({ "email": "owner", "password": 123_456_789 })).await;
    assert!(!wrong.refused(400, "bad_request").text.contains("123456789"));
}

async fn logging_out_ends_the_presented_key(app: TestApp) {
    let member = app.person("member", &[]).await;
    let (token, id) =
        token_of(&app, &member, &json!({ "scopes": ["workspace:read"], "allow_list": ["workspace:w1"] })).await;
    assert_eq!(token.send("POST", LOGOUT).await.expect(200).json(), json!({ "message": "Logged out!" }));
    token.get("/api/v2/users/me").await.refused(401, "key_expired");
    member.http.get("/api/v2/users/me").await.expect(200);
    member.http.post(LOGOUT, &json!({ "whatever": 1 })).await.expect(200);
    member.http.get("/api/v2/users/me").await.refused(401, "key_expired");
    member.http.send("POST", LOGOUT).await.refused(401, "key_expired");
    app.anonymous().send("POST", LOGOUT).await.refused(401, "unauthenticated");

    let entries = app.audit("action:logout").await;
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[1]["resource_id"], id);
    assert_eq!(entries[1]["status_code"], 200);
    assert_eq!(entries[1]["user"]["username"], "member");
    assert_eq!(entries[1]["diff"]["expires_at"]["new"], entries[1]["time"]);
    let record = app.owner.http.get(&format!("/api/v2/users/me/keys/{id}")).await.expect(200).json();
    assert_eq!(record["expires_at"], entries[1]["time"]);
}
