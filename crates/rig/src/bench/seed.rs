//! Users with many keys.

use keyward_domain::{Lifetime, Timestamp, UserId};
use serde_json::json;

use keyward_test_support::{Backend, Person, TestApp, TestDatabase};

/// Number of live tokens of each user.
pub const LIVE: u32 = 50;

/// A user with live tokens and expired ones.
#[derive(Debug)]
pub struct Seeded {
    /// The user.
    pub person: Person,
    /// The user ID.
    pub id: UserId,
    /// ID and expiry of the expired token that the others were copied from.
    model: Option<(String, Timestamp)>,
}

impl Seeded {
    /// Creates a user with [`LIVE`] live tokens and `expired` expired ones, one second apart.
    pub async fn new(app: &TestApp, name: &str, expired: u32) -> Self {
        let person = app.person(name, &[]).await;
        // Each token expires on a different day.
        for days in (30..).take(LIVE as usize) {
            person.token(&json!({ "lifetime": Lifetime::days(days).as_nanos() })).await;
        }
        let mut model = None;
        if expired > 0 {
            let token = person.token(&json!({ "token_name": "old", "lifetime": seconds(1).as_nanos() })).await;
            let id = token["id"].as_str().expect("an id").to_owned();
            app.advance(seconds(2));
            app.database.copy_expired_key(&id, 1..=expired - 1).expect("copies");
            let end = token["expires_at"].as_str().and_then(|end| end.parse().ok());
            model = end.map(|end| (id, end));
        }
        tidy(&app.database);
        let id = UserId::from_uuid(person.id.parse().expect("a user's id"));
        Self { person, id, model }
    }

    /// Expiry and ID of the token `depth` rows down the list that includes expired tokens. It may be
    /// off by one, because SQLite copied the expiry with millisecond precision.
    #[must_use]
    pub fn row(&self, depth: u32) -> (Timestamp, String) {
        let (id, end) = self.model.as_ref().expect("expired tokens");
        // The live tokens and the original come before it.
        let number = depth - LIVE - 1;
        (end.saturating_sub(seconds(number)), format!("{}{number:07}", &id[..7]))
    }
}

/// Makes the statistics that a database in use would make by itself.
pub fn tidy(database: &TestDatabase) {
    let tidied = match database.backend {
        Backend::Sqlite => database.execute("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)"),
        Backend::Postgres => database.execute("VACUUM ANALYZE"),
    };
    tidied.expect("statistics");
}

fn seconds(count: u32) -> Lifetime {
    Lifetime::from_secs(i64::from(count)).expect("few enough seconds")
}
