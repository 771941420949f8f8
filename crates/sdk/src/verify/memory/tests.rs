//! What the memory keeps, and what it lets go.

use keyward_api::verifiers::KeyFacts;
use keyward_domain::{KeyKind, PlainKey, Timestamp};
use serde_json::json;

use super::*;

const START: Uuid = Uuid::from_u128(1);

/// The server's answer about a key of the user of this number, read after change `change`.
fn answer(plain: &PlainKey, user: u128, change: u64) -> LookUpResponse {
    let (now, id) = (Timestamp::EPOCH, Uuid::from_u128(user));
    let facts: KeyFacts = serde_json::from_value(json!({
        "key": {
            "id": plain.id().as_str(), "user_id": id, "last_used": now, "expires_at": Timestamp::MAX,
            "created_at": now, "updated_at": now, "login_type": "token", "scope": "all", "scopes": ["*:*"],
            "token_name": "ci", "lifetime_seconds": 3600, "allow_list": ["*:*"],
        },
        "user": {
            "id": id, "username": format!("u{user}"), "name": "", "email": "u@example.com", "created_at": now,
            "updated_at": now, "last_seen_at": now, "status": "active", "login_type": "password", "roles": [],
            "organization_ids": [],
        },
        "grants": ["*:*"],
    }))
    .unwrap();
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

fn knows(memory: &Memory, plain: &PlainKey) -> bool {
    found(memory, plain).is_some()
}

#[test]
fn facts_are_kept_only_if_no_change_was_applied_since_they_were_read() {
    let memory = Memory::new(10);
    let plain = key();
    keep(&memory, &plain, 1, 0);
    assert!(!knows(&memory, &plain), "nothing was applied yet");
    memory.apply(&news(3, true, &[]), Moment::now());
    keep(&memory, &plain, 1, 2);
    assert!(!knows(&memory, &plain), "a change is not in them");
    keep(&memory, &plain, 1, 3);
    assert!(knows(&memory, &plain));
    keep(&memory, &key(), 1, 4);
    assert_eq!(memory.len(), 2);
}

#[test]
fn what_a_change_names_goes_and_a_gap_empties_every_shard() {
    let memory = Memory::new(1_000);
    memory.apply(&news(0, true, &[]), Moment::now());
    let keys: Vec<PlainKey> = (0..500).map(|_| key()).collect();
    for plain in &keys {
        keep(&memory, plain, 1, 0);
    }
    memory.apply(&news(1, false, &[&keys[7], &keys[8], &key()]), Moment::now());
    assert_eq!((memory.len(), knows(&memory, &keys[7]), knows(&memory, &keys[9])), (498, false, true));
    assert!(Moment::now() < memory.lease());
    let forgotten = memory.apply(&PollResponse { lease_ms: 0, ..news(2, true, &[]) }, Moment::now());
    assert!(!forgotten.is_empty());
    assert_eq!((memory.len(), memory.lease()), (0, Moment::BEGINNING));
    assert!(!keys.iter().any(|plain| knows(&memory, plain)));
    keep(&memory, &keys[0], 1, 2);
    memory.apply(&PollResponse { start: Uuid::from_u128(2), ..news(3, false, &[]) }, Moment::now());
    assert_eq!(memory.len(), 0, "another start");
}

#[test]
fn another_secret_of_a_known_id_is_wrong_and_facts_of_another_key_are_no_answer() {
    let memory = Memory::new(10);
    memory.apply(&news(0, true, &[]), Moment::now());
    let plain = key();
    let mut answer = answer(&plain, 1, 0);
    memory.keep(&answer, key().digest(), facts_of(&plain, &answer).unwrap());
    assert!(matches!(memory.get(plain.expose()), Found::WrongSecret));
    answer.facts.as_mut().unwrap().key.id = key().id().to_string();
    assert!(facts_of(&plain, &answer).is_none());
}

#[test]
fn at_most_so_many_keys_are_kept_and_those_in_use_stay() {
    let memory = Memory::new(2_000);
    memory.apply(&news(0, true, &[]), Moment::now());
    let used: Vec<PlainKey> = (0..200).map(|_| key()).collect();
    for plain in &used {
        keep(&memory, plain, 1, 0);
    }
    for round in 0..20_u128 {
        for plain in &used {
            found(&memory, plain);
        }
        for _ in 0..500 {
            keep(&memory, &key(), round, 0);
        }
    }
    assert_eq!(memory.len(), 2_000);
    let held = memory.shards.iter().map(|shard| shard.read().len()).sum::<usize>();
    assert_eq!(held, 2_000);
    let left = used.iter().filter(|plain| knows(&memory, plain)).count();
    assert!(left > 190, "{left} of 200 in use are left");
    let none = Memory::new(0);
    none.apply(&news(0, true, &[]), Moment::now());
    keep(&none, &used[0], 1, 0);
    assert_eq!(none.len(), 0);
}

#[test]
fn tables_are_well_filled_when_all_keys_are_there() {
    for most_keys in [50_000, 100_000, 131_072, 250_000, 1_000_000, 1_100_000, 5_000_000] {
        let shards = shards_for(most_keys);
        let each = most_keys / shards;
        let filled = each as f64 / each.next_power_of_two() as f64;
        assert!((MOST_SHARDS / 2 - 2..MOST_SHARDS).contains(&shards), "{most_keys}: {shards}");
        assert!((0.75..0.85).contains(&filled), "{most_keys}: {filled}");
    }
    assert_eq!([0, 1, 10].map(shards_for), [1, 1, 1]);
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

#[test]
fn a_change_of_one_of_1_000_users_leaves_the_keys_of_the_other_999() {
    let memory = Memory::new(10_000);
    memory.apply(&news(1, true, &[]), Moment::now());
    let plains: Vec<PlainKey> = (0..1_000).map(|_| key()).collect();
    for (user, plain) in plains.iter().enumerate() {
        keep(&memory, plain, user as u128, 1);
    }
    assert_eq!(memory.len(), 1_000);
    let told = PollResponse { users: vec![Uuid::from_u128(7)], ..news(2, false, &[]) };
    memory.apply(&told, Moment::now());
    assert_eq!(memory.len(), 999);
    for (user, plain) in plains.iter().enumerate() {
        assert_eq!(knows(&memory, plain), user != 7, "user {user}");
    }
}
