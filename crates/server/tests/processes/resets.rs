//! A client resets its connection during an expire. The key must be expired for everyone or for no one,
//! and the server's cache must agree.

use std::path::Path;
use std::time::{Duration, Instant};

use keyward_test_support::{Backend, ServerProcess, TestDatabase, Wire, request};

use crate::PROGRAM;

/// How long the cache may lag behind the database. An entry that is stale for longer would never be
/// evicted.
const MAX_CACHE_LAG: Duration = Duration::from_secs(1);

#[test]
fn a_reset_leaves_no_live_entry_behind_on_sqlite() {
    resets(Backend::Sqlite, 1_000);
}

#[test]
fn a_reset_leaves_no_live_entry_behind_on_postgres() {
    resets(Backend::Postgres, 200);
}

fn resets(backend: Backend, trials: u32) {
    let Some(database) = TestDatabase::create(backend) else { return };
    let server = ServerProcess::start(Path::new(PROGRAM), database.url(), database.directory());
    let mut client = Client { owner: server.first_session(), wire: Wire::connect(server.address()).unwrap(), server };
    let typical = client.typical_expire();
    let mut keys = Vec::new();
    let mut unanswered = 0;
    for trial in 0..trials {
        let key = client.new_key();
        // Using the key puts it into the cache.
        assert_eq!(client.use_it(&key), 200);
        let mut connection = Wire::connect(client.server.address()).unwrap();
        connection.send(&client.expire(&key)).unwrap();
        // Delays from 0 to twice the duration of an expire, repeatedly. They are too short for a sleep.
        let after = typical * (trial % 50) / 25;
        let sent = Instant::now();
        while sent.elapsed() < after {
            std::hint::spin_loop();
        }
        let before_response = !connection.has_unread_data().unwrap();
        connection.reset();
        unanswered += u32::from(client.is_dead(&key) && before_response);
        keys.push(key);
    }
    // Count again at the end: a key that was live may have expired since.
    let dead = keys.iter().filter(|key| client.is_dead(key)).count();
    println!(
        "{backend:?}: {trials} resets: {dead} keys expired, {unanswered} of them before there was a response; \
         {} live. An expire takes {typical:?}",
        keys.len() - dead
    );
    assert!(unanswered > 0, "no reset happened during an expire");
}

struct Client {
    owner: String,
    wire: Wire,
    server: ServerProcess,
}

struct Key {
    id: String,
    secret: String,
    expires_at: String,
}

impl Client {
    fn new_key(&mut self) -> Key {
        let created = self.wire.call(&request("POST", "/api/v2/users/me/keys/tokens", &self.owner, "{}"));
        let created = created.unwrap().expect(201);
        let text = |field: &str| created[field].as_str().unwrap().to_owned();
        Key { id: text("id"), secret: text("key"), expires_at: text("expires_at") }
    }

    /// The status of a request with the key.
    fn use_it(&mut self, key: &Key) -> u16 {
        self.wire.call(&request("GET", "/api/v2/users/me", &key.secret, "")).unwrap().status
    }

    fn expire(&self, key: &Key) -> String {
        request("PUT", &format!("/api/v2/users/me/keys/{}/expire", key.id), &self.owner, "")
    }

    /// The median duration of an expire.
    fn typical_expire(&mut self) -> Duration {
        let mut times: Vec<_> = (0..21)
            .map(|_| {
                let key = self.new_key();
                let expire = self.expire(&key);
                let sent = Instant::now();
                self.wire.call(&expire).unwrap().expect(204);
                sent.elapsed()
            })
            .collect();
        times.sort();
        times[times.len() / 2]
    }

    /// Whether the key has expired according to its row. Panics if its use disagrees with that.
    fn is_dead(&mut self, key: &Key) -> bool {
        let began = Instant::now();
        loop {
            let status = self.use_it(key);
            // The row is read after the use, so it explains a refusal.
            let dead = self.row_is_dead(key);
            match (dead, status) {
                (true, 401) | (false, 200) => return dead,
                // The expire came in between, or is not in force yet.
                (true, 200) => assert!(began.elapsed() < MAX_CACHE_LAG, "an expired key is accepted"),
                (_, other) => panic!("{other} for a key that is {}", if dead { "expired" } else { "live" }),
            }
        }
    }

    fn row_is_dead(&mut self, key: &Key) -> bool {
        let path = format!("/api/v2/users/me/keys/{}", key.id);
        let row = self.wire.call(&request("GET", &path, &self.owner, "")).unwrap().expect(200);
        row["expires_at"] != *key.expires_at
    }
}
