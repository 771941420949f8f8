//! `keyward tokens receipt`, `incidents receipt` and `receipts verify`

use std::fs;

use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::shell::Shell;

on_both! {
    a_receipt_of_a_token_is_verified_without_a_server,
    a_receipt_of_an_incident_is_verified_without_a_server,
}

/// Writes what the jobs of a running server write.
async fn settle(app: &TestApp) {
    app.service.flush_confirmations().await.unwrap();
    app.seal().await;
}

async fn a_receipt_of_a_token_is_verified_without_a_server(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    let id = app.owner.token(&json!({ "token_name": "ci" })).await["id"].as_str().unwrap().to_owned();
    shell.keyward("tokens receipt ci").await.failed(5, "the key was not ended by hand");
    shell.keyward("tokens rm ci --reason compromised --note leaked").await.printed("Token has been expired.\n");
    settle(&app).await;
    let run = shell.keyward("tokens receipt ci").await;
    let receipt: Value = serde_json::from_str(&run.stdout).unwrap();
    let path = shell.dir.path().join("receipt.json");
    fs::write(&path, &run.stdout).unwrap();

    // Another shell, which knows no server.
    let auditor = Shell::new();
    let key = app.verifier_key().await;
    let verify = format!("receipts verify {} --key {key}", path.display());
    let said = auditor.run(&verify).stdout;
    let first = said.lines().next().unwrap();
    assert!(first.starts_with(&format!("Key {id} was expired by owner at ")), "{said}");
    assert!(first.ends_with("Reason: compromised (leaked)."), "{said}");
    assert!(said.contains("on, no server and no verifier accepted them."), "{said}");
    assert!(said.contains("1 audit entry proves it, under the checkpoint of size "), "{said}");
    let json = auditor.run(&format!("{verify} -o json")).stdout;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), receipt);

    fs::write(&path, run.stdout.replace("compromised", "policy")).unwrap();
    auditor.run(&verify).failed(1, "its signature is wrong");
    fs::write(&path, &run.stdout).unwrap();
    let other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    auditor.run(&format!("receipts verify {} --key {other}", path.display())).failed(1, "none of the given keys");
    auditor.run(&format!("receipts verify {}", path.display())).failed(2, "pass --key or --key-file");
    let keys = shell.dir.path().join("keys");
    fs::write(&keys, format!("{other}\n\n{key}\n")).unwrap();
    auditor.run(&format!("receipts verify {} --key-file {}", path.display(), keys.display())).printed(&said);
    fs::write(&keys, "nonsense\n").unwrap();
    auditor
        .run(&format!("receipts verify {} --key-file {}", path.display(), keys.display()))
        .failed(1, "\"nonsense\" is not a verifier key");
    auditor.run(&format!("receipts verify nothing-here --key {key}")).failed(1, "cannot read nothing-here");
    let run = auditor.run_reading(&format!("receipts verify - --key {key}"), "{}");
    assert_eq!(run.exit, Some(1), "{run:?}");
    assert!(run.stderr.contains("it is not a receipt"), "{run:?}");
}

async fn a_receipt_of_an_incident_is_verified_without_a_server(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    for name in ["ci-one", "ci-two"] {
        app.owner.token(&json!({ "token_name": name })).await;
    }
    shell.keyward("tokens expire --name ci- --reason compromised --yes").await;
    settle(&app).await;
    let incidents = app.owner.http.get("/api/v2/incidents").await.expect(200).json();
    let id = incidents["incidents"][0]["id"].as_str().unwrap();
    let receipt = shell.keyward(&format!("incidents receipt {id}")).await.stdout;
    let key = app.verifier_key().await;
    let run = Shell::new().run_reading(&format!("receipts verify - --key {key}"), &receipt);
    let expected = format!("Incident {id}, by owner: 2 keys were expired. Reason: compromised.");
    assert_eq!((run.exit, run.stdout.lines().next()), (Some(0), Some(expected.as_str())), "{run:?}");
    assert!(run.stdout.contains("2 audit entries prove it"), "{run:?}");
    shell.keyward("incidents receipt 019ac3f0-7a1e-7000-8000-000000000001").await.failed(3, "Resource not found");
}
