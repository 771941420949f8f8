//! Tests of the cache: what it stores and what it evicts.

use std::collections::HashSet;

use keyward_domain::{KeyKind, PlainKey, UserId};
use uuid::Uuid;

use super::order::{MOST_SHARDS, shards_for};
use super::*;

const SOURCE: Uuid = Uuid::from_u128(1);

#[derive(Clone, Debug)]
struct Known {
    id: Id,
    user: UserId,
}

impl Remembered for Known {
    fn id(&self) -> &Id {
        &self.id
    }

    fn user(&self) -> UserId {
        self.user
    }
}

fn user(number: usize) -> UserId {
    UserId::from_uuid(Uuid::from_u128(number as u128))
}

fn key() -> PlainKey {
    PlainKey::generate(KeyKind::Token).unwrap()
}

fn id_of(plain: &PlainKey) -> Id {
    id(plain.id().as_str()).unwrap()
}

fn mark(change: u64) -> Mark {
    Mark { source: SOURCE, change }
}

fn named(keys: &[&PlainKey]) -> Changed {
    Changed::Named { keys: keys.iter().map(|plain| id_of(plain)).collect(), users: HashSet::new() }
}

/// A cache whose last applied change has this number.
fn memory(most_keys: usize, change: u64) -> Memory<Known> {
    let memory = Memory::new(most_keys);
    memory.apply(mark(change), &Changed::Everything);
    memory
}

fn keep(memory: &Memory<Known>, plain: &PlainKey, number: usize, change: u64) {
    memory.keep(mark(change), plain.digest(), Known { id: id_of(plain), user: user(number) });
}

fn knows(memory: &Memory<Known>, plain: &PlainKey) -> bool {
    matches!(memory.get(&id_of(plain), || plain.digest()), Found::Facts(_))
}

#[test]
fn facts_are_kept_only_if_no_change_was_applied_since_they_were_read() {
    let memory = Memory::new(10);
    let plain = key();
    keep(&memory, &plain, 1, 0);
    assert!(!knows(&memory, &plain), "no change was applied yet");
    memory.apply(mark(3), &Changed::Everything);
    keep(&memory, &plain, 1, 2);
    assert!(!knows(&memory, &plain), "the facts do not include the last change");
    keep(&memory, &plain, 1, 3);
    assert!(knows(&memory, &plain));
    keep(&memory, &key(), 1, 4);
    assert_eq!(memory.len(), 2);
}

#[test]
fn facts_read_before_a_change_of_this_process_are_not_inserted() {
    let memory = Memory::numbered_here(10);
    let (plain, other) = (key(), key());
    let facts = Known { id: id_of(&plain), user: user(1) };
    let before = memory.mark().unwrap();
    // The change affects this key, which is not cached yet.
    memory.apply_next(&named(&[&plain]));
    memory.keep(before, plain.digest(), facts.clone());
    assert!(!knows(&memory, &plain));
    memory.keep(memory.mark().unwrap(), plain.digest(), facts);
    assert!(knows(&memory, &plain));
    memory.apply_next(&named(&[&other]));
    assert!(knows(&memory, &plain), "a change of another key evicts nothing");
    memory.apply_next(&named(&[&plain]));
    assert!(!knows(&memory, &plain));
}

#[test]
fn a_change_evicts_its_keys_and_another_source_evicts_all() {
    let memory = memory(1_000, 0);
    let keys: Vec<PlainKey> = (0..500).map(|_| key()).collect();
    for plain in &keys {
        keep(&memory, plain, 1, 0);
    }
    memory.apply(mark(1), &named(&[&keys[7], &keys[8], &key()]));
    assert_eq!((memory.len(), knows(&memory, &keys[7]), knows(&memory, &keys[9])), (498, false, true));
    assert!(!memory.apply(mark(2), &Changed::Everything).is_empty());
    assert!(memory.is_empty());
    assert!(!keys.iter().any(|plain| knows(&memory, plain)));
    keep(&memory, &keys[0], 1, 2);
    memory.apply(Mark { source: Uuid::from_u128(2), change: 3 }, &named(&[]));
    assert!(memory.is_empty(), "a change from another source evicts everything");
}

#[test]
fn a_change_of_one_of_1_000_users_leaves_the_keys_of_the_other_999() {
    let memory = memory(10_000, 1);
    let plains: Vec<PlainKey> = (0..1_000).map(|_| key()).collect();
    for (number, plain) in plains.iter().enumerate() {
        keep(&memory, plain, number, 1);
    }
    assert_eq!(memory.len(), 1_000);
    memory.apply(mark(2), &Changed::Named { keys: Vec::new(), users: HashSet::from([user(7)]) });
    assert_eq!(memory.len(), 999);
    for (number, plain) in plains.iter().enumerate() {
        assert_eq!(knows(&memory, plain), number != 7, "user {number}");
    }
}

#[test]
fn another_secret_of_a_known_id_is_wrong() {
    let memory = memory(10, 0);
    let plain = key();
    keep(&memory, &plain, 1, 0);
    assert!(matches!(memory.get(&id_of(&plain), || key().digest()), Found::WrongSecret));
    assert!(matches!(memory.get(&id_of(&key()), || plain.digest()), Found::Nothing));
}

#[test]
fn the_cache_stays_within_its_maximum_and_keeps_keys_in_use() {
    let memory = memory(2_000, 0);
    let used: Vec<PlainKey> = (0..200).map(|_| key()).collect();
    for plain in &used {
        keep(&memory, plain, 1, 0);
    }
    for round in 0..20 {
        for plain in &used {
            knows(&memory, plain);
        }
        for _ in 0..500 {
            keep(&memory, &key(), round, 0);
        }
    }
    assert_eq!(memory.len(), 2_000);
    let held = memory.shards.iter().map(|shard| shard.read().len()).sum::<usize>();
    assert_eq!(held, 2_000);
    let left = used.iter().filter(|plain| knows(&memory, plain)).count();
    assert!(left > 190, "{left} of 200 keys in use are left");
    let none = Memory::numbered_here(0);
    none.keep(none.mark().unwrap(), used[0].digest(), Known { id: id_of(&used[0]), user: user(1) });
    assert!(none.is_empty());
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
