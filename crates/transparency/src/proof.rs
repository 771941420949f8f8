//! Inclusion proofs (C2SP `tlog-proof`).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ct_merkle::{InclusionProof, RootHash};
use sha2::Sha256;

use crate::checkpoint::{Checkpoint, InvalidCheckpoint};
use crate::hash::Hash;
use crate::note::VerifierKey;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A proof that an entry is in the tree of a signed checkpoint. Its text is a `tlog-proof`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The salt of the entry: the "extra data" of the format.
    pub salt: Vec<u8>,
    /// The index of the entry.
    pub index: u64,
    /// The hashes beside the path from the leaf to the root, from the leaf up.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// A text that is not a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a proof of the form {HEADER}: {0}")]
pub struct InvalidProof(&'static str);

/// A proof that does not prove.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The checkpoint cannot be trusted.
    #[error("the checkpoint of the proof cannot be trusted")]
    Checkpoint(#[from] InvalidCheckpoint),
    /// The entry is not in the tree of the checkpoint.
    #[error("the proof does not lead from the entry to the root hash of the checkpoint")]
    NotIncluded,
}

impl Proof {
    /// Checks that the entry with this canonical JSON is in the tree of the checkpoint, and that one of the
    /// keys has signed it. Returns the checkpoint.
    ///
    /// # Errors
    /// If it is not proven.
    pub fn verify(&self, json: &str, keys: &[VerifierKey]) -> Result<Checkpoint, ProofError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, keys)?;
        // The library panics at larger ones.
        if self.index > u64::MAX / 2 {
            return Err(ProofError::NotIncluded);
        }
        let leaf = [self.salt.as_slice(), json.as_bytes()].concat();
        let hashes = InclusionProof::from_bytes(self.hashes.iter().flat_map(|hash| hash.0).collect());
        RootHash::<Sha256>::new(checkpoint.root.0.into(), checkpoint.size)
            .verify_inclusion(&leaf, self.index, &hashes)
            .map_err(|_reason| ProofError::NotIncluded)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if !self.salt.is_empty() {
            writeln!(f, "extra {}", BASE64_STANDARD.encode(&self.salt))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for Proof {
    type Err = InvalidProof;

    fn from_str(text: &str) -> Result<Self, InvalidProof> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(InvalidProof("it has no checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(InvalidProof("its first line is another"));
        }
        let salt = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => BASE64_STANDARD
                .decode(&line["extra ".len()..])
                .map_err(|_malformed| InvalidProof("its extra data is not base64"))?,
            None => Vec::new(),
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.filter(|index| *index == "0" || !index.starts_with(['0', '+']));
        let index = index.and_then(|index| index.parse().ok()).ok_or(InvalidProof("it has no index"))?;
        let hashes = lines.map(str::parse).collect::<Result<_, _>>();
        let hashes = hashes.map_err(|_malformed| InvalidProof("one of its hashes is not SHA-256 in base64"))?;
        Ok(Self { salt, index, hashes, checkpoint: checkpoint.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::leaf::{canonical_json, leaf_hash};
    use crate::note::SigningKey;
    use crate::tree::{Tree, inclusion_proof};

    fn json(index: u64) -> String {
        canonical_json(&serde_json::json!({ "index": index, "a": 1.0, "é": "\u{1F600}" })).unwrap()
    }

    fn proofs(size: u64) -> (SigningKey, Vec<Proof>) {
        let key = SigningKey::from_pem("keyward/x", &SigningKey::generate().unwrap()).unwrap();
        let mut tree = Tree::default();
        let mut nodes = HashMap::new();
        for index in 0..size {
            nodes.extend(tree.push(leaf_hash(&index.to_be_bytes(), json(index).as_bytes())));
        }
        let checkpoint = Checkpoint { origin: "keyward/x".to_owned(), size, root: tree.root() }.sign(&key);
        let proof = |index: u64| Proof {
            salt: index.to_be_bytes().to_vec(),
            index,
            hashes: inclusion_proof(size, index, |node| nodes.get(&node).copied()).unwrap(),
            checkpoint: checkpoint.clone(),
        };
        (key, (0..size).map(proof).collect())
    }

    #[test]
    fn json_is_canonical() {
        assert_eq!(json(3), "{\"a\":1,\"index\":3,\"é\":\"\u{1F600}\"}");
    }

    #[test]
    fn a_proof_proves_its_entry_and_no_other() {
        let (key, proofs) = proofs(11);
        let keys = [key.verifier().clone()];
        for (index, proof) in (0..).zip(&proofs) {
            let read: Proof = proof.to_string().parse().unwrap();
            assert_eq!(&read, proof);
            assert_eq!(read.verify(&json(index), &keys).unwrap().size, 11);
            assert_eq!(read.verify(&json(index + 1), &keys), Err(ProofError::NotIncluded));
            assert_eq!(Proof { index: u64::MAX, ..read }.verify(&json(index), &keys), Err(ProofError::NotIncluded));
        }
        assert!(matches!(proofs[0].verify(&json(0), &[]), Err(ProofError::Checkpoint(_))));
    }

    proptest! {
        #[test]
        fn a_changed_proof_proves_nothing(size in 1_u64..20, at in 0_usize..2_000, to in any::<char>()) {
            let (key, proofs) = proofs(size);
            let proof = &proofs[at % proofs.len()];
            let text = proof.to_string();
            let chars: Vec<char> = text.chars().collect();
            let at = at % chars.len();
            prop_assume!(chars[at] != to);
            let changed: String = chars.iter().enumerate().map(|(i, c)| if i == at { to } else { *c }).collect();
            if let Ok(read) = changed.parse::<Proof>() {
                prop_assert!(read.verify(&json(proof.index), &[key.verifier().clone()]).is_err(), "{changed}");
            }
        }
    }
}
