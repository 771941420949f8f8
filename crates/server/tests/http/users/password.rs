//! `PUT /users/{user}/password`

use keyward_test_support::{Http, PASSWORD, TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{each, text, token_of, wrong_fields};

const NEW: &str = "a new and longer password";

async fn set(http: &Http, user: &str, body: Value) -> keyward_test_support::Answer {
    http.json("PUT", &format!("/api/v2/users/{user}/password"), &body).await
}

async fn logs_in(app: &TestApp, user: &str, password: &str) -> bool {
    let body = json!({ "email": user, "password": password });
    app.anonymous().post("/api/v2/users/login", &body).await.status == 201
}

on_both! {
    ones_own_password_needs_the_old_one,
    all_keys_of_the_user_end_with_it_and_each_is_in_the_log,
    anothers_password_is_set_without_the_old_one,
    a_name_that_was_freed_by_it_can_be_used,
}

async fn ones_own_password_needs_the_old_one(app: TestApp) {
    let member = app.person("member", &[]).await;
    let before = app.database.contents();
    for (person, user) in
        [(&member, "me"), (&member, "member"), (&app.owner, "me"), (&app.owner, app.owner.id.as_str())]
    {
        for old in [json!(null), json!(""), json!("not the old one"), json!(format!("{PASSWORD} "))] {
            let refused = set(&person.http, user, json!({ "old_password": old, "password": NEW })).await;
            assert_eq!(wrong_fields(&refused.refused(400, "validation_failed")), ["old_password"]);
        }
    }
    for short in ["", "elevenbytes", &"x".repeat(257)] {
        let refused = set(&member.http, "me", json!({ "old_password": PASSWORD, "password": short })).await;
        assert_eq!(wrong_fields(&refused.refused(400, "validation_failed")), ["password"]);
    }
    for common in ["password1234", "PASSWORD1234", "123456"] {
        let refused = set(&member.http, "me", json!({ "old_password": PASSWORD, "password": common })).await;
        assert_eq!(wrong_fields(&refused.refused(400, "password_too_common")), ["password"]);
        let new = json!({ "username": "grace", "email": "grace@example.com", "password": common });
        app.owner.http.post("/api/v2/users", &new).await.refused(400, "password_too_common");
    }
    assert_eq!(app.database.contents(), before);
    assert!(logs_in(&app, "member", PASSWORD).await);
}

async fn all_keys_of_the_user_end_with_it_and_each_is_in_the_log(app: TestApp) {
    let member = app.person("member", &[]).await;
    let (token, id) = token_of(&app, &member, &json!({ "token_name": "ci" })).await;
    let (_, ended) = token_of(&app, &member, &json!({ "token_name": "ended" })).await;
    member.http.send("PUT", &format!("/api/v2/users/me/keys/{ended}/expire")).await.expect(204);
    let already = app.audit("action:write").await.len();

    let body = json!({ "old_password": PASSWORD, "password": NEW });
    assert_eq!(set(&member.http, "me", body).await.expect(204).text, "");
    for http in [&token, &member.http] {
        http.get("/api/v2/users/me").await.refused(401, "key_expired");
    }
    assert!(!logs_in(&app, "member", PASSWORD).await);
    assert!(logs_in(&app, "member", NEW).await);
    app.owner.http.get("/api/v2/users/me").await.expect(200);
    // The records of expired keys stay.
    let keys = app.owner.http.get("/api/v2/users/member/keys/tokens?include_expired=true").await.expect(200).json();
    assert_eq!(each(&keys, "token_name").len(), 2);

    let entries = app.audit("action:write").await;
    assert_eq!(entries.len() - already, 3, "the user, the token, the session");
    let of_user = app.audit("action:write resource_type:user").await;
    assert_eq!(of_user[0]["diff"], json!({ "password": { "old": "", "new": "", "secret": true } }));
    assert_eq!(of_user[0]["status_code"], 204);
    let of_token = app.audit(&format!("action:write resource_id:{id}")).await;
    assert_eq!(of_token.len(), 1);
    assert_eq!(of_token[0]["diff"]["expires_at"]["new"], of_token[0]["time"]);
    assert_eq!(of_token[0]["user"]["username"], "member");
    for entry in &entries {
        let text = entry.to_string();
        assert!(!text.contains("argon2") && !text.contains(NEW) && !text.contains(PASSWORD), "{text}");
    }
}

async fn anothers_password_is_set_without_the_old_one(app: TestApp) {
    let member = app.person("member", &[]).await;
    let admin = app.person("admin", &["user-admin"]).await;
    set(&admin.http, "member", json!({ "password": NEW })).await.expect(204);
    member.http.get("/api/v2/users/me").await.refused(401, "key_expired");
    admin.http.get("/api/v2/users/me").await.expect(200);
    assert!(logs_in(&app, "member", NEW).await);
    set(&admin.http, "owner", json!({ "password": NEW })).await.refused(403, "forbidden");
    set(&app.owner.http, "admin", json!({ "password": NEW, "old_password": "not looked at" })).await.expect(204);
    assert!(logs_in(&app, "admin", NEW).await);
    let second = app.person("second", &["owner"]).await;
    set(&second.http, "owner", json!({ "password": NEW })).await.expect(204);
    app.owner.http.get("/api/v2/users/me").await.refused(401, "key_expired");
}

async fn a_name_that_was_freed_by_it_can_be_used(app: TestApp) {
    let member = app.person("member", &[]).await;
    member.token(&json!({ "token_name": "ci" })).await;
    let login = json!({ "old_password": PASSWORD, "password": NEW });
    set(&member.http, "me", login).await.expect(204);
    let session =
        app.anonymous().post("/api/v2/users/login", &json!({ "email": "member", "password": NEW })).await.json();
    let http = app.with(text(&session, "session_token"));
    crate::support::create(&http, &json!({ "token_name": "ci" })).await.expect(201);
}
