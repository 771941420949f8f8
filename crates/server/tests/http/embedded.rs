//! Embedded verifiers: local decisions, and none that outlives the key.

use std::time::Duration;

use keyward_domain::Lifetime;
use keyward_sdk::verify::{Denied, Need, Verifier};
use keyward_sdk::{Client, UserRef};
use keyward_test_support::{Backend, TestApp, on_both};
use serde_json::json;

/// A client of a user with the role `verifier`.
async fn gateway(app: &TestApp) -> Client {
    let service = app.person("gateway", &["verifier"]).await;
    let token = service.token(&json!({ "scopes": ["api_key:verify"] })).await;
    Client::builder(&app.url).token(token["key"].as_str().unwrap()).build().unwrap()
}

/// A verifier that is connected.
async fn connected(app: &TestApp, client: &Client, name: &str) -> Verifier {
    let verifier = Verifier::start(client, name);
    if app.database.backend == Backend::Sqlite {
        while !client.verifiers().await.unwrap().iter().any(|known| known.name == name) {
            actix_web::rt::task::yield_now().await;
        }
    }
    verifier
}

on_both! {
    async fn a_key_is_judged_like_by_the_server(app: TestApp) {
        let client = gateway(&app).await;
        let verifier = connected(&app, &client, "orders").await;
        let body = json!({ "scopes": ["workspace:read", "coder:workspaces.access"], "allow_list": ["workspace:w1"] });
        let token = app.owner.token(&body).await;
        let key = token["key"].as_str().unwrap();
        // Twice: by the server's facts, and by what is remembered.
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

    async fn after_the_204_no_verifier_accepts_the_key(app: TestApp) {
        let client = gateway(&app).await;
        let verifiers = [connected(&app, &client, "one").await, connected(&app, &client, "two").await];
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
            let expected = if app.database.backend == Backend::Sqlite { "confirmed=2 lapsed=0" } else { "confirmed=0" };
            assert!(told.starts_with(expected), "{told}");
        }
    }

    async fn a_suspended_user_is_known_at_once(app: TestApp) {
        let client = gateway(&app).await;
        let verifier = connected(&app, &client, "orders").await;
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
        drop(connected(&app, &client, "gone").await);
        let token = app.owner.token(&json!({})).await;
        let id = token["id"].as_str().unwrap();
        let sdk = Client::builder(&app.url).token(app.owner.session.as_str()).build().unwrap();
        let outcome = sdk.expire_api_key(&UserRef::Me, id).await.unwrap();
        assert!(outcome.waited < Duration::from_secs(2), "{outcome:?}");
        assert_eq!(outcome.confirmed, 0);
    }

    async fn without_the_server_a_verifier_accepts_nothing_once_its_lease_is_over(app: TestApp) {
        let client = gateway(&app).await;
        let verifier = connected(&app, &client, "orders").await;
        let token = app.owner.token(&json!({})).await;
        let key = token["key"].as_str().unwrap().to_owned();
        verifier.verify(&key, &Need::nothing()).await.unwrap();
        let _database = app.stop().await;
        // Accepted for what is left of the lease, a second at most; then it is not known to be good.
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
}
