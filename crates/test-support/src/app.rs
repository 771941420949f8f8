//! A server in this process with its own database and clock, and its users.

use std::ops::Deref;

use keyward_domain::Lifetime;
use keyward_service::Settings;
use serde_json::{Value, json};

use crate::http::Http;
use crate::new_app::NewApp;
use keyward_test_database::TestDatabase;

/// The password of every user.
pub const PASSWORD: &str = "correct horse battery staple";

/// A real server on a free port. Its first user exists.
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

/// A logged-in user.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user ID.
    pub id: String,
    /// The username.
    pub name: String,
    /// The session token.
    pub session: String,
    /// An HTTP client with the session token.
    pub http: Http,
}

impl TestApp {
    /// Starts the server with the default settings and creates the first user, `owner`.
    pub async fn start(database: TestDatabase) -> Self {
        Self::start_with(database, Settings::default()).await
    }

    /// Starts the server and creates the first user, `owner`.
    pub async fn start_with(database: TestDatabase, settings: Settings) -> Self {
        Self::of(NewApp::start_with(database, settings, &[]).await).await
    }

    /// Creates the first user, `owner`, on a server without users.
    pub async fn of(server: NewApp) -> Self {
        let anonymous = server.anonymous();
        let body = json!({ "email": "owner@example.com", "username": "owner", "password": PASSWORD });
        let first = anonymous.post("/api/v2/users/first", &body).await.expect(201).json();
        let owner = log_in(&anonymous, first["user_id"].as_str().unwrap_or_default(), "owner").await;
        Self { server, owner }
    }

    /// An HTTP client with this key.
    #[must_use]
    pub fn with(&self, token: &str) -> Http {
        Http::new(&self.url, Some(token))
    }

    /// Creates a user with these roles and logs in.
    pub async fn person(&self, name: &str, roles: &[&str]) -> Person {
        let email = format!("{name}@example.com");
        let body = json!({ "email": email, "username": name, "password": PASSWORD, "roles": roles });
        let user = self.owner.http.post("/api/v2/users", &body).await.expect(201).json();
        log_in(&self.anonymous(), user["id"].as_str().unwrap_or_default(), name).await
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Lifetime) {
        self.clock.advance(by);
    }

    /// The matching audit entries, newest first.
    pub async fn audit(&self, search: &str) -> Vec<Value> {
        let request = self.owner.http.request("GET", "/api/v2/audit").query(&[("q", search)]);
        let log = crate::http::Answer::of(request).await.expect(200).json();
        log["audit_logs"].as_array().cloned().unwrap_or_default()
    }

    /// Stops the server gracefully and returns its database.
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
    /// Creates a token for this user. `key` in the response is the secret.
    pub async fn token(&self, body: &Value) -> Value {
        self.http.post("/api/v2/users/me/keys/tokens", body).await.expect(201).json()
    }

    /// The IDs of the tokens in a list.
    pub async fn token_ids(&self, query: &str) -> Vec<String> {
        let list = self.http.get(&format!("/api/v2/users/me/keys/tokens{query}")).await.expect(200).json();
        let list = list.as_array().cloned().unwrap_or_default();
        list.iter().map(|key| key["id"].as_str().unwrap_or_default().to_owned()).collect()
    }
}
