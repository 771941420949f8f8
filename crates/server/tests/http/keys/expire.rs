//! `PUT /users/{user}/keys/{keyid}/expire`

use keyward_domain::Lifetime;
use keyward_test_support::{TestApp, on_both};
use serde_json::json;

fn path(user: &str, id: &serde_json::Value) -> String {
    format!("/api/v2/users/{user}/keys/{}/expire", id.as_str().unwrap())
}

on_both! {
    tokens_filter_expired,
    owner_expires_own_token,
    owner_expires_anothers_token,
    member_cannot_expire_anothers_token,
    expiring_an_absent_token_is_not_found,
    expiring_twice_changes_nothing,
    an_expired_token_can_be_deleted,
    a_session_can_be_expired_like_any_key,
    a_key_that_a_wrong_clock_ended_and_a_person_expired_stays_dead,
}

async fn tokens_filter_expired(app: TestApp) {
    let live = app.owner.token(&json!({ "token_name": "live" })).await;
    let ended = app.owner.token(&json!({ "token_name": "ended" })).await;
    let short = app.owner.token(&json!({ "token_name": "short", "lifetime": 1_000_000_000_i64 })).await;
    app.owner.http.send("PUT", &path("me", &ended["id"])).await.expect(204);
    app.advance(Lifetime::from_secs(2).unwrap());
    assert_eq!(app.owner.token_ids("").await, [live["id"].as_str().unwrap()]);
    assert_eq!(app.owner.token_ids("?include_expired=false").await.len(), 1);
    let all = app.owner.token_ids("?include_expired=true").await;
    let expected = [&live, &short, &ended].map(|token| token["id"].as_str().unwrap().to_owned());
    assert_eq!(all, expected, "latest expiry first");
    assert_eq!(app.owner.token_ids("?include_all=true").await.len(), 1, "the list by login type shows it too");
    assert_eq!(app.owner.token_ids("?include_all=true&include_expired=1").await.len(), 3);
}

async fn owner_expires_own_token(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "ci" })).await;
    let user = app.with(token["key"].as_str().unwrap());
    user.get("/api/v2/users/me").await.expect(200);
    app.owner.http.send("PUT", &path("me", &token["id"])).await.expect(204);
    user.get("/api/v2/users/me").await.refused(401, "key_expired");

    let viewed = app.owner.http.get("/api/v2/users/me/keys/tokens/ci").await.expect(200).json();
    for (field, before) in token.as_object().unwrap().iter().filter(|(field, _)| *field != "key") {
        assert_eq!(&viewed[field] == before, !["expires_at", "status"].contains(&field.as_str()), "{field}");
    }
    let entries = app.audit("action:write").await;
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!(entry["resource_id"], token["id"]);
    assert_eq!(entry["resource_target"], "ci");
    assert_eq!(entry["status_code"], 204);
    assert_eq!(entry["user"]["username"], "owner");
    assert_eq!(entry["additional_fields"]["owner_id"], token["user_id"]);
    assert_eq!(entry["diff"]["expires_at"]["old"], token["expires_at"]);
    assert_eq!(entry["diff"]["expires_at"]["new"], viewed["expires_at"]);
    assert_eq!(entry["old"]["expires_at"], token["expires_at"]);
    assert_eq!(entry["new"]["expires_at"], viewed["expires_at"]);
    assert!(!entry.to_string().contains("digest"));
}

async fn owner_expires_anothers_token(app: TestApp) {
    let member = app.person("member", &[]).await;
    let token = member.token(&json!({})).await;
    // The key is found by its ID alone, whichever user is in the path.
    app.owner.http.send("PUT", &path("me", &token["id"])).await.expect(204);
    app.with(token["key"].as_str().unwrap()).get("/api/v2/users/me").await.refused(401, "key_expired");
    assert_eq!(app.audit("action:write username:owner").await.len(), 1);
}

async fn member_cannot_expire_anothers_token(app: TestApp) {
    let (one, other) = (app.person("one", &[]).await, app.person("other", &[]).await);
    let token = other.token(&json!({})).await;
    for user in ["me", "other", "one"] {
        one.http.send("PUT", &path(user, &token["id"])).await.refused(404, "not_found");
    }
    app.with(token["key"].as_str().unwrap()).get("/api/v2/users/me").await.expect(200);
    assert_eq!(app.audit("action:write").await.len(), 0);
}

async fn expiring_an_absent_token_is_not_found(app: TestApp) {
    for id in ["kwd_0000000000", "kws_0000000000", "nonsense", "kwd_0000000000-abc", "%FF"] {
        let path = format!("/api/v2/users/me/keys/{id}/expire");
        app.owner.http.send("PUT", &path).await.refused(404, "not_found");
    }
}

async fn expiring_twice_changes_nothing(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "ci" })).await;
    app.owner.http.send("PUT", &path("me", &token["id"])).await.expect(204);
    let first = app.owner.http.get("/api/v2/users/me/keys/tokens/ci").await.json();
    app.advance(Lifetime::hours(1));
    app.owner.http.send("PUT", &path("me", &token["id"])).await.expect(204);
    assert_eq!(app.owner.http.get("/api/v2/users/me/keys/tokens/ci").await.json(), first);
    assert_eq!(app.audit("action:write").await.len(), 1);

    let short = app.owner.token(&json!({ "lifetime": 1_000_000_000_i64 })).await;
    app.advance(Lifetime::from_secs(1).unwrap());
    app.owner.http.send("PUT", &path("me", &short["id"])).await.expect(204);
    assert_eq!(app.audit("action:write").await.len(), 1, "an expired key leaves no further entry");
}

async fn an_expired_token_can_be_deleted(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "ci" })).await;
    let key = format!("/api/v2/users/me/keys/{}", token["id"].as_str().unwrap());
    app.owner.http.send("PUT", &format!("{key}/expire")).await.expect(204);
    app.owner.http.send("DELETE", &key).await.expect(204);
    app.owner.http.get(&key).await.refused(404, "not_found");
    app.owner.http.send("DELETE", &key).await.refused(404, "not_found");
    let entries = app.audit("action:delete").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["old"]["token_name"], "ci");
    assert_eq!(entries[0]["new"], serde_json::Value::Null);
}

async fn a_session_can_be_expired_like_any_key(app: TestApp) {
    let member = app.person("member", &[]).await;
    let id = json!(member.session.split('-').next().unwrap());
    app.owner.http.send("PUT", &path("member", &id)).await.expect(204);
    member.http.get("/api/v2/users/me").await.refused(401, "key_expired");
}

/// A server whose clock is ahead takes live keys for expired ones. Its clock then goes back.
async fn a_key_that_a_wrong_clock_ended_and_a_person_expired_stays_dead(app: TestApp) {
    let hour = json!({ "token_name": "ci", "lifetime": 3_600_000_000_000_i64 });
    let (one, other) = (app.owner.token(&hour).await, app.person("member", &[]).await);
    let of_member = other.token(&hour).await;
    let right = app.service.now();
    app.advance(Lifetime::hours(2));
    let before = app.owner.http.get(&format!("/api/v2/users/me/keys/{}", one["id"].as_str().unwrap())).await;
    app.owner.http.send("PUT", &path("me", &one["id"])).await.expect(204);
    app.owner.http.send("PUT", &path("me", &one["id"])).await.expect(204);
    let after = app.owner.http.get(&format!("/api/v2/users/me/keys/{}", one["id"].as_str().unwrap())).await;
    assert_eq!(before.json(), after.json(), "a client sees no change");
    assert!(app.audit("action:write").await.is_empty(), "nor does the audit log");
    app.owner.http.send("DELETE", "/api/v2/users/member").await.expect(200);

    app.clock.set(right);
    for token in [&one, &of_member] {
        app.with(token["key"].as_str().unwrap()).get("/api/v2/users/me").await.refused(401, "key_expired");
    }
    assert!(app.owner.token_ids("").await.is_empty());
    let again = app.owner.token(&json!({ "token_name": "ci", "lifetime": 60_000_000_000_i64 })).await;
    let viewed = app.owner.http.get("/api/v2/users/me/keys/tokens/ci").await.expect(200).json();
    assert_eq!(viewed["id"], again["id"], "the live one, though the other's expiry is later");
}
