//! The order in which the fields of a create are checked. Only the first error is returned.

use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{DAY, SECOND, create, token_of, wrong_fields};

on_both! {
    of_several_faults_the_first_is_told,
    who_may_is_judged_before_the_body,
}

async fn of_several_faults_the_first_is_told(app: TestApp) {
    let member = app.person("member", &[]).await;
    let own = json!({
        "token_name": "taken",
        "lifetime": 3_600 * SECOND,
        "scopes": ["api_key:create", "workspace:read"],
        "allow_list": ["api_key:*", "workspace:*"],
    });
    let (token, _) = token_of(&app, &member, &own).await;
    let before = app.database.contents();

    let mut body = json!({
        "scopes": ["workspace:raed"],
        "token_name": "kwd_x",
        "allow_list": ["badvalue"],
        "lifetime": -1,
    });
    let refused = create(&token, &body).await.refused(400, "invalid_scope").json();
    assert_eq!(refused["message"], "invalid or unsupported API key scope: \"workspace:raed\"");
    assert!(refused["hint"].as_str().unwrap().contains("workspace:read"), "{refused}");

    body["scopes"] = json!(["workspace:delete"]);
    create(&token, &body).await.refused(403, "scope_exceeds_caller");

    body["scopes"] = json!(["workspace:read"]);
    for (field, beyond) in [("allow_list", json!(["template:*"])), ("lifetime", json!(2 * 3_600 * SECOND))] {
        let within = body[field].clone();
        body[field] = beyond;
        create(&token, &body).await.refused(403, "scope_exceeds_caller");
        body[field] = within;
    }

    let refused = create(&token, &body).await.refused(400, "validation_failed");
    assert_eq!(wrong_fields(&refused), ["token_name"]);

    body["token_name"] = json!("taken");
    let refused = create(&token, &body).await.refused(400, "validation_failed");
    assert_eq!(wrong_fields(&refused), ["allow_list"]);
    assert_eq!(refused.json()["message"], "invalid allow_list entry \"badvalue\": want <type>:<id>");

    body["allow_list"] = json!(["workspace:w1"]);
    let refused = create(&token, &body).await.refused(400, "validation_failed");
    assert_eq!(wrong_fields(&refused), ["lifetime"]);
    assert_eq!(refused.json()["message"], "Failed to validate create API key request.");

    body["lifetime"] = json!(60 * SECOND);
    let refused = create(&token, &body).await.refused(409, "conflict");
    assert_eq!(refused.json()["message"], "A token with name \"taken\" already exists.");
    assert_eq!(wrong_fields(&refused), ["name"]);
    assert_eq!(app.database.contents(), before);

    body["token_name"] = json!("free");
    create(&token, &body).await.expect(201);
}

async fn who_may_is_judged_before_the_body(app: TestApp) {
    let member = app.person("member", &[]).await;
    let (reader, _) = token_of(&app, &member, &json!({ "scopes": ["api_key:read"] })).await;
    let wrong: Value = json!({ "lifetime": "soon", "scopes": [] });
    create(&app.anonymous(), &wrong).await.refused(401, "unauthenticated");
    for user in ["me", "owner", "nobody"] {
        let path = format!("/api/v2/users/{user}/keys/tokens");
        reader.post(&path, &wrong).await.refused(403, "insufficient_scope");
    }
    for user in ["owner", "nobody", "a%20b"] {
        let path = format!("/api/v2/users/{user}/keys/tokens");
        member.http.post(&path, &wrong).await.refused(404, "not_found");
    }
    create(&member.http, &wrong).await.refused(400, "bad_request");
    create(&member.http, &json!({ "lifetime": DAY, "scopes": [] })).await.refused(400, "validation_failed");
}
