//! Counts the accepted uses of keys, to report them to the server.
//!
//! A use of a key that was used before in the same minute only increments a number in a table, without a
//! lock. The first use of a key in a minute takes a lock, and so does a use of a key whose places in the table
//! other keys have, which is rare.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyward_api::verifiers::{MOST_REPORTED, ReportedUse};
use keyward_domain::Moment;
use keyward_domain::key::{Digest, PresentedKey};
use keyward_verdict::Id;

/// The fewest places in the table.
const FEWEST_PLACES: usize = 1 << 12;

/// The most places in the table: 128 MiB. More keys than that only cost more time.
const MOST_PLACES: usize = 1 << 24;

/// Places among which a key finds one: one cache line.
const GROUP: usize = 8;

/// Maximum number of keys with an unreported use. Beyond it, uses of further keys are dropped.
const MOST_WAITING: usize = 100_000;

/// How often a key is reported at most.
const PERIOD: Duration = Duration::from_secs(60);

/// Bits of a place that count uses; above them are the minute, and the part of the key's hash that does not
/// choose the place.
const COUNT_BITS: u32 = 20;
const MINUTE_BITS: u32 = 20;

/// The uses since the last reports.
#[derive(Debug)]
pub(super) struct Uses {
    /// For each place: hash, minute and count, packed.
    places: Box<[AtomicU64]>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The keys that have a place now.
    placed: HashMap<usize, Id>,
    keys: HashMap<Id, Use>,
}

#[derive(Clone, Copy, Debug)]
struct Use {
    proof: [u8; 32],
    at: Moment,
    count: u64,
    ip: Option<IpAddr>,
}

/// Uses that are being reported.
#[derive(Debug)]
pub(super) struct Reported(Vec<(Id, Use)>);

impl Uses {
    /// With two places for each of so many keys, 16 bytes a key.
    pub(super) fn new(keys: usize) -> Self {
        let places = keys.clamp(FEWEST_PLACES / 2, MOST_PLACES / 2).next_power_of_two() * 2;
        Self { places: (0..places).map(|_| AtomicU64::new(0)).collect(), waiting: Mutex::default() }
    }

    /// The places that a key may have, with the index of the first.
    #[inline]
    fn group(&self, hash: u64) -> (usize, &[AtomicU64]) {
        let groups = self.places.len() / GROUP;
        let start = usize::try_from(hash).unwrap_or(usize::MAX) % groups * GROUP;
        (start, self.places.get(start..start + GROUP).unwrap_or_default())
    }

    /// Counts a use of the key with this text.
    #[inline]
    pub(super) fn note(&self, id: &Id, token: &str, now: Moment, ip: Option<IpAddr>) {
        let hash = hash(id);
        let tag = tag(hash, now);
        if !self.group(hash).1.iter().any(|slot| increment(slot, tag)) {
            self.note_first(id, token, now, ip, hash, tag);
        }
    }

    #[cold]
    fn note_first(&self, id: &Id, token: &str, now: Moment, ip: Option<IpAddr>, hash: u64, tag: u64) {
        let Ok(text) = token.as_bytes().try_into() else { return };
        let text: &[u8; PresentedKey::LENGTH] = text;
        let proof = Digest::of(text).proof();
        let mut waiting = self.waiting();
        let (start, group) = self.group(hash);
        // Another thread may have been here first.
        if group.iter().any(|slot| increment(slot, tag)) {
            return;
        }
        // A place of an earlier minute, or else one of another key.
        let minute = minute_of(now);
        let is_free = |slot: &AtomicU64| (slot.load(Ordering::Relaxed) >> COUNT_BITS) & mask(MINUTE_BITS) != minute;
        let offset = group.iter().position(is_free).unwrap_or_else(|| usize::try_from(hash >> 48).unwrap_or(0) % GROUP);
        let Some(slot) = group.get(offset) else { return };
        let before = slot.swap((tag << COUNT_BITS) | 1, Ordering::Relaxed);
        waiting.settle(start + offset, before);
        waiting.placed.insert(start + offset, *id);
        if waiting.keys.len() >= MOST_WAITING && !waiting.keys.contains_key(id) {
            // Its uses are not reported, but they take the lock only once a minute.
            return;
        }
        let used = waiting.keys.entry(*id).or_insert(Use { proof, at: now, count: 0, ip });
        used.at = now;
        used.ip = ip.or(used.ip);
    }

    /// Takes the uses of finished minutes, as many as one poll may report.
    pub(super) fn take(&self, now: Moment) -> Reported {
        let mut waiting = self.waiting();
        let minute = minute_of(now);
        let finished: Vec<usize> = waiting.placed.keys().copied().collect();
        for place in finished {
            let Some(slot) = self.places.get(place) else { continue };
            let held = slot.load(Ordering::Relaxed);
            if (held >> COUNT_BITS) & mask(MINUTE_BITS) != minute {
                let before = slot.swap(0, Ordering::Relaxed);
                waiting.settle(place, before);
            }
        }
        let is_due = |used: &Use| minute_of(used.at) != minute;
        let due = waiting.keys.iter().filter(|(_, used)| is_due(used)).take(MOST_REPORTED);
        let due: Vec<Id> = due.map(|(id, _)| *id).collect();
        Reported(due.into_iter().filter_map(|id| Some((id, waiting.keys.remove(&id)?))).collect())
    }

    /// Puts uses back whose report the server did not confirm.
    pub(super) fn put_back(&self, reported: Reported) {
        let mut waiting = self.waiting();
        for (id, used) in reported.0 {
            let known = waiting.keys.entry(id).or_insert(Use { count: 0, ..used });
            known.count += used.count;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // No code panics while it holds the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Adds what a place has counted to its key, which loses the place.
    fn settle(&mut self, place: usize, held: u64) {
        if let Some(used) = self.placed.remove(&place).and_then(|id| self.keys.get_mut(&id)) {
            used.count += held & mask(COUNT_BITS);
        }
    }
}

impl Reported {
    /// As the server is told of them.
    pub(super) fn show(&self, now: Moment) -> Vec<ReportedUse> {
        let show = |(id, used): &(Id, Use)| ReportedUse {
            key_id: String::from_utf8_lossy(id).into_owned(),
            proof: used.proof.iter().map(|byte| format!("{byte:02x}")).collect(),
            ms_ago: u64::try_from(now.since(used.at).as_millis()).unwrap_or(u64::MAX),
            count: used.count,
            ip: used.ip.map(|ip| ip.to_string()),
        };
        self.0.iter().map(show).collect()
    }
}

const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

fn minute_of(now: Moment) -> u64 {
    (now.nanos() / 1_000_000_000 / PERIOD.as_secs()) & mask(MINUTE_BITS)
}

/// FNV-1a. The ids are random, so nobody chooses those that collide.
#[inline]
fn hash(id: &Id) -> u64 {
    id.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The upper bits of a place that the key has in this minute.
#[inline]
fn tag(hash: u64, now: Moment) -> u64 {
    ((hash >> (COUNT_BITS + MINUTE_BITS)) << MINUTE_BITS) | minute_of(now)
}

/// Increments the count of a place that the key has in this minute. Returns false if it has it not, or the
/// count is full.
#[inline]
fn increment(slot: &AtomicU64, tag: u64) -> bool {
    let mut held = slot.load(Ordering::Relaxed);
    while held >> COUNT_BITS == tag && held & mask(COUNT_BITS) != mask(COUNT_BITS) {
        match slot.compare_exchange_weak(held, held + 1, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return true,
            Err(other) => held = other,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use keyward_domain::{KeyKind, PlainKey};

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_nanos(seconds * 1_000_000_000)
    }

    fn key() -> (Id, String) {
        let plain = PlainKey::generate(KeyKind::Token).unwrap();
        (keyward_verdict::id(plain.id().as_str()).unwrap(), plain.expose().to_owned())
    }

    #[test]
    fn uses_are_counted_and_reported_once_when_their_minute_is_over() {
        let uses = Uses::new(1_000);
        let keys: Vec<(Id, String)> = (0..200).map(|_| key()).collect();
        for round in 0..3 {
            for (id, text) in &keys {
                uses.note(id, text, at(60 + round), None);
            }
        }
        assert!(uses.take(at(119)).0.is_empty(), "the minute is not over");
        let reported = uses.take(at(120));
        assert_eq!(reported.0.len(), 200);
        assert!(reported.0.iter().all(|(_, used)| used.count == 3));
        let shown = reported.show(at(125));
        assert!(shown.iter().all(|used| (62_000..=65_000).contains(&used.ms_ago) && used.proof.len() == 64));
        assert!(uses.take(at(180)).0.is_empty());
        uses.put_back(reported);
        assert_eq!(uses.take(at(180)).0.len(), 200, "again, because the server did not confirm them");
    }

    #[test]
    fn no_use_is_lost_when_keys_share_a_place_or_threads_a_key() {
        let uses = Uses::new(1_000);
        // More keys than places, so that many share one.
        let keys: Vec<(Id, String)> = (0..20_000).map(|_| key()).collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| keys.iter().for_each(|(id, text)| uses.note(id, text, at(60), None)));
            }
        });
        let mut counted = 0;
        loop {
            let reported = uses.take(at(120)).0;
            if reported.is_empty() {
                break;
            }
            counted += reported.iter().map(|(_, used)| used.count).sum::<u64>();
        }
        assert_eq!(counted, 80_000);
    }
}
