//! The server, two verifier processes, the users and their keys.

use std::collections::HashSet;

use keyward_domain::{KeyKind, PlainKey, UserId};
use keyward_rig::VerifierProcess;
use keyward_rig::bench::tidy;
use keyward_test_support::{KeyCopy, ServerProcess, TestDatabase, Wire, request};
use serde_json::Value;

use crate::callers::Door;
use crate::operator::Operator;

/// Number of keys of a user.
const KEYS_OF_USER: usize = 20;

/// Number of leaked tokens.
pub(crate) const LEAKED: usize = 50;

/// The owner of the leaked tokens, and of as many others.
pub(crate) const ACCOUNT: &str = "svc-deploy";

/// How the names of the leaked tokens begin. Tokens of other users have such names too.
pub(crate) const PREFIX: &str = "deploy-";

/// The names of the verifiers.
pub(crate) const VERIFIERS: [&str; 2] = ["orders", "billing"];

/// Everything that runs. It ends when dropped, in this order.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) operator: Operator,
    pub(crate) verifiers: [VerifierProcess; 2],
    pub(crate) server: ServerProcess,
    pub(crate) database: TestDatabase,
    /// A key that may verify keys.
    pub(crate) asker: String,
    pub(crate) leaked: Vec<KeyCopy>,
    pub(crate) others: Vec<KeyCopy>,
}

impl Scene {
    /// Starts the server and the verifiers, beside this number of keys.
    pub(crate) fn set_up(database: TestDatabase, keys: usize) -> Self {
        let operator = Operator::new();
        let start = || ServerProcess::start(&operator.server(), database.url(), database.directory());
        let server = start();
        let session = server.first_session();
        operator.log_in(&server.url, &session);
        let create = |name: &str, flags: &str| {
            let line = format!("users create --username {name} --email {name}@example.com --login-type none -o json");
            text(&operator.json(&format!("{line} {flags}")), "id")
        };
        let account = create(ACCOUNT, "");
        create("gateway", "--role verifier");
        let asker = operator.keyward("tokens create --user gateway --scope api_key:verify");
        // It belongs to nobody of the scene, because its own secret is not used.
        let model = text(&operator.json("tokens create --name model --lifetime 7d -o json"), "id");

        // The seeding would lock the database for longer than a server waits.
        server.tell_to_stop();
        assert!(server.ended().success());
        let users: Vec<_> =
            (0..keys / KEYS_OF_USER).map(|number| (UserId::random(), format!("user-{number}"))).collect();
        database.copy_user(&account, &users).unwrap();
        let account = UserId::from_uuid(account.parse().unwrap());
        let copies = |count: usize, name: &dyn Fn(usize) -> String, user: &dyn Fn(usize) -> UserId| {
            let copy = |number| KeyCopy {
                key: PlainKey::generate(KeyKind::Token).unwrap(),
                user: user(number),
                name: name(number),
            };
            (0..count).map(copy).collect::<Vec<_>>()
        };
        let leaked = copies(LEAKED, &|number| format!("{PREFIX}{number}"), &|_| account);
        let mut others = copies(LEAKED, &|number| format!("nightly-{number}"), &|_| account);
        let name = |number: usize| format!("{}{number}", if number.is_multiple_of(10) { PREFIX } else { "ci-" });
        others.extend(copies(keys - 2 * LEAKED, &name, &|number| users[number % users.len()].0));
        database.copy_live_key_to(&model, &leaked).unwrap();
        database.copy_live_key_to(&model, &others).unwrap();

        tidy(&database);

        let server = start();
        operator.log_in(&server.url, &session);
        let asker = asker.trim().to_owned();
        let verifiers = VERIFIERS.map(|name| VerifierProcess::start(&[], name, &server.url, &asker));
        Self { operator, database, server, verifiers, asker, leaked, others }
    }

    /// All doors at which keys are used.
    pub(crate) fn doors(&self) -> Vec<Door> {
        let server = self.server.address();
        let verifiers = self.verifiers.iter().map(|verifier| Door::Verifier(verifier.address()));
        [Door::Api(server), Door::Authz(server)].into_iter().chain(verifiers).collect()
    }

    /// Asserts that these are the leaked keys, and no others.
    #[track_caller]
    pub(crate) fn are_leaked(&self, keys: &Value) {
        let ids: HashSet<&str> = keys.as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap()).collect();
        let leaked: HashSet<&str> = self.leaked.iter().map(|copy| copy.key.id().as_str()).collect();
        assert_eq!(ids, leaked);
    }

    /// Uses keys through the endpoint that verifies 100 in a request. Returns how many are accepted.
    pub(crate) fn accepted(&self, keys: &[KeyCopy]) -> usize {
        let mut wire = Wire::connect(self.server.address()).unwrap();
        let batches = keys.chunks(100).map(|batch| {
            let keys: Vec<_> = batch.iter().map(|copy| format!(r#"{{"key":"{}"}}"#, copy.key.expose())).collect();
            let body = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
            let answer = wire.call(&request("POST", "/api/v2/keys/verify/batch", &self.asker, &body)).unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text);
            answer.text.matches(r#""valid":true"#).count()
        });
        batches.sum()
    }
}

fn text(json: &Value, field: &str) -> String {
    json[field].as_str().unwrap().to_owned()
}
