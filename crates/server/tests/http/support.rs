//! Small things that many of these tests say.

use keyward_domain::{Lifetime, Timestamp};
use keyward_service::Settings;
use keyward_test_support::{Answer, Http, Person, TestApp, TestDatabase};
use serde_json::{Value, json};

/// A second in nanoseconds, as `lifetime` has it.
pub const SECOND: i64 = 1_000_000_000;

pub const DAY: i64 = 86_400 * SECOND;

pub const MY_TOKENS: &str = "/api/v2/users/me/keys/tokens";

pub fn seconds(count: i64) -> Lifetime {
    Lifetime::from_secs(count).unwrap()
}

/// A field that is a text.
pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no text \"{field}\" in {value}"))
}

/// A field that is an instant, in microseconds.
pub fn micros(value: &Value, field: &str) -> i64 {
    text(value, field).parse::<Timestamp>().unwrap().as_micros()
}

/// The things of a list by one of their fields.
pub fn each(list: &Value, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|thing| text(thing, field).to_owned()).collect()
}

/// The id in a key's full text.
pub fn id_of(key: &str) -> &str {
    key.split('-').next().unwrap()
}

/// The fields that an error names as wrong.
pub fn wrong_fields(answer: &Answer) -> Vec<String> {
    each(&answer.json()["validations"], "field")
}

/// Tries to make a token.
pub async fn create(http: &Http, body: &Value) -> Answer {
    http.post(MY_TOKENS, body).await
}

/// A client with a new token of the person's, and the token's id.
pub async fn token_of(app: &TestApp, person: &Person, body: &Value) -> (Http, String) {
    let token = person.token(body).await;
    (app.with(text(&token, "key")), text(&token, "id").to_owned())
}

pub async fn expire(http: &Http, id: &str) {
    http.send("PUT", &format!("/api/v2/users/me/keys/{id}/expire")).await.expect(204);
}

/// A user who logs in nowhere: their id.
pub async fn service_account(app: &TestApp, name: &str, roles: &[&str]) -> String {
    let email = format!("{name}@example.com");
    let body = json!({ "username": name, "email": email, "login_type": "none", "roles": roles });
    let user = app.owner.http.post("/api/v2/users", &body).await.expect(201).json();
    text(&user, "id").to_owned()
}

/// A second server with settings of its own, on a new database of the same kind.
pub async fn another(app: &TestApp, settings: Settings) -> TestApp {
    TestApp::start_with(TestDatabase::create(app.database.backend).unwrap(), settings).await
}

/// Follows `Link` headers to the end: the pages, each as its body.
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
