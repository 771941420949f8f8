//! The example services as separate processes, with a real server: what their clients see. `cargo test`
//! builds the examples before it runs this.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod process;

use keyward_test_support::{Answer, Http, TestApp, on_both};
use process::ServiceProcess;
use serde_json::json;

const EXAMPLES: [&str; 2] = ["actix_service", "axum_service"];

/// Starts the example with a verifier's key.
async fn start(app: &TestApp, example: &str) -> ServiceProcess {
    let gateway = app.person("gateway", &["verifier"]).await;
    let token = gateway.token(&json!({ "scopes": ["api_key:verify"] })).await;
    let service = ServiceProcess::start(example, &app.url, token["key"].as_str().unwrap());
    let anonymous = Http::new(&service.url, None);
    anonymous.get("/healthz").await.expect(200);
    // The example is ready when the server has answered the first poll.
    while anonymous.get("/readyz").await.status != 200 {
        tokio::task::yield_now().await;
    }
    service
}

/// The status, the code and the challenge of an answer.
fn summary(answer: &Answer) -> (u16, String, String) {
    (answer.status, answer.code(), answer.header("www-authenticate").unwrap_or_default().to_owned())
}

async fn lets_through_what_a_key_may_do(app: &TestApp, example: &str) {
    let service = start(app, example).await;
    let body = json!({ "scopes": ["workspace:read"], "allow_list": ["workspace:w1"] });
    let token = app.owner.token(&body).await;
    let client = Http::new(&service.url, token["key"].as_str());
    assert_eq!(client.get("/workspaces/w1").await.expect(200).text, "workspace w1, for owner\n");
    let whoami = client.get("/whoami").await.expect(200);
    assert_eq!(whoami.text, format!("owner {}\n", token["id"].as_str().unwrap()));
    assert_eq!(client.send("PUT", "/workspaces/w1").await.status, 405);

    let lacking = client.send("DELETE", "/workspaces/w1").await;
    let challenge = "Bearer realm=\"workspaces\", error=\"insufficient_scope\", scope=\"workspace:delete\"";
    assert_eq!(summary(&lacking), (403, "insufficient_scope".to_owned(), challenge.to_owned()));
    for outside in ["/workspaces/w2", "/workspaces/*", "/workspaces/w%31x", "/workspaces/a%20b"] {
        client.get(outside).await.refused(403, "resource_not_allowed");
    }
    let every = app.owner.token(&json!({})).await;
    let every = Http::new(&service.url, every["key"].as_str());
    every.send("DELETE", "/workspaces/w2").await.expect(200);
    every.get("/workspaces/a%20b").await.refused(403, "resource_not_allowed");
}

async fn answers_a_bad_credential_as_rfc_6750_says(app: &TestApp, example: &str) {
    let service = start(app, example).await;
    let anonymous = Http::new(&service.url, None);
    let none = (401, "unauthenticated".to_owned(), "Bearer realm=\"workspaces\"".to_owned());
    let send = async |values: &[&str]| {
        let request = values
            .iter()
            .fold(anonymous.request("GET", "/whoami"), |request, value| request.header("Authorization", *value));
        Answer::of(request).await
    };
    let key = app.owner.token(&json!({})).await["key"].as_str().unwrap().to_owned();
    assert_eq!(summary(&send(&[]).await), none);
    assert_eq!(summary(&send(&["Basic dXNlcjpwYXNz"]).await), none);
    assert_eq!(summary(&anonymous.get(&format!("/whoami?access_token={key}")).await), none);
    send(&[&format!("bEaReR {key}")]).await.expect(200);

    let bearer = format!("Bearer {key}");
    for malformed in [&[&*bearer, &*bearer][..], &["Bearer"], &["Bearer a b"]] {
        let answer = send(malformed).await;
        let (status, code, challenge) = summary(&answer);
        assert_eq!((status, code.as_str()), (400, "bad_request"), "{malformed:?}");
        assert!(challenge.starts_with("Bearer realm=\"workspaces\", error=\"invalid_request\""), "{challenge}");
    }
    let unknown = send(&["Bearer kwd_unknown"]).await;
    let challenge = "Bearer realm=\"workspaces\", error=\"invalid_token\", error_description=\"API key is invalid.\"";
    assert_eq!(summary(&unknown), (401, "invalid_key".to_owned(), challenge.to_owned()));
    assert_eq!(unknown.header("content-type"), Some("application/json"));

    let member = app.person("member", &[]).await;
    let suspended = member.token(&json!({})).await;
    let suspended = Http::new(&service.url, suspended["key"].as_str());
    suspended.get("/whoami").await.expect(200);
    app.owner.http.send("PUT", "/api/v2/users/member/status/suspend").await.expect(200);
    suspended.get("/whoami").await.refused(401, "user_suspended");
}

async fn refuses_a_key_at_once_when_its_expire_has_succeeded(app: &TestApp, example: &str) {
    let service = start(app, example).await;
    for _ in 0..20 {
        let token = app.owner.token(&json!({})).await;
        let client = Http::new(&service.url, token["key"].as_str());
        client.get("/whoami").await.expect(200);
        let expire = format!("/api/v2/users/me/keys/{}/expire", token["id"].as_str().unwrap());
        app.owner.http.send("PUT", &expire).await.expect(204);
        let after = client.get("/whoami").await.refused(401, "key_expired");
        let challenge = after.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"invalid_token\", error_description=\"API key expired at '"), "{challenge}");
    }
    service.end();
}

async fn answers_503_when_no_key_can_be_judged(app: TestApp, example: &str) {
    let service = start(&app, example).await;
    let key = app.owner.token(&json!({})).await["key"].as_str().unwrap().to_owned();
    let _database = app.stop().await;
    let answer = Http::new(&service.url, Some(&key)).get("/whoami").await.refused(503, "unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let anonymous = Http::new(&service.url, None);
    anonymous.get("/healthz").await.expect(200);
    while anonymous.get("/readyz").await.status != 503 {
        tokio::task::yield_now().await;
    }
}

mod actix {
    use super::*;

    const EXAMPLE: &str = EXAMPLES[0];

    on_both! {
        a_service_lets_through_what_a_key_may_do,
        a_bad_credential_is_answered_as_rfc_6750_says,
        a_key_is_refused_at_once_when_its_expire_has_succeeded,
        without_the_server_the_answer_is_503,
    }

    async fn a_service_lets_through_what_a_key_may_do(app: TestApp) {
        lets_through_what_a_key_may_do(&app, EXAMPLE).await;
    }

    async fn a_bad_credential_is_answered_as_rfc_6750_says(app: TestApp) {
        answers_a_bad_credential_as_rfc_6750_says(&app, EXAMPLE).await;
    }

    async fn a_key_is_refused_at_once_when_its_expire_has_succeeded(app: TestApp) {
        refuses_a_key_at_once_when_its_expire_has_succeeded(&app, EXAMPLE).await;
    }

    async fn without_the_server_the_answer_is_503(app: TestApp) {
        answers_503_when_no_key_can_be_judged(app, EXAMPLE).await;
    }
}

mod axum {
    use super::*;

    const EXAMPLE: &str = EXAMPLES[1];

    on_both! {
        a_service_lets_through_what_a_key_may_do,
        a_bad_credential_is_answered_as_rfc_6750_says,
        a_key_is_refused_at_once_when_its_expire_has_succeeded,
        without_the_server_the_answer_is_503,
    }

    async fn a_service_lets_through_what_a_key_may_do(app: TestApp) {
        lets_through_what_a_key_may_do(&app, EXAMPLE).await;
    }

    async fn a_bad_credential_is_answered_as_rfc_6750_says(app: TestApp) {
        answers_a_bad_credential_as_rfc_6750_says(&app, EXAMPLE).await;
    }

    async fn a_key_is_refused_at_once_when_its_expire_has_succeeded(app: TestApp) {
        refuses_a_key_at_once_when_its_expire_has_succeeded(&app, EXAMPLE).await;
    }

    async fn without_the_server_the_answer_is_503(app: TestApp) {
        answers_503_when_no_key_can_be_judged(app, EXAMPLE).await;
    }
}
