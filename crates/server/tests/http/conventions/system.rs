//! Information about the server.

use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::support::text;

on_both! {
    health_needs_no_database_and_readiness_does,
    build_information_is_public,
    metrics_count_by_route_and_name_nobody,
    metrics_tell_what_an_operator_asks,
}

async fn metrics_tell_what_an_operator_asks(app: TestApp) {
    let token = app.owner.token(&json!({})).await;
    let key = text(&token, "key");
    app.with(key).get("/authz").await.expect(200);
    app.with("kwd_wrong").get("/authz").await.refused(401, "invalid_key");
    app.owner.http.post("/api/v2/keys/verify", &json!({ "key": key })).await.expect(200);
    let wrong = json!({ "email": "owner", "password": "not the password" });
    app.anonymous().post("/api/v2/users/login", &wrong).await.refused(401, "incorrect_credentials");
    let path = format!("/api/v2/users/me/keys/{}/expire", text(&token, "id"));
    app.owner.http.send("PUT", &path).await.expect(204);
    let page = app.anonymous().get("/metrics").await.expect(200).text;
    let value = |name: &str| -> f64 {
        let line = page.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.unwrap_or_else(|| panic!("{name} is missing: {page}")).rsplit(' ').next().unwrap().parse().unwrap()
    };
    for (name, wanted) in [
        ("keyward_verify_total{door=\"authz\",outcome=\"valid\"}", 1.0),
        ("keyward_verify_total{door=\"authz\",outcome=\"invalid_key\"}", 1.0),
        ("keyward_verify_total{door=\"verify\",outcome=\"valid\"}", 1.0),
        ("keyward_login_total{outcome=\"success\"}", 1.0),
        ("keyward_login_total{outcome=\"incorrect_credentials\"}", 1.0),
        ("keyward_barrier_seconds_count{outcome=\"confirmed\"}", 1.0),
        // The user, the login, the token, its end.
        ("keyward_audit_entries_total", 4.0),
        ("keyward_audit_sealing", 1.0),
        ("keyward_db_up", 1.0),
        ("keyward_lease_valid", 1.0),
        ("keyward_verifiers", 0.0),
        ("keyward_clock_step_seconds", 0.0),
        ("keyward_retention_held", 0.0),
        (&format!("keyward_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1.0),
    ] {
        assert!((value(name) - wanted).abs() < 1e-9, "{name} is {}", value(name));
    }
    let is_alone = app.database.backend == keyward_test_support::Backend::Sqlite;
    assert_eq!(value("keyward_cache_hits_total") > 0.0, is_alone);
    assert!(value("keyward_cache_misses_total") > 0.0 && value("keyward_db_pool_wait_seconds_count") > 0.0);
    assert!(value("keyward_process_resident_memory_bytes") > 1e6 && value("keyward_process_open_fds") > 3.0);
    assert!(value("keyward_process_start_time_seconds") > 1.7e9 && value("keyward_process_cpu_seconds_total") >= 0.0);
    assert!(page.ends_with("# EOF\n"));
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
