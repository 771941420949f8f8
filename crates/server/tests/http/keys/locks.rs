//! `/locks`

use keyward_domain::Lifetime;
use keyward_test_support::{Answer, TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{MY_TOKENS, create, each, text, token_of, wrong_fields};

const LOCKS: &str = "/api/v2/locks";

on_both! {
    a_locked_key_is_refused_at_every_door_until_the_lock_is_removed,
    a_limited_key_keeps_what_it_shares_and_no_more,
    a_lock_applies_to_later_keys_and_ends_by_itself,
    a_lock_spares_its_maker_and_the_last_owner,
    nobody_locks_beyond_their_rights,
    what_is_no_lock_is_refused_by_field,
}

async fn lock(app: &TestApp, body: &Value) -> Value {
    app.owner.http.post(LOCKS, body).await.expect(201).json()
}

async fn verify(app: &TestApp, key: &Value, scope: &str) -> Value {
    app.owner.http.post("/api/v2/keys/verify", &json!({ "key": key, "scopes": [scope] })).await.expect(200).json()
}

fn is_locked(answer: Answer) {
    let refused = answer.refused(403, "locked").json();
    assert_eq!(refused["message"], "Stopped for the incident; call 123.");
}

fn deny(selector: &Value) -> Value {
    json!({ "selector": selector, "mode": "deny", "message": "Stopped for the incident; call 123.", "reason": "compromised" })
}

async fn a_locked_key_is_refused_at_every_door_until_the_lock_is_removed(app: TestApp) {
    let member = app.person("member", &[]).await;
    let token = member.token(&json!({ "token_name": "leaked" })).await;
    let user = app.with(text(&token, "key"));
    user.get("/api/v2/users/me").await.expect(200);
    let made = lock(&app, &deny(&json!({ "ids": [token["id"]] }))).await;
    assert_eq!((text(&made, "mode"), text(&made["by"], "username")), ("deny", "owner"));
    is_locked(user.get("/api/v2/users/me").await);
    is_locked(user.get("/authz").await);
    let verified = verify(&app, &token["key"], "workspace:read").await;
    assert_eq!((&verified["valid"], text(&verified, "code")), (&json!(false), "locked"));
    assert_eq!(text(&verified["key"], "status"), "locked");
    let found = app.owner.http.post("/api/v2/verifiers/look-up", &json!({ "key": token["key"] })).await.json();
    assert_eq!(
        (&found["facts"]["locked"], &found["facts"]["grants"]),
        (&json!("Stopped for the incident; call 123."), &json!([]))
    );
    let form = app.owner.http.request("POST", "/oauth2/introspect");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let introspected = Answer::of(form.body(format!("token={}", text(&token, "key")))).await.json();
    assert_eq!(introspected["active"], json!(false));
    let path = format!("/api/v2/users/me/keys/{}", text(&token, "id"));
    assert_eq!(text(&app.owner.http.get(&path).await.json(), "status"), "locked");
    let list = app.owner.http.get(&format!("{MY_TOKENS}?include_all=true&status=locked")).await.expect(200).json();
    assert_eq!(each(&list, "id"), [text(&token, "id")]);
    member.http.get("/api/v2/users/me").await.expect(200);

    let listed = app.owner.http.get(LOCKS).await.expect(200).json();
    assert_eq!(listed["locks"], json!([made]));
    app.owner.http.send("DELETE", &format!("{LOCKS}/{}", text(&made, "id"))).await.expect(204);
    user.get("/api/v2/users/me").await.expect(200);
    assert_eq!(verify(&app, &token["key"], "workspace:read").await["valid"], json!(true));
    app.owner.http.send("DELETE", &format!("{LOCKS}/{}", text(&made, "id"))).await.refused(404, "not_found");
    assert_eq!(app.audit("event:lock.added").await.len(), 1);
    assert_eq!(app.audit("event:lock.removed").await.len(), 1);
    // A lock ends no key, and a dead key stays dead under it.
    app.owner.http.send("PUT", &format!("{path}/expire")).await.expect(204);
    lock(&app, &deny(&json!({ "ids": [token["id"]] }))).await;
    user.get("/api/v2/users/me").await.refused(401, "key_expired");
}

async fn a_limited_key_keeps_what_it_shares_and_no_more(app: TestApp) {
    let token = app.owner.token(&json!({ "scopes": ["workspace:*", "api_key:*"], "token_name": "broad" })).await;
    let user = app.with(text(&token, "key"));
    let body = json!({ "selector": { "name_prefix": "BROAD" }, "mode": "limit", "message": "reduced",
        "scopes": ["workspace:read", "api_key:read", "user:read"] });
    lock(&app, &body).await;
    for (scope, expected) in [
        ("workspace:read", true),
        ("workspace:update", false),
        ("workspace:*", false),
        ("api_key:read", true),
        ("user:read", false),
    ] {
        assert_eq!(verify(&app, &token["key"], scope).await["valid"], json!(expected), "{scope}");
    }
    user.get(MY_TOKENS).await.expect(200);
    create(&user, &json!({ "scopes": ["workspace:read"] })).await.refused(403, "insufficient_scope");
    let body =
        json!({ "selector": { "ids": [token["id"]] }, "mode": "limit", "message": "-", "scopes": ["task:read"] });
    lock(&app, &body).await;
    assert_eq!(verify(&app, &token["key"], "workspace:read").await["valid"], json!(false), "two locks share nothing");
    let viewed = app.owner.http.get(&format!("/api/v2/users/me/keys/{}", text(&token, "id"))).await.json();
    assert_eq!(viewed["scopes"], json!(["workspace:*", "api_key:*"]), "the key itself is as it was");
}

async fn a_lock_applies_to_later_keys_and_ends_by_itself(app: TestApp) {
    let member = app.person("member", &[]).await;
    let mut body = deny(&json!({ "user": "member" }));
    body["ends_at"] = json!(app.service.now().checked_add(Lifetime::minutes(10)).unwrap());
    lock(&app, &body).await;
    is_locked(member.http.get("/api/v2/users/me").await);
    let path = format!("/api/v2/users/{}/keys/tokens", member.id);
    let later = app.owner.http.post(&path, &json!({})).await.expect(201).json();
    is_locked(app.with(text(&later, "key")).get("/api/v2/users/me").await);
    app.advance(Lifetime::minutes(9));
    app.service.remove_ended_locks().await.unwrap();
    is_locked(member.http.get("/api/v2/users/me").await);
    app.advance(Lifetime::minutes(1));
    app.service.remove_ended_locks().await.unwrap();
    member.http.get("/api/v2/users/me").await.expect(200);
}

async fn a_lock_spares_its_maker_and_the_last_owner(app: TestApp) {
    let (token, _) = token_of(&app, &app.owner, &json!({})).await;
    let admin = app.person("admin", &["user-admin"]).await;
    lock(&app, &deny(&json!({ "everything": true }))).await;
    app.owner.http.get("/api/v2/users/me").await.expect(200);
    is_locked(token.get("/api/v2/users/me").await);
    is_locked(admin.http.get("/api/v2/users/me").await);
    let login = json!({ "email": "owner", "password": keyward_test_support::PASSWORD });
    let session = app.anonymous().post("/api/v2/users/login", &login).await.expect(201).json();
    app.with(text(&session, "session_token")).get(LOCKS).await.expect(200);
}

async fn nobody_locks_beyond_their_rights(app: TestApp) {
    let admin = app.person("admin", &["user-admin"]).await;
    let (one, other) = (app.person("one", &[]).await, app.person("other", &[]).await);
    let (theirs, _) = token_of(&app, &one, &json!({})).await;
    let (owners, _) = token_of(&app, &app.owner, &json!({})).await;
    for (http, user) in [(&one.http, "other"), (&admin.http, "owner")] {
        let refused = http.post(LOCKS, &deny(&json!({ "user": user }))).await.refused(400, "validation_failed");
        assert_eq!(wrong_fields(&refused), ["user"]);
    }
    one.http.post(LOCKS, &deny(&json!({ "everything": true }))).await.expect(201);
    is_locked(theirs.get("/api/v2/users/me").await);
    other.http.get("/api/v2/users/me").await.expect(200);
    let made = admin.http.post(LOCKS, &deny(&json!({ "everything": true }))).await.expect(201).json();
    is_locked(other.http.get("/api/v2/users/me").await);
    owners.get("/api/v2/users/me").await.expect(200);
    let id = text(&made, "id");
    assert_eq!(admin.http.get(LOCKS).await.json()["locks"].as_array().unwrap().len(), 1, "only one's own");
    app.owner.http.send("DELETE", &format!("{LOCKS}/{id}")).await.expect(204);
    other.http.send("DELETE", &format!("{LOCKS}/{id}")).await.refused(404, "not_found");
}

async fn what_is_no_lock_is_refused_by_field(app: TestApp) {
    for (change, field) in [
        (json!({ "selector": {} }), "selector"),
        (json!({ "selector": { "ids": ["x"] } }), "ids"),
        (json!({ "selector": { "user": "nobody" } }), "user"),
        (json!({ "selector": { "scope": "nothing:read" } }), "scope"),
        (json!({ "mode": "freeze" }), "mode"),
        (json!({ "mode": "limit" }), "mode"),
        (json!({ "scopes": ["workspace:read"] }), "mode"),
        (json!({ "mode": "limit", "scopes": [] }), "mode"),
        (json!({ "mode": "limit", "scopes": ["nothing:read"] }), "mode"),
        (json!({ "message": "" }), "message"),
        (json!({ "ends_at": "2000-01-01T00:00:00Z" }), "ends_at"),
        (json!({ "reason": "because" }), "reason"),
    ] {
        let mut body = deny(&json!({ "everything": true }));
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let refused = app.owner.http.post(LOCKS, &body).await.refused(400, "validation_failed");
        assert_eq!(wrong_fields(&refused), [field], "{change}");
    }
    app.owner.http.get("/api/v2/users/me").await.expect(200);
}
