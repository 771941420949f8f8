//! The Merkle tree over the audit log: its leaves, its complete subtrees, and its newest checkpoint.
//!
//! A transaction that writes an entry queues it in `audit_unsealed`. The sealer moves the queue into the
//! tree. Leaves and nodes are only ever added.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel::result::Error as DieselError;
use keyward_domain::Timestamp;
use keyward_domain::audit::Entry;
use keyward_domain::event::{Event, EventKind, Origin};
use keyward_transparency::{Hash, Node};
use uuid::Uuid;

use crate::audit::{EntryRow, exact_entry};
use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::{audit_leaves, audit_logs, audit_nodes, audit_signing_keys, audit_tree, audit_unsealed};
use crate::sql_types::{DbId, DbInstant};
use crate::tx::Tx;

mod sql {
    use crate::sql_types::Id;

    diesel::define_sql_function! {
        /// An id as text: both databases join all arguments, here one. Someone may have changed the id into
        /// one that is none, and reading that as an id would be an error for all rows of a query.
        fn concat(id: Id) -> Text;
    }
}
use sql::concat as text;

/// Rows per INSERT or list of values. PostgreSQL allows 65 535 bound values in a statement, SQLite 32 766.
const BATCH: usize = 5_000;

/// The state of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeState {
    /// The id of this instance of Keyward: that of its database.
    pub instance: Uuid,
    /// The number of leaves.
    pub size: u64,
    /// The newest signed checkpoint; none before the first.
    pub checkpoint: Option<String>,
}

/// An audit entry with what its leaf is made of.
#[derive(Debug)]
pub struct Salted {
    /// The salt; empty for entries from before there was a tree.
    pub salt: Vec<u8>,
    /// The entry, or why its row cannot be read as this program wrote it.
    pub entry: Result<Entry, StoreError>,
}

/// A leaf of the tree.
#[derive(Debug)]
pub struct Leaf {
    /// Its index.
    pub index: u64,
    /// The id of its entry, as it stands in the row.
    pub id: String,
    /// Its hash, as it stands in the row.
    pub hash: Vec<u8>,
    /// Its entry; none if the log no longer has it.
    pub entry: Option<Salted>,
}

/// A leaf to be added.
#[derive(Clone, Copy, Debug)]
pub struct NewLeaf {
    /// The id of its entry.
    pub id: Uuid,
    /// Its hash.
    pub hash: Hash,
}

/// An entry that is in the log and not in the tree, or the other way round.
#[derive(Debug)]
pub struct Unsealed {
    /// The id of the entry, as it stands in the row.
    pub id: String,
    /// Whether it is queued for the tree.
    pub is_queued: bool,
    /// The entry; none if it is queued but the log does not have it.
    pub entry: Option<Salted>,
}

/// The state of the tree.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn state(conn: &mut Conn<'_>) -> Result<TreeState, StoreError> {
    let (instance, size, checkpoint): (DbId, i64, Option<String>) = on_backend!(conn, |db| audit_tree::table
        .select((audit_tree::instance_id, audit_tree::size, audit_tree::checkpoint))
        .first(db))?;
    Ok(TreeState { instance: instance.0, size: unsigned("audit_tree", size)?, checkpoint })
}

/// The hashes of complete subtrees. One that the tree does not have is missing in the result.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn nodes(conn: &mut Conn<'_>, wanted: &[Node]) -> Result<HashMap<Node, Hash>, StoreError> {
    let (leaves, nodes): (Vec<Node>, Vec<Node>) = wanted.iter().partition(|node| node.level == 0);
    let of_leaf: HashMap<i64, Node> =
        leaves.into_iter().map(|node| Ok((signed(node.first)?, node))).collect::<Result<_, StoreError>>()?;
    let of_node: HashMap<i64, Node> =
        nodes.into_iter().map(|node| Ok((signed(node.in_order())?, node))).collect::<Result<_, StoreError>>()?;
    let mut found = HashMap::new();
    if !of_leaf.is_empty() {
        let rows: Vec<(i64, Vec<u8>)> = on_backend!(conn, |db| audit_leaves::table
            .filter(audit_leaves::leaf_index.eq_any(of_leaf.keys().copied()))
            .select((audit_leaves::leaf_index, audit_leaves::hash))
            .load(db))?;
        for (index, bytes) in rows {
            let hash = hash("audit_leaves", index, &bytes)?;
            found.extend(of_leaf.get(&index).map(|node| (*node, hash)));
        }
    }
    if !of_node.is_empty() {
        let rows: Vec<(i64, Vec<u8>)> = on_backend!(conn, |db| audit_nodes::table
            .filter(audit_nodes::node.eq_any(of_node.keys().copied()))
            .select((audit_nodes::node, audit_nodes::hash))
            .load(db))?;
        for (place, bytes) in rows {
            let hash = hash("audit_nodes", place, &bytes)?;
            found.extend(of_node.get(&place).map(|node| (*node, hash)));
        }
    }
    Ok(found)
}

/// The first queued entries, in the order in which they were written, with their ids. `skipped` are left out.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn queued(conn: &mut Conn<'_>, skipped: &HashSet<String>, limit: i64) -> Result<Vec<(String, Salted)>, StoreError> {
    let ids: Vec<String> = on_backend!(conn, |db| audit_unsealed::table
        .filter(diesel::dsl::not(text(audit_unsealed::entry_id).eq_any(skipped)))
        .order(audit_unsealed::position)
        .limit(limit)
        .select(text(audit_unsealed::entry_id))
        .load(db))?;
    let mut entries = salted(conn, &ids)?;
    Ok(ids.into_iter().filter_map(|id| entries.remove(&id).map(|entry| (id, entry))).collect())
}

/// Appends leaves to a tree that has `size` leaves, with the complete subtrees that they complete and the
/// new checkpoint, and takes their entries from the queue. Returns false, and changes nothing, if the tree
/// has another size: another server has appended to it.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn append(
    tx: &mut Tx<'_>,
    size: u64,
    leaves: &[NewLeaf],
    completed: &[(Node, Hash)],
    checkpoint: &str,
) -> Result<bool, StoreError> {
    let before = signed(size)?;
    let after = before.saturating_add(signed(u64::try_from(leaves.len()).unwrap_or(u64::MAX))?);
    let changed = on_backend!(tx.conn(), |db| diesel::update(audit_tree::table)
        .filter(audit_tree::size.eq(before))
        .set((audit_tree::size.eq(after), audit_tree::checkpoint.eq(checkpoint)))
        .execute(db))?;
    if changed == 0 {
        return Ok(false);
    }
    for (leaves, first) in leaves.chunks(BATCH).zip((before..).step_by(BATCH)) {
        let rows: Vec<_> = leaves
            .iter()
            .zip(first..)
            .map(|(leaf, index)| {
                (
                    audit_leaves::leaf_index.eq(index),
                    audit_leaves::entry_id.eq(DbId(leaf.id)),
                    audit_leaves::hash.eq(leaf.hash.0.to_vec()),
                )
            })
            .collect();
        on_backend!(tx.conn(), |db| diesel::insert_into(audit_leaves::table).values(&rows).execute(db))?;
        let ids: Vec<DbId> = leaves.iter().map(|leaf| DbId(leaf.id)).collect();
        on_backend!(tx.conn(), |db| diesel::delete(audit_unsealed::table)
            .filter(audit_unsealed::entry_id.eq_any(&ids))
            .execute(db))?;
    }
    let inner: Vec<&(Node, Hash)> = completed.iter().filter(|(node, _)| node.level > 0).collect();
    for nodes in inner.chunks(BATCH) {
        let rows = nodes
            .iter()
            .map(|(node, hash)| {
                Ok((audit_nodes::node.eq(signed(node.in_order())?), audit_nodes::hash.eq(hash.0.to_vec())))
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        on_backend!(tx.conn(), |db| diesel::insert_into(audit_nodes::table).values(&rows).execute(db))?;
    }
    Ok(true)
}

/// The leaf of an entry; none if the tree does not have it.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn leaf_of(conn: &mut Conn<'_>, entry: Uuid) -> Result<Option<Leaf>, StoreError> {
    let row: Option<LeafRow> = on_backend!(conn, |db| audit_leaves::table
        .filter(audit_leaves::entry_id.eq(DbId(entry)))
        .select((audit_leaves::leaf_index, text(audit_leaves::entry_id), audit_leaves::hash))
        .first(db)
        .optional())?;
    Ok(with_entries(conn, row.into_iter().collect())?.pop())
}

/// Leaves from the index `from` up to, and without, `to`, in order, at most `limit`.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn leaves(conn: &mut Conn<'_>, from: u64, to: u64, limit: i64) -> Result<Vec<Leaf>, StoreError> {
    let (from, to) = (signed(from)?, signed(to)?);
    let rows: Vec<LeafRow> = on_backend!(conn, |db| audit_leaves::table
        .filter(audit_leaves::leaf_index.ge(from))
        .filter(audit_leaves::leaf_index.lt(to))
        .order(audit_leaves::leaf_index)
        .limit(limit)
        .select((audit_leaves::leaf_index, text(audit_leaves::entry_id), audit_leaves::hash))
        .load(db))?;
    with_entries(conn, rows)
}

/// What the first `size` leaves lack: entries of the log without a leaf among them, and queued entries that
/// the log does not have. Reads the whole log; at most `limit` of each.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn unsealed(conn: &mut Conn<'_>, size: u64, limit: i64) -> Result<Vec<Unsealed>, StoreError> {
    let size = signed(size)?;
    let without_leaf: Vec<String> = on_backend!(conn, |db| audit_logs::table
        .filter(diesel::dsl::not(diesel::dsl::exists(
            audit_leaves::table
                .filter(audit_leaves::entry_id.eq(audit_logs::id))
                .filter(audit_leaves::leaf_index.lt(size)),
        )))
        .order((audit_logs::time, audit_logs::id))
        .limit(limit)
        .select(text(audit_logs::id))
        .load(db))?;
    let gone: Vec<String> = on_backend!(conn, |db| audit_unsealed::table
        .filter(diesel::dsl::not(diesel::dsl::exists(
            audit_logs::table.filter(audit_logs::id.eq(audit_unsealed::entry_id)),
        )))
        .order(audit_unsealed::position)
        .limit(limit)
        .select(text(audit_unsealed::entry_id))
        .load(db))?;
    let ids: Vec<DbId> = without_leaf.iter().filter_map(|id| Uuid::try_parse(id).ok()).map(DbId).collect();
    let waiting: Vec<String> = on_backend!(conn, |db| audit_unsealed::table
        .filter(audit_unsealed::entry_id.eq_any(&ids))
        .select(text(audit_unsealed::entry_id))
        .load(db))?;
    // Entries that the sealer has appended after the first `size` leaves were queued until then.
    let later: Vec<String> = on_backend!(conn, |db| audit_leaves::table
        .filter(audit_leaves::entry_id.eq_any(&ids))
        .select(text(audit_leaves::entry_id))
        .load(db))?;
    let queued: HashSet<String> = waiting.into_iter().chain(later).collect();
    let mut entries = salted(conn, &without_leaf)?;
    let mut unsealed: Vec<Unsealed> = without_leaf
        .into_iter()
        .map(|id| Unsealed { is_queued: queued.contains(&id), entry: entries.remove(&id), id })
        .collect();
    unsealed.extend(gone.into_iter().map(|id| Unsealed { id, is_queued: true, entry: None }));
    Ok(unsealed)
}

/// The keys that an incident has ended, and that are in the tree: when, and the index of the entry. Read
/// `batch` at a time.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn ended_in_incident(
    conn: &mut Conn<'_>,
    incident: Uuid,
    batch: i64,
) -> Result<HashMap<String, (Timestamp, u64)>, StoreError> {
    let mut found = HashMap::new();
    let mut after = (DbInstant(Timestamp::MIN), DbId(Uuid::nil()));
    loop {
        let (time, id) = after;
        let rows: Vec<(DbInstant, DbId, String, i64)> = on_backend!(conn, |db| audit_logs::table
            .inner_join(audit_leaves::table.on(audit_leaves::entry_id.eq(audit_logs::id)))
            .filter(audit_logs::incident_id.eq(DbId(incident)))
            .filter(audit_logs::event.eq(EventKind::KeyExpired.as_str()))
            .filter(audit_logs::time.ge(time))
            .filter(audit_logs::time.gt(time).or(audit_logs::id.gt(id)))
            .order((audit_logs::time, audit_logs::id))
            .limit(batch)
            .select((audit_logs::time, audit_logs::id, audit_logs::resource_id, audit_leaves::leaf_index))
            .load(db))?;
        let is_last = i64::try_from(rows.len()).is_ok_and(|count| count < batch);
        if let Some((time, id, ..)) = rows.last() {
            after = (*time, *id);
        }
        for (time, _, key, index) in rows {
            found.insert(key, (time.0, unsigned("audit_leaves", index)?));
        }
        if is_last {
            return Ok(found);
        }
    }
}

/// The public keys with which servers have signed checkpoints, oldest first.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn signing_keys(conn: &mut Conn<'_>) -> Result<Vec<String>, StoreError> {
    Ok(on_backend!(conn, |db| audit_signing_keys::table
        .order((audit_signing_keys::added_at, audit_signing_keys::verifier_key))
        .select(audit_signing_keys::verifier_key)
        .load(db))?)
}

/// Adds a public key, unless it is known. Records an event if it is not the first: the first belongs to the log
/// from its begin.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn add_signing_key(tx: &mut Tx<'_>, key: &str, now: Timestamp, origin: &Origin) -> Result<(), StoreError> {
    let is_first = signing_keys(tx.conn())?.is_empty();
    let row = (audit_signing_keys::verifier_key.eq(key), audit_signing_keys::added_at.eq(DbInstant(now)));
    let added = on_backend!(tx.conn(), |db| diesel::insert_into(audit_signing_keys::table)
        .values(&row)
        .on_conflict_do_nothing()
        .execute(db))?;
    if added > 0 && !is_first {
        tx.record(origin, Event::SigningKeyAdded { verifier_key: key.to_owned() });
    }
    Ok(())
}

/// A row of the log, its clock epoch and its salt.
type EntryParts = (EntryRow, i64, Option<Vec<u8>>);

impl From<EntryParts> for Salted {
    fn from((row, epoch, salt): EntryParts) -> Self {
        Self { salt: salt.unwrap_or_default(), entry: exact_entry(row, epoch) }
    }
}

/// The index, the id of the entry, and the hash of a leaf.
type LeafRow = (i64, String, Vec<u8>);

/// The leaves of rows, with their entries.
fn with_entries(conn: &mut Conn<'_>, rows: Vec<LeafRow>) -> Result<Vec<Leaf>, StoreError> {
    let ids: Vec<String> = rows.iter().map(|(_, id, _)| id.clone()).collect();
    let mut entries = salted(conn, &ids)?;
    rows.into_iter()
        .map(|(index, id, hash)| {
            Ok(Leaf { index: unsigned("audit_leaves", index)?, entry: entries.remove(&id), id, hash })
        })
        .collect()
}

/// The entries of the log with these ids, by id. A row that cannot be read at all is an entry with an error.
fn salted(conn: &mut Conn<'_>, ids: &[String]) -> Result<HashMap<String, Salted>, StoreError> {
    let known: Vec<DbId> = ids.iter().filter_map(|id| Uuid::try_parse(id).ok()).map(DbId).collect();
    match entries(conn, &known) {
        Ok(entries) => Ok(entries),
        // One row is damaged. Each is read by itself, to find it.
        Err(DieselError::DeserializationError(_)) => {
            let mut found = HashMap::new();
            for id in known {
                match entries(conn, &[id]) {
                    Ok(entry) => found.extend(entry),
                    Err(DieselError::DeserializationError(error)) => {
                        let entry = Err(StoreError::damaged("audit_logs", id.0, error));
                        found.insert(id.0.to_string(), Salted { salt: Vec::new(), entry });
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(found)
        }
        Err(error) => Err(error.into()),
    }
}

fn entries(conn: &mut Conn<'_>, ids: &[DbId]) -> Result<HashMap<String, Salted>, DieselError> {
    let rows: Vec<EntryParts> = on_backend!(conn, |db| audit_logs::table
        .filter(audit_logs::id.eq_any(ids))
        .select((EntryRow::as_select(), audit_logs::clock_epoch, audit_logs::salt))
        .load(db))?;
    Ok(rows.into_iter().map(|parts| (parts.0.id().to_string(), Salted::from(parts))).collect())
}

fn hash(table: &'static str, row: i64, bytes: &[u8]) -> Result<Hash, StoreError> {
    let damaged = |_wrong| StoreError::damaged(table, row, format!("a hash has {} bytes", bytes.len()));
    bytes.try_into().map(Hash).map_err(damaged)
}

fn signed(number: u64) -> Result<i64, StoreError> {
    number.try_into().map_err(|error| StoreError::damaged("audit_tree", number, error))
}

fn unsigned(table: &'static str, number: i64) -> Result<u64, StoreError> {
    number.try_into().map_err(|error| StoreError::damaged(table, number, error))
}
