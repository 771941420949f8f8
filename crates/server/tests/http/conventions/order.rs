//! The order in which a request is checked: credential, scope, target, and then its contents.

use keyward_test_support::{Answer, Http, TestApp, on_both};
use serde_json::json;

use crate::support::text;

/// Every endpoint that reads a body and names a user, who is missing or hidden.
const WITH_BODY: [(&str, &str); 4] = [
    ("POST", "/api/v2/users/{user}/keys/tokens"),
    ("PUT", "/api/v2/users/{user}/roles"),
    ("PUT", "/api/v2/users/{user}/password"),
    ("POST", "/api/v2/users"),
];

/// Every endpoint that reads a query.
const WITH_QUERY: [&str; 4] =
    ["/api/v2/users/{user}/keys/tokens", "/api/v2/users/{user}/keys", "/api/v2/users", "/api/v2/audit"];

/// Sends a body that is not JSON, with this content type.
async fn nonsense(http: &Http, method: &str, path: &str, user: &str, content_type: &str) -> Answer {
    let request = http.request(method, &path.replace("{user}", user)).header("Content-Type", content_type);
    Answer::of(request.body("{nonsense")).await
}

on_both! {
    a_body_is_judged_last,
    a_query_is_judged_last,
}

async fn a_body_is_judged_last(app: TestApp) {
    let member = app.person("member", &[]).await;
    let token = app.owner.token(&json!({ "scopes": ["workspace:read"] })).await;
    let poor = app.with(text(&token, "key"));
    for (method, path) in WITH_BODY {
        let about_a_user = path.contains("{user}");
        for content_type in ["text/plain", "application/json"] {
            let send = async |http: &Http, user: &str| nonsense(http, method, path, user, content_type).await;
            for user in ["me", "member", "nobody"] {
                send(&app.anonymous(), user).await.refused(401, "unauthenticated");
                send(&app.with("kwd_wrong"), user).await.refused(401, "invalid_key");
                send(&poor, user).await.refused(403, "insufficient_scope");
            }
            if about_a_user {
                send(&member.http, "owner").await.refused(404, "not_found");
                send(&member.http, "nobody").await.refused(404, "not_found");
                send(&app.owner.http, "nobody").await.refused(404, "not_found");
            } else {
                send(&member.http, "").await.refused(403, "forbidden");
            }
        }
        nonsense(&app.owner.http, method, path, "member", "text/plain").await.refused(415, "unsupported_media_type");
        nonsense(&app.owner.http, method, path, "member", "application/json").await.refused(400, "bad_request");
    }
}

async fn a_query_is_judged_last(app: TestApp) {
    let member = app.person("member", &[]).await;
    let token = app.owner.token(&json!({ "scopes": ["workspace:read"] })).await;
    let poor = app.with(text(&token, "key"));
    for path in WITH_QUERY {
        let get = async |http: &Http, user: &str| http.get(&format!("{}?limit=0", path.replace("{user}", user))).await;
        get(&app.anonymous(), "me").await.refused(401, "unauthenticated");
        get(&poor, "nobody").await.refused(403, "insufficient_scope");
        if path.contains("{user}") {
            get(&member.http, "owner").await.refused(404, "not_found");
        }
        get(&app.owner.http, "me").await.refused(400, "validation_failed");
    }
    member.http.get("/api/v2/audit?limit=0").await.refused(403, "forbidden");
}
