//! Which requests the client retries.

use std::time::{Duration, Instant};

use keyward_sdk::{CreateToken, Error, UserRef};

use crate::server::{Answer, Server, answer, no_content, ok, token, unavailable};

#[tokio::test]
async fn what_may_be_sent_twice_is_sent_again_when_the_server_says_later() {
    let busy = || answer(429, "Retry-After: 0\r\n", r#"{"message":"Too many.","code":"too_many_requests"}"#);
    let server = Server::start([unavailable(), busy(), ok(&token("kwd_1"))]);
    server.client().api_key_by_id(&UserRef::Me, "kwd_1").await.unwrap();
    assert_eq!(server.seen().len(), 3);

    let server = Server::start([unavailable(), Answer::HangUp, no_content()]);
    server.client().expire_api_key(&UserRef::Me, "kwd_1").await.unwrap();
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn the_server_says_how_long_to_wait() {
    let later = answer(503, "Retry-After: 1\r\n", "");
    let server = Server::start([later, no_content()]);
    let start = Instant::now();
    server.client().expire_api_key(&UserRef::Me, "kwd_1").await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn in_the_end_the_refusal_is_told() {
    let server = Server::start([unavailable(), unavailable(), unavailable(), no_content()]);
    let error = server.client().expire_api_key(&UserRef::Me, "kwd_1").await.unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(503), Some("unavailable")));
    assert_eq!(server.seen().len(), 3);

    let server = Server::start([unavailable(), no_content()]);
    let never = server.builder().retries(0).build().unwrap();
    assert!(never.expire_api_key(&UserRef::Me, "kwd_1").await.is_err());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_create_is_never_sent_again() {
    for first in [unavailable(), Answer::HangUp] {
        let server = Server::start([first, unavailable()]);
        let client = server.builder().retries(5).build().unwrap();
        assert!(client.create_token(&UserRef::Me, &CreateToken::new()).await.is_err());
        assert_eq!(server.seen().len(), 1);
    }
    let server = Server::start([unavailable()]);
    assert!(server.client().login("ada", &"correct horse".into()).await.is_err());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn other_refusals_are_not_asked_again() {
    for status in [400, 401, 403, 404, 500, 502] {
        let server = Server::start([answer(status, "", ""), no_content()]);
        let error = server.client().expire_api_key(&UserRef::Me, "kwd_1").await.unwrap_err();
        assert_eq!(error.status(), Some(status));
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_not_called_not_found() {
    let gone = answer(404, "", r#"{"message":"Not found.","code":"not_found"}"#);
    let server = Server::start([Answer::HangUp, gone]);
    let error = server.client().delete_api_key(&UserRef::Me, "kwd_1").await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error}");
    assert_eq!(server.seen().len(), 2);
}
