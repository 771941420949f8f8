//! `POST /keys/identify`

use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{expire, text};

const IDENTIFY: &str = "/api/v2/keys/identify";

on_both! {
    a_text_leads_to_its_key_and_owner,
    nothing_is_said_of_keys_that_the_caller_may_not_see,
}

async fn a_text_leads_to_its_key_and_owner(app: TestApp) {
    let member = app.person("member", &[]).await;
    let token = member.token(&json!({ "token_name": "ci" })).await;
    let other = app.owner.token(&json!({})).await;
    let (key, id) = (text(&token, "key"), text(&token, "id"));
    let wrong = format!("{id}{}", &text(&other, "key")[14..]);
    for (sent, how, found) in [
        (key, "exact", true),
        (wrong.as_str(), "id_only", true),
        (id, "id_only", true),
        (&key[..30], "id_only", true),
        ("kwd_0000000000", "malformed", false),
        ("password", "malformed", false),
        ("", "malformed", false),
    ] {
        let answer: Value = app.owner.http.post(IDENTIFY, &json!({ "key": sent })).await.expect(200).json();
        assert_eq!((text(&answer, "how"), answer["found"].as_bool()), (how, Some(found)), "{sent}");
        if found {
            assert_eq!((text(&answer["key"], "id"), text(&answer["user"], "username")), (id, "member"));
        }
    }
    let entry = &app.audit("event:key.identified").await;
    assert!(entry.iter().all(|entry| !entry.to_string().contains(&key[15..])), "no entry has the secret");
    assert_eq!(entry.iter().filter(|entry| entry["resource_id"] == json!(id)).count(), 4);
    app.service.flush_usage().await.unwrap();
    let viewed = app.owner.http.get(&format!("/api/v2/users/me/keys/{id}")).await.json();
    assert_eq!(viewed["last_used"], "1970-01-01T00:00:00Z", "identifying is no use");
    expire(&app.owner.http, id).await;
    let dead = app.owner.http.post(IDENTIFY, &json!({ "key": key })).await.json();
    assert_eq!((text(&dead, "how"), text(&dead["key"], "status")), ("exact", "expired"));
}

async fn nothing_is_said_of_keys_that_the_caller_may_not_see(app: TestApp) {
    let (one, other) = (app.person("one", &[]).await, app.person("other", &[]).await);
    let token = other.token(&json!({})).await;
    let answer = one.http.post(IDENTIFY, &json!({ "key": token["key"] })).await.expect(200).json();
    assert_eq!((&answer["found"], text(&answer, "how")), (&json!(false), "id_only"));
    app.anonymous().post(IDENTIFY, &json!({ "key": token["key"] })).await.refused(401, "unauthenticated");
}
