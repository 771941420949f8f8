//! A generated export, with a signature, that tests change.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keyward_sdk::audit_export::{Finding, FindingKind, Report, Verifier};
use keyward_sdk::transparency::{Checkpoint, Hash, SigningKey, Tree, VerifierKey, canonical_json, leaf_hash};
use serde_json::{Value, json};

pub const ORIGIN: &str = "keyward/019ac3f0-7a1e-7000-8000-000000000001";

/// The leaves whose entries retention has removed.
pub const RETIRED: u64 = 20;

/// Where the record of that is.
const RECORD: u64 = 150;

/// Entries that are not sealed.
pub const UNSEALED: u64 = 5;

/// A log of some leaves.
pub struct Log {
    pub key: SigningKey,
    pub leaves: Vec<Value>,
    pub unsealed: Vec<Value>,
}

/// The id of an entry.
pub fn id(index: u64) -> String {
    format!("019ac3f0-7a1e-7000-8000-{index:012x}")
}

fn entry(index: u64) -> Value {
    let fields = match index {
        RECORD => json!({ "count": RETIRED, "before": "2026-01-01T00:00:00Z", "leaves": [[0, RETIRED - 1]] }),
        other => json!({ "owner_id": id(other), "text": "é \" \\ \u{1f600}" }),
    };
    json!({
        "id": id(index),
        "time": "2026-01-31T12:00:00Z",
        "event": if index == RECORD { "audit_log.retired" } else { "key.created" },
        "new": { "id": format!("kwd_{index:010}"), "lifetime_seconds": 3600 },
        "old": null,
        "status_code": 201,
        "additional_fields": fields,
    })
}

fn hash_of(salt: &[u8], entry: &Value) -> Hash {
    leaf_hash(salt, canonical_json(entry).unwrap().as_bytes())
}

/// A leaf with a new hash for this entry.
pub fn leaf(index: u64, entry: &Value) -> Value {
    let salt = [u8::try_from(index % 251).unwrap(); 16];
    json!({
        "index": index,
        "id": entry["id"],
        "hash": hash_of(&salt, entry).to_string(),
        "salt": BASE64_STANDARD.encode(salt),
        "entry": entry,
    })
}

impl Log {
    /// A log of `size` leaves, of which retention has removed the entries of some.
    pub fn new(size: u64) -> Self {
        let key = SigningKey::from_pem(ORIGIN, &SigningKey::generate().unwrap()).unwrap();
        let mut leaves: Vec<Value> = (0..size).map(|index| leaf(index, &entry(index))).collect();
        for leaf in leaves.iter_mut().take(usize::try_from(RETIRED).unwrap()) {
            forget(leaf);
        }
        let unsealed = (size..size + UNSEALED).map(|index| waiting(index, true)).collect();
        Self { key, leaves, unsealed }
    }

    pub fn verifier_key(&self) -> VerifierKey {
        self.key.verifier().clone()
    }

    /// The signed checkpoint of the first `size` leaves.
    pub fn checkpoint(&self, size: usize) -> String {
        checkpoint(&self.key, ORIGIN, &self.leaves[..size])
    }

    /// The lines of the export, with the checkpoint of all leaves.
    pub fn lines(&self) -> Vec<String> {
        self.lines_with(self.checkpoint(self.leaves.len()))
    }

    pub fn lines_with(&self, checkpoint: String) -> Vec<String> {
        let tree = json!({ "tree": {
            "origin": ORIGIN,
            "size": Checkpoint::unverified(&checkpoint).unwrap().size,
            "checkpoint": checkpoint,
            "verifier_keys": [self.verifier_key().to_string()],
        } });
        let end = json!({ "end": { "leaves": self.leaves.len(), "unsealed": self.unsealed.len() } });
        let all = [tree].into_iter().chain(self.leaves.clone()).chain(self.unsealed.clone()).chain([end]);
        all.map(|line| canonical_json(&line).unwrap()).collect()
    }

    /// Verifies the log as it is.
    pub fn verify(&self) -> Report {
        verify(&self.lines(), vec![self.verifier_key()], vec![])
    }
}

/// An entry that is not in the tree.
pub fn waiting(index: u64, is_waiting: bool) -> Value {
    json!({ "id": id(index), "salt": "", "entry": entry(index), "is_waiting": is_waiting })
}

/// Removes the entry of a leaf, as retention does.
pub fn forget(leaf: &mut Value) {
    let fields = leaf.as_object_mut().unwrap();
    fields.remove("entry").unwrap();
    fields.remove("salt").unwrap();
}

pub fn checkpoint(key: &SigningKey, origin: &str, leaves: &[Value]) -> String {
    let mut tree = Tree::default();
    for leaf in leaves {
        tree.push(leaf["hash"].as_str().unwrap().parse().unwrap());
    }
    Checkpoint { origin: origin.to_owned(), size: tree.size(), root: tree.root() }.sign(key)
}

pub fn verify(lines: &[String], keys: Vec<VerifierKey>, kept: Vec<String>) -> Report {
    verify_text(format!("{}\n", lines.join("\n")).as_bytes(), keys, kept)
}

pub fn verify_text(text: &[u8], keys: Vec<VerifierKey>, kept: Vec<String>) -> Report {
    let mut verifier = Verifier::new(keys, kept);
    verifier.read(text);
    verifier.finish()
}

/// The findings without their sentences.
pub fn kinds(report: &Report) -> Vec<(FindingKind, Option<u64>, Option<u64>)> {
    report.findings.iter().map(|Finding { kind, first, last, .. }| (*kind, *first, *last)).collect()
}
