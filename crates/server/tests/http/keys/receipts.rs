//! `GET …/receipt`: what proves to a third party that keys are dead.

use std::time::Duration;

use base64::Engine as _;
use keyward_api::receipts::SIGNED_PREFIX;
use keyward_sdk::Client;
use keyward_sdk::receipts::{ReceiptError, verify_receipt};
use keyward_sdk::verify::Verifier;
use keyward_test_support::{Http, TestApp, on_both};
use keyward_transparency::{SigningKey, VerifierKey, canonical_json};
use serde_json::{Value, json};

use crate::support::{SECOND, each, seconds, text, token_of};

on_both! {
    the_receipt_of_a_key_proves_its_end,
    it_names_the_verifiers_that_confirmed,
    an_incident_has_one_for_all_its_keys,
    it_is_for_those_who_may_see_the_entry,
    what_was_not_ended_by_hand_has_none,
}

async fn receipt(http: &Http, path: &str) -> Value {
    http.get(&format!("/api/v2/{path}/receipt")).await.expect(200).json()
}

async fn expire(http: &Http, id: &str) {
    let body = json!({ "reason": "compromised", "note": "in a log" });
    http.json("PUT", &format!("/api/v2/users/me/keys/{id}/expire"), &body).await.expect(204);
}

/// Writes what the jobs of a running server write.
async fn settle(app: &TestApp) {
    app.service.flush_confirmations().await.unwrap();
    app.seal().await;
}

/// Checks a receipt as a third party does. Returns the entries that it proves.
async fn check(app: &TestApp, receipt: &Value) -> Vec<Value> {
    let keys: [VerifierKey; 1] = [app.verifier_key().await.parse().unwrap()];
    let verified = verify_receipt(&receipt.to_string(), &keys).unwrap();
    for (field, other) in [
        ("note", json!("another")),
        ("origin", json!("keyward/other")),
        ("issued_at", json!("2020-01-01T00:00:00Z")),
        ("keys", json!([])),
        ("entries", json!([])),
        ("a new field", json!(1)),
    ] {
        let mut changed = receipt.clone();
        changed[field] = other;
        assert!(verify_receipt(&changed.to_string(), &keys).is_err(), "{field}");
    }
    assert!(matches!(verify_receipt(&receipt.to_string(), &[]), Err(ReceiptError::UnknownKey(_))));
    verified.receipt.entries.into_iter().map(|proven| proven.entry).collect()
}

/// Changes a receipt and signs it again, as a server would that lies about its log.
async fn forged(app: &TestApp, receipt: &Value, change: impl Fn(&mut Value)) -> ReceiptError {
    let origin = text(receipt, "origin");
    let key = SigningKey::from_pem(origin, &app.files.in_dir().signing_key().unwrap()).unwrap();
    let mut receipt = receipt.clone();
    let mut signature = receipt.as_object_mut().unwrap().remove("signature").unwrap();
    change(&mut receipt);
    let signed = format!("{SIGNED_PREFIX}{}", canonical_json(&receipt).unwrap());
    signature["value"] = json!(base64::prelude::BASE64_STANDARD.encode(key.sign(signed.as_bytes())));
    receipt["signature"] = signature;
    verify_receipt(&receipt.to_string(), &[key.verifier().clone()]).unwrap_err()
}

async fn the_receipt_of_a_key_proves_its_end(app: TestApp) {
    let (_, id) = token_of(&app, &app.owner, &json!({ "token_name": "ci" })).await;
    expire(&app.owner.http, &id).await;
    let path = format!("/api/v2/users/me/keys/{id}/receipt");
    app.owner.http.get(&path).await.refused(503, "not_sealed");
    settle(&app).await;
    let receipt = receipt(&app.owner.http, &format!("users/me/keys/{id}")).await;
    let entries = check(&app, &receipt).await;
    assert_eq!(each(&json!(entries), "event"), ["key.expired"]);
    assert_eq!(entries[0]["resource_id"], json!(id));
    assert_eq!((text(&receipt, "reason"), text(&receipt, "note")), ("compromised", "in a log"));
    assert_eq!((text(&receipt["by"], "username"), &receipt["incident_id"]), ("owner", &Value::Null));
    let key = &receipt["keys"][0];
    assert_eq!((text(key, "id"), &key["ended_at"]), (id.as_str(), &entries[0]["time"]));
    assert_eq!(receipt["confirmation"]["verifiers"], json!([]));
    for (change, what) in [
        ((|it| it["note"] = json!("another")) as fn(&mut Value), "the note is another"),
        (|it| it["reason"] = json!("policy"), "the reason is another"),
        (|it| it["by"]["username"] = json!("ada"), "another user ended the key"),
        (|it| it["keys"][0]["id"] = json!("kwd_0000000000"), "the entry is about another key"),
        (|it| it["keys"][0]["ended_at"] = json!("2020-01-01T00:00:00Z"), "the key was ended at another time"),
        (|it| it["entries"] = json!([]), "there is no entry of the key's end"),
    ] {
        let error = forged(&app, &receipt, change).await;
        assert!(matches!(error, ReceiptError::Contradiction(said) if said == what), "{error}: {what}");
    }
    let error = forged(&app, &receipt, |it| it["entries"][0]["entry"]["ip"] = json!("203.0.113.9")).await;
    assert!(matches!(error, ReceiptError::NotProven { .. }), "{error}");
    assert!(receipt["confirmation"]["waited_ms"].is_number());
}

async fn it_names_the_verifiers_that_confirmed(app: TestApp) {
    let gateway = app.person("gateway", &["verifier"]).await;
    let token = gateway.token(&json!({ "scopes": ["api_key:verify"] })).await;
    let client = Client::builder(&app.url).token(text(&token, "key")).build().unwrap();
    let _verifier = Verifier::start(&client, "orders");
    while client.verifiers().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (_, id) = token_of(&app, &app.owner, &json!({})).await;
    expire(&app.owner.http, &id).await;
    settle(&app).await;
    let receipt = receipt(&app.owner.http, &format!("users/me/keys/{id}")).await;
    check(&app, &receipt).await;
    let verifiers = &receipt["confirmation"]["verifiers"];
    assert_eq!(each(verifiers, "name"), ["orders"]);
    assert!(verifiers[0]["confirmed_at"].is_string(), "{receipt}");
}

async fn an_incident_has_one_for_all_its_keys(app: TestApp) {
    let member = app.person("member", &[]).await;
    let mut ids = Vec::new();
    for name in ["leaked-a", "leaked-b", "leaked-c"] {
        ids.push(token_of(&app, &member, &json!({ "token_name": name })).await.1);
    }
    expire(&member.http, &ids[0]).await;
    let selector = json!({ "user": "member", "name": "leaked" });
    let dry = json!({ "selector": selector, "dry_run": true });
    let preview = app.owner.http.post("/api/v2/keys/expire", &dry).await.expect(200).json();
    let body = json!({ "selector": selector, "reason": "compromised", "expect": preview["digest"] });
    let done = app.owner.http.post("/api/v2/keys/expire", &body).await.expect(200).json();
    settle(&app).await;
    let incident = text(&done, "incident_id");
    let receipt = receipt(&app.owner.http, &format!("incidents/{incident}")).await;
    let entries = check(&app, &receipt).await;
    assert_eq!(each(&json!(entries), "event"), ["incident.began", "incident.ended"]);
    assert_eq!(entries[0]["additional_fields"]["digest"], preview["digest"], "the proven entry fixes the ids");
    assert_eq!(entries[1]["additional_fields"]["expired"], 2);
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    assert_eq!(each(&receipt["keys"], "id"), sorted);
    for key in receipt["keys"].as_array().unwrap() {
        let was_dead = text(key, "id") == ids[0];
        assert_eq!((key["ended_at"].is_null(), key["leaf_index"].is_null()), (was_dead, was_dead), "{key}");
    }
    for (change, what) in [
        ((|it| it["keys"][0]["id"] = json!("kwd_0000000000")) as fn(&mut Value), "the incident had other keys"),
        (|it| it["keys"].as_array_mut().unwrap().truncate(2), "the incident had other keys"),
        (|it| it["confirmation"]["verifiers"] = json!(null), "other verifiers confirmed the end"),
    ] {
        let error = forged(&app, &receipt, change).await.to_string();
        assert!(error.contains(what) || error.contains("not a receipt"), "{error}: {what}");
    }
    // Each key of it has its own, too.
    let of_key = self::receipt(&app.owner.http, &format!("users/member/keys/{}", ids[1])).await;
    let entries = check(&app, &of_key).await;
    assert_eq!(each(&json!(entries), "event"), ["incident.began", "incident.ended", "key.expired"]);
    assert_eq!((&of_key["incident_id"], &of_key["reason"]), (&json!(incident), &json!("compromised")));
    assert_eq!(of_key["confirmation"], receipt["confirmation"]);
}

async fn it_is_for_those_who_may_see_the_entry(app: TestApp) {
    let member = app.person("member", &[]).await;
    let auditor = app.person("auditor", &["auditor"]).await;
    let (_, by_owner) = token_of(&app, &member, &json!({})).await;
    let (_, by_member) = token_of(&app, &member, &json!({})).await;
    let path = |id: &str| format!("/api/v2/users/member/keys/{id}/receipt");
    app.owner.http.send("PUT", &format!("/api/v2/users/member/keys/{by_owner}/expire")).await.expect(204);
    expire(&member.http, &by_member).await;
    settle(&app).await;
    member.http.get(&path(&by_member)).await.expect(200);
    member.http.get(&path(&by_owner)).await.refused(403, "forbidden");
    auditor.http.get(&path(&by_owner)).await.expect(200);
    app.owner.http.get(&path(&by_owner)).await.expect(200);
    let (narrow, _) = token_of(&app, &auditor, &json!({ "scopes": ["api_key:read"] })).await;
    narrow.get(&path(&by_owner)).await.refused(403, "forbidden");
}

async fn what_was_not_ended_by_hand_has_none(app: TestApp) {
    let (_, live) = token_of(&app, &app.owner, &json!({})).await;
    let (_, lapsed) = token_of(&app, &app.owner, &json!({ "lifetime": SECOND })).await;
    app.advance(seconds(2));
    settle(&app).await;
    for id in [live, lapsed] {
        app.owner.http.get(&format!("/api/v2/users/me/keys/{id}/receipt")).await.refused(409, "no_receipt");
    }
    let unknown = "/api/v2/users/me/keys/kwd_0000000000/receipt";
    app.owner.http.get(unknown).await.refused(404, "not_found");
}
