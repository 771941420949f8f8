//! A server in this process, on a database and a clock of its own, and people who use it.

use std::sync::Arc;

use keyward_domain::{Catalogue, Lifetime};
use keyward_server::{Running, start};
use keyward_service::{Service, Settings};
use serde_json::{Value, json};

use crate::clock::ManualClock;
use crate::database::TestDatabase;
use crate::http::Http;

/// Everyone's password.
pub const PASSWORD: &str = "correct horse battery staple";

/// A real server on a free port.
#[derive(Debug)]
pub struct TestApp {
    /// Where it keeps its data.
    pub database: TestDatabase,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// Its use cases.
    pub service: Service,
    /// Its address, as in `http://127.0.0.1:12345`.
    pub url: String,
    /// The first user.
    pub owner: Person,
    running: Running,
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
        let clock = Arc::new(ManualClock::default());
        let service = Service::open(&database.parsed(), Arc::clone(&clock) as _, Catalogue::built_in(), settings)
            .await
            .expect("a service");
        let listen = "127.0.0.1:0".parse().expect("an address");
        let running = start(service.clone(), listen, Vec::new()).await.expect("a server");
        let url = format!("http://{}", running.address());
        let anonymous = Http::new(&url, None);
        let body = json!({ "email": "owner@example.com", "username": "owner", "password": PASSWORD });
        let first = anonymous.post("/api/v2/users/first", &body).await.expect(201).json();
        let owner = log_in(&anonymous, first["user_id"].as_str().unwrap_or_default(), "owner").await;
        Self { database, clock, service, url, owner, running }
    }

    /// A client without a key.
    #[must_use]
    pub fn anonymous(&self) -> Http {
        Http::new(&self.url, None)
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
        self.running.stop().await.expect("an orderly end");
        self.database
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
