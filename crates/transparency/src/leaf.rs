//! The leaf of an audit entry.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::hash::Hash;

/// The length of a salt, in bytes.
pub const SALT_LENGTH: usize = 16;

/// Random bytes in the leaf of an entry. They leave the database with their entry, so that its hash, which
/// stays, does not show what the entry was, even to someone who guesses.
pub type Salt = [u8; SALT_LENGTH];

/// A value that has no canonical JSON.
#[derive(Debug, thiserror::Error)]
#[error("the entry has no canonical JSON")]
pub struct NotCanonical(#[source] std::io::Error);

/// The canonical JSON of a value (RFC 8785): names in order, no spaces, one form of each number.
///
/// # Errors
/// If the value is not JSON, such as a map whose keys are not texts.
pub fn canonical_json(value: &impl Serialize) -> Result<String, NotCanonical> {
    serde_json_canonicalizer::to_string(value).map_err(|error| NotCanonical(error.into()))
}

/// The hash of a leaf (RFC 6962, §2.1): SHA-256 of 0x00, the salt and the entry's canonical JSON. The salt
/// is empty for entries from before there were proofs.
#[must_use]
pub fn leaf_hash(salt: &[u8], json: &[u8]) -> Hash {
    let mut hasher = Sha256::new_with_prefix([0]);
    hasher.update(salt);
    hasher.update(json);
    Hash(hasher.finalize().into())
}
