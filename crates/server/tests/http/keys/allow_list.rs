//! A key's allow list also restricts it at Keyward's own endpoints.

use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::support::{create, text, token_of};

on_both! {
    a_key_reaches_only_the_keys_on_its_list,
    a_key_reaches_only_the_users_on_its_list,
    a_whole_kind_is_enough_for_lists,
}

async fn a_key_reaches_only_the_keys_on_its_list(app: TestApp) {
    let (one, two) = (
        app.owner.token(&json!({ "token_name": "one" })).await,
        app.owner.token(&json!({ "token_name": "two" })).await,
    );
    let entry = format!("api_key:{}", text(&one, "id"));
    let (bound, _) = token_of(&app, &app.owner, &json!({ "allow_list": [entry] })).await;
    let before = app.database.contents();
    let path = |id: &str| format!("/api/v2/users/me/keys/{id}");
    for id in [text(&two, "id"), "kwd_0000000000"] {
        bound.get(&path(id)).await.refused(403, "resource_not_allowed");
        bound.send("PUT", &format!("{}/expire", path(id))).await.refused(403, "resource_not_allowed");
        bound.send("DELETE", &path(id)).await.refused(403, "resource_not_allowed");
    }
    bound.get("/api/v2/users/me/keys/tokens/two").await.refused(403, "resource_not_allowed");
    // Lists and creates concern all keys.
    for list in ["keys", "keys/tokens", "keys/tokens/tokenconfig"] {
        bound.get(&format!("/api/v2/users/me/{list}")).await.refused(403, "resource_not_allowed");
    }
    create(&bound, &json!({})).await.refused(403, "resource_not_allowed");
    bound.send("POST", "/api/v2/users/me/keys").await.refused(403, "resource_not_allowed");
    assert_eq!(app.database.contents(), before);

    bound.get(&path(text(&one, "id"))).await.expect(200);
    bound.get("/api/v2/users/me/keys/tokens/one").await.expect(200);
    bound.send("PUT", &format!("{}/expire", path(text(&one, "id")))).await.expect(204);
    bound.send("DELETE", &path(text(&one, "id"))).await.expect(204);
}

async fn a_key_reaches_only_the_users_on_its_list(app: TestApp) {
    let (one, _) = (app.person("one", &[]).await, app.person("two", &[]).await);
    let body = json!({ "allow_list": [format!("user:{}", one.id)] });
    let (bound, _) = token_of(&app, &app.owner, &body).await;
    let before = app.database.contents();
    bound.get("/api/v2/users/two").await.refused(403, "resource_not_allowed");
    bound.get("/api/v2/users/two/roles").await.refused(403, "resource_not_allowed");
    bound.send("PUT", "/api/v2/users/two/status/suspend").await.refused(403, "resource_not_allowed");
    bound.send("DELETE", "/api/v2/users/two").await.refused(403, "resource_not_allowed");
    bound.get("/api/v2/users/nobody").await.refused(404, "not_found");
    bound.get("/api/v2/users").await.refused(403, "resource_not_allowed");
    let new = json!({ "username": "three", "email": "three@example.com", "login_type": "none" });
    bound.post("/api/v2/users", &new).await.refused(403, "resource_not_allowed");
    bound.get("/api/v2/audit").await.refused(403, "resource_not_allowed");
    assert_eq!(app.database.contents(), before);

    bound.get("/api/v2/users/one").await.expect(200);
    bound.send("PUT", &format!("/api/v2/users/{}/status/suspend", one.id)).await.expect(200);
    // Viewing yourself and logging out need no entry.
    bound.get("/api/v2/users/me").await.expect(200);
    bound.get("/api/v2/users/me/roles").await.refused(403, "resource_not_allowed");
    bound.send("POST", "/api/v2/users/logout").await.expect(200);
}

async fn a_whole_kind_is_enough_for_lists(app: TestApp) {
    let (keys, _) = token_of(&app, &app.owner, &json!({ "allow_list": ["api_key:*"] })).await;
    keys.get("/api/v2/users/me/keys").await.expect(200);
    keys.get("/api/v2/users").await.refused(403, "resource_not_allowed");
    let (audit, _) = token_of(&app, &app.owner, &json!({ "allow_list": ["audit_log:*"] })).await;
    audit.get("/api/v2/audit").await.expect(200);
    audit.get("/api/v2/users/me/keys").await.refused(403, "resource_not_allowed");
}
