//! What a call sends.

use std::process::Command;
use std::time::Duration;

use keyward_sdk::{Client, CreateFirstUser, CreateToken, CreateUser, Error, InvalidInput, SecretString, UserRef};

use crate::server::{Server, TOKEN, answer, no_content, ok, token};

#[tokio::test]
async fn names_are_percent_encoded() {
    let server = Server::start([ok(&token("kwd_1"))]);
    let user = UserRef::Name("a/b".to_owned());
    server.client().api_key_by_name(&user, "ä ../?#%2e").await.unwrap();
    assert_eq!(server.only_request().line, "GET /api/v2/users/a%2Fb/keys/tokens/%C3%A4%20..%2F%3F%23%252e");
}

#[tokio::test]
async fn what_a_url_would_swallow_is_refused_before_a_request_is_made() {
    let server = Server::start([]);
    let client = server.client();
    for value in ["", ".", ".."] {
        let refused = InvalidInput::PathValue(value.to_owned());
        for error in [
            client.api_key_by_name(&UserRef::Me, value).await.unwrap_err(),
            client.api_key_by_id(&UserRef::Me, value).await.unwrap_err(),
            client.delete_api_key(&UserRef::Me, value).await.unwrap_err(),
            client.user(&UserRef::Name(value.to_owned())).await.unwrap_err(),
        ] {
            assert!(matches!(&error, Error::InvalidInput(input) if *input == refused), "{error}");
        }
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn the_credential_goes_into_authorization_and_only_where_it_is_needed() {
    let info = || ok(r#"{"version":"v0.1.0"}"#);
    let server = Server::start([no_content(), no_content(), info()]);
    let client = server.client();
    client.expire_api_key(&UserRef::Me, "kwd_1").await.unwrap();
    client.with_token("another").expire_api_key(&UserRef::Me, "kwd_1").await.unwrap();
    client.build_info().await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].header("authorization").unwrap(), format!("Bearer {TOKEN}"));
    assert_eq!(seen[1].header("authorization").unwrap(), "Bearer another");
    assert_eq!(seen[2].header("authorization"), None);
    assert!(seen[0].header("user-agent").unwrap().starts_with("keyward-sdk/"));
}

#[tokio::test]
async fn a_credential_that_cannot_be_sent_is_an_error_that_does_not_hold_it() {
    let server = Server::start([]);
    let error = server.client().with_token("hush\nhush").user(&UserRef::Me).await.unwrap_err();
    assert!(matches!(error, Error::InvalidInput(InvalidInput::Header("token"))));
    assert!(!format!("{error} {error:?}").contains("hush"));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_create_is_sent_as_json_and_its_secret_is_read_once() {
    let body = format!(r#"{{"key":"{TOKEN}",{}"#, &token("kwd_a1B2c3D4e5")[1..]);
    let server = Server::start([answer(201, "", &body)]);
    let wanted = CreateToken::new().name("ci").lifetime(Duration::from_secs(3600)).scope("workspace:read");
    let created = server.client().create_token(&UserRef::Me, &wanted).await.unwrap();
    assert_eq!((created.key.expose(), created.id()), (TOKEN, "kwd_a1B2c3D4e5"));
    assert!(!format!("{created:?}").contains(TOKEN));

    let request = server.only_request();
    assert_eq!(request.line, "POST /api/v2/users/me/keys/tokens");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.body, r#"{"lifetime":3600000000000,"token_name":"ci","scopes":["workspace:read"]}"#);
}

#[tokio::test]
async fn a_path_in_the_url_comes_before_that_of_the_endpoint() {
    let server = Server::start([no_content()]);
    let client = Client::builder(format!("{}/behind/proxy/", server.url)).token(TOKEN).build().unwrap();
    client.delete_api_key(&UserRef::Me, "kwd_1").await.unwrap();
    assert_eq!(server.only_request().line, "DELETE /behind/proxy/api/v2/users/me/keys/kwd_1");
}

#[tokio::test]
async fn plain_http_needs_no_certificates_and_takes_no_detour() {
    // The environment applies to a whole process, so the test runs itself in a child process.
    if std::env::var_os("KEYWARD_TEST_BARE").is_none() {
        let own = "requests::plain_http_needs_no_certificates_and_takes_no_detour";
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", own])
            .env("KEYWARD_TEST_BARE", "1")
            .env("SSL_CERT_FILE", "/nonexistent/cert.pem")
            .env("SSL_CERT_DIR", "/nonexistent")
            .env("HTTP_PROXY", "http://127.0.0.1:1")
            .env("http_proxy", "http://127.0.0.1:1")
            .env("ALL_PROXY", "http://127.0.0.1:1")
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    assert!(Client::builder("https://127.0.0.1").build().is_ok());
    let server = Server::start([no_content()]);
    server.client().expire_api_key(&UserRef::Me, "kwd_1").await.unwrap();
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn people_come_in_with_passwords_and_a_setup_code() {
    let id = "0198c0de-0000-7000-8000-000000000001";
    let server = Server::start([
        answer(201, "", &format!(r#"{{"user_id":"{id}"}}"#)),
        answer(201, "", &format!(r#"{{"session_token":"{TOKEN}"}}"#)),
        no_content(),
    ]);
    let client = server.builder().build().unwrap();
    let first = CreateFirstUser::new("ada@example.com", "ada", "correct horse").setup_code("1234-5678");
    assert_eq!(client.create_first_user(&first).await.unwrap().to_string(), id);
    let password = SecretString::from("correct horse");
    assert_eq!(client.login("ada", &password).await.unwrap().expose(), TOKEN);
    client.update_password(&UserRef::Me, Some(&password), &"battery staple".into()).await.unwrap();

    let seen = server.seen();
    assert_eq!(seen[0].header("keyward-setup-code"), Some("1234-5678"));
    assert_eq!(seen[0].body, r#"{"email":"ada@example.com","username":"ada","password":"correct horse"}"#);
    assert_eq!(seen[1].body, r#"{"email":"ada","password":"correct horse"}"#);
    assert_eq!(seen[2].body, r#"{"old_password":"correct horse","password":"battery staple"}"#);
    assert!(!format!("{first:?}").contains("horse"));
}

#[tokio::test]
async fn a_service_account_is_a_user_without_a_password() {
    let server = Server::start([]);
    let wanted = CreateUser::new("bot@example.com", "bot").service_account().role("auditor");
    assert!(server.client().create_user(&wanted).await.is_err());
    assert_eq!(
        server.only_request().body,
        r#"{"email":"bot@example.com","username":"bot","login_type":"none","roles":["auditor"]}"#
    );
}

#[test]
fn every_future_can_be_sent_to_another_thread() {
    fn sendable<T: Send>(_: T) {}
    let client = Client::builder("http://127.0.0.1:1").build().unwrap();
    sendable(client.create_token(&UserRef::Me, &CreateToken::new()));
    sendable(client.tokens(&UserRef::Me, &Default::default()));
    sendable(client.tokens_stream(&UserRef::Me, &Default::default()));
    sendable(client.api_keys(&UserRef::Me, &Default::default()));
    sendable(client.users(&Default::default()));
    sendable(client.audit_logs(&Default::default()));
    sendable(client.expire_api_key(&UserRef::Me, "kwd_1"));
    sendable(client.expire_keys(&Default::default()));
    sendable(client.identify(&"kwd_1".into()));
    sendable(client.login("ada", &"correct horse".into()));
}
