//! A token creates only tokens within its own permissions.

use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{SECOND, create, micros, seconds, text, token_of};

const HOUR: i64 = 3_600 * SECOND;

async fn refused(http: &keyward_test_support::Http, body: Value) {
    let problem = create(http, &body).await.refused(403, "scope_exceeds_caller").json();
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
}

/// A new member's token with some scopes and an allow list. Its lifetime is one hour.
async fn narrow(app: &TestApp) -> keyward_test_support::Http {
    let member = app.person("member", &[]).await;
    let scopes = ["api_key:create", "api_key:read", "workspace:*"];
    let allow_list = ["api_key:*", "workspace:w1", "template:*"];
    let body = json!({ "scopes": scopes, "allow_list": allow_list, "lifetime": HOUR });
    token_of(app, &member, &body).await.0
}

on_both! {
    scopes_and_allow_list_stay_within_the_callers,
    nothing_that_a_token_makes_outlives_it,
    a_token_needs_the_scope_to_create_whatever_its_users_role,
    a_token_that_may_do_all_makes_what_it_is_itself,
    a_session_is_not_held_to_its_own_end,
}

async fn scopes_and_allow_list_stay_within_the_callers(app: TestApp) {
    let token = narrow(&app).await;
    let good = json!({ "scopes": ["workspace:read"], "allow_list": ["workspace:w1"] });
    create(&token, &good).await.expect(201);
    create(&token, &json!({ "scopes": ["workspace:*"], "allow_list": ["template:t", "workspace:w1"] }))
        .await
        .expect(201);

    let before = app.database.contents();
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for scopes in [json!(["template:read"]), json!(["*:*"]), json!(["workspace:read", "api_key:*"]), json!(null)] {
        refused(&token, with("scopes", scopes)).await;
    }
    for scope in ["all", "api_key:update", "coder:workspaces.operate"] {
        refused(&token, json!({ "scope": scope, "allow_list": ["workspace:w1"] })).await;
    }
    for allow_list in [json!(["workspace:*"]), json!(["workspace:w2"]), json!(["*:*"]), json!([]), json!(null)] {
        refused(&token, with("allow_list", allow_list)).await;
    }
    assert_eq!(app.database.contents(), before);
}

async fn nothing_that_a_token_makes_outlives_it(app: TestApp) {
    let token = narrow(&app).await;
    let within = json!({ "scopes": ["workspace:read"], "allow_list": ["workspace:w1"] });
    let body = |lifetime: Value| {
        let mut body = within.clone();
        body["lifetime"] = lifetime;
        body
    };
    app.advance(seconds(600));
    for absent in [json!(null), json!(0)] {
        let made = create(&token, &body(absent)).await.expect(201).json();
        assert_eq!(micros(&made, "expires_at") - micros(&made, "created_at"), 3_000_000_000);
        assert_eq!(made["lifetime_seconds"], 3_000);
    }
    create(&token, &body(json!(3_000 * SECOND))).await.expect(201);
    refused(&token, body(json!(3_000 * SECOND + 1_000))).await;
    refused(&token, body(json!(HOUR))).await;
    refused(&token, body(json!(i64::MAX))).await;
}

async fn a_token_needs_the_scope_to_create_whatever_its_users_role(app: TestApp) {
    let (reader, _) = token_of(&app, &app.owner, &json!({ "scopes": ["api_key:read", "api_key:update"] })).await;
    let answer = create(&reader, &json!({})).await.refused(403, "insufficient_scope");
    let challenge = "Bearer realm=\"keyward\", error=\"insufficient_scope\", scope=\"api_key:create\"";
    assert_eq!(answer.header("WWW-Authenticate"), Some(challenge));
    let (maker, _) =
        token_of(&app, &app.owner, &json!({ "scopes": ["api_key:create"], "allow_list": ["workspace:*"] })).await;
    create(&maker, &json!({})).await.refused(403, "resource_not_allowed");
}

async fn a_token_that_may_do_all_makes_what_it_is_itself(app: TestApp) {
    let (token, _) = token_of(&app, &app.owner, &json!({ "lifetime": HOUR })).await;
    let made = create(&token, &json!({})).await.expect(201).json();
    assert_eq!(made["scopes"], json!(["*:*"]));
    assert_eq!(made["lifetime_seconds"], 3_600);
    // For another user too: the token belongs to that user, but stays within the calling token.
    app.person("member", &[]).await;
    let made = token.post("/api/v2/users/member/keys/tokens", &json!({})).await.expect(201).json();
    assert_eq!(made["lifetime_seconds"], 3_600);
    let path = "/api/v2/users/member/keys/tokens";
    token.post(path, &json!({ "lifetime": 2 * HOUR })).await.refused(403, "scope_exceeds_caller");
    app.with(text(&made, "key")).get("/api/v2/users/me").await.expect(200);
}

async fn a_session_is_not_held_to_its_own_end(app: TestApp) {
    let member = app.person("member", &[]).await;
    let made = create(&member.http, &json!({ "lifetime": 300 * 24 * HOUR })).await.expect(201).json();
    assert_eq!(made["lifetime_seconds"], 300 * 86_400);
}
