//! Incidents: what the calls send, and which are sent again.

use std::time::Duration;

use keyward_sdk::types::{ExpireKeyRequest, ExpireKeysRequest, Uuid};
use keyward_sdk::{Error, KeySelector, KeySort, KeysFilter, SecretString, SortOrder, TokensFilter, UserRef};

use crate::server::{Answer, Server, TOKEN, answer, no_content, ok, token, unavailable};

const ID: &str = "0198c0de-0000-7000-8000-000000000001";
const DONE: &str = r#"{"incident_id":"0198c0de-0000-7000-8000-000000000001","expired":42,"already_expired":3,
    "barrier":{"confirmed":2,"lapsed":0,"waited_ms":5}}"#;
const PREVIEW: &str = r#"{"matched":45,"already_expired":3,"children":0,"owners":[],"used_last_hour":1,
    "used_last_day":2,"sample":[],"digest":"abc"}"#;

fn selector() -> KeySelector {
    let mut selector = KeySelector::default();
    selector.user = Some("ada".to_owned());
    selector
}

fn incident() -> String {
    format!(
        r#"{{"id":"{ID}","state":"running","matched":45,"expired":10,"already_expired":3,
        "started_at":"2026-01-31T12:00:00Z","by":{{"user_id":"{ID}","username":"ada","key_id":"kws_1"}},
        "reason":"policy","selector":{{"user":"bob"}},"cascade":false,"digest":"abc"}}"#
    )
}

#[tokio::test]
async fn conditions_and_orders_are_query_parameters() {
    let server = Server::start([ok("[]"), ok("[]")]);
    let client = server.client();
    let filter = TokensFilter {
        selector: selector(),
        sort: KeySort::LastUsed,
        order: SortOrder::Asc,
        ..TokensFilter::default()
    };
    client.tokens(&UserRef::Me, &filter).await.unwrap();
    let filter = KeysFilter { selector: selector(), sort: KeySort::CreatedAt, ..KeysFilter::default() };
    client.api_keys(&UserRef::Me, &filter).await.unwrap();
    let lines: Vec<_> = server.seen().into_iter().map(|request| request.line).collect();
    let parameters = "include_expired=false&limit=1000&order=asc&sort=last_used&user=ada";
    assert_eq!(lines[0], format!("GET /api/v2/users/me/keys/tokens?include_all=false&{parameters}"));
    assert_eq!(lines[1], "GET /api/v2/users/me/keys?include_expired=false&limit=1000&sort=created_at&user=ada");
}

#[tokio::test]
async fn a_reason_is_sent_with_an_expire() {
    let barrier = "Keyward-Barrier: confirmed=3 lapsed=1 ms=4\r\n";
    let sent = Answer::Send(format!("HTTP/1.1 204 No Content\r\nConnection: close\r\n{barrier}\r\n"));
    let server = Server::start([sent]);
    let why = ExpireKeyRequest::new(Some("compromised".to_owned()), Some("in a log".to_owned()), true);
    let outcome = server.client().expire_api_key_because(&UserRef::Me, "kwd_1", &why).await.unwrap();
    assert_eq!((outcome.confirmed, outcome.lapsed, outcome.waited), (3, 1, Duration::from_millis(4)));
    let request = server.only_request();
    assert_eq!(request.line, "PUT /api/v2/users/me/keys/kwd_1/expire");
    assert_eq!(request.body, r#"{"reason":"compromised","note":"in a log","cascade":true}"#);
}

#[tokio::test]
async fn a_text_is_identified_and_stays_out_of_errors() {
    let body = format!(r#"{{"found":true,"how":"exact","key":{}}}"#, token("kwd_a1B2c3D4e5"));
    let server = Server::start([ok(&body), ok(r#"{"found":false,"how":"malformed"}"#), Answer::HangUp]);
    let (client, key) = (server.client(), SecretString::from("kwd_a1B2c3D4e5-hush"));
    let known = client.identify(&key).await.unwrap();
    assert_eq!((known.found, known.how.as_str()), (true, "exact"));
    assert_eq!(known.key.unwrap().id, "kwd_a1B2c3D4e5");
    assert!(!client.identify(&key).await.unwrap().found);
    let error = client.identify(&key).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hush"));
    let seen = server.seen();
    assert_eq!((seen[0].line.as_str(), seen.len()), ("POST /api/v2/keys/identify", 3));
    assert_eq!(seen[0].body, r#"{"key":"kwd_a1B2c3D4e5-hush"}"#);
}

#[tokio::test]
async fn a_preview_is_always_a_dry_run() {
    let server = Server::start([unavailable(), ok(PREVIEW), ok(DONE)]);
    let request = ExpireKeysRequest::dry_run(selector(), false);
    let confirmed = request.confirmed("abc".to_owned(), Uuid::nil(), "policy".to_owned(), None);
    let preview = server.client().preview_expire(&confirmed).await.unwrap();
    assert_eq!((preview.matched, preview.digest.as_str()), (45, "abc"));
    assert!(server.seen().iter().all(|request| request.body.contains(r#""dry_run":true"#)), "sent again as it was");
    let error = server.client().preview_expire(&confirmed).await.unwrap_err();
    assert!(matches!(error, Error::Decode { status: 200, .. }), "{error}");
}

#[tokio::test]
async fn many_keys_are_ended_under_one_incident_however_often_it_is_sent() {
    let request = ExpireKeysRequest::dry_run(selector(), true);
    let request = request.confirmed("abc".to_owned(), ID.parse().unwrap(), "policy".to_owned(), None);
    let server = Server::start([unavailable(), Answer::HangUp, ok(DONE)]);
    // The deadline of other calls does not cut this one short.
    let client = server.builder().token(TOKEN).deadline(Duration::ZERO).build().unwrap();
    let done = client.expire_keys(&request).await.unwrap();
    assert_eq!((done.incident_id.to_string().as_str(), done.expired, done.already_expired), (ID, 42, 3));
    assert_eq!((done.barrier.confirmed, done.barrier.waited_ms), (2, 5));
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].line.as_str()), (3, "POST /api/v2/keys/expire"));
    assert_eq!(
        seen[2].body,
        format!(
            r#"{{"selector":{{"user":"ada"}},"reason":"policy","cascade":true,"include_self":false,"incident_id":"{ID}","dry_run":false,"expect":"abc"}}"#
        )
    );

    let mut without_id = request;
    without_id.incident_id = None;
    let server = Server::start([unavailable(), ok(DONE)]);
    assert!(server.client().expire_keys(&without_id).await.is_err());
    assert_eq!(server.seen().len(), 1, "it would begin another incident");
}

#[tokio::test]
async fn another_selection_is_a_conflict() {
    let refusal = r#"{"message":"Other keys.","code":"selection_changed","matched":46,"already_expired":3}"#;
    let server = Server::start([answer(409, "", refusal)]);
    let request = ExpireKeysRequest::dry_run(selector(), false);
    let request = request.confirmed("abc".to_owned(), Uuid::nil(), "policy".to_owned(), None);
    let error = server.client().expire_keys(&request).await.unwrap_err();
    assert!(error.is_conflict());
    assert_eq!(error.code(), Some("selection_changed"));
}

#[tokio::test]
async fn incidents_are_listed_and_viewed() {
    let incidents = format!(r#"{{"incidents":[{}]}}"#, incident());
    let server = Server::start([ok(&incidents), ok(&incident()), no_content()]);
    let client = server.client();
    let list = client.incidents().await.unwrap();
    assert_eq!((list.len(), list[0].state.as_str()), (1, "running"));
    assert_eq!(client.incident(ID.parse().unwrap()).await.unwrap(), list[0]);
    let lines: Vec<_> = server.seen().into_iter().map(|request| request.line).collect();
    assert_eq!(lines, ["GET /api/v2/incidents".to_owned(), format!("GET /api/v2/incidents/{ID}")]);
}
