//! Information about the server.

use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::support::text;

on_both! {
    health_needs_no_database_and_readiness_does,
    build_information_is_public,
    metrics_count_by_route_and_name_nobody,
}

async fn health_needs_no_database_and_readiness_does(app: TestApp) {
    let http = app.anonymous();
    for path in ["/healthz", "/readyz"] {
        http.get(path).await.expect(200);
    }
    app.database.execute("DELETE FROM __diesel_schema_migrations").unwrap();
    http.get("/healthz").await.expect(200);
    let refused = http.get("/readyz").await.refused(503, "unavailable");
    assert!(refused.header("Retry-After").is_some());
}

async fn build_information_is_public(app: TestApp) {
    let answer = app.anonymous().get("/api/v2/buildinfo").await.expect(200);
    assert_eq!(Some(text(&answer.json(), "version")), answer.header("X-Coder-Build-Version"));
    app.with("kwd_wrong").get("/api/v2/buildinfo").await.expect(200);
}

async fn metrics_count_by_route_and_name_nobody(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "very-secret-name" })).await;
    let id = text(&token, "id");
    app.owner.http.get(&format!("/api/v2/users/me/keys/{id}")).await.expect(200);
    app.owner.http.get("/api/v2/users/very-secret-user").await.refused(404, "not_found");
    app.owner.http.get(&format!("/nowhere/{id}")).await.refused(404, "route_not_found");
    app.owner.http.send(&format!("METHOD{}", &id[4..]), "/api/v2/users/me").await.refused(405, "method_not_allowed");
    let answer = app.anonymous().get("/metrics").await.expect(200);
    assert!(answer.header("Content-Type").unwrap().starts_with("application/openmetrics-text"));
    let line =
        "keyward_http_requests_total{method=\"GET\",route=\"/api/v2/users/{user}/keys/{keyid}\",status=\"200\"} 1";
    assert!(answer.text.lines().any(|text| text == line), "{}", answer.text);
    for secret in [id, &id[4..], "very-secret", text(&token, "key"), app.owner.id.as_str()] {
        assert!(!answer.text.contains(secret), "{secret}");
    }
}
