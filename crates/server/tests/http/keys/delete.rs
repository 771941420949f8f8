//! `DELETE /users/{user}/keys/{keyid}`

use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{id_of, text};

on_both! {
    a_deleted_key_is_gone_and_the_log_keeps_what_it_was,
    a_session_can_be_deleted_even_the_callers_own,
    what_is_not_there_cannot_be_deleted,
}

async fn a_deleted_key_is_gone_and_the_log_keeps_what_it_was(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "ci" })).await;
    let (id, user) = (text(&token, "id"), app.with(text(&token, "key")));
    let path = format!("/api/v2/users/me/keys/{id}");
    let answer = app.owner.http.send("DELETE", &path).await.expect(204);
    assert_eq!(answer.text, "");
    assert_eq!(app.database.count(&format!("SELECT count(*) AS count FROM api_keys WHERE id = '{id}'")), 0);
    user.get("/api/v2/users/me").await.refused(401, "invalid_key");
    for (method, path) in [("GET", &path), ("DELETE", &path), ("PUT", &format!("{path}/expire"))] {
        app.owner.http.send(method, path).await.refused(404, "not_found");
    }
    assert!(app.owner.token_ids("?include_expired=true").await.is_empty());

    let entries = app.audit("action:delete").await;
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!(entry["resource_id"], token["id"]);
    assert_eq!(entry["resource_target"], "ci");
    assert_eq!(entry["status_code"], 204);
    assert_eq!(entry["old"]["expires_at"], token["expires_at"]);
    assert_eq!(entry["new"], Value::Null);
    assert_eq!(entry["additional_fields"]["owner_id"], token["user_id"]);
    assert_eq!(entry["diff"]["token_name"], json!({ "old": "ci", "new": null, "secret": false }));
}

async fn a_session_can_be_deleted_even_the_callers_own(app: TestApp) {
    let member = app.person("member", &[]).await;
    let path = format!("/api/v2/users/me/keys/{}", id_of(&member.session));
    member.http.send("DELETE", &path).await.expect(204);
    member.http.get("/api/v2/users/me").await.refused(401, "invalid_key");
}

async fn what_is_not_there_cannot_be_deleted(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "ci" })).await;
    let before = app.database.contents();
    for id in ["kwd_0000000000", "ci", text(&token, "key"), "%00"] {
        app.owner.http.send("DELETE", &format!("/api/v2/users/me/keys/{id}")).await.refused(404, "not_found");
    }
    let path = format!("/api/v2/users/nobody/keys/{}", text(&token, "id"));
    app.owner.http.send("DELETE", &path).await.refused(404, "not_found");
    assert_eq!(app.database.contents(), before);
}
