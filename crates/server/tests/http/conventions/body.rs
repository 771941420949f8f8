//! Request bodies: the content type and JSON parsing.

use keyward_test_support::{Answer, TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{MY_TOKENS, create, text};

/// Sends a body with this content type.
async fn send(app: &TestApp, content_type: Option<&str>, body: &str) -> Answer {
    let mut request = app.owner.http.request("POST", MY_TOKENS);
    if let Some(content_type) = content_type {
        request = request.header("Content-Type", content_type);
    }
    Answer::of(request.body(body.to_owned())).await
}

on_both! {
    a_body_is_json_and_says_so,
    what_is_no_json_object_is_refused,
    a_known_field_twice_is_refused_and_unknown_ones_are_ignored,
    null_is_absent,
    a_wrong_type_is_named_and_its_value_is_not_repeated,
    a_body_nobody_asked_for_is_not_looked_at,
}

async fn a_body_is_json_and_says_so(app: TestApp) {
    for good in
        ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=utf-8"]
    {
        send(&app, Some(good), "{}").await.expect(201);
    }
    for wrong in [
        None,
        Some(""),
        Some("text/plain"),
        Some("text/json"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonp"),
        Some("application/merge-patch+json"),
    ] {
        send(&app, wrong, "{}").await.refused(415, "unsupported_media_type");
        // The content type is checked before the contents.
        send(&app, wrong, "{").await.refused(415, "unsupported_media_type");
    }
    let twice = app
        .owner
        .http
        .request("POST", MY_TOKENS)
        .header("Content-Type", "application/json")
        .header("Content-Type", "text/plain");
    Answer::of(twice.body("{}")).await.refused(415, "unsupported_media_type");
    send(&app, Some("application/json"), "").await.refused(400, "bad_request");
    send(&app, None, "").await.refused(400, "bad_request");
}

async fn what_is_no_json_object_is_refused(app: TestApp) {
    let before = app.database.contents();
    for body in [
        "{",
        "}",
        "{}{}",
        "{} x",
        "null",
        "[]",
        "[1000000000]",
        "\"{}\"",
        "7",
        "true",
        "{'a':1}",
        "{\"a\":1,}",
        "{a:1}",
        "{\"token_name\":\"a\nb\"}",
        "{\"token_name\":\"\\ud800\"}",
        "\u{feff}{}",
        "//\n{}",
        " ",
        &"[".repeat(10_000),
        &format!("{{\"x\":{}", "[".repeat(10_000)),
    ] {
        send(&app, Some("application/json"), body).await.refused(400, "bad_request");
    }
    let request = app.owner.http.request("POST", MY_TOKENS).header("Content-Type", "application/json");
    Answer::of(request.body(b"{\"token_name\":\"\xff\"}".to_vec())).await.refused(400, "bad_request");
    assert_eq!(app.database.contents(), before);
    send(&app, Some("application/json"), " \r\n\t{ } \n").await.expect(201);
}

async fn a_known_field_twice_is_refused_and_unknown_ones_are_ignored(app: TestApp) {
    for twice in [
        "\"lifetime\":0,\"lifetime\":0",
        "\"token_name\":null,\"token_name\":\"a\"",
        "\"scopes\":[\"all\"],\"scopes\":[\"all\"]",
        "\"allow_list\":[],\"token_name\":\"a\",\"allow_list\":[]",
    ] {
        send(&app, Some("application/json"), &format!("{{{twice}}}")).await.refused(400, "bad_request");
    }
    let body = "{\"colour\":\"red\",\"colour\":{\"deep\":[1,2]},\"Lifetime\":-1,\"token_name\":\"ci\"}";
    let token = send(&app, Some("application/json"), body).await.expect(201).json();
    assert_eq!(text(&token, "token_name"), "ci");
    let mut user = json!({ "username": "new-one", "email": "n@example.com", "login_type": "none" });
    user["organization_ids"] = json!(["x"]);
    user["user_status"] = json!("dormant");
    app.owner.http.post("/api/v2/users", &user).await.expect(201);
}

async fn null_is_absent(app: TestApp) {
    let fields = ["lifetime", "token_name", "scopes", "scope", "allow_list", "expires_at"];
    let nulls: Value = fields.iter().map(|field| ((*field).to_owned(), Value::Null)).collect();
    let token = create(&app.owner.http, &nulls).await.expect(201).json();
    assert_eq!((&token["lifetime_seconds"], &token["scopes"]), (&json!(7 * 86_400), &json!(["*:*"])));
    let mut user = json!({ "username": "new-one", "email": "n@example.com", "login_type": "none" });
    for optional in ["name", "password", "roles"] {
        user[optional] = json!(null);
    }
    app.owner.http.post("/api/v2/users", &user).await.expect(201);
    for required in ["username", "email"] {
        let mut body = user.clone();
        body[required] = json!(null);
        app.owner.http.post("/api/v2/users", &body).await.refused(400, "bad_request");
    }
}

async fn a_wrong_type_is_named_and_its_value_is_not_repeated(app: TestApp) {
    for (body, secret) in [
        ("{\"token_name\":[\"hunter2-hunter2\"]}", "hunter2"),
        ("{\"lifetime\":\"hunter2-hunter2\"}", "hunter2"),
        ("{\"scopes\":{\"hunter2\":1}}", "hunter2"),
        ("{\"lifetime\":123456789.5}", "123456789"),
    ] {
        let refused = send(&app, Some("application/json"), body).await.refused(400, "bad_request");
        assert!(!refused.text.contains(secret), "{}", refused.text);
        assert!(refused.json()["detail"].as_str().is_some());
    }
}

async fn a_body_nobody_asked_for_is_not_looked_at(app: TestApp) {
    let token = app.owner.token(&json!({})).await;
    let path = format!("/api/v2/users/me/keys/{}/expire", text(&token, "id"));
    let request = app.owner.http.request("PUT", &path).header("Content-Type", "text/plain").body("{");
    Answer::of(request).await.expect(204);
    let request = app.owner.http.request("GET", MY_TOKENS).header("Content-Type", "application/xml").body("<a/>");
    Answer::of(request).await.expect(200);
}
