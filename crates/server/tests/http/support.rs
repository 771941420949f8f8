//! Helpers shared by these tests.

use keyward_domain::{Lifetime, Timestamp};
use keyward_service::Settings;
use keyward_test_support::{Answer, Http, Person, TestApp, TestDatabase};
use serde_json::{Value, json};

/// One second in nanoseconds, the unit of `lifetime`.
pub const SECOND: i64 = 1_000_000_000;

pub const DAY: i64 = 86_400 * SECOND;

pub const MY_TOKENS: &str = "/api/v2/users/me/keys/tokens";

pub fn seconds(count: i64) -> Lifetime {
    Lifetime::from_secs(count).unwrap()
}

/// A text field.
pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no text \"{field}\" in {value}"))
}

/// A time field, in microseconds.
pub fn micros(value: &Value, field: &str) -> i64 {
    text(value, field).parse::<Timestamp>().unwrap().as_micros()
}

/// One field of each item of a list.
pub fn each(list: &Value, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|thing| text(thing, field).to_owned()).collect()
}

/// The ID in a key's full text.
pub fn id_of(key: &str) -> &str {
    key.split('-').next().unwrap()
}

/// The fields that an error reports as invalid.
pub fn wrong_fields(answer: &Answer) -> Vec<String> {
    each(&answer.json()["validations"], "field")
}

/// Tries to create a token.
pub async fn create(http: &Http, body: &Value) -> Answer {
    http.post(MY_TOKENS, body).await
}

/// Creates a token of the person. Returns a client with it and its ID.
pub async fn token_of(app: &TestApp, person: &Person, body: &Value) -> (Http, String) {
    let token = person.token(body).await;
    (app.with(text(&token, "key")), text(&token, "id").to_owned())
}

pub async fn expire(http: &Http, id: &str) {
    http.send("PUT", &format!("/api/v2/users/me/keys/{id}/expire")).await.expect(204);
}

/// Creates a user without logging in, and returns the ID.
pub async fn service_account(app: &TestApp, name: &str, roles: &[&str]) -> String {
    let email = format!("{name}@example.com");
    let body = json!({ "username": name, "email": email, "login_type": "none", "roles": roles });
    let user = app.owner.http.post("/api/v2/users", &body).await.expect(201).json();
    text(&user, "id").to_owned()
}

/// Starts a server with other settings on a new database of the same kind.
pub async fn another(app: &TestApp, settings: Settings) -> TestApp {
    TestApp::start_with(TestDatabase::create(app.database.backend).unwrap(), settings).await
}

/// Follows the `Link` headers to the end and returns the body of each page.
pub async fn pages(http: &Http, first: &str) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut path = Some(first.to_owned());
    while let Some(next) = path {
        let answer = http.get(&next).await.expect(200);
        path = answer.header("Link").map(|link| {
            let (path, rel) = link.split_once(">;").unwrap();
            assert_eq!(rel.trim(), "rel=\"next\"");
            path.trim_start_matches('<').to_owned()
        });
        pages.push(answer.json());
        assert!(pages.len() <= 1_000, "the pages do not end");
    }
    pages
}
