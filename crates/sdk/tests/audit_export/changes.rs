//! Random single changes of an export: each is found.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::export::{Log, RETIRED, leaf, verify, verify_text, waiting};

const SIZE: usize = 200;

static LOG: LazyLock<Log> = LazyLock::new(|| Log::new(SIZE as u64));
static LINES: LazyLock<Vec<String>> = LazyLock::new(|| LOG.lines());
static CHECKPOINT: LazyLock<String> = LazyLock::new(|| LOG.checkpoint(SIZE));

/// A change of one thing.
#[derive(Clone, Debug)]
enum Change {
    /// A byte of the line of a leaf that has its entry.
    Byte(Index, Index, u8),
    /// A line is gone.
    Line(Index),
    /// A line of a leaf or an entry is there twice.
    Copy(Index, Index),
    /// A leaf is inserted, and the later ones have new indexes.
    Leaf(Index),
    /// An entry is inserted into the log.
    Entry(Index),
    /// Two lines are swapped.
    Lines(Index, Index),
    /// The entries of two leaves are swapped, with their salts and ids or without.
    Entries(Index, Index, bool),
    /// The entry of a leaf is gone.
    NoEntry(Index),
    /// An entry is changed, and its leaf fits.
    Forged(Index),
    /// A leaf is gone, and the later ones have new indexes.
    NoLeaf(Index),
    /// The text is cut off.
    Cut(Index),
    /// The log was replaced by an older copy with its checkpoint.
    Older(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        6 => (at(), at(), any::<u8>()).prop_map(|(line, at, to)| Change::Byte(line, at, to)),
        1 => at().prop_map(Change::Line),
        1 => (at(), at()).prop_map(|(from, to)| Change::Copy(from, to)),
        1 => at().prop_map(Change::Leaf),
        1 => at().prop_map(Change::Entry),
        1 => (at(), at()).prop_map(|(one, other)| Change::Lines(one, other)),
        1 => (at(), at(), any::<bool>()).prop_map(|(one, other, whole)| Change::Entries(one, other, whole)),
        1 => at().prop_map(Change::NoEntry),
        1 => at().prop_map(Change::Forged),
        1 => at().prop_map(Change::NoLeaf),
        1 => at().prop_map(Change::Cut),
        1 => at().prop_map(Change::Older),
    ]
}

/// The index of a leaf that has its entry.
fn with_entry(at: &Index) -> usize {
    let retired = usize::try_from(RETIRED).unwrap();
    retired + at.index(SIZE - retired)
}

fn renumber(leaves: &mut [Value]) {
    for (index, leaf) in leaves.iter_mut().enumerate() {
        leaf["index"] = json!(index);
    }
}

/// The changed export; `None` if nothing was changed.
fn changed(change: &Change) -> Option<Vec<u8>> {
    let log = &*LOG;
    let mut lines = LINES.clone();
    let own = CHECKPOINT.clone();
    let mut copy = Log { key: Log::new(0).key, leaves: log.leaves.clone(), unsealed: log.unsealed.clone() };
    let mut bytes = None;
    match change {
        Change::Byte(line, at, to) => {
            let line = 1 + with_entry(line);
            let start: usize = lines[..line].iter().map(|line| line.len() + 1).sum();
            let mut text = lines.join("\n").into_bytes();
            let byte = &mut text[start + at.index(lines[line].len())];
            if std::mem::replace(byte, *to) == *to {
                return None;
            }
            bytes = Some(text);
        }
        Change::Line(at) => drop(lines.remove(at.index(lines.len()))),
        Change::Copy(from, to) => {
            let line = lines[1 + from.index(lines.len() - 2)].clone();
            lines.insert(1 + to.index(lines.len() - 1), line);
        }
        Change::Leaf(at) => {
            let mut entry = log.leaves[199]["entry"].clone();
            entry["id"] = json!("019ac3f0-7a1e-7000-8000-ffffffffffff");
            copy.leaves.insert(at.index(SIZE + 1), leaf(0, &entry));
            renumber(&mut copy.leaves);
            lines = copy.lines_with(own);
        }
        Change::Entry(at) => {
            copy.unsealed.insert(at.index(copy.unsealed.len() + 1), waiting(1_000, false));
            lines = copy.lines_with(own);
        }
        Change::Lines(one, other) => {
            let (one, other) = (one.index(SIZE + 1), other.index(SIZE + 1));
            if one == other {
                return None;
            }
            lines.swap(one, other);
        }
        Change::Entries(one, other, whole) => {
            let (one, other) = (with_entry(one), with_entry(other));
            if one == other {
                return None;
            }
            let names: &[&str] = if *whole { &["entry", "salt", "id", "hash"] } else { &["entry"] };
            for name in names {
                let value = copy.leaves[one][name].take();
                copy.leaves[one][name] = std::mem::replace(&mut copy.leaves[other][name], value);
            }
            lines = copy.lines_with(own);
        }
        Change::NoEntry(at) => {
            crate::export::forget(&mut copy.leaves[with_entry(at)]);
            lines = copy.lines_with(own);
        }
        Change::Forged(at) => {
            let at = with_entry(at);
            let mut entry = copy.leaves[at]["entry"].clone();
            entry["status_code"] = json!(418);
            copy.leaves[at] = leaf(at as u64, &entry);
            lines = copy.lines_with(own);
        }
        Change::NoLeaf(at) => {
            copy.leaves.remove(at.index(SIZE));
            renumber(&mut copy.leaves);
            lines = copy.lines_with(own);
        }
        Change::Cut(at) => {
            let text = lines.join("\n").into_bytes();
            bytes = Some(text[..at.index(text.len())].to_vec());
        }
        Change::Older(at) => {
            let size = at.index(SIZE);
            copy.leaves.truncate(size);
            // The record of retention may be gone too, but a cut must be found without that.
            lines = copy.lines_with(log.checkpoint(size));
            let key = log.verifier_key().to_string();
            lines[0] = lines[0].replace(&copy.verifier_key().to_string(), &key);
        }
    }
    Some(bytes.unwrap_or_else(|| lines.join("\n").into_bytes()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_single_change_is_found(change in change()) {
        let Some(text) = changed(&change) else { return Ok(()) };
        let report = verify_text(&text, vec![LOG.verifier_key()], vec![CHECKPOINT.clone()]);
        prop_assert!(!report.is_clean(), "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn without_a_change_nothing_is_found() {
    let report = verify(&LINES, vec![LOG.verifier_key()], vec![CHECKPOINT.clone()]);
    assert!(report.is_clean(), "{report:#?}");
}
