//! A verifier whose server fails or does not answer.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use keyward_sdk::Client;
use keyward_sdk::verify::{Denied, Need, Verifier};
use serde_json::json;

use crate::server::{Answer, Server, TOKEN, ok, unavailable};

/// A well-formed key that belongs to nobody.
const KEY: &str = "kwd_0000000000-000000000000000000000023WGTJ";

fn poll_reply(lease_ms: u64) -> Answer {
    let start = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";
    ok(&format!(r#"{{"start":"{start}","lease_ms":{lease_ms},"change":0,"reset":true,"keys":[]}}"#))
}

#[tokio::test]
async fn a_poll_that_fails_is_repeated_soon() {
    let server = Server::start([Answer::HangUp, unavailable(), poll_reply(60_000)]);
    let began = Instant::now();
    let verifier = Verifier::start(&server.client(), "orders");
    assert!(!verifier.is_connected() && !verifier.holds_lease());
    while !verifier.holds_lease() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(began.elapsed() < Duration::from_millis(450), "20 ms and 40 ms after the failures: {:?}", began.elapsed());
    assert!(verifier.is_connected(), "it holds a lease, even if later polls fail");
}

#[tokio::test]
async fn without_a_lease_a_verifier_is_connected_and_asks_calmly() {
    let server = Server::start([poll_reply(0), poll_reply(0), poll_reply(0)]);
    let verifier = Verifier::start(&server.client(), "orders");
    while !verifier.is_connected() {
        tokio::task::yield_now().await;
    }
    assert!(!verifier.holds_lease());
    assert_eq!(server.seen().len(), 1, "the next poll comes half a second later");
}

/// A service must not tell its client that the key is wrong because a newer server speaks of it in
/// another form.
#[tokio::test]
async fn unreadable_facts_are_no_verdict_on_the_key() {
    let verifier = Verifier::start(&Server::start([]).client(), "orders");
    let answer = |grant: &str| {
        let id = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";
        let facts = json!({
            "key_id": &KEY[..14], "user_id": id, "username": "ann", "user_is_active": true, "scopes": [grant],
            "grants": [grant], "allow_list": ["*:*"], "expires_at": "2026-11-27T00:00:00Z",
        });
        serde_json::from_value(json!({ "start": id, "change": 0, "now": "2026-11-26T00:00:00Z", "facts": facts }))
    };
    verifier.learn(KEY, &answer("workspace:read").unwrap()).unwrap();
    let unreadable = verifier.learn(KEY, &answer("workspace:read if at work").unwrap());
    assert!(matches!(unreadable, Err(Denied::Unavailable(_))), "{unreadable:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_longer_than_was_said() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::builder(format!("http://{}", silent.local_addr().unwrap())).token(TOKEN).build().unwrap();
    let verifier = Verifier::builder(&client, "orders").timeout(Duration::from_millis(50)).start();
    let began = Instant::now();
    match verifier.verify(KEY, &Need::nothing()).await {
        Err(Denied::Unavailable(error)) => assert!(error.to_string().contains("in time"), "{error}"),
        other => panic!("{other:?}"),
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
