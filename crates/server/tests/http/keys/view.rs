//! `GET /users/{user}/keys/{keyid}` and `GET /users/{user}/keys/tokens/{keyname}`

use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::support::{SECOND, expire, id_of, seconds, text};

/// Percent-encodes every byte except letters and digits.
fn encoded(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(byte).collect()
}

on_both! {
    by_id_any_key_is_shown_live_or_dead,
    what_is_no_id_of_a_key_is_not_found,
    by_name_the_live_one_is_shown_or_else_the_one_that_ended_last,
    a_name_may_hold_what_a_path_must_encode,
    what_is_no_name_is_not_found,
    a_name_is_looked_for_among_the_tokens_of_whoever_is_named,
    a_key_is_found_by_its_id_whoever_is_named,
}

async fn by_id_any_key_is_shown_live_or_dead(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "ci" })).await;
    let id = text(&token, "id");
    let mut record = token.clone();
    record.as_object_mut().unwrap().remove("key");
    let path = format!("/api/v2/users/me/keys/{id}");
    assert_eq!(app.owner.http.get(&path).await.expect(200).json(), record);
    expire(&app.owner.http, id).await;
    let dead = app.owner.http.get(&path).await.expect(200).json();
    assert_ne!(dead["expires_at"], record["expires_at"]);
    assert_eq!((&dead["ended_at"], &dead["status"]), (&dead["expires_at"], &json!("expired")));
    for field in ["expires_at", "ended_at", "status"] {
        record[field] = dead[field].clone();
    }
    assert_eq!(dead, record);

    let session = format!("/api/v2/users/me/keys/{}", id_of(&app.owner.session));
    let session = app.owner.http.get(&session).await.expect(200).json();
    assert_eq!(session["login_type"], "password");
    assert_eq!(session["token_name"], "");
}

async fn what_is_no_id_of_a_key_is_not_found(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "ci" })).await;
    let (id, key) = (text(&token, "id"), text(&token, "key"));
    for wrong in
        [key, "ci", "kwd_0000000000", &id[..13], &format!("{id}x"), &id.to_uppercase(), "%00", "%FF", "kwd_%C3%A9"]
    {
        app.owner.http.get(&format!("/api/v2/users/me/keys/{wrong}")).await.refused(404, "not_found");
    }
    for user in ["nobody", "a%20b", "%00", "%FF", "00000000-0000-0000-0000-000000000000"] {
        app.owner.http.get(&format!("/api/v2/users/{user}/keys/{id}")).await.refused(404, "not_found");
    }
}

async fn by_name_the_live_one_is_shown_or_else_the_one_that_ended_last(app: TestApp) {
    let path = "/api/v2/users/me/keys/tokens/ci";
    app.owner.http.get(path).await.refused(404, "not_found");
    let body = json!({ "token_name": "ci", "lifetime": 60 * SECOND });
    let mut ids = Vec::new();
    for _ in 0..3 {
        let token = app.owner.token(&body).await;
        assert_eq!(app.owner.http.get(path).await.expect(200).json()["id"], token["id"]);
        ids.push(token["id"].clone());
        app.advance(seconds(60));
        assert_eq!(app.owner.http.get(path).await.expect(200).json()["id"], token["id"]);
    }
    // A token that is expired early by hand counts as expired earlier than one that reaches its
    // expiry later.
    let long = app.owner.token(&json!({ "token_name": "ci", "lifetime": 3_600 * SECOND })).await;
    app.owner.http.send("DELETE", &format!("/api/v2/users/me/keys/{}", ids[2].as_str().unwrap())).await.expect(204);
    assert_eq!(app.owner.http.get(path).await.expect(200).json()["id"], long["id"]);
    expire(&app.owner.http, text(&long, "id")).await;
    let last = app.owner.token(&body).await;
    app.advance(seconds(60));
    assert_eq!(app.owner.http.get(path).await.expect(200).json()["id"], last["id"]);
}

async fn a_name_may_hold_what_a_path_must_encode(app: TestApp) {
    for name in ["a/b", "ü ñ", "日本語", "50%", "a+b", "a?b#c", "..a", "a%2Fb", "a;b=c", "\"quoted\"", "a&b"] {
        let token = app.owner.token(&json!({ "token_name": name })).await;
        let path = format!("/api/v2/users/me/keys/tokens/{}", encoded(name));
        let shown = app.owner.http.get(&path).await.expect(200).json();
        assert_eq!(shown["id"], token["id"], "{name}");
        assert_eq!(shown["token_name"], name);
    }
    let token = app.owner.token(&json!({ "token_name": "café" })).await;
    let path = format!("/api/v2/users/me/keys/tokens/{}", encoded("cafe\u{301}"));
    assert_eq!(app.owner.http.get(&path).await.expect(200).json()["id"], token["id"]);
}

async fn what_is_no_name_is_not_found(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "ci" })).await;
    for wrong in ["CI", "ci%20", "%00", "%FF", text(&token, "id"), text(&token, "key"), "%E2%80%8B"] {
        app.owner.http.get(&format!("/api/v2/users/me/keys/tokens/{wrong}")).await.refused(404, "not_found");
    }
}

async fn a_name_is_looked_for_among_the_tokens_of_whoever_is_named(app: TestApp) {
    let member = app.person("member", &[]).await;
    let own = app.owner.token(&json!({ "token_name": "ci" })).await;
    let theirs = member.token(&json!({ "token_name": "ci" })).await;
    let get = async |user: &str| app.owner.http.get(&format!("/api/v2/users/{user}/keys/tokens/ci")).await;
    assert_eq!(get("me").await.expect(200).json()["id"], own["id"]);
    assert_eq!(get("member").await.expect(200).json()["id"], theirs["id"]);
    assert_eq!(get(&member.id).await.expect(200).json()["id"], theirs["id"]);
    assert_eq!(get(&member.id.to_uppercase()).await.expect(200).json()["id"], theirs["id"]);
}

async fn a_key_is_found_by_its_id_whoever_is_named(app: TestApp) {
    let member = app.person("member", &[]).await;
    let theirs = member.token(&json!({})).await;
    let id = text(&theirs, "id");
    for user in ["me", "owner", "member"] {
        app.owner.http.get(&format!("/api/v2/users/{user}/keys/{id}")).await.expect(200);
    }
    for (user, status) in [("me", 200), ("member", 200), ("owner", 404), ("nobody", 404)] {
        member.http.get(&format!("/api/v2/users/{user}/keys/{id}")).await.expect(status);
    }
}
