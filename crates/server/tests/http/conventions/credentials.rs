//! How a request presents a key.

use keyward_test_support::{Answer, TestApp, on_both};
use serde_json::json;

use crate::support::text;

const ME: &str = "/api/v2/users/me";

/// Sends a request with exactly these headers.
async fn with(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = app.anonymous().request("GET", path);
    Answer::of(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

on_both! {
    a_key_may_come_in_three_headers,
    two_different_keys_or_one_header_twice_are_refused,
    a_key_in_the_query_is_refused_and_never_repeated,
    a_refusal_says_how_to_authenticate,
    whatever_is_no_key_of_ours_looks_alike,
    a_header_that_is_no_text_is_no_key,
}

async fn a_key_may_come_in_three_headers(app: TestApp) {
    let key = app.owner.session.as_str();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        with(&app, ME, &[("Authorization", &format!("{scheme} {key}"))]).await.expect(200);
    }
    for name in ["Keyward-Session-Token", "Coder-Session-Token", "coder-session-token"] {
        with(&app, ME, &[(name, key)]).await.expect(200);
    }
    let bearer = format!("Bearer {key}");
    let all = [("Authorization", bearer.as_str()), ("Keyward-Session-Token", key), ("Coder-Session-Token", key)];
    with(&app, ME, &all).await.expect(200);
    with(&app, ME, &[("Authorization", &bearer), ("Coder-Session-Token", "")]).await.expect(200);
}

async fn two_different_keys_or_one_header_twice_are_refused(app: TestApp) {
    let key = app.owner.session.as_str();
    let other = app.owner.token(&json!({})).await;
    let other = text(&other, "key");
    let (bearer, other_bearer) = (format!("Bearer {key}"), format!("Bearer {other}"));
    for headers in [
        [("Authorization", bearer.as_str()), ("Keyward-Session-Token", other)],
        [("Authorization", other_bearer.as_str()), ("Coder-Session-Token", key)],
        [("Keyward-Session-Token", key), ("Coder-Session-Token", other)],
        [("Authorization", bearer.as_str()), ("Authorization", bearer.as_str())],
        [("Keyward-Session-Token", key), ("Keyward-Session-Token", key)],
        [("Coder-Session-Token", key), ("Coder-Session-Token", other)],
    ] {
        let refused = with(&app, ME, &headers).await.refused(400, "bad_request");
        assert!(!refused.text.contains(key) && !refused.text.contains(other));
        with(&app, "/api/v2/buildinfo", &headers).await.refused(400, "bad_request");
    }
}

async fn a_key_in_the_query_is_refused_and_never_repeated(app: TestApp) {
    let key = app.owner.session.as_str();
    for name in ["access_token", "coder_session_token", "token", "%74oken"] {
        for query in [format!("{name}={key}"), format!("limit=1&{name}=x"), name.to_owned()] {
            for http in [&app.owner.http, &app.anonymous()] {
                let refused = http.get(&format!("{ME}?{query}")).await.refused(400, "bad_request");
                assert!(!refused.text.contains(key));
            }
        }
    }
    app.anonymous().get(&format!("/api/v2/buildinfo?token={key}")).await.refused(400, "bad_request");
    app.owner.http.get(&format!("{ME}?tokens=1&mytoken=2")).await.expect(200);
}

async fn a_refusal_says_how_to_authenticate(app: TestApp) {
    let none = app.anonymous().get(ME).await.refused(401, "unauthenticated");
    assert_eq!(none.header("WWW-Authenticate"), Some("Bearer realm=\"keyward\""));
    let signed_out = "You are signed out or your session has expired. Please sign in again to continue.";
    assert_eq!(none.json()["message"], signed_out);
    assert_eq!(none.json()["detail"], "API key is invalid.");

    let wrong = app.with("kwd_wrong").get(ME).await.refused(401, "invalid_key");
    let challenge = wrong.header("WWW-Authenticate").unwrap();
    assert!(
        challenge.starts_with("Bearer realm=\"keyward\", error=\"invalid_token\", error_description=\""),
        "{challenge}"
    );
    assert_eq!(
        (&wrong.json()["message"], &wrong.json()["detail"]),
        (&json!(signed_out), &json!("API key is invalid."))
    );

    let token = app.owner.token(&json!({ "lifetime": crate::support::SECOND, "scopes": ["api_key:read"] })).await;
    let poor = app.with(text(&token, "key"));
    let less = poor.get("/api/v2/users").await.refused(403, "insufficient_scope");
    let challenge = "Bearer realm=\"keyward\", error=\"insufficient_scope\", scope=\"user:read\"";
    assert_eq!(less.header("WWW-Authenticate"), Some(challenge));
    app.advance(crate::support::seconds(1));
    let over = poor.get(ME).await.refused(401, "key_expired");
    assert!(over.header("WWW-Authenticate").unwrap().contains("error=\"invalid_token\""));
    assert_eq!(over.json()["message"], signed_out);
}

async fn whatever_is_no_key_of_ours_looks_alike(app: TestApp) {
    let token = app.owner.token(&json!({ "lifetime": crate::support::SECOND })).await;
    let key = text(&token, "key");
    let (id, secret) = key.split_once('-').unwrap();
    // A key's ID with a wrong secret that has the right checksum.
    let body = format!("{id}-{}", "0".repeat(22));
    let guess = format!("{body}{}", crate::keys::checksum(&body));
    let unknown = "kwd_0000000000-0000000000000000000000";
    let unknown = format!("{unknown}{}", crate::keys::checksum(unknown));
    let swapped = key.replacen("kwd_", "kws_", 1);
    let mut bodies = Vec::new();
    for round in 0..2 {
        for wrong in [
            guess.as_str(),
            &unknown,
            &swapped,
            id,
            secret,
            "x",
            "kwd_",
            &key[..42],
            &format!("{key}0"),
            &key.to_uppercase(),
        ] {
            let mut body = app.with(wrong).get(ME).await.refused(401, "invalid_key").json();
            body["request_id"] = json!(null);
            bodies.push(body);
        }
        for value in ["Bearer", "Bearer ", "Basic b3duZXI6eA==", "Digest x", key] {
            with(&app, ME, &[("Authorization", value)]).await.expect(401);
        }
        if round == 0 {
            // Only the holder of the secret learns that the key has expired.
            app.with(key).get(ME).await.expect(200);
            app.advance(crate::support::seconds(1));
            app.with(key).get(ME).await.refused(401, "key_expired");
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

async fn a_header_that_is_no_text_is_no_key(app: TestApp) {
    let request = app.anonymous().request("GET", ME);
    let request = request.header("Authorization", &b"Bearer \xff"[..]);
    Answer::of(request).await.refused(401, "invalid_key");
}
