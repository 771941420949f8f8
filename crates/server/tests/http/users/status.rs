//! `PUT /users/{user}/status/suspend` and `…/activate`

use futures_util::future::join;
use keyward_test_support::{PASSWORD, TestApp, on_both};
use serde_json::json;

use crate::support::{SECOND, create, seconds, text};

const SUSPEND: &str = "/api/v2/users/member/status/suspend";
const ACTIVATE: &str = "/api/v2/users/member/status/activate";

on_both! {
    a_suspended_users_keys_stop_at_once_and_work_again_afterwards,
    doing_it_twice_is_doing_it_once,
    nobody_does_it_to_themselves,
    an_owner_is_always_left,
}

async fn a_suspended_users_keys_stop_at_once_and_work_again_afterwards(app: TestApp) {
    let member = app.person("member", &[]).await;
    let long = app.with(text(&member.token(&json!({})).await, "key"));
    let short = app.with(text(&member.token(&json!({ "lifetime": 60 * SECOND })).await, "key"));
    let user = app.owner.http.send("PUT", SUSPEND).await.expect(200).json();
    assert_eq!(text(&user, "status"), "suspended");
    for http in [&long, &short, &member.http] {
        let refused = http.get("/api/v2/users/me").await.refused(401, "user_suspended");
        assert!(refused.json()["message"].as_str().unwrap().starts_with("User is not active"));
        assert!(refused.header("WWW-Authenticate").unwrap().contains("error=\"invalid_token\""));
    }
    let login = json!({ "email": "member", "password": PASSWORD });
    app.anonymous().post("/api/v2/users/login", &login).await.refused(401, "user_suspended");
    let wrong = json!({ "email": "member", "password": "not the password" });
    app.anonymous().post("/api/v2/users/login", &wrong).await.refused(401, "incorrect_credentials");

    app.advance(seconds(60));
    let user = app.owner.http.send("PUT", ACTIVATE).await.expect(200).json();
    assert_eq!(text(&user, "status"), "active");
    long.get("/api/v2/users/me").await.expect(200);
    member.http.get("/api/v2/users/me").await.expect(200);
    short.get("/api/v2/users/me").await.refused(401, "key_expired");
    create(&member.http, &json!({})).await.expect(201);

    let entries = app.audit("action:write resource_target:member").await;
    assert_eq!(entries.len(), 2);
    let diff = json!({ "status": { "old": "active", "new": "suspended", "secret": false } });
    assert_eq!(entries[1]["diff"], diff);
}

async fn doing_it_twice_is_doing_it_once(app: TestApp) {
    app.person("member", &[]).await;
    let fresh = app.database.contents();
    app.owner.http.send("PUT", ACTIVATE).await.expect(200);
    assert_eq!(app.database.contents(), fresh);
    app.owner.http.send("PUT", SUSPEND).await.expect(200);
    app.advance(seconds(60));
    let suspended = app.database.contents();
    app.owner.http.send("PUT", SUSPEND).await.expect(200);
    assert_eq!(app.database.contents(), suspended);
}

async fn nobody_does_it_to_themselves(app: TestApp) {
    let admin = app.person("admin", &["user-admin"]).await;
    let before = app.database.contents();
    for person in [&app.owner, &admin] {
        for verb in ["suspend", "activate"] {
            for user in ["me", &person.name, &person.id] {
                let path = format!("/api/v2/users/{user}/status/{verb}");
                person.http.send("PUT", &path).await.refused(400, "validation_failed");
            }
        }
    }
    assert_eq!(app.database.contents(), before);
}

async fn an_owner_is_always_left(app: TestApp) {
    let second = app.person("second", &["owner"]).await;
    let (one, two) = join(
        second.http.send("PUT", "/api/v2/users/owner/status/suspend"),
        app.owner.http.send("PUT", "/api/v2/users/second/status/suspend"),
    )
    .await;
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert!(statuses[0] == 200 && [400, 401].contains(&statuses[1]), "{statuses:?}");
    let active = app.database.count("SELECT count(*) AS count FROM users WHERE status = 'active'");
    assert_eq!(active, 1);
}
