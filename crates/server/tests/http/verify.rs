//! Verifying presented keys: `/keys/verify`, `/oauth2/…`, `/authz`.

use keyward_domain::Lifetime;
use keyward_test_support::{Answer, Http, Nginx, TestApp, on_both};
use serde_json::{Value, json};

/// A token of a user with the role `verifier`.
async fn verifier(app: &TestApp) -> Http {
    let service = app.person("gateway", &["verifier"]).await;
    let token = service.token(&json!({ "scopes": ["api_key:verify"] })).await;
    app.with(token["key"].as_str().unwrap())
}

async fn verify(http: &Http, body: Value) -> Value {
    http.post("/api/v2/keys/verify", &body).await.expect(200).json()
}

async fn form(http: &Http, path: &str, body: String) -> Answer {
    let request = http.request("POST", path).header("content-type", "application/x-www-form-urlencoded");
    Answer::of(request.body(body)).await
}

on_both! {
    a_key_is_judged_by_what_it_is_needed_for,
    a_stranger_cannot_tell_expired_from_unknown,
    a_batch_is_answered_in_order,
    only_verifiers_and_owners_may_ask,
    a_verified_key_counts_as_used,
    introspection_follows_rfc_7662,
    whoever_holds_a_key_may_revoke_it,
    a_proxy_is_told_who_the_client_is,
    nginx_lets_through_what_keyward_allows,
}

async fn a_key_is_judged_by_what_it_is_needed_for(app: TestApp) {
    let http = verifier(&app).await;
    let member = app.person("member", &[]).await;
    let token = member.token(&json!({ "scopes": ["workspace:read"], "allow_list": ["workspace:w1"] })).await;
    let key = token["key"].as_str().unwrap();

    let good = verify(&http, json!({ "key": key, "scopes": ["workspace:read"], "resource": "workspace:w1" })).await;
    assert_eq!((&good["valid"], &good["code"]), (&json!(true), &json!("valid")));
    assert_eq!((&good["key"]["id"], &good["user"]["username"]), (&token["id"], &json!("member")));
    assert!(good.get("message").is_none());

    let less = verify(&http, json!({ "key": key, "scopes": ["workspace:read", "workspace:delete"] })).await;
    assert_eq!((&less["valid"], &less["code"]), (&json!(false), &json!("insufficient_scope")));
    assert_eq!(less["key"]["id"], token["id"], "the response describes the key");
    let outside = verify(&http, json!({ "key": key, "resource": "workspace:w2" })).await;
    assert_eq!(outside["code"], "resource_not_allowed");

    app.owner.http.send("PUT", "/api/v2/users/member/status/suspend").await.expect(200);
    assert_eq!(verify(&http, json!({ "key": key })).await["code"], "user_suspended");
    app.owner.http.send("PUT", "/api/v2/users/member/status/activate").await.expect(200);
    app.owner
        .http
        .send("PUT", &format!("/api/v2/users/me/keys/{}/expire", token["id"].as_str().unwrap()))
        .await
        .expect(204);
    assert_eq!(verify(&http, json!({ "key": key })).await["code"], "key_expired");
}

async fn a_stranger_cannot_tell_expired_from_unknown(app: TestApp) {
    let http = verifier(&app).await;
    let ended = app.owner.token(&json!({ "lifetime": 1_000_000_000_i64 })).await;
    let other = app.owner.token(&json!({})).await;
    app.advance(Lifetime::minutes(1));
    let (ended_id, other_key) = (ended["id"].as_str().unwrap(), other["key"].as_str().unwrap());
    // The ID of an expired key with another key's secret. The checksum is wrong, as with a guess.
    let guess = format!("{ended_id}-{}", other_key.split('-').nth(1).unwrap());
    let unknown = "kwd_0000000000-0000000000000000000000000000";
    let answers = [verify(&http, json!({ "key": guess })).await, verify(&http, json!({ "key": unknown })).await];
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], json!({ "valid": false, "code": "invalid_key", "message": "API key is invalid." }));
}

async fn a_batch_is_answered_in_order(app: TestApp) {
    let http = verifier(&app).await;
    let token = app.owner.token(&json!({})).await;
    let keys = json!([{ "key": "x" }, { "key": token["key"] }, { "key": "" }]);
    let batch = http.post("/api/v2/keys/verify/batch", &json!({ "keys": keys })).await.expect(200).json();
    let codes: Vec<&str> =
        batch["results"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["invalid_key", "valid", "invalid_key"]);
    let many: Vec<Value> = (0..101).map(|_| json!({ "key": "x" })).collect();
    http.post("/api/v2/keys/verify/batch", &json!({ "keys": many })).await.refused(400, "validation_failed");
}

async fn only_verifiers_and_owners_may_ask(app: TestApp) {
    for (name, roles) in [("member", &[][..]), ("auditor", &["auditor"]), ("admin", &["user-admin"])] {
        let person = app.person(name, roles).await;
        person.http.post("/api/v2/keys/verify", &json!({ "key": "x" })).await.refused(403, "forbidden");
    }
    app.owner.http.post("/api/v2/keys/verify", &json!({ "key": "x" })).await.expect(200);
    let http = verifier(&app).await;
    http.get("/api/v2/users/me/keys/tokens").await.refused(403, "insufficient_scope");
    http.post("/api/v2/keys/verify", &json!({ "key": "x", "scopes": ["workspace:raed"] }))
        .await
        .refused(400, "invalid_scope");
    http.post("/api/v2/keys/verify", &json!({ "key": "x", "resource": "nothing" }))
        .await
        .refused(400, "validation_failed");
    app.anonymous().post("/api/v2/keys/verify", &json!({ "key": "x" })).await.refused(401, "unauthenticated");
}

async fn a_verified_key_counts_as_used(app: TestApp) {
    let http = verifier(&app).await;
    let token = app.owner.token(&json!({ "token_name": "ci" })).await;
    verify(&http, json!({ "key": token["key"] })).await;
    app.service.flush_usage().await.unwrap();
    let viewed = app.owner.http.get("/api/v2/users/me/keys/tokens/ci").await.expect(200).json();
    assert_ne!(viewed["last_used"], "1970-01-01T00:00:00Z");
}

async fn introspection_follows_rfc_7662(app: TestApp) {
    let http = verifier(&app).await;
    let token = app.owner.token(&json!({ "scopes": ["workspace:read", "template:read"] })).await;
    let key = token["key"].as_str().unwrap();
    let body = format!("token={key}&token_type_hint=access_token");
    let active = form(&http, "/oauth2/introspect", body.clone()).await.expect(200).json();
    assert_eq!(active["active"], true);
    assert_eq!(active["scope"], "workspace:read template:read");
    assert_eq!((&active["username"], &active["token_type"]), (&json!("owner"), &json!("Bearer")));
    assert_eq!((&active["jti"], &active["sub"]), (&token["id"], &token["user_id"]));
    assert_eq!(active["exp"].as_i64().unwrap() - active["iat"].as_i64().unwrap(), 7 * 86_400);
    for wrong in ["x".to_owned(), format!("{key}0")] {
        let answer = form(&http, "/oauth2/introspect", format!("token={wrong}")).await.expect(200);
        assert_eq!(answer.text, "{\"active\":false}");
    }

    // OAuth clients send the caller's key as the password of Basic authentication.
    let service = app.owner.token(&json!({ "scopes": ["api_key:verify"] })).await;
    let request = app.anonymous().request("POST", "/oauth2/introspect");
    let request = request.basic_auth("anyone", service["key"].as_str());
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
    assert_eq!(Answer::of(request).await.expect(200).json()["active"], true);
    let request = app.anonymous().request("GET", "/api/v2/users/me").basic_auth("anyone", service["key"].as_str());
    Answer::of(request).await.refused(401, "invalid_key");
    http.post("/oauth2/introspect", &json!({ "token": key })).await.refused(415, "unsupported_media_type");
}

async fn whoever_holds_a_key_may_revoke_it(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "leaked" })).await;
    let key = token["key"].as_str().unwrap();
    let finder = app.anonymous();
    for text in [key, key, "kwd_unknown"] {
        assert_eq!(form(&finder, "/oauth2/revoke", format!("token={text}")).await.expect(200).text, "");
    }
    app.with(key).get("/api/v2/users/me").await.refused(401, "key_expired");
    let entries = app.audit("action:write").await;
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0]["resource_id"], &entries[0]["user"]), (&token["id"], &Value::Null));
    assert!(!entries[0].to_string().contains(key.split('-').nth(1).unwrap()));
    // 60 at once, and one more each second that this takes.
    let mut accepted = 3;
    let stopped = loop {
        let answer = form(&finder, "/oauth2/revoke", "token=x".to_owned()).await;
        if answer.status == 429 {
            break answer.refused(429, "too_many_requests");
        }
        answer.expect(200);
        accepted += 1;
        assert!(accepted < 200, "nobody is stopped");
    };
    assert!(accepted >= 60 && stopped.header("retry-after").is_some(), "{accepted}");
}

async fn a_proxy_is_told_who_the_client_is(app: TestApp) {
    let token = app.owner.token(&json!({ "scopes": ["workspace:read"], "allow_list": ["workspace:w1"] })).await;
    let client = app.with(token["key"].as_str().unwrap());
    let good = client.get("/authz?scope=workspace:read&resource=workspace%3Aw1").await.expect(200);
    assert_eq!(good.header("keyward-user"), Some("owner"));
    assert_eq!(good.header("keyward-user-id"), token["user_id"].as_str());
    assert_eq!(good.header("keyward-key-id"), token["id"].as_str());
    assert_eq!(good.header("keyward-scopes"), Some("workspace:read"));
    client.send("POST", "/authz/any/path?scope=workspace:read").await.expect(200);
    client.get("/authz").await.expect(200);
    let less =
        client.get("/authz?scope=workspace:read&scope=workspace:delete").await.refused(403, "insufficient_scope");
    assert_eq!(
        less.header("www-authenticate"),
        Some("Bearer realm=\"keyward\", error=\"insufficient_scope\", scope=\"workspace:read workspace:delete\"")
    );
    client.get("/authz?resource=workspace:w2").await.refused(403, "resource_not_allowed");
    client.get("/authz?scope=workspace:raed").await.refused(400, "invalid_scope");
    let none = app.anonymous().get("/authz?scope=workspace:read").await.refused(401, "unauthenticated");
    assert_eq!(none.header("www-authenticate"), Some("Bearer realm=\"keyward\""));
    app.with("kwd_x").get("/authz").await.refused(401, "invalid_key");
    assert_eq!(none.header("cache-control"), Some("no-store"));
}

async fn nginx_lets_through_what_keyward_allows(app: TestApp) {
    let Some(nginx) = Nginx::start(&app.url) else { return };
    let token = app.owner.token(&json!({ "scopes": ["workspace:read"] })).await;
    let client = Http::new(&nginx.url, token["key"].as_str());
    let request = client.request("GET", "/some/path?scope=x").header("Keyward-User", "somebody-else");
    let seen = Answer::of(request).await.expect(200).text;
    assert!(seen.contains("keyward-user: owner\n"), "{seen}");
    assert!(seen.contains(&format!("keyward-key-id: {}\n", token["id"].as_str().unwrap().to_lowercase())), "{seen}");
    assert!(!seen.contains("somebody-else") && !seen.contains("authorization"), "{seen}");
    let body = client.request("POST", "/").body("x".repeat(1_000));
    Answer::of(body).await.expect(200);

    let less = app.owner.token(&json!({ "scopes": ["template:read"] })).await;
    Http::new(&nginx.url, less["key"].as_str()).get("/").await.expect(403);
    let none = Http::new(&nginx.url, None).get("/").await.expect(401);
    assert_eq!(none.header("www-authenticate"), Some("Bearer realm=\"keyward\""));

    let expire = format!("/api/v2/users/me/keys/{}/expire", token["id"].as_str().unwrap());
    app.owner.http.send("PUT", &expire).await.expect(204);
    client.get("/").await.expect(401);
}
