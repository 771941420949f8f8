//! A server in this process, on a database and a clock of its own, and people who use it.

use std::ops::Deref;

use keyward_domain::Lifetime;
use keyward_service::Settings;
use serde_json::{Value, json};

use crate::database::TestDatabase;
use crate::http::Http;
use crate::new_app::NewApp;

/// Everyone's password.
pub const PASSWORD: &str = "correct horse battery staple";

/// A real server on a free port, with its first user.
#[derive(Debug)]
pub struct TestApp {
    server: NewApp,
    /// The first user.
    pub owner: Person,
}

impl Deref for TestApp {
    type Target = NewApp;

    fn deref(&self) -> &NewApp {
        &self.server
    }
}

/// A user, logged in.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their id.
    pub id: String,
    /// Their username.
    pub name: String,
    /// The session's key.
    pub session: String,
    /// A client with that session.
    pub http: Http,
}

impl TestApp {
    /// Starts it with the normal settings, and creates the first user, `owner`.
    pub async fn start(database: TestDatabase) -> Self {
        Self::start_with(database, Settings::default()).await
    }

    /// Starts it, and creates the first user, `owner`.
    pub async fn start_with(database: TestDatabase, settings: Settings) -> Self {
        Self::of(NewApp::start_with(database, settings, &[]).await).await
    }

    /// Creates the first user, `owner`, of a server that has none.
    pub async fn of(server: NewApp) -> Self {
        let anonymous = server.anonymous();
        let body = json!({ "email": "owner@example.com", "username": "owner", "password": PASSWORD });
        let first = anonymous.post("/api/v2/users/first", &body).await.expect(201).json();
        let owner = log_in(&anonymous, first["user_id"].as_str().unwrap_or_default(), "owner").await;
        Self { server, owner }
    }

    /// A client with a key.
    #[must_use]
    pub fn with(&self, token: &str) -> Http {
        Http::new(&self.url, Some(token))
    }

    /// A new user with these roles, logged in.
    pub async fn person(&self, name: &str, roles: &[&str]) -> Person {
        let email = format!("{name}@example.com");
        let body = json!({ "email": email, "username": name, "password": PASSWORD, "roles": roles });
        let user = self.owner.http.post("/api/v2/users", &body).await.expect(201).json();
        log_in(&self.anonymous(), user["id"].as_str().unwrap_or_default(), name).await
    }

    /// Lets time pass.
    pub fn advance(&self, by: Lifetime) {
        self.clock.advance(by);
    }

    /// The audit entries that match, newest first.
    pub async fn audit(&self, search: &str) -> Vec<Value> {
        let request = self.owner.http.request("GET", "/api/v2/audit").query(&[("q", search)]);
        let log = crate::http::Answer::of(request).await.expect(200).json();
        log["audit_logs"].as_array().cloned().unwrap_or_default()
    }

    /// Stops the server in order, and gives back the database.
    pub async fn stop(self) -> TestDatabase {
        self.server.stop().await
    }
}

async fn log_in(anonymous: &Http, id: &str, name: &str) -> Person {
    let body = json!({ "email": name, "password": PASSWORD });
    let login = anonymous.post("/api/v2/users/login", &body).await.expect(201).json();
    let session = login["session_token"].as_str().expect("a session").to_owned();
    Person { id: id.to_owned(), name: name.to_owned(), http: anonymous.with(&session), session }
}

impl Person {
    /// Makes a token of theirs; the answer holds the secret under `key`.
    pub async fn token(&self, body: &Value) -> Value {
        self.http.post("/api/v2/users/me/keys/tokens", body).await.expect(201).json()
    }

    /// The ids of the tokens that a list shows.
    pub async fn token_ids(&self, query: &str) -> Vec<String> {
        let list = self.http.get(&format!("/api/v2/users/me/keys/tokens{query}")).await.expect(200).json();
        let list = list.as_array().cloned().unwrap_or_default();
        list.iter().map(|key| key["id"].as_str().unwrap_or_default().to_owned()).collect()
    }
}
