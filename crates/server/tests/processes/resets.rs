//! A client that resets its connection in the middle of an expire: the key is dead for everyone or
//! for no one, and what the server remembers of it is gone with it.

use std::path::Path;
use std::time::{Duration, Instant};

use keyward_test_support::{Backend, ServerProcess, TestDatabase, Wire, request};

use crate::PROGRAM;

/// How long a change may be in the database and not be in force yet. What stays is an entry that
/// nobody will ever drop.
const SETTLING: Duration = Duration::from_secs(1);

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
        // What is used is in the cache.
        assert_eq!(client.use_it(&key), 200);
        let mut doomed = Wire::connect(client.server.address()).unwrap();
        doomed.send(&client.expire(&key)).unwrap();
        // From at once to well after its usual end, again and again: too short for sleeps to hit.
        let after = typical * (trial % 50) / 25;
        let sent = Instant::now();
        while sent.elapsed() < after {
            std::hint::spin_loop();
        }
        let in_the_middle = !doomed.has_unread_data().unwrap();
        doomed.reset();
        unanswered += u32::from(client.is_dead(&key) && in_the_middle);
        keys.push(key);
    }
    // Once more, when all is over: what was not dead then may be now.
    let dead = keys.iter().filter(|key| client.is_dead(key)).count();
    println!(
        "{backend:?}: {trials} resets: {dead} keys dead, {unanswered} of them before there was an answer; \
         {} live. An expire takes {typical:?}",
        keys.len() - dead
    );
    assert!(unanswered > 0, "no reset fell into the middle of an expire");
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

    /// How long an expire takes.
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

    /// Is the key dead by its row? Then it must be for who uses it, and else it must live.
    fn is_dead(&mut self, key: &Key) -> bool {
        let began = Instant::now();
        loop {
            let status = self.use_it(key);
            // Its row is read after the use: once a use was refused, the row says why.
            let dead = self.row_is_dead(key);
            match (dead, status) {
                (true, 401) | (false, 200) => return dead,
                // The expire came in between, or is being put in force.
                (true, 200) => assert!(began.elapsed() < SETTLING, "a dead key is accepted"),
                (_, other) => panic!("{other} for a key that is {}", if dead { "dead" } else { "live" }),
            }
        }
    }

    fn row_is_dead(&mut self, key: &Key) -> bool {
        let path = format!("/api/v2/users/me/keys/{}", key.id);
        let row = self.wire.call(&request("GET", &path, &self.owner, "")).unwrap().expect(200);
        row["expires_at"] != *key.expires_at
    }
}
