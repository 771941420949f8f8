//! A failing database gives an error that does not sign anyone out.

use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::support::{create, token_of};

on_both! {
    a_database_that_fails_is_503_and_never_401,
    a_change_whose_entry_cannot_be_written_does_not_happen,
    a_damaged_row_is_a_fault_of_the_servers,
}

async fn a_database_that_fails_is_503_and_never_401(app: TestApp) {
    let (token, _) = token_of(&app, &app.owner, &json!({})).await;
    app.database.execute("ALTER TABLE api_keys RENAME TO elsewhere").unwrap();
    for answer in [
        token.get("/api/v2/users/me/keys").await,
        token.send("PUT", "/api/v2/users/me/keys/kwd_0000000000/expire").await,
        create(&token, &json!({})).await,
        token.get("/api/v2/users/me/keys/tokens").await,
    ] {
        let refused = answer.refused(503, "unavailable");
        assert!(refused.header("Retry-After").unwrap().parse::<u32>().unwrap() > 0);
        assert!(!refused.text.contains("api_keys") && !refused.text.contains("elsewhere"), "{}", refused.text);
    }
    app.anonymous().get("/healthz").await.expect(200);
    app.database.execute("ALTER TABLE elsewhere RENAME TO api_keys").unwrap();
    token.get("/api/v2/users/me/keys").await.expect(200);
}

async fn a_change_whose_entry_cannot_be_written_does_not_happen(app: TestApp) {
    let (token, id) = token_of(&app, &app.owner, &json!({ "token_name": "ci" })).await;
    app.person("member", &[]).await;
    let before = app.database.contents();
    app.database.execute("ALTER TABLE audit_logs RENAME TO elsewhere").unwrap();
    let key = format!("/api/v2/users/me/keys/{id}");
    for (method, path, body) in [
        ("POST", "/api/v2/users/me/keys/tokens", json!({ "token_name": "other" })),
        ("POST", "/api/v2/users/me/keys", json!({})),
        ("PUT", &format!("{key}/expire"), json!({})),
        ("DELETE", &key, json!({})),
        ("PUT", "/api/v2/users/member/roles", json!({ "roles": ["auditor"] })),
        ("PUT", "/api/v2/users/member/status/suspend", json!({})),
        ("PUT", "/api/v2/users/member/password", json!({ "password": "another long password" })),
        ("DELETE", "/api/v2/users/member", json!({})),
        ("POST", "/api/v2/users", json!({ "username": "x", "email": "x@example.com", "login_type": "none" })),
        ("POST", "/api/v2/users/logout", json!({})),
        ("POST", "/api/v2/users/login", json!({ "email": "member", "password": keyward_test_support::PASSWORD })),
    ] {
        app.owner.http.json(method, path, &body).await.refused(503, "unavailable");
    }
    app.database.execute("ALTER TABLE elsewhere RENAME TO audit_logs").unwrap();
    assert_eq!(app.database.contents(), before);
    token.get("/api/v2/users/me").await.expect(200);
}

async fn a_damaged_row_is_a_fault_of_the_servers(app: TestApp) {
    let (token, id) = token_of(&app, &app.owner, &json!({})).await;
    app.database.execute(&format!("UPDATE api_keys SET scopes = 'damaged' WHERE id = '{id}'")).unwrap();
    let refused = app.owner.http.get(&format!("/api/v2/users/me/keys/{id}")).await.refused(500, "internal");
    assert!(!refused.text.contains("damaged"));
    token.get("/api/v2/users/me").await.refused(500, "internal");
}
