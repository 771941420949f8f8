//! The users of the test: callers, and owners of targets.

use std::cell::Cell;

use keyward_domain::Lifetime;
use keyward_test_support::{Http, PASSWORD, Person, TestApp};
use serde_json::json;

use super::table::{Kind, READING, Whose};

/// The target of a call: a user, one of their keys and its name.
#[derive(Clone, Debug)]
pub struct Target {
    pub user: String,
    pub key: String,
    pub name: String,
}

/// A caller with a token.
pub struct Caller {
    pub http: Http,
    pub own: Target,
}

/// Creates users, each with a new name.
pub struct Cast<'a> {
    app: &'a TestApp,
    made: Cell<u32>,
}

impl<'a> Cast<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        Self { app, made: Cell::new(0) }
    }

    pub fn name(&self) -> String {
        self.made.set(self.made.get() + 1);
        format!("person-{}", self.made.get())
    }

    /// Creates a caller.
    pub async fn caller(&self, kind: Kind) -> Caller {
        let roles: &[&str] = match kind {
            Kind::Auditor => &["auditor"],
            Kind::UserAdmin => &["user-admin"],
            Kind::Verifier => &["verifier"],
            Kind::Owner | Kind::WithReadingToken | Kind::WithUselessToken => &["owner"],
            Kind::WithoutKey | Kind::WithGarbage | Kind::WithExpiredToken | Kind::WithSuspendedToken | Kind::Member => {
                &[]
            }
        };
        let person = self.app.person(&self.name(), roles).await;
        let own = self.token_of(&person.name).await;
        let http = match kind {
            Kind::WithoutKey => self.app.anonymous(),
            Kind::WithGarbage => self.app.with("kwd_garbage"),
            Kind::WithExpiredToken => {
                let http = self.token(&person, &["*:*"], 1).await;
                self.app.advance(Lifetime::from_secs(2).unwrap());
                http
            }
            Kind::WithSuspendedToken => {
                let http = self.token(&person, &["*:*"], 3_600).await;
                let path = format!("/api/v2/users/{}/status/suspend", person.name);
                self.app.owner.http.send("PUT", &path).await.expect(200);
                http
            }
            Kind::WithReadingToken => self.token(&person, &READING, 3_600).await,
            Kind::WithUselessToken => self.token(&person, &["workspace:read"], 3_600).await,
            Kind::Member | Kind::Auditor | Kind::UserAdmin | Kind::Owner | Kind::Verifier => person.http,
        };
        Caller { http, own }
    }

    /// Creates a target that belongs to none of the callers.
    pub async fn target(&self, whose: Whose) -> Target {
        let roles: &[&str] = match whose {
            Whose::Nobody => {
                return Target { user: "nobody".into(), key: "kwd_0000000000".into(), name: "nothing".into() };
            }
            Whose::Own | Whose::Member => &[],
            Whose::Owner => &["owner"],
        };
        let name = self.name();
        let email = format!("{name}@example.com");
        let body = json!({ "username": name, "email": email, "password": PASSWORD, "roles": roles });
        self.app.owner.http.post("/api/v2/users", &body).await.expect(201);
        self.token_of(&name).await
    }

    /// Creates a token of a user, as an owner.
    pub async fn token_of(&self, user: &str) -> Target {
        let path = format!("/api/v2/users/{user}/keys/tokens");
        let token = self.app.owner.http.post(&path, &json!({})).await.expect(201).json();
        let text = |field: &str| token[field].as_str().unwrap().to_owned();
        Target { user: user.to_owned(), key: text("id"), name: text("token_name") }
    }

    async fn token(&self, person: &Person, scopes: &[&str], seconds: i64) -> Http {
        let token = person.token(&json!({ "scopes": scopes, "lifetime": seconds * 1_000_000_000 })).await;
        self.app.with(token["key"].as_str().unwrap())
    }
}
