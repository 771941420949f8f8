//! Lists: the client reads every page, to the end or to an error.

use futures_util::TryStreamExt as _;
use keyward_sdk::{Error, KeysFilter, Page, TokensFilter, UserRef, UsersFilter};

use crate::server::{Answer, Server, answer, ok, token};

/// A page with one token. `after` is the cursor in its link to the next page, if any.
fn page(id: &str, after: Option<&str>) -> Answer {
    let link = after.map(|after| format!("Link: <http://elsewhere.example/x?limit=1&after={after}>; rel=\"next\"\r\n"));
    answer(200, &link.unwrap_or_default(), &format!("[{}]", token(id)))
}

#[tokio::test]
async fn every_page_is_read_through_the_link_of_the_one_before() {
    let server = Server::start([page("kwd_1", Some("a%2Bb")), page("kwd_2", Some("c")), page("kwd_3", None)]);
    let filter = TokensFilter { include_expired: true, ..TokensFilter::default() };
    let tokens = server.client().tokens(&UserRef::Me, &filter).await.unwrap();
    let ids: Vec<_> = tokens.iter().map(|token| token.key.id.as_str()).collect();
    assert_eq!(ids, ["kwd_1", "kwd_2", "kwd_3"]);

    let path = "GET /api/v2/users/me/keys/tokens";
    let lines: Vec<_> = server.seen().into_iter().map(|request| request.line).collect();
    assert_eq!(
        lines,
        [
            format!("{path}?include_all=false&include_expired=true&limit=1000"),
            format!("{path}?after=a%2Bb&include_all=false&include_expired=true&limit=1000"),
            format!("{path}?after=c&include_all=false&include_expired=true&limit=1000"),
        ]
    );
}

#[tokio::test]
async fn a_stream_fetches_a_page_only_when_it_is_asked_for() {
    let server = Server::start([page("kwd_1", Some("a")), page("kwd_2", None)]);
    let mut tokens = server.client().tokens_stream(&UserRef::Me, &TokensFilter::default());
    assert!(server.seen().is_empty());
    assert_eq!(tokens.try_next().await.unwrap().unwrap().key.id, "kwd_1");
    assert_eq!(server.seen().len(), 1);
    assert_eq!(tokens.try_next().await.unwrap().unwrap().key.id, "kwd_2");
    assert_eq!(tokens.try_next().await.unwrap(), None);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn an_error_in_the_middle_is_never_a_short_list() {
    let cut = Answer::Send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 999\r\n\r\n[".to_owned());
    let server = Server::start([page("kwd_1", Some("a")), cut]);
    let client = server.builder().retries(0).build().unwrap();
    let mut tokens = client.tokens_stream(&UserRef::Me, &TokensFilter::default());
    assert!(tokens.try_next().await.unwrap().is_some());
    assert!(matches!(tokens.try_next().await.unwrap_err(), Error::Transport(_)));
    assert_eq!(tokens.try_next().await.unwrap(), None);
}

#[tokio::test]
async fn a_page_that_leads_to_itself_or_nowhere_is_an_error() {
    let nowhere = || answer(200, "Link: </x>; rel=\"next\"\r\n", "[]");
    for answers in [vec![page("kwd_1", Some("a")), page("kwd_1", Some("a"))], vec![nowhere()]] {
        let server = Server::start(answers);
        let error = server.client().tokens(&UserRef::Me, &TokensFilter::default()).await.unwrap_err();
        assert!(matches!(error, Error::Decode { status: 200, .. }), "{error}");
    }
}

#[tokio::test]
async fn one_page_is_as_long_as_was_asked_and_says_what_comes_next() {
    let server = Server::start([page("kwd_1", Some("b"))]);
    let wanted = Page { limit: Some(1), after: Some("a".to_owned()) };
    let got = server.client().tokens_page(&UserRef::Me, &TokensFilter::default(), &wanted).await.unwrap();
    assert_eq!((got.items.len(), got.next.as_deref()), (1, Some("b")));
    assert!(server.only_request().line.ends_with("?after=a&include_all=false&include_expired=false&limit=1"));
}

#[tokio::test]
async fn keys_and_users_are_read_page_by_page_too() {
    let users = |link: &str| answer(200, link, r#"{"users":[],"count":0,"count_cap":2000}"#);
    let server = Server::start([
        page("kws_1", Some("a")),
        page("kws_2", None),
        users("Link: </x?after=z>; rel=\"next\"\r\n"),
        users(""),
    ]);
    let client = server.client();
    assert_eq!(
        client
            .api_keys(&UserRef::Me, &KeysFilter { include_expired: true, ..KeysFilter::default() })
            .await
            .unwrap()
            .len(),
        2
    );
    assert!(client.users(&UsersFilter { q: Some("a b".to_owned()) }).await.unwrap().is_empty());
    let lines: Vec<_> = server.seen().into_iter().map(|request| request.line).collect();
    assert_eq!(lines[1], "GET /api/v2/users/me/keys?after=a&include_expired=true&limit=1000");
    assert_eq!(lines[3], "GET /api/v2/users?after=z&limit=1000&q=a%20b");
}

#[tokio::test]
async fn an_empty_list_is_empty() {
    let server = Server::start([ok("[]")]);
    assert!(server.client().tokens(&UserRef::Me, &TokensFilter::default()).await.unwrap().is_empty());
}
