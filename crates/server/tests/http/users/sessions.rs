//! Sessions slide when used, up to a limit.

use keyward_domain::Lifetime;
use keyward_service::Settings;
use keyward_test_support::{Person, TestApp, on_both};

use crate::support::{another, id_of, micros, seconds};

/// Remaining lifetime of a session in seconds, by its record.
async fn left(app: &TestApp, person: &Person) -> i64 {
    let path = format!("/api/v2/users/{}/keys/{}", person.name, id_of(&person.session));
    let record = app.owner.http.get(&path).await.expect(200).json();
    (micros(&record, "expires_at") - app.service.now().as_micros()) / 1_000_000
}

on_both! {
    a_session_slides_when_more_than_an_hour_of_it_is_gone,
    sliding_changes_the_end_and_nothing_else_that_is_shown,
    a_session_never_slides_past_its_limit,
    a_session_is_no_longer_than_its_limit_from_the_first,
    no_session_slides_where_that_is_turned_off,
    the_length_of_a_session_is_the_operators,
    a_token_never_slides,
    a_session_ended_by_hand_never_slides_back_to_life,
}

async fn a_session_slides_when_more_than_an_hour_of_it_is_gone(app: TestApp) {
    let member = app.person("member", &[]).await;
    let log = app.audit("").await.len();
    app.advance(seconds(3_600));
    member.http.get("/api/v2/users/me").await.expect(200);
    assert_eq!(left(&app, &member).await, 23 * 3_600, "it does not slide after exactly one hour");
    app.advance(seconds(1));
    member.http.get("/api/v2/users/me").await.expect(200);
    assert_eq!(left(&app, &member).await, 24 * 3_600);
    app.advance(Lifetime::hours(23));
    member.http.get("/api/v2/users/me").await.expect(200);
    app.advance(Lifetime::hours(23));
    member.http.get("/api/v2/users/me").await.expect(200);
    app.owner.http.get("/api/v2/users/me").await.refused(401, "key_expired");
    app.advance(Lifetime::hours(24));
    member.http.get("/api/v2/users/me").await.refused(401, "key_expired");
    assert_eq!(app.database.count("SELECT count(*) AS count FROM audit_logs"), log as i64, "no audit entry");
}

async fn sliding_changes_the_end_and_nothing_else_that_is_shown(app: TestApp) {
    let member = app.person("member", &[]).await;
    let path = format!("/api/v2/users/member/keys/{}", id_of(&member.session));
    let before = app.owner.http.get(&path).await.expect(200).json();
    app.advance(Lifetime::hours(2));
    member.http.get("/api/v2/users/me").await.expect(200);
    let mut after = app.owner.http.get(&path).await.expect(200).json();
    assert_eq!(micros(&after, "expires_at") - micros(&before, "expires_at"), 7_200_000_000);
    for use_of_it in ["expires_at", "last_used"] {
        after[use_of_it] = before[use_of_it].clone();
    }
    assert_eq!(after, before);
}

async fn a_session_never_slides_past_its_limit(app: TestApp) {
    let mut settings = Settings::default();
    settings.sessions.session_max_lifetime = Lifetime::hours(36);
    let app = another(&app, settings).await;
    let member = app.person("member", &[]).await;
    app.advance(Lifetime::hours(20));
    member.http.get("/api/v2/users/me").await.expect(200);
    assert_eq!(left(&app, &member).await, 16 * 3_600);
    app.advance(Lifetime::hours(15));
    member.http.get("/api/v2/users/me").await.expect(200);
    app.advance(Lifetime::hours(1));
    member.http.get("/api/v2/users/me").await.refused(401, "key_expired");
}

async fn a_session_is_no_longer_than_its_limit_from_the_first(app: TestApp) {
    let mut settings = Settings::default();
    settings.sessions.session_max_lifetime = Lifetime::hours(2);
    let app = another(&app, settings).await;
    let member = app.person("member", &[]).await;
    assert_eq!(left(&app, &member).await, 2 * 3_600);
}

async fn no_session_slides_where_that_is_turned_off(app: TestApp) {
    let mut settings = Settings::default();
    settings.sessions.disable_session_expiry_refresh = true;
    let app = another(&app, settings).await;
    let member = app.person("member", &[]).await;
    app.advance(Lifetime::hours(23));
    member.http.get("/api/v2/users/me").await.expect(200);
    assert_eq!(left(&app, &member).await, 3_600);
    app.advance(Lifetime::hours(1));
    member.http.get("/api/v2/users/me").await.refused(401, "key_expired");
}

async fn the_length_of_a_session_is_the_operators(app: TestApp) {
    let mut settings = Settings::default();
    settings.sessions.session_duration = Lifetime::hours(3);
    let app = another(&app, settings).await;
    let member = app.person("member", &[]).await;
    assert_eq!(left(&app, &member).await, 3 * 3_600);
    app.advance(seconds(3_601));
    member.http.get("/api/v2/users/me").await.expect(200);
    assert_eq!(left(&app, &member).await, 3 * 3_600);
}

async fn a_token_never_slides(app: TestApp) {
    let token = app.owner.token(&serde_json::json!({ "token_name": "ci" })).await;
    app.advance(Lifetime::hours(2));
    app.with(token["key"].as_str().unwrap()).get("/api/v2/users/me").await.expect(200);
    let after = app.owner.http.get("/api/v2/users/me/keys/tokens/ci").await.expect(200).json();
    assert_eq!(after["expires_at"], token["expires_at"]);
}

async fn a_session_ended_by_hand_never_slides_back_to_life(app: TestApp) {
    let member = app.person("member", &[]).await;
    let path = format!("/api/v2/users/member/keys/{}", id_of(&member.session));
    app.advance(Lifetime::hours(2));
    app.owner.http.send("PUT", &format!("{path}/expire")).await.expect(204);
    let ended = app.owner.http.get(&path).await.expect(200).json();
    member.http.get("/api/v2/users/me").await.refused(401, "key_expired");
    assert_eq!(app.owner.http.get(&path).await.expect(200).json(), ended);
}
