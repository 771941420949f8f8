//! Headers of every response, and the shape of errors.

use keyward_test_support::{Answer, TestApp, on_both};
use serde_json::json;

use crate::support::text;

/// Successes and errors of every kind. The bool says whether the path is under `/api`.
async fn answers(app: &TestApp) -> Vec<(bool, Answer)> {
    let (http, anonymous) = (&app.owner.http, app.anonymous());
    let member = app.person("member", &[]).await;
    let token = app.owner.token(&json!({ "token_name": "ci", "scopes": ["workspace:read"] })).await;
    let id = text(&token, "id");
    let poor = app.with(text(&token, "key"));
    vec![
        (true, http.get("/api/v2/users/me").await.expect(200)),
        (true, http.get("/api/v2/users").await.expect(200)),
        (true, http.post("/api/v2/users/me/keys/tokens", &json!({})).await.expect(201)),
        (true, http.send("PUT", &format!("/api/v2/users/me/keys/{id}/expire")).await.expect(204)),
        (true, poor.get("/api/v2/users/me").await.refused(401, "key_expired")),
        (true, anonymous.get("/api/v2/buildinfo").await.expect(200)),
        (true, anonymous.get("/api/v2/users/me").await.refused(401, "unauthenticated")),
        (true, member.http.get("/api/v2/audit").await.refused(403, "forbidden")),
        (true, http.get("/api/v2/users/nobody").await.refused(404, "not_found")),
        (true, http.get("/api/v2/nothing/here").await.refused(404, "route_not_found")),
        (true, http.send("PATCH", "/api/v2/users/me").await.refused(405, "method_not_allowed")),
        (true, http.get("/api/v2/audit?limit=0").await.refused(400, "validation_failed")),
        (true, http.post("/api/v2/users/me/keys/tokens", &json!([])).await.refused(400, "bad_request")),
        (
            true,
            http.post("/api/v2/users/me/keys/tokens", &json!({ "token_name": "x".repeat(70_000) }))
                .await
                .refused(413, "payload_too_large"),
        ),
        (
            true,
            Answer::of(http.request("POST", "/api/v2/users/me/keys/tokens").body("{}"))
                .await
                .refused(415, "unsupported_media_type"),
        ),
        (
            true,
            http.post("/api/v2/users", &json!({ "username": "owner", "email": "x@example.com", "login_type": "none" }))
                .await
                .refused(409, "conflict"),
        ),
        (false, anonymous.get("/").await.refused(404, "route_not_found")),
        (false, anonymous.get("/healthz").await.expect(200)),
        (false, anonymous.get("/readyz").await.expect(200)),
        (false, anonymous.get("/metrics").await.expect(200)),
        (false, anonymous.send("DELETE", "/healthz").await.refused(405, "method_not_allowed")),
    ]
}

on_both! {
    every_answer_names_version_and_request_and_is_not_stored,
    every_error_has_the_one_shape,
    a_success_without_a_body_has_none,
    times_are_utc_with_at_most_microseconds,
}

async fn every_answer_names_version_and_request_and_is_not_stored(app: TestApp) {
    let mut ids = Vec::new();
    for (under_api, answer) in answers(&app).await {
        let at = format!("{} {}", answer.status, answer.text);
        let version = answer.header("Keyward-Version").unwrap();
        assert!(version.starts_with(|first: char| first.is_ascii_digit()), "{at}");
        assert_eq!(answer.header("X-Coder-Build-Version"), Some(format!("v{version}").as_str()), "{at}");
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"), "{at}");
        if under_api {
            assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{at}");
        }
        ids.push(answer.header("Keyward-Request-Id").unwrap().to_owned());
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
    assert!(ids.iter().all(|id| id.len() == 36));
}

async fn every_error_has_the_one_shape(app: TestApp) {
    let known = ["message", "detail", "validations", "code", "hint", "request_id"];
    for (_, answer) in answers(&app).await.into_iter().filter(|(_, answer)| answer.status >= 400) {
        assert_eq!(answer.header("Content-Type"), Some("application/json"), "{}", answer.text);
        let body = answer.json();
        assert!(body.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{body}");
        assert!(!text(&body, "message").is_empty());
        let code = text(&body, "code");
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
        assert_eq!(Some(text(&body, "request_id")), answer.header("Keyward-Request-Id"));
        for validation in body["validations"].as_array().into_iter().flatten() {
            assert!(!text(validation, "field").is_empty() && !text(validation, "detail").is_empty());
            assert_eq!(validation.as_object().unwrap().len(), 2);
        }
        assert!(body.as_object().unwrap().values().all(|value| !value.is_null()), "null instead of absent: {body}");
    }
}

async fn a_success_without_a_body_has_none(app: TestApp) {
    let token = app.owner.token(&json!({})).await;
    let path = format!("/api/v2/users/me/keys/{}", text(&token, "id"));
    for (method, path) in [("PUT", format!("{path}/expire")), ("DELETE", path)] {
        let answer = app.owner.http.send(method, &path).await.expect(204);
        assert_eq!((answer.text.as_str(), answer.header("Content-Type")), ("", None));
    }
}

async fn times_are_utc_with_at_most_microseconds(app: TestApp) {
    app.advance(keyward_domain::Lifetime::from_nanos(1_000).unwrap());
    let token = app.owner.token(&json!({ "lifetime": 1_234_567_891_234_i64 })).await;
    for field in ["created_at", "updated_at", "expires_at", "last_used"] {
        let time = text(&token, field);
        assert!(time.ends_with('Z') && time.as_bytes()[10] == b'T' && time.len() <= 27, "{time}");
    }
    let shown = app.owner.http.get(&format!("/api/v2/users/me/keys/{}", text(&token, "id"))).await.json();
    assert_eq!(shown["expires_at"], token["expires_at"], "the stored expiry is the returned one");
    assert_eq!(shown["created_at"], token["created_at"]);
}
