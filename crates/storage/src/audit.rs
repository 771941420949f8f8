//! The audit log. Entries are written in the transaction of their change, read in pages, and removed
//! only by retention.

use diesel::prelude::*;
use keyward_domain::audit::{Entry, Filter};
use keyward_domain::event::{Actor, Event, Origin, RequestInfo};
use keyward_domain::{KeyId, Timestamp, UserId};
use keyward_transparency::SALT_LENGTH;
use serde_json::Value;
use uuid::Uuid;

use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::{audit_leaves, audit_logs, audit_retention, audit_unsealed, clock_epochs};
use crate::sql_types::{DbId, DbInstant};
use crate::tx::Tx;

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_logs)]
pub(crate) struct EntryRow {
    id: DbId,
    time: DbInstant,
    request_id: Option<DbId>,
    ip: Option<String>,
    user_agent: String,
    actor_id: Option<DbId>,
    actor_username: Option<String>,
    actor_email: Option<String>,
    event: String,
    cause: Option<String>,
    action: String,
    resource_type: String,
    resource_id: String,
    resource_target: String,
    description: String,
    old: String,
    new: String,
    diff: String,
    additional_fields: String,
    key_id: Option<String>,
    incident_id: Option<DbId>,
}

impl EntryRow {
    /// The entry's id.
    pub(crate) fn id(&self) -> Uuid {
        self.id.0
    }
}

/// Entries per INSERT. PostgreSQL allows 65 535 bound values in a statement.
const BATCH: usize = 500;

/// Writes the entries of events, and queues them for the audit tree. Only [`Tx`] calls this, before the
/// COMMIT.
pub(crate) fn write(conn: &mut Conn<'_>, events: &[(Origin, Event)]) -> Result<(), StoreError> {
    let epoch = || clock_epochs::table.select(clock_epochs::epoch).single_value().assume_not_null();
    for events in events.chunks(BATCH) {
        let mut salts = vec![0; events.len() * SALT_LENGTH];
        getrandom::fill(&mut salts)?;
        let rows: Vec<_> = events
            .iter()
            .zip(salts.chunks(SALT_LENGTH))
            .map(|((origin, event), salt)| {
                let row = EntryRow::from(&Entry::of(origin, event));
                (row, audit_logs::clock_epoch.eq(epoch()), audit_logs::salt.eq(salt))
            })
            .collect();
        let queued: Vec<_> = rows.iter().map(|(row, ..)| audit_unsealed::entry_id.eq(row.id)).collect();
        on_backend!(conn, |db| diesel::insert_into(audit_logs::table).values(&rows).execute(db))?;
        on_backend!(conn, |db| diesel::insert_into(audit_unsealed::table).values(&queued).execute(db))?;
    }
    Ok(())
}

diesel::define_sql_function! {
    /// Lower case. On SQLite only ASCII letters change, which covers usernames and most addresses.
    fn lower(text: diesel::sql_types::Nullable<diesel::sql_types::Text>) -> diesel::sql_types::Nullable<diesel::sql_types::Text>;
}

/// The query for the matching entries, without an order.
macro_rules! matching {
    ($filter:expr) => {{
        let mut query = audit_logs::table.into_boxed();
        if let Some(kind) = $filter.resource_type {
            query = query.filter(audit_logs::resource_type.eq(kind.as_str()));
        }
        if let Some(id) = &$filter.resource_id {
            query = query.filter(audit_logs::resource_id.eq(id));
        }
        if let Some(target) = &$filter.resource_target {
            query = query.filter(audit_logs::resource_target.eq(target));
        }
        if let Some(action) = $filter.action {
            query = query.filter(audit_logs::action.eq(action.as_str()));
        }
        if let Some(username) = &$filter.username {
            query = query.filter(lower(audit_logs::actor_username).eq(username.to_lowercase()));
        }
        if let Some(email) = &$filter.email {
            query = query.filter(lower(audit_logs::actor_email).eq(email.to_lowercase()));
        }
        if let Some(ip) = &$filter.ip {
            query = query.filter(audit_logs::ip.eq(ip));
        }
        if let Some(request) = $filter.request_id {
            query = query.filter(audit_logs::request_id.eq(DbId(request)));
        }
        if let Some(key) = &$filter.key_id {
            query = query.filter(audit_logs::key_id.eq(key));
        }
        if let Some(event) = $filter.event {
            query = query.filter(audit_logs::event.eq(event.as_str()));
        }
        if let Some(incident) = $filter.incident {
            query = query.filter(audit_logs::incident_id.eq(DbId(incident)));
        }
        if let Some(from) = $filter.date_from {
            query = query.filter(audit_logs::time.ge(DbInstant(from)));
        }
        if let Some(to) = $filter.date_to {
            query = query.filter(audit_logs::time.le(DbInstant(to)));
        }
        query
    }};
}

/// A position in the log: the next page begins after this entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditCursor {
    /// The time of the last entry of the previous page.
    pub time: Timestamp,
    /// The id of the last entry of the previous page.
    pub id: Uuid,
}

impl AuditCursor {
    /// The position before the newest entry.
    #[must_use]
    pub fn first() -> Self {
        Self { time: Timestamp::MAX, id: Uuid::max() }
    }
}

/// At most `limit` matching entries after the cursor `page`, newest first.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn list(conn: &mut Conn<'_>, filter: &Filter, page: AuditCursor, limit: i64) -> Result<Vec<Entry>, StoreError> {
    let (time, id) = (DbInstant(page.time), DbId(page.id));
    let rows: Vec<(EntryRow, i64)> = on_backend!(conn, |db| matching!(filter)
        .filter(audit_logs::time.le(time))
        .filter(audit_logs::time.lt(time).or(audit_logs::id.lt(id)))
        .order((audit_logs::time.desc(), audit_logs::id.desc()))
        .limit(limit)
        .select((EntryRow::as_select(), audit_logs::clock_epoch))
        .load(db))?;
    rows.into_iter().map(|(row, epoch)| entry(row, epoch)).collect()
}

/// Whether the log has an entry with this id.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn exists(conn: &mut Conn<'_>, id: Uuid) -> Result<bool, StoreError> {
    let query = diesel::dsl::exists(audit_logs::table.filter(audit_logs::id.eq(DbId(id))));
    Ok(on_backend!(conn, |db| diesel::select(query).get_result(db))?)
}

/// The number of matching entries, counted up to `cap`.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn count(conn: &mut Conn<'_>, filter: &Filter, cap: u32) -> Result<u32, StoreError> {
    let ids: Vec<DbId> =
        on_backend!(conn, |db| matching!(filter).select(audit_logs::id).limit(i64::from(cap)).load(db))?;
    Ok(u32::try_from(ids.len()).unwrap_or(cap))
}

/// Removes one batch of entries from before `cutoff` and records an event. Returns the number removed.
/// The triggers allow it because this transaction writes the cutoff to `audit_retention` and clears
/// it again. Only entries that are in the audit tree are removed: the event names their leaves, so that a
/// reader of the tree knows that they were not removed by hand.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn retire(tx: &mut Tx<'_>, cutoff: Timestamp, batch: i64, origin: &Origin) -> Result<usize, StoreError> {
    let before = DbInstant(cutoff);
    let found: Vec<(DbId, i64)> = on_backend!(tx.conn(), |db| audit_logs::table
        .inner_join(audit_leaves::table.on(audit_leaves::entry_id.eq(audit_logs::id)))
        .filter(audit_logs::time.lt(before))
        .order((audit_logs::time, audit_logs::id))
        .limit(batch)
        .select((audit_logs::id, audit_leaves::leaf_index))
        .load(db))?;
    let (ids, leaves): (Vec<DbId>, Vec<i64>) = found.into_iter().unzip();
    if ids.is_empty() {
        return Ok(0);
    }
    set_cutoff(tx, Some(before))?;
    // Read after that change, which waits for another server's retention: its leaves are in the list then.
    let leaves = with_leaves(retired_leaves(tx.conn())?, leaves);
    let removed =
        on_backend!(tx.conn(), |db| diesel::delete(audit_logs::table).filter(audit_logs::id.eq_any(&ids)).execute(db))?;
    set_cutoff(tx, None)?;
    let text = serde_json::json!(leaves).to_string();
    on_backend!(tx.conn(), |db| diesel::update(audit_retention::table)
        .set(audit_retention::retired.eq(&text))
        .execute(db))?;
    if removed > 0 {
        tx.record(origin, Event::EntriesRetired { count: removed, cutoff, leaves });
    }
    Ok(removed)
}

/// The leaves whose entries retention has removed, as ranges of their first and last index, in order.
fn retired_leaves(conn: &mut Conn<'_>) -> Result<Vec<(u64, u64)>, StoreError> {
    let text: String = on_backend!(conn, |db| audit_retention::table.select(audit_retention::retired).first(db))?;
    serde_json::from_str(&text).map_err(|error| StoreError::damaged("audit_retention", 1, error))
}

/// The ranges with more leaves, still in order and without gaps of nothing.
fn with_leaves(ranges: Vec<(u64, u64)>, leaves: Vec<i64>) -> Vec<(u64, u64)> {
    let leaves = leaves.into_iter().filter_map(|leaf| u64::try_from(leaf).ok()).map(|leaf| (leaf, leaf));
    let mut all: Vec<(u64, u64)> = ranges.into_iter().chain(leaves).collect();
    all.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (first, last) in all {
        match merged.last_mut() {
            Some(range) if first <= range.1.saturating_add(1) => range.1 = range.1.max(last),
            Some(_) | None => merged.push((first, last)),
        }
    }
    merged
}

fn set_cutoff(tx: &mut Tx<'_>, cutoff: Option<DbInstant>) -> Result<(), StoreError> {
    on_backend!(tx.conn(), |db| diesel::update(audit_retention::table)
        .set(audit_retention::cutoff.eq(cutoff))
        .execute(db))?;
    Ok(())
}

impl From<&Entry> for EntryRow {
    fn from(entry: &Entry) -> Self {
        let request = entry.request.as_ref();
        let actor = entry.actor.as_ref();
        Self {
            id: DbId(entry.id),
            time: DbInstant(entry.time),
            request_id: request.map(|request| DbId(request.id)),
            ip: request.and_then(|request| request.ip).map(|ip| ip.to_string()),
            user_agent: request.map_or_else(String::new, |request| request.user_agent.clone()),
            actor_id: actor.map(|actor| DbId(actor.id.as_uuid())),
            actor_username: actor.map(|actor| actor.username.to_string()),
            actor_email: actor.map(|actor| actor.email.to_string()),
            event: entry.event.to_string(),
            cause: entry.cause.map(|cause| cause.to_string()),
            action: entry.action.to_string(),
            resource_type: entry.resource_type.to_string(),
            resource_id: entry.resource_id.clone(),
            resource_target: entry.resource_target.clone(),
            description: entry.description.clone(),
            old: entry.old.to_string(),
            new: entry.new.to_string(),
            diff: entry.diff.to_string(),
            additional_fields: entry.additional_fields.to_string(),
            key_id: entry.key_id.as_ref().map(ToString::to_string),
            incident_id: entry.incident.map(DbId),
        }
    }
}

/// The entry of a row.
fn entry(row: EntryRow, clock_epoch: i64) -> Result<Entry, StoreError> {
    let id = row.id.0;
    read(row, clock_epoch).map_err(|source| StoreError::damaged("audit_logs", id, source))
}

/// The entry of a row, if the row is exactly what this program writes for it: a change of a row that
/// reading it would overlook is an error too.
pub(crate) fn exact_entry(row: EntryRow, clock_epoch: i64) -> Result<Entry, StoreError> {
    let entry = entry(row.clone(), clock_epoch)?;
    if EntryRow::from(&entry) == row && is_diff(&entry.diff) {
        return Ok(entry);
    }
    Err(StoreError::damaged("audit_logs", entry.id, "the row is not as it was written"))
}

/// Whether each field that changed has its old and its new value and says whether it is secret, and has nothing
/// else. Readers take what is missing for null or false.
fn is_diff(diff: &Value) -> bool {
    let whole = |field: &Value| {
        let has = |name: &str| field.get(name).is_some();
        let size = field.as_object().map_or(0, serde_json::Map::len);
        has("old") && has("new") && field.get("secret").is_some_and(Value::is_boolean) && size == 3
    };
    diff.as_object().is_some_and(|fields| fields.values().all(whole))
}

fn read(row: EntryRow, clock_epoch: i64) -> Result<Entry, Box<dyn std::error::Error + Send + Sync>> {
    let json = |text: String| serde_json::from_str::<Value>(&text);
    let actor = match (row.actor_id, row.actor_username, row.actor_email) {
        (Some(id), Some(username), Some(email)) => {
            Some(Actor { id: UserId::from_uuid(id.0), username: username.parse()?, email: email.parse()? })
        }
        _ => None,
    };
    let ip = row.ip.map(|ip| ip.parse()).transpose()?;
    let user_agent = row.user_agent;
    Ok(Entry {
        id: row.id.0,
        time: row.time.0,
        request: row.request_id.map(|id| RequestInfo { id: id.0, ip, user_agent }),
        actor,
        key_id: row.key_id.map(KeyId::from_stored),
        event: row.event.parse()?,
        cause: row.cause.map(|cause| cause.parse()).transpose()?,
        incident: row.incident_id.map(|id| id.0),
        action: row.action.parse()?,
        resource_type: row.resource_type.parse()?,
        resource_id: row.resource_id,
        resource_target: row.resource_target,
        description: row.description,
        old: json(row.old)?,
        new: json(row.new)?,
        diff: json(row.diff)?,
        additional_fields: json(row.additional_fields)?,
        clock_epoch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_merged_into_ranges() {
        assert_eq!(with_leaves(vec![], vec![3, 1, 2]), [(1, 3)]);
        assert_eq!(with_leaves(vec![(0, 4), (7, 9)], vec![5, 11]), [(0, 5), (7, 9), (11, 11)]);
        assert_eq!(with_leaves(vec![(0, 5), (7, 9), (11, 11)], vec![6, 10]), [(0, 11)]);
    }
}
