//! `POST /users/{user}/keys`: a session key without a login.

use keyward_domain::Lifetime;
use keyward_test_support::{Http, TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{SECOND, id_of, micros, seconds, text, token_of};

const MY_KEYS: &str = "/api/v2/users/me/keys";

/// Creates a session key. Returns its text and its record.
async fn session(app: &TestApp, http: &Http) -> (String, Value) {
    let answer = http.send("POST", MY_KEYS).await.expect(201);
    assert_eq!(answer.header("Set-Cookie"), None);
    let made = answer.json();
    assert_eq!(made.as_object().unwrap().len(), 1, "{made}");
    let key = text(&made, "key").to_owned();
    let record = app.owner.http.get(&format!("{MY_KEYS}/{}", id_of(&key))).await.expect(200).json();
    (key, record)
}

on_both! {
    it_lives_as_long_as_a_token_by_default,
    whatever_body_comes_with_it_is_not_looked_at,
    only_a_token_that_may_do_all_makes_one_and_it_ends_with_that_token,
    an_owner_makes_one_for_another_user,
    a_session_ends_with_the_token_that_made_it_and_the_log_names_the_keys,
}

async fn it_lives_as_long_as_a_token_by_default(app: TestApp) {
    let member = app.person("member", &[]).await;
    let (key, record) = session(&app, &member.http).await;
    assert!(key.starts_with("kws_"));
    assert_eq!(text(&record, "login_type"), "password");
    assert_eq!(text(&record, "token_name"), "");
    assert_eq!(text(&record, "user_id"), member.id);
    assert_eq!(record["scopes"], json!(["*:*"]));
    assert_eq!(micros(&record, "expires_at") - micros(&record, "created_at"), 7 * 86_400_000_000);
    let me = app.with(&key).get("/api/v2/users/me").await.expect(200).json();
    assert_eq!(text(&me, "username"), "member");
    assert_eq!(app.audit("action:create resource_type:api_key username:member").await.len(), 1);
}

async fn whatever_body_comes_with_it_is_not_looked_at(app: TestApp) {
    app.owner.http.post(MY_KEYS, &json!({ "lifetime": "soon" })).await.expect(201);
    let request = app.owner.http.request("POST", MY_KEYS).header("Content-Type", "text/plain").body("{");
    keyward_test_support::Answer::of(request).await.expect(201);
}

async fn only_a_token_that_may_do_all_makes_one_and_it_ends_with_that_token(app: TestApp) {
    let before = app.database.count("SELECT count(*) AS count FROM api_keys WHERE kind = 'session'");
    for body in [
        json!({ "scopes": ["api_key:*", "user:*", "audit_log:*", "workspace:*"] }),
        json!({ "scopes": ["api_key:create"] }),
        json!({ "allow_list": ["api_key:*", "user:*"] }),
    ] {
        let (narrow, _) = token_of(&app, &app.owner, &body).await;
        narrow.send("POST", MY_KEYS).await.refused(403, "scope_exceeds_caller");
    }
    let after = app.database.count("SELECT count(*) AS count FROM api_keys WHERE kind = 'session'");
    assert_eq!(after, before);

    let (token, id) = token_of(&app, &app.owner, &json!({ "lifetime": 7_200 * SECOND })).await;
    let end = micros(&app.owner.http.get(&format!("{MY_KEYS}/{id}")).await.json(), "expires_at");
    app.advance(seconds(600));
    let (key, record) = session(&app, &token).await;
    assert_eq!(micros(&record, "expires_at"), end);
    // It does not slide past that end, nor does a session that it creates.
    app.advance(seconds(3_600));
    let user = app.with(&key);
    user.get("/api/v2/users/me").await.expect(200);
    let slid = app.owner.http.get(&format!("{MY_KEYS}/{}", id_of(&key))).await.json();
    assert_eq!(micros(&slid, "expires_at"), end);
    app.advance(Lifetime::hours(1));
    user.get("/api/v2/users/me").await.refused(401, "key_expired");
}

async fn an_owner_makes_one_for_another_user(app: TestApp) {
    let member = app.person("member", &[]).await;
    let made = app.owner.http.send("POST", "/api/v2/users/member/keys").await.expect(201).json();
    let me = app.with(text(&made, "key")).get("/api/v2/users/me").await.expect(200).json();
    assert_eq!(text(&me, "id"), member.id);
    member.http.send("POST", "/api/v2/users/owner/keys").await.refused(404, "not_found");
}

async fn a_session_ends_with_the_token_that_made_it_and_the_log_names_the_keys(app: TestApp) {
    let me = "/api/v2/users/me";
    for delete in [false, true] {
        let member = app.person(if delete { "other" } else { "member" }, &[]).await;
        let (http, token) = token_of(&app, &member, &json!({})).await;
        let (first, record) = session(&app, &http).await;
        assert_eq!(record["minted_by"], json!(token));
        assert_eq!((text(&record, "kind"), text(&record, "status")), ("session", "live"));
        // A session of the session ends too; a token of the session is a key of its own.
        let (second, _) = session(&app, &app.with(&first)).await;
        let child = app.with(&second).post("/api/v2/users/me/keys/tokens", &json!({})).await.expect(201).json();
        let path = format!("/api/v2/users/me/keys/{token}");
        match delete {
            true => member.http.send("DELETE", &path).await.expect(204),
            false => member.http.send("PUT", &format!("{path}/expire")).await.expect(204),
        };
        for session in [&first, &second] {
            app.with(session).get(me).await.refused(401, "key_expired");
        }
        app.with(text(&child, "key")).get(me).await.expect(200);

        let made = &app.audit(&format!("event:key.created resource_id:{}", text(&child, "id"))).await[0];
        assert_eq!(made["key_id"], id_of(&second));
        assert_eq!(made["additional_fields"]["minted_by"], json!([id_of(&first), token, id_of(&member.session)]));
        let ended = app.audit(&format!("event:key.expired resource_id:{}", id_of(&second))).await;
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0]["key_id"], json!(id_of(&member.session)));
    }
}
