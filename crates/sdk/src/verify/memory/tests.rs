//! What the memory keeps, and what it lets go.

use keyward_api::verifiers::KeyFacts;
use keyward_domain::{KeyKind, PlainKey, Timestamp};
use uuid::Uuid;

use super::*;

const START: Uuid = Uuid::from_u128(1);

/// The server's answer about a key of the user of this number, read after change `change`.
fn answer(plain: &PlainKey, user: u128, change: u64) -> LookUpResponse {
    let (now, id) = (Timestamp::EPOCH, Uuid::from_u128(user));
    let facts = KeyFacts {
        key_id: plain.id().to_string(),
        user_id: id,
        username: format!("u{user}"),
        user_is_active: true,
        locked: None,
        scopes: vec!["*:*".to_owned()],
        grants: vec!["*:*".to_owned()],
        allow_list: vec!["*:*".to_owned()],
        expires_at: Timestamp::MAX,
    };
    LookUpResponse { start: START, change, now, facts: Some(facts) }
}

fn news(change: u64, reset: bool, keys: &[&PlainKey]) -> PollResponse {
    let keys = keys.iter().map(|plain| plain.id().to_string()).collect();
    PollResponse { start: START, lease_ms: 1_000, change, reset, keys, users: Vec::new() }
}

fn key() -> PlainKey {
    PlainKey::generate(KeyKind::Token).unwrap()
}

fn facts_of(plain: &PlainKey, answer: &LookUpResponse) -> Option<Facts> {
    let presented = PresentedKey::parse(plain.expose()).unwrap();
    Facts::of(answer, answer.facts.as_ref().unwrap(), &presented, Moment::now())
}

fn keep(memory: &Memory, plain: &PlainKey, user: u128, change: u64) {
    let answer = answer(plain, user, change);
    memory.keep(&answer, plain.digest(), facts_of(plain, &answer).unwrap());
}

fn found(memory: &Memory, plain: &PlainKey) -> Option<Facts> {
    match memory.get(plain.expose()) {
        Found::Facts(facts) => Some(facts),
        Found::Nothing | Found::WrongSecret => None,
    }
}

#[test]
fn what_the_server_tells_is_forgotten_and_the_lease_counts_from_when_the_poll_was_sent() {
    let memory = Memory::new(1_000);
    memory.apply(&news(0, true, &[]), Moment::now());
    let (one, two, three) = (key(), key(), key());
    for (plain, user) in [(&one, 1), (&two, 2), (&three, 3)] {
        keep(&memory, plain, user, 0);
    }
    let sent = Moment::now();
    let told = PollResponse { users: vec![Uuid::from_u128(2)], ..news(1, false, &[&one, &key()]) };
    memory.apply(&told, sent);
    assert!(found(&memory, &one).is_none() && found(&memory, &two).is_none() && found(&memory, &three).is_some());
    assert_eq!(memory.lease(), sent.after(Duration::from_secs(1)));
    assert!(!memory.apply(&PollResponse { lease_ms: 0, ..news(2, true, &[]) }, Moment::now()).is_empty());
    assert_eq!((memory.len(), memory.lease()), (0, Moment::BEGINNING));
}

#[test]
fn facts_of_another_key_are_no_answer() {
    let plain = key();
    let mut answer = answer(&plain, 1, 0);
    assert!(facts_of(&plain, &answer).is_some());
    answer.facts.as_mut().unwrap().key_id = key().id().to_string();
    assert!(facts_of(&plain, &answer).is_none());
}

#[test]
fn keys_of_one_user_share_what_is_the_same() {
    let memory = Memory::new(10);
    memory.apply(&news(0, true, &[]), Moment::now());
    let [one, two, other] = [1, 1, 2].map(|user| {
        let plain = key();
        keep(&memory, &plain, user, 0);
        found(&memory, &plain).unwrap().holder
    });
    assert!(Arc::ptr_eq(&one, &two) && Arc::ptr_eq(&one.access, &other.access));
    assert!(!Arc::ptr_eq(&one, &other));
}
