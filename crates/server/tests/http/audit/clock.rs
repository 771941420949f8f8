//! Steps of the server's clock in the audit log, and what an operator accepts.

use keyward_domain::Lifetime;
use keyward_service::{Accepted, Error};
use keyward_test_support::{TestApp, on_both};
use serde_json::Value;

use crate::support::service_account;

on_both! {
    a_step_backwards_is_audited_and_entries_from_later_no_longer_count,
    a_step_forwards_is_audited,
    an_operator_accepts_a_clock_only_if_needed,
}

async fn a_step_backwards_is_audited_and_entries_from_later_no_longer_count(app: TestApp) {
    let before = app.service.now();
    app.advance(Lifetime::days(400));
    let ahead = app.service.now();
    app.service.record_adopted_step(before, ahead).await.unwrap();
    app.clock.set(before);
    assert!(matches!(app.service.check_clock().await, Err(Error::ClockBehind { .. })), "the entry is from later");
    app.service.record_adopted_step(ahead, before).await.unwrap();
    app.service.check_clock().await.unwrap();
    service_account(&app, "after", &[]).await;
    app.service.check_clock().await.unwrap();
    app.clock.set(before.saturating_sub(Lifetime::minutes(2)));
    assert!(matches!(app.service.check_clock().await, Err(Error::ClockBehind { .. })), "newer entries count");
    app.clock.set(before);

    let entries = app.audit("resource_type:clock").await;
    assert_eq!(entries.len(), 2);
    // The newest by time is the step forwards.
    let entry = &entries[1];
    assert_eq!((entry["action"].as_str(), &entry["user"]), (Some("write"), &Value::Null));
    assert_eq!(entry["diff"]["time"]["old"], ahead.to_string());
    assert_eq!(entry["diff"]["time"]["new"], before.to_string());
    assert!(entry["description"].as_str().unwrap().contains("adopted a step"), "{entry}");
}

async fn a_step_forwards_is_audited(app: TestApp) {
    let before = app.service.now();
    app.advance(Lifetime::hours(1));
    app.service.record_adopted_step(before, app.service.now()).await.unwrap();
    assert_eq!(app.audit("resource_type:clock").await.len(), 1);
    app.clock.set(before);
    assert!(matches!(app.service.check_clock().await, Err(Error::ClockBehind { .. })), "no epoch begins");
}

async fn an_operator_accepts_a_clock_only_if_needed(app: TestApp) {
    assert_eq!(app.service.accept_clock().await.unwrap(), Accepted::NotNeeded);
    let now = app.service.now();
    app.advance(Lifetime::hours(20));
    service_account(&app, "later", &[]).await;
    let newest = app.service.now();
    app.clock.set(now);
    assert_eq!(app.service.accept_clock().await.unwrap(), Accepted::Accepted { now, newest });
    app.service.check_clock().await.unwrap();
    assert_eq!(app.service.accept_clock().await.unwrap(), Accepted::NotNeeded);
}
