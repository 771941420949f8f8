//! The lifetime of a new token.

use keyward_domain::Lifetime;
use keyward_service::Settings;
use keyward_test_support::{Answer, TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{DAY, MY_TOKENS, SECOND, another, create, micros, service_account};

fn lives(token: &Value, seconds: i64) {
    assert_eq!(token["lifetime_seconds"], seconds);
    assert_eq!(micros(token, "expires_at") - micros(token, "created_at"), seconds * 1_000_000);
}

fn refused_for(answer: Answer, detail: &str) -> String {
    let problem = answer.refused(400, "validation_failed").json();
    assert_eq!(problem["message"], "Failed to validate create API key request.");
    assert_eq!(problem["detail"], detail);
    assert_eq!(problem["validations"], json!([{ "field": "lifetime", "detail": detail }]));
    problem["hint"].as_str().unwrap().to_owned()
}

on_both! {
    zero_null_and_nothing_take_the_default,
    the_default_is_lowered_to_the_maximum,
    the_maximum_follows_the_roles_of_whose_token_it_is,
    what_is_no_lifetime_is_refused_and_nothing_lives_for_ever,
    the_end_is_half_open,
    a_lifetime_in_seconds_is_honoured,
}

async fn zero_null_and_nothing_take_the_default(app: TestApp) {
    for body in [json!({}), json!({ "lifetime": null }), json!({ "lifetime": 0 })] {
        lives(&create(&app.owner.http, &body).await.expect(201).json(), 7 * 86_400);
    }
}

/// A published client of the lineage sends `lifetime_seconds`.
async fn a_lifetime_in_seconds_is_honoured(app: TestApp) {
    lives(&create(&app.owner.http, &json!({ "lifetime_seconds": 3_600 })).await.expect(201).json(), 3_600);
    for body in [json!({ "lifetime_seconds": 0 }), json!({ "lifetime_seconds": null, "lifetime": null })] {
        lives(&create(&app.owner.http, &body).await.expect(201).json(), 7 * 86_400);
    }
    let negative = create(&app.owner.http, &json!({ "lifetime_seconds": -1 })).await;
    refused_for(negative, "lifetime must be positive number greater than 0");
    for seconds in [8 * 86_400, i64::MAX] {
        let long = create(&app.owner.http, &json!({ "lifetime_seconds": seconds })).await;
        refused_for(long, "lifetime must be less than or equal to 7d");
    }
    let both = create(&app.owner.http, &json!({ "lifetime_seconds": 60, "lifetime": 60 * SECOND })).await;
    both.refused(400, "validation_failed");
}

async fn the_default_is_lowered_to_the_maximum(app: TestApp) {
    let mut settings = Settings::default();
    settings.tokens.max_token_lifetime = Lifetime::hours(2);
    settings.tokens.max_admin_token_lifetime = Lifetime::hours(1);
    let app = another(&app, settings).await;
    let member = app.person("member", &[]).await;
    lives(&create(&member.http, &json!({})).await.expect(201).json(), 7_200);
    lives(&create(&app.owner.http, &json!({})).await.expect(201).json(), 3_600);
}

async fn the_maximum_follows_the_roles_of_whose_token_it_is(app: TestApp) {
    let member = app.person("member", &[]).await;
    lives(&create(&app.owner.http, &json!({ "lifetime": 7 * DAY })).await.expect(201).json(), 7 * 86_400);
    let hint = refused_for(
        create(&app.owner.http, &json!({ "lifetime": 7 * DAY + 1 })).await,
        "lifetime must be less than or equal to 7d",
    );
    assert!(hint.contains("--max-admin-token-lifetime") && hint.contains("service account"), "{hint}");

    lives(&create(&member.http, &json!({ "lifetime": 366 * DAY })).await.expect(201).json(), 366 * 86_400);
    let hint = refused_for(
        create(&member.http, &json!({ "lifetime": 366 * DAY + 1 })).await,
        "lifetime must be less than or equal to 366d",
    );
    assert!(hint.contains("--max-token-lifetime") && !hint.contains("service account"), "{hint}");

    service_account(&app, "robot", &[]).await;
    for user in ["member", "robot"] {
        let path = format!("/api/v2/users/{user}/keys/tokens");
        let token = app.owner.http.post(&path, &json!({ "lifetime": 366 * DAY })).await.expect(201).json();
        lives(&token, 366 * 86_400);
    }
}

async fn what_is_no_lifetime_is_refused_and_nothing_lives_for_ever(app: TestApp) {
    let member = app.person("member", &[]).await;
    let before = app.database.contents();
    for lifetime in [-1, -DAY, i64::MIN] {
        let answer = create(&member.http, &json!({ "lifetime": lifetime })).await;
        refused_for(answer, "lifetime must be positive number greater than 0");
    }
    for lifetime in [1, SECOND - 1] {
        create(&member.http, &json!({ "lifetime": lifetime })).await.refused(400, "validation_failed");
    }
    refused_for(
        create(&member.http, &json!({ "lifetime": i64::MAX })).await,
        "lifetime must be less than or equal to 366d",
    );
    for wrong in
        ["9223372036854775808", "1e30", "-1e30", "1.5", "60000000000.0", "\"7d\"", "\"60\"", "true", "[]", "{}"]
    {
        let request = member.http.request("POST", MY_TOKENS).header("Content-Type", "application/json");
        Answer::of(request.body(format!("{{\"lifetime\":{wrong}}}"))).await.refused(400, "bad_request");
    }
    assert_eq!(app.database.contents(), before);
    lives(&create(&member.http, &json!({ "lifetime": SECOND })).await.expect(201).json(), 1);
}

async fn the_end_is_half_open(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "ci", "lifetime": 10 * SECOND })).await;
    let user = app.with(token["key"].as_str().unwrap());
    app.advance(Lifetime::from_nanos(10 * SECOND - 1_000).unwrap());
    user.get("/api/v2/users/me").await.expect(200);
    assert_eq!(app.owner.token_ids("").await.len(), 1);
    app.advance(Lifetime::from_nanos(1_000).unwrap());
    let refused = user.get("/api/v2/users/me").await.refused(401, "key_expired").json();
    assert_eq!(refused["detail"], format!("API key expired at \"{}\".", token["expires_at"].as_str().unwrap()));
    assert_eq!(app.owner.token_ids("").await.len(), 0);
}
