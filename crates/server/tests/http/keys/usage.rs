//! Last use, recorded asynchronously: at most once a minute for a token, once an hour for a session.

use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{id_of, micros, seconds, text, token_of};

async fn last_used(app: &TestApp, id: &str) -> i64 {
    app.service.flush_usage().await.unwrap();
    micros(&app.owner.http.get(&format!("/api/v2/users/me/keys/{id}")).await.expect(200).json(), "last_used")
}

fn now(app: &TestApp) -> i64 {
    app.service.now().as_micros()
}

on_both! {
    a_tokens_use_is_noted_once_a_minute_and_changes_nothing_else,
    a_sessions_use_is_noted_once_an_hour,
    a_refused_key_is_not_used,
    what_waits_is_written_when_the_server_stops,
}

async fn a_tokens_use_is_noted_once_a_minute_and_changes_nothing_else(app: TestApp) {
    let (user, id) = token_of(&app, &app.owner, &json!({})).await;
    assert_eq!(last_used(&app, &id).await, 0);
    let before = app.database.contents();
    app.advance(seconds(5));
    let first = now(&app);
    user.get("/api/v2/users/me").await.expect(200);
    assert_eq!(last_used(&app, &id).await, first);
    app.advance(seconds(59));
    user.get("/api/v2/users/me").await.expect(200);
    assert_eq!(last_used(&app, &id).await, first);
    app.advance(seconds(1));
    user.get("/api/v2/users/me").await.expect(200);
    assert_eq!(last_used(&app, &id).await, now(&app));
    assert_eq!(app.database.contents(), before);
    let address = format!("SELECT count(*) AS count FROM api_keys WHERE id = '{id}' AND last_used_ip = '127.0.0.1'");
    assert_eq!(app.database.count(&address), 1);
}

async fn a_sessions_use_is_noted_once_an_hour(app: TestApp) {
    let member = app.person("member", &[]).await;
    let id = id_of(&member.session);
    let first = now(&app);
    member.http.get("/api/v2/users/me").await.expect(200);
    assert_eq!(last_used(&app, id).await, first);
    app.advance(seconds(3_599));
    member.http.get("/api/v2/users/me").await.expect(200);
    assert_eq!(last_used(&app, id).await, first);
    app.advance(seconds(1));
    member.http.get("/api/v2/users/me").await.expect(200);
    assert_eq!(last_used(&app, id).await, now(&app));
    let seen: Value = app.owner.http.get("/api/v2/users/member").await.json();
    assert_eq!(micros(&seen, "last_seen_at"), now(&app));
    assert_ne!(text(&seen, "updated_at"), text(&seen, "last_seen_at"));
}

async fn a_refused_key_is_not_used(app: TestApp) {
    let (user, id) = token_of(&app, &app.owner, &json!({})).await;
    app.owner.http.send("PUT", &format!("/api/v2/users/me/keys/{id}/expire")).await.expect(204);
    user.get("/api/v2/users/me").await.refused(401, "key_expired");
    assert_eq!(last_used(&app, &id).await, 0);
}

async fn what_waits_is_written_when_the_server_stops(app: TestApp) {
    let (user, id) = token_of(&app, &app.owner, &json!({})).await;
    user.get("/api/v2/users/me").await.expect(200);
    let database = app.stop().await;
    let noted = format!("SELECT count(*) AS count FROM api_keys WHERE id = '{id}' AND last_used IS NOT NULL");
    assert_eq!(database.count(&noted), 1);
}
