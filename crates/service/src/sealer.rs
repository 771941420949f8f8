//! Seals the audit log: appends its entries to the Merkle tree in the background, and signs checkpoints.
//!
//! Any number of servers may seal one database. Each appends only to the tree that it has read, so of two that
//! append at once, one changes nothing and reads again. Entries are hashed outside of the transaction that
//! appends them, so that other changes wait for little.

use std::collections::HashSet;

use keyward_domain::audit::Entry;
use keyward_domain::event::Origin;
use keyward_storage::audit_tree::{self, NewLeaf, Salted, TreeState};
use keyward_storage::{Conn, Lane, StoreError};
use keyward_transparency::{
    Checkpoint, Hash, InvalidCheckpoint, KeyFileError, Node, NotCanonical, SigningKey, Tree, leaf_hash, nodes_of_root,
};

use crate::Service;

/// The most entries that one transaction appends. Other changes wait for it.
const BATCH: i64 = 500;

/// The canonical JSON of an entry, as clients see it.
pub type EntryJson = fn(&Entry) -> Result<String, NotCanonical>;

/// The log is not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signing key cannot be read.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The checkpoint in the database cannot be read.
    #[error("the newest checkpoint in the database cannot be read")]
    Checkpoint(#[from] InvalidCheckpoint),
    /// The database is older than a checkpoint that was kept outside of it.
    #[error(
        "the database has {size} sealed audit entries, but a checkpoint that was kept has {kept}: the database was \
         replaced by an older copy"
    )]
    RolledBack {
        /// The number of leaves in the database.
        size: u64,
        /// The size of the kept checkpoint.
        kept: u64,
    },
    /// The tree in the database does not have the root hash of a checkpoint.
    #[error("the audit tree in the database differs from the checkpoint of size {0}: someone has changed it")]
    Changed(u64),
    /// The checkpoint belongs to another database.
    #[error("the checkpoint that was kept belongs to \"{kept}\", and this database is \"{origin}\"")]
    OtherOrigin {
        /// The origin of the kept checkpoint.
        kept: String,
        /// The origin of this database.
        origin: String,
    },
    /// An entry has no canonical JSON.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

/// What one step has sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The new checkpoint, signed; none if there was nothing to do.
    pub checkpoint: Option<String>,
    /// The number of leaves.
    pub size: u64,
    /// Whether more entries wait.
    pub has_more: bool,
}

/// Seals the audit log of one database.
#[derive(Debug)]
pub struct Sealer {
    service: Service,
    key: SigningKey,
    json: EntryJson,
    /// The tree as of the last step.
    tree: Option<Tree>,
    /// Queued entries whose rows cannot be read. They stay in the queue, where an audit finds them.
    unreadable: HashSet<String>,
}

impl Service {
    /// Prepares to seal the audit log with a private key in PEM, and records in the log that it is used, unless
    /// it is the first.
    ///
    /// # Errors
    /// If the key cannot be read, or the database fails.
    pub async fn sealer(&self, pem: &str, json: EntryJson) -> Result<Sealer, SealError> {
        let state = self.inner.store.read(Lane::Normal, audit_tree::state).await?;
        let key = SigningKey::from_pem(&origin(&state), pem)?;
        let (verifier, now) = (key.verifier().to_string(), self.now());
        let origin = Origin::system(now);
        self.change(Lane::Normal, move |tx| audit_tree::add_signing_key(tx, &verifier, now, &origin)).await?;
        Ok(Sealer { service: self.clone(), key, json, tree: None, unreadable: HashSet::new() })
    }

    /// The name under which checkpoints of this database are signed.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn audit_origin(&self) -> Result<String, StoreError> {
        Ok(origin(&self.inner.store.read(Lane::Normal, audit_tree::state).await?))
    }
}

/// The origin of a database's checkpoints.
pub(crate) fn origin(state: &TreeState) -> String {
    format!("keyward/{}", state.instance)
}

impl Sealer {
    /// Checks that the tree in the database has everything that a kept checkpoint promises.
    ///
    /// # Errors
    /// If it has not, or the database fails.
    pub async fn check(&self, kept: &Checkpoint) -> Result<(), SealError> {
        let size = kept.size;
        let read = move |conn: &mut Conn<'_>| -> Result<_, StoreError> {
            let state = audit_tree::state(conn)?;
            let tree = if size <= state.size { stored_tree(conn, size)? } else { None };
            Ok((state, tree))
        };
        let (state, tree) = self.service.inner.store.read(Lane::Normal, read).await?;
        let origin = origin(&state);
        if kept.origin != origin {
            return Err(SealError::OtherOrigin { kept: kept.origin.clone(), origin });
        }
        if size > state.size {
            return Err(SealError::RolledBack { size: state.size, kept: size });
        }
        match tree {
            Some(tree) if tree.root() == kept.root => Ok(()),
            Some(_) | None => Err(SealError::Changed(size)),
        }
    }

    /// Appends the first entries of the queue to the tree.
    ///
    /// # Errors
    /// If the database fails or was changed by hand. Then nothing was sealed.
    pub async fn seal(&mut self) -> Result<Sealed, SealError> {
        let unreadable = self.unreadable.clone();
        let known = self.tree.as_ref().map(Tree::size);
        let read = move |conn: &mut Conn<'_>| -> Result<_, StoreError> {
            let state = audit_tree::state(conn)?;
            let tree = if known == Some(state.size) { None } else { Some(stored_tree(conn, state.size)?) };
            Ok((tree, audit_tree::queued(conn, &unreadable, BATCH)?, state))
        };
        let (stored, queued, state) = self.service.inner.store.read(Lane::Normal, read).await?;
        let mut tree = match (stored, &self.tree) {
            (Some(stored), _) => checked(stored, &state)?,
            (None, Some(tree)) => tree.clone(),
            (None, None) => return Err(SealError::Changed(state.size)),
        };
        let has_more = i64::try_from(queued.len()).is_ok_and(|count| count >= BATCH);
        let (leaves, completed) = self.hash(&mut tree, queued)?;
        if leaves.is_empty() && state.checkpoint.is_some() {
            self.tree = Some(tree);
            return Ok(Sealed { checkpoint: None, size: state.size, has_more });
        }
        let size = tree.size();
        let checkpoint = Checkpoint { origin: origin(&state), size, root: tree.root() }.sign(&self.key);
        let note = checkpoint.clone();
        let append = move |tx: &mut keyward_storage::Tx<'_>| -> Result<_, StoreError> {
            audit_tree::append(tx, state.size, &leaves, &completed, &note)
        };
        if !self.service.change(Lane::Normal, append).await? {
            // Another server has appended.
            self.tree = None;
            return Ok(Sealed { checkpoint: None, size: state.size, has_more: true });
        }
        self.tree = Some(tree);
        Ok(Sealed { checkpoint: Some(checkpoint), size, has_more })
    }

    /// Appends entries to a tree.
    fn hash(&mut self, tree: &mut Tree, queued: Vec<(String, Salted)>) -> Result<Appended, SealError> {
        let (mut leaves, mut completed) = (Vec::new(), Vec::new());
        for (id, Salted { salt, entry }) in queued {
            match entry {
                Ok(entry) => {
                    let hash = leaf_hash(&salt, (self.json)(&entry)?.as_bytes());
                    completed.extend(tree.push(hash));
                    leaves.push(NewLeaf { id: entry.id, hash });
                }
                Err(error) => {
                    tracing::error!(
                        id,
                        error = &error as &dyn std::error::Error,
                        "an audit entry was changed before it was sealed"
                    );
                    self.unreadable.insert(id);
                }
            }
        }
        Ok((leaves, completed))
    }
}

/// New leaves, and the complete subtrees that they complete.
type Appended = (Vec<NewLeaf>, Vec<(Node, Hash)>);

/// The tree of the first `size` leaves in the database; none if hashes are missing.
fn stored_tree(conn: &mut Conn<'_>, size: u64) -> Result<Option<Tree>, StoreError> {
    let nodes = nodes_of_root(size);
    let hashes = audit_tree::nodes(conn, &nodes)?;
    let edge = nodes.iter().map(|node| hashes.get(node).copied()).collect::<Option<Vec<_>>>();
    Ok(edge.and_then(|edge| Tree::of_edge(size, edge)))
}

/// The stored tree, if it has the root hash of the newest checkpoint.
fn checked(stored: Option<Tree>, state: &TreeState) -> Result<Tree, SealError> {
    let tree = stored.ok_or(SealError::Changed(state.size))?;
    if let Some(note) = &state.checkpoint {
        let checkpoint = Checkpoint::unverified(note)?;
        if (checkpoint.size, checkpoint.root) != (tree.size(), tree.root()) {
            return Err(SealError::Changed(checkpoint.size));
        }
    }
    Ok(tree)
}
