//! How the client reads responses.

use std::net::TcpListener;
use std::time::Duration;

use keyward_sdk::{Client, CreateToken, Error, UserRef};

use crate::server::{Server, TOKEN, answer, ok};

#[tokio::test]
async fn a_refusal_has_all_that_the_server_said() {
    let body = r#"{"message":"A token with name \"ci\" already exists.","detail":"More.","code":"conflict",
        "hint":"Take another.","validations":[{"field":"name","detail":"taken"}],"request_id":"r-1","new":1}"#;
    let server = Server::start([answer(409, "", body)]);
    let error = server.client().create_token(&UserRef::Me, &CreateToken::new().name("ci")).await.unwrap_err();
    assert!(error.is_conflict() && !error.is_not_found() && !error.is_unauthorized());
    assert_eq!(error.code(), Some("conflict"));
    assert_eq!(error.request_id(), Some("r-1"));
    assert_eq!(
        error.to_string(),
        "A token with name \"ci\" already exists. More. name: taken (Take another.) [status 409, code conflict, request r-1]"
    );
    let Error::Api(refused) = error else { panic!("{error:?}") };
    assert_eq!((refused.status, refused.message.as_str()), (409, "A token with name \"ci\" already exists."));
    assert_eq!((refused.detail.as_deref(), refused.hint.as_deref()), (Some("More."), Some("Take another.")));
    assert_eq!((refused.validations[0].field.as_str(), refused.retry_after), ("name", None));
}

#[tokio::test]
async fn a_refusal_of_another_program_is_told_by_its_status_and_beginning() {
    let long = "x".repeat(1000);
    let html = "An HTML page came back with the status 502 Bad Gateway, not an answer of Keyward.";
    for (body, message) in
        [("<h1>Bad gateway</h1>", html), ("no upstream", "no upstream"), ("", "Bad Gateway"), (&long, &long[..200])]
    {
        let server = Server::start([answer(502, "Keyward-Request-Id: r-2\r\nRetry-After: 7\r\n", body)]);
        let Error::Api(refused) = server.client().user(&UserRef::Me).await.unwrap_err() else { panic!() };
        assert_eq!((refused.status, refused.code.as_str(), refused.message.as_str()), (502, "", message));
        assert_eq!((refused.request_id.as_str(), refused.retry_after), ("r-2", Some(Duration::from_secs(7))));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start([]);
    let location = format!("Location: {}/there\r\n", elsewhere.url);
    let server = Server::start([answer(307, &location, ""), answer(302, &location, "")]);
    for status in [307, 302] {
        let error = server.client().user(&UserRef::Me).await.unwrap_err();
        assert_eq!(error.status(), Some(status));
        assert!(error.to_string().contains(&elsewhere.url), "{error}");
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_success_that_cannot_be_read_keeps_its_beginning() {
    let body = format!("<html>{TOKEN}{}", "y".repeat(5000));
    let server = Server::start([answer(200, "Keyward-Request-Id: r-3\r\n", &body)]);
    let error = server.client().user(&UserRef::Me).await.unwrap_err();
    assert_eq!((error.status(), error.request_id(), error.code()), (Some(200), Some("r-3"), None));
    let Error::Decode { body, .. } = error else { panic!("{error:?}") };
    assert!(body.starts_with("<html>[redacted]yyy"), "{body}");
    assert_eq!(body.len(), 4096);
}

#[tokio::test]
async fn a_secret_in_an_unreadable_success_is_left_out() {
    let server =
        Server::start([answer(201, "", &format!(r#"{{"key":"{TOKEN}","id":7}}"#)), answer(201, "", "\"hush\"")]);
    let client = server.builder().build().unwrap();
    for error in [
        client.create_token(&UserRef::Me, &CreateToken::new()).await.unwrap_err(),
        client.login("ada", &"correct horse".into()).await.unwrap_err(),
    ] {
        assert!(matches!(&error, Error::Decode { status: 201, body, .. } if body.is_empty()));
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(TOKEN) && !shown.contains("hush"), "{shown}");
    }
}

#[tokio::test]
async fn a_page_of_another_program_does_not_pass_for_an_empty_success() {
    let server = Server::start([ok("<html>Sign in to the network</html>")]);
    let error = server.client().expire_api_key(&UserRef::Me, "kwd_1").await.unwrap_err();
    assert!(matches!(error, Error::Decode { status: 200, .. }), "{error}");
}

#[tokio::test]
async fn whether_there_is_a_first_user_is_yes_no_or_an_error() {
    let server = Server::start([
        ok(r#"{"message":"The initial user has already been created!"}"#),
        answer(404, "", r#"{"message":"Not yet.","code":"no_first_user"}"#),
        answer(404, "", "<html>nothing here</html>"),
    ]);
    let client = server.builder().build().unwrap();
    assert!(client.has_first_user().await.unwrap());
    assert!(!client.has_first_user().await.unwrap());
    assert!(client.has_first_user().await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_server_out_of_reach_is_named_with_the_cause() {
    // The listener is closed again, so nothing listens on its port.
    let url = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let client = Client::builder(&url).token(TOKEN).retries(0).build().unwrap();
    let error = client.user(&UserRef::Me).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot reach {url}: Connection refused")), "{error}");
    assert!(!format!("{error:?}").contains(TOKEN));
    let Error::Transport(fault) = error else { panic!("{error:?}") };
    assert!(fault.is_connect() && !fault.is_timeout());
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_timeout() {
    // The kernel accepts the connection into the backlog; nothing answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = Client::builder(url).timeout(Duration::from_millis(50)).retries(1).build().unwrap();
    let Error::Transport(fault) = client.build_info().await.unwrap_err() else { panic!() };
    assert!(fault.is_timeout(), "{fault}");
}
