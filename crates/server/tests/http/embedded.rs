//! Embedded verifiers: they decide locally, and never accept an expired key.

use std::time::Duration;

use keyward_domain::Lifetime;
use keyward_domain::key::{Digest, PresentedKey};
use keyward_sdk::verify::{Denied, Need, Verifier};
use keyward_sdk::{Client, UserRef};
use keyward_test_support::{Backend, NewApp, TestApp, on_both};
use serde_json::json;

/// A client of a user with the role `verifier`.
async fn gateway(app: &TestApp) -> Client {
    Client::builder(&app.url).token(gateway_token(app).await).build().unwrap()
}

async fn gateway_token(app: &TestApp) -> String {
    let service = app.person("gateway", &["verifier"]).await;
    let token = service.token(&json!({ "scopes": ["api_key:verify"] })).await;
    token["key"].as_str().unwrap().to_owned()
}

/// Starts a verifier and waits until it is connected.
async fn connected(client: &Client, name: &str) -> Verifier {
    let verifier = Verifier::start(client, name);
    while !client.verifiers().await.unwrap().iter().any(|known| known.name == name) {
        actix_web::rt::task::yield_now().await;
    }
    verifier
}

on_both! {
    a_key_is_judged_like_by_the_server,
    after_the_204_no_verifier_accepts_the_key,
    an_expired_key_is_dead_by_a_clock_that_is_behind,
    a_suspended_user_is_known_at_once,
    a_locked_key_is_refused_as_soon_as_the_lock_is_made,
    a_limited_key_keeps_only_what_it_shares,
    a_proven_report_counts_as_a_use_and_another_does_not,
    a_verifier_that_is_gone_delays_an_expire_by_its_lease_and_no_longer,
    without_the_server_a_verifier_accepts_nothing_once_its_lease_is_over,
    only_verifiers_and_owners_may_follow_changes,
}

async fn a_key_is_judged_like_by_the_server(app: TestApp) {
    let client = gateway(&app).await;
    let verifier = connected(&client, "orders").await;
    let body = json!({ "scopes": ["workspace:read", "coder:workspaces.access"], "allow_list": ["workspace:w1"] });
    let token = app.owner.token(&body).await;
    let key = token["key"].as_str().unwrap();
    // Twice: first with the server's answer, then from the cache.
    for _ in 0..2 {
        let good = verifier.verify(key, &Need::scope("workspace:ssh").on("workspace:w1")).await.unwrap();
        assert_eq!((good.key_id(), good.username()), (token["id"].as_str().unwrap(), "owner"));
        let less = verifier.verify(key, &Need::scope("workspace:delete")).await;
        assert!(matches!(less, Err(Denied::InsufficientScope(scope)) if scope == "workspace:delete"));
        let outside = verifier.verify(key, &Need::nothing().on("workspace:w2")).await;
        assert!(matches!(outside, Err(Denied::ResourceNotAllowed(thing)) if thing == "workspace:w2"));
    }
    assert!(matches!(verifier.verify("kwd_x", &Need::nothing()).await, Err(Denied::Invalid)));
    assert!(matches!(verifier.verify(key, &Need::scope("workspace")).await, Err(Denied::UnreadableNeed(_))));
}

async fn a_locked_key_is_refused_as_soon_as_the_lock_is_made(app: TestApp) {
    let client = gateway(&app).await;
    let verifier = connected(&client, "orders").await;
    let (token, other) = (app.owner.token(&json!({})).await, app.owner.token(&json!({})).await);
    let (key, need) = (token["key"].as_str().unwrap(), Need::scope("workspace:read"));
    for _ in 0..2 {
        verifier.verify(key, &need).await.unwrap();
    }
    let lock = json!({ "selector": { "ids": [token["id"]] }, "mode": "deny", "message": "call 123" });
    let made = app.owner.http.post("/api/v2/locks", &lock).await.expect(201).json();
    for _ in 0..2 {
        let refused = verifier.verify(key, &need).await;
        assert!(matches!(refused, Err(Denied::Locked(message)) if message == "call 123"));
        verifier.verify(other["key"].as_str().unwrap(), &need).await.unwrap();
    }
    let path = format!("/api/v2/locks/{}", made["id"].as_str().unwrap());
    app.owner.http.send("DELETE", &path).await.expect(204);
    verifier.verify(key, &need).await.unwrap();
}

async fn a_limited_key_keeps_only_what_it_shares(app: TestApp) {
    let client = gateway(&app).await;
    let verifier = connected(&client, "orders").await;
    let token = app.owner.token(&json!({ "scopes": ["workspace:*"] })).await;
    let key = token["key"].as_str().unwrap();
    verifier.verify(key, &Need::scope("workspace:delete")).await.unwrap();
    for (scopes, reads) in [(json!(["workspace:read", "template:read"]), true), (json!(["task:read"]), false)] {
        let lock = json!({ "selector": { "ids": [token["id"]] }, "mode": "limit", "scopes": scopes, "message": "-" });
        app.owner.http.post("/api/v2/locks", &lock).await.expect(201);
        for (scope, allowed) in [("workspace:read", reads), ("workspace:delete", false), ("template:read", false)] {
            assert_eq!(verifier.verify(key, &Need::scope(scope)).await.is_ok(), allowed, "{scope}");
        }
        verifier.verify(key, &Need::nothing()).await.unwrap();
    }
}

async fn a_proven_report_counts_as_a_use_and_another_does_not(app: TestApp) {
    let gateway = app.with(&gateway_token(&app).await);
    let (used, forged) = (app.owner.token(&json!({})).await, app.owner.token(&json!({})).await);
    let proof = |token: &serde_json::Value| -> String {
        let text: &[u8; PresentedKey::LENGTH] = token["key"].as_str().unwrap().as_bytes().try_into().unwrap();
        Digest::of(text).proof().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    app.advance(Lifetime::minutes(5));
    let report = |token: &serde_json::Value, proof: String| json!({ "key_id": token["id"], "proof": proof, "ms_ago": 60_000, "count": 7, "ip": "192.0.2.7" });
    let poll = |uses: serde_json::Value| {
        let gateway = &gateway;
        let body = json!({ "id": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "name": "orders", "uses": uses });
        async move { gateway.post("/api/v2/verifiers/poll", &body).await }
    };
    poll(json!([report(&used, proof(&used)), report(&forged, proof(&used))])).await.expect(200);
    app.service.check_reports().await.unwrap();
    app.service.flush_usage().await.unwrap();
    app.service.flush_activity().await.unwrap();
    let view = |token: &serde_json::Value| {
        let path = format!("/api/v2/users/me/keys/{}", token["id"].as_str().unwrap());
        let http = &app.owner.http;
        async move { (http.get(&path).await.json(), http.get(&format!("{path}/activity")).await.json()) }
    };
    let (key, activity) = view(&used).await;
    let at = app.service.now().saturating_sub(Lifetime::minutes(1)).to_string();
    assert_eq!((&key["last_used"], &key["last_used_ip"]), (&json!(at), &json!("192.0.2.7")));
    let row = &activity["used"][0];
    assert_eq!((&row["via"], &row["by"], &row["count"]), (&json!("embedded"), &json!("gateway"), &json!(7)));
    let (key, activity) = view(&forged).await;
    assert_eq!((&key["last_used"], &activity["used"]), (&json!("1970-01-01T00:00:00Z"), &json!([])));
    for wrong in [json!({ "proof": "x" }), json!({ "key_id": "x" }), json!({ "ip": "x" })] {
        let mut body = report(&used, proof(&used));
        for (name, value) in wrong.as_object().unwrap() {
            body[name] = value.clone();
        }
        poll(json!([body])).await.refused(400, "validation_failed");
    }
}

async fn after_the_204_no_verifier_accepts_the_key(app: TestApp) {
    let client = gateway(&app).await;
    let verifiers = [connected(&client, "one").await, connected(&client, "two").await];
    for round in 0..20 {
        let token = app.owner.token(&json!({})).await;
        let key = token["key"].as_str().unwrap();
        for verifier in &verifiers {
            verifier.verify(key, &Need::nothing()).await.unwrap();
        }
        let path = format!("/api/v2/users/me/keys/{}/expire", token["id"].as_str().unwrap());
        let expired = app.owner.http.send("PUT", &path).await.expect(204);
        for verifier in &verifiers {
            let after = verifier.verify(key, &Need::nothing()).await;
            assert!(matches!(after, Err(Denied::Expired(_))), "round {round}: {after:?}");
        }
        let told = expired.header("keyward-barrier").unwrap().to_owned();
        assert!(told.starts_with("confirmed=2 lapsed=0"), "{told}");
    }
}

/// The clock of the server that expires the key is ahead of the clock of the server that is asked.
async fn an_expired_key_is_dead_by_a_clock_that_is_behind(app: TestApp) {
    let verifier = connected(&gateway(&app).await, "orders").await;
    let token = app.owner.token(&json!({})).await;
    let now = app.service.now();
    app.advance(Lifetime::hours(1));
    let path = format!("/api/v2/users/me/keys/{}/expire", token["id"].as_str().unwrap());
    app.owner.http.send("PUT", &path).await.expect(204);
    app.clock.set(now);
    // Twice: first with the server's answer, then from the cache.
    for _ in 0..2 {
        let after = verifier.verify(token["key"].as_str().unwrap(), &Need::nothing()).await;
        assert!(matches!(after, Err(Denied::Expired(_))), "{after:?}");
    }
}

async fn a_suspended_user_is_known_at_once(app: TestApp) {
    let client = gateway(&app).await;
    let verifier = connected(&client, "orders").await;
    let member = app.person("member", &[]).await;
    let token = member.token(&json!({})).await;
    let key = token["key"].as_str().unwrap();
    verifier.verify(key, &Need::nothing()).await.unwrap();
    app.owner.http.send("PUT", "/api/v2/users/member/status/suspend").await.expect(200);
    assert!(matches!(verifier.verify(key, &Need::nothing()).await, Err(Denied::UserSuspended)));
    app.owner.http.send("PUT", "/api/v2/users/member/status/activate").await.expect(200);
    verifier.verify(key, &Need::nothing()).await.unwrap();
    app.owner.http.send("DELETE", "/api/v2/users/member").await.expect(200);
    assert!(matches!(verifier.verify(key, &Need::nothing()).await, Err(Denied::Expired(_))));
}

async fn a_verifier_that_is_gone_delays_an_expire_by_its_lease_and_no_longer(app: TestApp) {
    let client = gateway(&app).await;
    drop(connected(&client, "gone").await);
    let token = app.owner.token(&json!({})).await;
    let id = token["id"].as_str().unwrap();
    let sdk = Client::builder(&app.url).token(app.owner.session.as_str()).build().unwrap();
    let outcome = sdk.expire_api_key(&UserRef::Me, id).await.unwrap();
    assert!(outcome.waited < Duration::from_secs(2), "{outcome:?}");
    assert_eq!(outcome.confirmed, 0);
}

async fn without_the_server_a_verifier_accepts_nothing_once_its_lease_is_over(app: TestApp) {
    let client = gateway(&app).await;
    let verifier = connected(&client, "orders").await;
    let token = app.owner.token(&json!({})).await;
    let key = token["key"].as_str().unwrap().to_owned();
    verifier.verify(&key, &Need::nothing()).await.unwrap();
    let _database = app.stop().await;
    // Accepted until the lease runs out, at most 1 s; then the verifier cannot know.
    let began = std::time::Instant::now();
    loop {
        match verifier.verify(&key, &Need::nothing()).await {
            Ok(_) => assert!(began.elapsed() < Duration::from_millis(1_500), "past the lease"),
            Err(Denied::Unavailable(_)) => break,
            Err(other) => panic!("{other}"),
        }
    }
}

async fn only_verifiers_and_owners_may_follow_changes(app: TestApp) {
    let member = app.person("member", &[]).await;
    member.http.get("/api/v2/verifiers").await.refused(403, "forbidden");
    let body = json!({ "id": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "name": "x" });
    member.http.post("/api/v2/verifiers/poll", &body).await.refused(403, "forbidden");
    member.http.post("/api/v2/verifiers/look-up", &json!({ "key": "x" })).await.refused(403, "forbidden");
    let unknown = app.owner.http.post("/api/v2/verifiers/look-up", &json!({ "key": "x" })).await.expect(200).json();
    assert!(unknown.get("facts").is_none());
    let long = json!({ "id": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "name": "x".repeat(65) });
    app.owner.http.post("/api/v2/verifiers/poll", &long).await.refused(400, "validation_failed");
    app.advance(Lifetime::hours(25));
    member.http.get("/api/v2/verifiers").await.refused(401, "key_expired");
}

/// Two servers on one PostgreSQL, with one verifier each.
struct Pair {
    app: TestApp,
    other: NewApp,
    verifiers: [Verifier; 2],
}

impl Pair {
    async fn new(app: TestApp) -> Self {
        let other = app.start_beside().await;
        let token = gateway_token(&app).await;
        let [here, there] =
            [&app.url, &other.url].map(|url| Client::builder(url).token(token.as_str()).build().unwrap());
        let verifiers = [connected(&here, "here").await, connected(&there, "there").await];
        Self { app, other, verifiers }
    }

    /// Text and ID of a new key that both verifiers have accepted.
    async fn key(&self) -> (String, String) {
        let token = self.app.owner.token(&json!({})).await;
        let key = token["key"].as_str().unwrap().to_owned();
        for verifier in &self.verifiers {
            verifier.verify(&key, &Need::nothing()).await.unwrap();
        }
        (key, token["id"].as_str().unwrap().to_owned())
    }

    async fn nobody_accepts(&self, key: &str) {
        for verifier in &self.verifiers {
            let after = verifier.verify(key, &Need::nothing()).await;
            assert!(matches!(after, Err(Denied::Expired(_))), "{after:?}");
        }
    }
}

fn on_postgres<F: Future<Output = ()>>(body: impl FnOnce(TestApp) -> F) {
    keyward_test_support::run(Backend::Postgres, body);
}

#[test]
fn an_expire_through_either_server_is_obeyed_by_the_verifiers_of_both() {
    on_postgres(async |app| {
        let pair = Pair::new(app).await;
        for url in [pair.app.url.clone(), pair.other.url.clone(), pair.app.url.clone()] {
            let (key, id) = pair.key().await;
            let client = Client::builder(&url).token(pair.app.owner.session.as_str()).build().unwrap();
            let outcome = client.expire_api_key(&UserRef::Me, &id).await.unwrap();
            pair.nobody_accepts(&key).await;
            assert_eq!((outcome.confirmed, outcome.lapsed), (1, 0), "each server knows only its own verifier");
            assert!(
                outcome.waited >= Duration::from_millis(900),
                "it waits until the leases of the other server have run out"
            );
        }
    });
}

#[test]
fn a_server_whose_neighbour_gives_no_leases_waits_for_its_own_verifiers_alone() {
    on_postgres(async |app| {
        let other = app.start_beside().await;
        let client = gateway(&app).await;
        let verifier = connected(&client, "here").await;
        let token = app.owner.token(&json!({})).await;
        let (key, id) = (token["key"].as_str().unwrap(), token["id"].as_str().unwrap());
        verifier.verify(key, &Need::nothing()).await.unwrap();
        let owner = Client::builder(&app.url).token(app.owner.session.as_str()).build().unwrap();
        let outcome = owner.expire_api_key(&UserRef::Me, id).await.unwrap();
        assert_eq!((outcome.confirmed, outcome.lapsed), (1, 0));
        assert!(outcome.waited < Duration::from_millis(900), "{outcome:?}");
        assert!(matches!(verifier.verify(key, &Need::nothing()).await, Err(Denied::Expired(_))));
        drop(other);
    });
}

#[test]
fn a_key_that_is_ended_by_hand_is_refused_within_a_lease() {
    on_postgres(async |app| {
        let client = gateway(&app).await;
        let verifier = connected(&client, "orders").await;
        let token = app.owner.token(&json!({})).await;
        let (key, id) = (token["key"].as_str().unwrap(), token["id"].as_str().unwrap());
        verifier.verify(key, &Need::nothing()).await.unwrap();
        app.database.execute(&format!("UPDATE api_keys SET expires_at = created_at WHERE id = '{id}'")).unwrap();
        let changed = std::time::Instant::now();
        while verifier.verify(key, &Need::nothing()).await.is_ok() {
            assert!(changed.elapsed() < Duration::from_millis(1_500), "past the lease");
        }
    });
}

#[test]
fn a_server_that_gives_leases_is_on_the_list_until_its_last_one_is_over() {
    on_postgres(async |app| {
        let listed = "SELECT count(*) AS count FROM verifier_servers";
        assert_eq!(app.database.count(listed), 0);
        let client = gateway(&app).await;
        let verifier = connected(&client, "orders").await;
        assert_eq!(app.database.count(listed), 1);
        drop(verifier);
        let began = std::time::Instant::now();
        while app.database.count(listed) > 0 {
            assert!(began.elapsed() < Duration::from_secs(30), "ten leases and a heartbeat, plus a margin");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}
