//! `POST /users/{user}/keys/tokens` and `POST /users/{user}/keys`

mod allow_list;
mod lifetime;
mod name;
mod order;
mod scopes;
mod session;
mod within;

use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::support::{DAY, create, id_of, micros, text};

on_both! {
    a_token_is_answered_whole_and_its_secret_once,
    the_text_form_is_as_scanners_expect_it,
    an_entry_of_the_audit_log_tells_of_it,
    a_create_for_another_user_makes_the_key_theirs,
    an_end_cannot_be_asked_for,
}

async fn a_token_is_answered_whole_and_its_secret_once(app: TestApp) {
    let (scopes, allow_list) = (["workspace:read"], ["workspace:w1"]);
    let body = json!({ "token_name": "ci", "lifetime": DAY, "scopes": scopes, "allow_list": allow_list });
    let token = create(&app.owner.http, &body).await.expect(201).json();
    let key = text(&token, "key");
    assert_eq!(text(&token, "id"), id_of(key));
    assert_eq!(text(&token, "user_id"), app.owner.id);
    assert_eq!(text(&token, "login_type"), "token");
    assert_eq!(text(&token, "token_name"), "ci");
    assert_eq!(text(&token, "scope"), "");
    assert_eq!(token["scopes"], json!(["workspace:read"]));
    assert_eq!(token["allow_list"], json!(["workspace:w1"]));
    assert_eq!(token["lifetime_seconds"], 86_400);
    assert_eq!(text(&token, "last_used"), "1970-01-01T00:00:00Z");
    assert_eq!(token["created_at"], token["updated_at"]);
    assert_eq!(micros(&token, "expires_at") - micros(&token, "created_at"), 86_400_000_000);
    app.with(key).get("/api/v2/users/me").await.expect(200);

    let shown = app.owner.http.get("/api/v2/users/me/keys/tokens/ci").await.expect(200);
    assert!(!shown.text.contains(key.split('-').nth(1).unwrap()));
    let listed = app.owner.http.get("/api/v2/users/me/keys/tokens").await.expect(200);
    assert!(!listed.text.contains(key.split('-').nth(1).unwrap()));
    assert_eq!(listed.json()[0]["username"], "owner");
}

async fn the_text_form_is_as_scanners_expect_it(app: TestApp) {
    for _ in 0..20 {
        let token = app.owner.token(&json!({})).await;
        let key = text(&token, "key");
        assert_eq!(key.len(), 43, "{key}");
        let (id, rest) = key.split_once('-').unwrap();
        let digits = id.strip_prefix("kwd_").unwrap();
        assert_eq!((digits.len(), rest.len()), (10, 28), "{key}");
        assert!(digits.bytes().chain(rest.bytes()).all(|byte| byte.is_ascii_alphanumeric()), "{key}");
        let (body, sum) = key.split_at(37);
        assert_eq!(sum, checksum(body), "{key}");
    }
    assert!(app.owner.session.starts_with("kws_"));
}

async fn an_entry_of_the_audit_log_tells_of_it(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "ci" })).await;
    let entries = app.audit("action:create resource_type:api_key").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["resource_id"], token["id"]);
    assert_eq!(entries[0]["resource_target"], "ci");
    assert_eq!(entries[0]["status_code"], 201);
    assert_eq!(entries[0]["old"], json!(null));
    assert_eq!(entries[0]["new"]["token_name"], "ci");
    let secret = text(&token, "key").split('-').nth(1).unwrap();
    assert!(!app.database.contents().contains(secret), "no row contains the secret");
}

async fn a_create_for_another_user_makes_the_key_theirs(app: TestApp) {
    let member = app.person("member", &[]).await;
    for user in ["member", "MEMBER", member.id.as_str()] {
        let path = format!("/api/v2/users/{user}/keys/tokens");
        let token = app.owner.http.post(&path, &json!({})).await.expect(201).json();
        assert_eq!(text(&token, "user_id"), member.id);
        let me = app.with(text(&token, "key")).get("/api/v2/users/me").await.expect(200).json();
        assert_eq!(text(&me, "username"), "member");
    }
}

async fn an_end_cannot_be_asked_for(app: TestApp) {
    for end in [json!("2027-01-01T00:00:00Z"), json!(0), json!(false), json!({})] {
        let refused = create(&app.owner.http, &json!({ "expires_at": end })).await.refused(400, "bad_request");
        assert!(refused.json()["hint"].as_str().unwrap().contains("lifetime"));
    }
    create(&app.owner.http, &json!({ "expires_at": null })).await.expect(201);
    assert_eq!(app.owner.token_ids("").await.len(), 1);
}

/// CRC-32 (IEEE) in six base62 digits, as a secret scanner computes it.
pub fn checksum(body: &str) -> String {
    let mut crc = u32::MAX;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
    }
    let digits: Vec<char> = ('0'..='9').chain('A'..='Z').chain('a'..='z').collect();
    let value = u64::from(!crc);
    (0..6).rev().map(|place| digits[(value / 62_u64.pow(place) % 62) as usize]).collect()
}
