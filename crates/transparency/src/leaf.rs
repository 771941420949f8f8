//! The leaf of an audit entry.

use serde::Serialize;
use serde_json::Value;
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
    let value = serde_json::to_value(value).map_err(|error| NotCanonical(error.into()))?;
    if is_written_canonically(&value) {
        return serde_json::to_string(&value).map_err(|error| NotCanonical(error.into()));
    }
    serde_json_canonicalizer::to_string(&value).map_err(|error| NotCanonical(error.into()))
}

/// The largest number up to which RFC 8785 writes whole numbers as they are.
const LARGEST_WHOLE: u64 = 1 << 53;

/// Whether `serde_json` writes the value canonically: it sorts names by their bytes, and writes whole numbers
/// and texts like RFC 8785. It takes less than half of the time.
fn is_written_canonically(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.unsigned_abs() <= LARGEST_WHOLE,
            None => false,
        },
        Value::Array(items) => items.iter().all(is_written_canonically),
        // With a feature that any crate can turn on, they keep the order in which they were inserted.
        Value::Object(fields) => {
            fields.keys().is_sorted()
                && fields.iter().all(|(name, value)| name.is_ascii() && is_written_canonically(value))
        }
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-10_i64..10).prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x7f]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{0,3}", inner.clone(), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_is_canonical_however_it_is_written(value in any_json()) {
            let canonical = serde_json_canonicalizer::to_string(&value).unwrap();
            prop_assert_eq!(canonical_json(&value).unwrap(), canonical);
        }
    }

    #[test]
    fn the_examples_of_rfc_8785_are_canonical() {
        let numbers = "[333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001]";
        let numbers: Value = serde_json::from_str(numbers).unwrap();
        assert_eq!(canonical_json(&numbers).unwrap(), "[333333333.3333333,1e+30,4.5,0.002,1e-27]");
        let names = json!({ "\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7 });
        let expected = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}";
        assert_eq!(canonical_json(&names).unwrap(), expected);
    }
}
