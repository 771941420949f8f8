//! The proofs of Keyward's audit log: its Merkle tree, signed checkpoints and inclusion proofs.
//!
//! Each audit entry is a leaf of one append-only Merkle tree (RFC 6962). A checkpoint is a signature over
//! the size and the root hash of the tree. Whoever keeps a checkpoint can later prove that no entry of it
//! was changed, removed or inserted. The formats are those of [C2SP](https://c2sp.org): `signed-note`,
//! `tlog-checkpoint` and `tlog-proof`.
//!
//! **Invariant:** nothing here does I/O.

mod checkpoint;
mod hash;
mod leaf;
mod note;
mod proof;
mod tree;

pub use checkpoint::{Checkpoint, InvalidCheckpoint, notes};
pub use hash::{Hash, InvalidHash};
pub use leaf::{NotCanonical, SALT_LENGTH, Salt, canonical_json, leaf_hash};
pub use note::{InvalidKey, KeyFileError, Note, NoteError, SigningKey, VerifierKey};
pub use proof::{InvalidProof, Proof, ProofError};
pub use tree::{Node, Tree, hash_of, inclusion_proof, nodes_of_inclusion_proof, nodes_of_root};
