//! `GET /users/{user}/keys/{keyid}/activity`

use keyward_domain::Lifetime;
use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{each, expire, text, token_of};

on_both! {
    uses_and_refusals_are_counted_by_way_and_address,
    a_wrong_secret_leaves_nothing,
}

async fn activity(app: &TestApp, id: &str) -> Value {
    app.service.flush_activity().await.unwrap();
    app.owner.http.get(&format!("/api/v2/users/me/keys/{id}/activity")).await.expect(200).json()
}

async fn uses_and_refusals_are_counted_by_way_and_address(app: TestApp) {
    let body = json!({ "scopes": ["workspace:read"] });
    let token = app.owner.token(&body).await;
    let (user, id) = (app.with(text(&token, "key")), text(&token, "id"));
    assert_eq!(activity(&app, id).await, json!({ "refused": [], "used": [] }));

    for _ in 0..3 {
        user.get("/api/v2/users/me").await.expect(200);
    }
    app.advance(Lifetime::minutes(1));
    user.get("/authz").await.expect(200);
    app.advance(Lifetime::minutes(1));
    app.owner.http.post("/api/v2/keys/verify", &json!({ "key": token["key"] })).await.expect(200);
    app.advance(Lifetime::minutes(1));
    app.owner.http.post("/api/v2/verifiers/look-up", &json!({ "key": token["key"] })).await.expect(200);
    let used = activity(&app, id).await["used"].clone();
    assert_eq!(each(&used, "via"), ["embedded", "verify", "authz", "api"], "the last first");
    assert_eq!((&used[3]["count"], &used[3]["ip"]), (&json!(3), &json!("127.0.0.1")));
    assert_eq!((&used[1]["by"], &used[1]["ip"]), (&json!("owner"), &Value::Null));
    assert_eq!(used[3]["first_at"], used[3]["last_at"]);

    user.get("/authz?scope=template:read").await.refused(403, "insufficient_scope");
    user.get("/api/v2/users").await.refused(403, "insufficient_scope");
    app.owner
        .http
        .post("/api/v2/keys/verify", &json!({ "key": token["key"], "scopes": ["template:read"] }))
        .await
        .expect(200);
    app.advance(Lifetime::hours(1));
    user.get("/api/v2/users").await.refused(403, "insufficient_scope");
    expire(&app.owner.http, id).await;
    user.get("/api/v2/users/me").await.refused(401, "key_expired");
    let shown = activity(&app, id).await;
    let mut refused: Vec<(String, Option<&str>, i64)> = Vec::new();
    for row in shown["refused"].as_array().unwrap() {
        refused.push((text(row, "code").to_owned(), row["ip"].as_str(), row["count"].as_i64().unwrap()));
    }
    refused.sort();
    let row = |code: &str, ip, count| (code.to_owned(), ip, count);
    assert_eq!(
        refused,
        [
            row("insufficient_scope", None, 1),
            row("insufficient_scope", Some("127.0.0.1"), 1),
            row("insufficient_scope", Some("127.0.0.1"), 2),
            row("key_expired", Some("127.0.0.1"), 1),
        ]
    );
    user.get("/authz").await.refused(401, "key_expired");
    app.owner.http.send("DELETE", &format!("/api/v2/users/me/keys/{id}")).await.expect(204);
    app.service.flush_activity().await.unwrap();
    assert_eq!(
        app.database.count("SELECT count(*) AS count FROM key_uses WHERE via = 'authz'"),
        0,
        "gone with the key"
    );
}

async fn a_wrong_secret_leaves_nothing(app: TestApp) {
    let (_, id) = token_of(&app, &app.owner, &json!({})).await;
    let other = app.owner.token(&json!({})).await;
    let wrong = format!("{id}{}", &text(&other, "key")[14..]);
    app.with(&wrong).get("/api/v2/users/me").await.refused(401, "invalid_key");
    app.owner.http.post("/api/v2/keys/verify", &json!({ "key": wrong })).await.expect(200);
    assert_eq!(activity(&app, &id).await, json!({ "refused": [], "used": [] }));
}
