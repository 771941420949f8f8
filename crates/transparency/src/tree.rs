//! The Merkle tree of RFC 6962, §2.1, kept as the hashes of its complete subtrees.
//!
//! A complete subtree has 2^k leaves, the first of which has an index that is a multiple of 2^k. Its hash
//! never changes, so it is stored once. The root of the tree and the right edge of a proof are combined from
//! the hashes of at most one complete subtree of each size.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::hash::Hash;

/// A complete subtree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// The index of its first leaf.
    pub first: u64,
    /// The logarithm to base 2 of its number of leaves; 0 for a leaf.
    pub level: u32,
}

impl Node {
    /// The number of its leaves.
    #[must_use]
    pub fn leaves(self) -> u64 {
        1 << self.level
    }

    /// Its place in an in-order walk of the tree: a leaf has twice its index, and a parent lies half-way
    /// between its children. Unique among all nodes.
    #[must_use]
    pub fn in_order(self) -> u64 {
        2 * self.first + self.leaves() - 1
    }
}

/// A tree that grows. It holds the complete subtrees of its right edge, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    edge: Vec<Hash>,
}

impl Tree {
    /// The tree of `size` leaves from the hashes of [`nodes_of_root`], in that order. `None` if their number
    /// is another.
    #[must_use]
    pub fn of_edge(size: u64, edge: Vec<Hash>) -> Option<Self> {
        (edge.len() == nodes_of_root(size).len()).then_some(Self { size, edge })
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf. Returns the complete subtrees that it completes, the leaf first.
    pub fn push(&mut self, leaf: Hash) -> Vec<(Node, Hash)> {
        let mut node = Node { first: self.size, level: 0 };
        let mut hash = leaf;
        let mut completed = vec![(node, hash)];
        // A complete subtree on the left, of the same size, is a bit in the size.
        while self.size >> node.level & 1 == 1
            && let Some(left) = self.edge.pop()
        {
            node = Node { first: node.first - node.leaves(), level: node.level + 1 };
            hash = parent(&left, &hash);
            completed.push((node, hash));
        }
        self.edge.push(hash);
        self.size += 1;
        completed
    }

    /// The root hash; the hash of nothing for the empty tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        hash_of(&self.edge)
    }
}

/// The hash over adjacent complete subtrees that get smaller; of none, the hash of the empty tree.
#[must_use]
pub fn hash_of(subtrees: &[Hash]) -> Hash {
    let Some((last, rest)) = subtrees.split_last() else { return Hash(Sha256::digest([]).into()) };
    rest.iter().rev().fold(*last, |right, left| parent(left, &right))
}

/// The complete subtrees whose hashes give the root of a tree of `size` leaves, largest first.
#[must_use]
pub fn nodes_of_root(size: u64) -> Vec<Node> {
    complete_subtrees(0..size)
}

/// For each hash of the inclusion proof of a leaf (RFC 6962, §2.1.1), from the leaf up, the complete subtrees
/// that give it. `None` if the tree has no such leaf.
#[must_use]
pub fn nodes_of_inclusion_proof(size: u64, index: u64) -> Option<Vec<Vec<Node>>> {
    if index >= size {
        return None;
    }
    let mut siblings = Vec::new();
    let mut tree = 0..size;
    while tree.end - tree.start > 1 {
        // The left part is the largest complete subtree that is not the whole.
        let left = 1 << (tree.end - tree.start - 1).ilog2();
        let middle = tree.start + left;
        if index < middle {
            siblings.push(complete_subtrees(middle..tree.end));
            tree.end = middle;
        } else {
            siblings.push(complete_subtrees(tree.start..middle));
            tree.start = middle;
        }
    }
    siblings.reverse();
    Some(siblings)
}

/// The inclusion proof of a leaf. `hash` returns the hash of a complete subtree. `None` if the tree has no
/// such leaf, or a hash is missing.
pub fn inclusion_proof(size: u64, index: u64, hash: impl Fn(Node) -> Option<Hash>) -> Option<Vec<Hash>> {
    let siblings = nodes_of_inclusion_proof(size, index)?;
    siblings
        .into_iter()
        .map(|nodes| Some(hash_of(&nodes.into_iter().map(&hash).collect::<Option<Vec<_>>>()?)))
        .collect()
}

/// Leaves whose first index is a multiple of a power of two that is not less than their number, as complete
/// subtrees.
fn complete_subtrees(leaves: Range<u64>) -> Vec<Node> {
    let size = leaves.end - leaves.start;
    let mut first = leaves.start;
    let levels = (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1);
    levels
        .map(|level| {
            let node = Node { first, level };
            first += node.leaves();
            node
        })
        .collect()
}

fn parent(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new_with_prefix([1]);
    hasher.update(left.0);
    hasher.update(right.0);
    Hash(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use ct_merkle::{InclusionProof, RootHash};

    use super::*;
    use crate::leaf::leaf_hash;

    /// The entries of the test vectors of RFC 6962's reference implementation.
    const ENTRIES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];

    fn hex(hash: Hash) -> String {
        hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn roots_are_those_of_the_reference_implementation() {
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Tree::default();
        assert_eq!(hex(tree.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for (entry, root) in ENTRIES.iter().zip(roots) {
            tree.push(leaf_hash(&[], entry));
            assert_eq!(hex(tree.root()), root, "{} leaves", tree.size());
        }
    }

    #[test]
    fn each_proof_of_each_tree_is_valid_for_ct_merkle() {
        let mut tree = Tree::default();
        let mut nodes = HashMap::new();
        for size in 1..=70_u64 {
            nodes.extend(tree.push(leaf_hash(&[], &(size - 1).to_be_bytes())));
            let root = RootHash::<Sha256>::new(tree.root().0.into(), size);
            let edge = nodes_of_root(size).iter().map(|node| nodes[node]).collect();
            assert_eq!(Tree::of_edge(size, edge), Some(tree.clone()));
            for index in 0..size {
                let proof = inclusion_proof(size, index, |node| nodes.get(&node).copied()).unwrap();
                let proof = InclusionProof::from_bytes(proof.iter().flat_map(|hash| hash.0).collect());
                root.verify_inclusion(&index.to_be_bytes(), index, &proof).unwrap();
            }
            assert_eq!(inclusion_proof(size, size, |node| nodes.get(&node).copied()), None);
        }
        let places: std::collections::HashSet<u64> = nodes.keys().map(|node| node.in_order()).collect();
        assert_eq!(places.len(), nodes.len());
    }
}
