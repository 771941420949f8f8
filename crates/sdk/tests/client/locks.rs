//! Locks and the activity of a key: what the calls send, and how the answers are read.

use keyward_sdk::UserRef;
use keyward_sdk::types::{AddLockRequest, LockSelector};

use crate::server::{Server, answer, no_content, ok, unavailable};

const ID: &str = "0198c0de-0000-7000-8000-000000000001";

fn lock() -> String {
    format!(
        r#"{{"id":"{ID}","selector":{{"user":"{ID}"}},"mode":"limit","scopes":["workspace:read"],
        "message":"Ask ada.","created_at":"2026-01-31T12:00:00Z","by":{{"user_id":"{ID}","username":"ada"}}}}"#
    )
}

fn request() -> AddLockRequest {
    AddLockRequest {
        selector: LockSelector { user: Some("bob".to_owned()), ..LockSelector::default() },
        mode: "limit".to_owned(),
        scopes: Some(vec!["workspace:read".to_owned()]),
        message: "Ask ada.".to_owned(),
        ends_at: Some("2026-01-31T14:00:00Z".parse().unwrap()),
        reason: Some("compromised".to_owned()),
    }
}

#[tokio::test]
async fn a_lock_is_added_once() {
    let server = Server::start([answer(201, "", &lock()), unavailable(), answer(201, "", &lock())]);
    let client = server.client();
    let added = client.add_lock(&request()).await.unwrap();
    assert_eq!((added.id.to_string().as_str(), added.mode.as_str(), added.ends_at), (ID, "limit", None));
    let sent = server.only_request();
    assert_eq!(sent.line, "POST /api/v2/locks");
    assert_eq!(
        sent.body,
        r#"{"selector":{"user":"bob"},"mode":"limit","scopes":["workspace:read"],"message":"Ask ada.","ends_at":"2026-01-31T14:00:00Z","reason":"compromised"}"#
    );
    assert!(client.add_lock(&request()).await.is_err());
    assert_eq!(server.seen().len(), 2, "another attempt would add another lock");
}

#[tokio::test]
async fn locks_are_listed_and_removed() {
    let locks = format!(r#"{{"locks":[{}]}}"#, lock());
    let missing = answer(404, "", r#"{"message":"Resource not found.","code":"not_found"}"#);
    let server = Server::start([ok(&locks), no_content(), missing]);
    let client = server.client();
    let list = client.locks().await.unwrap();
    assert_eq!((list.len(), list[0].by.username.as_str(), &list[0].reason), (1, "ada", &None));
    client.remove_lock(list[0].id).await.unwrap();
    assert!(client.remove_lock(list[0].id).await.unwrap_err().is_not_found());
    let lines: Vec<_> = server.seen().into_iter().map(|request| request.line).collect();
    let path = format!("/api/v2/locks/{ID}");
    assert_eq!(lines, ["GET /api/v2/locks".to_owned(), format!("DELETE {path}"), format!("DELETE {path}")]);
}

#[tokio::test]
async fn the_activity_of_a_key_is_read() {
    let (first, last) = ("2026-01-31T12:00:00Z", "2026-01-31T13:00:00Z");
    let body = format!(
        r#"{{"used":[{{"via":"embedded","by":"svc-shop","count":12,"first_at":"{first}","last_at":"{last}"}}],
        "refused":[{{"code":"key_expired","ip":"192.0.2.7","count":3,"first_at":"{first}","last_at":"{last}"}}]}}"#
    );
    let server = Server::start([ok(&body)]);
    let user = UserRef::Name("ada".to_owned());
    let activity = server.client().activity(&user, "kwd_1").await.unwrap();
    let (used, refused) = (&activity.used[0], &activity.refused[0]);
    assert_eq!(
        (used.via.as_str(), used.by.as_deref(), &used.ip, used.count),
        ("embedded", Some("svc-shop"), &None, 12)
    );
    assert_eq!((refused.code.as_str(), refused.ip.as_deref(), refused.count), ("key_expired", Some("192.0.2.7"), 3));
    assert_eq!(refused.last_at.to_string(), last);
    assert_eq!(server.only_request().line, "GET /api/v2/users/ada/keys/kwd_1/activity");
}
