//! Incidents: requests that end many keys. The row has the ids of the keys and how many are done, so that
//! a request that was stopped can go on.

use diesel::prelude::*;
use keyward_domain::confirmation::{Confirmation, Witness};
use keyward_domain::event::{Event, Origin};
use keyward_domain::key::{EndNote, EndReason};
use keyward_domain::{KeyId, Timestamp, UserId};
use uuid::Uuid;

use crate::confirmations;
use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::incidents;
use crate::sql_types::{DbId, DbInstant};
use crate::tx::Tx;

/// A request that ends many keys.
#[derive(Clone, Debug)]
pub struct Incident {
    /// Its id.
    pub id: Uuid,
    /// The user who began it.
    pub actor: UserId,
    /// The username at the time.
    pub actor_username: String,
    /// The key with which it was begun.
    pub key_id: KeyId,
    /// The selector as JSON, as it was sent.
    pub selector: String,
    /// Why the keys are ended.
    pub reason: EndReason,
    /// A note on why.
    pub note: Option<EndNote>,
    /// Whether the keys that the selected ones have created end too.
    pub cascades: bool,
    /// Whether the calling key ends too, if it is selected.
    pub includes_caller: bool,
    /// The SHA-256 digest of the ids.
    pub digest: String,
    /// The number of ids.
    pub matched: i64,
    /// How many of the ids are done.
    pub done: i64,
    /// How many keys it has expired. The others had expired before.
    pub expired: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When its last batch was done.
    pub active_at: Timestamp,
    /// How it ended; none if it has not.
    pub end: Option<End>,
}

/// The end of an incident, after the wait for verifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// When it ended.
    pub at: Timestamp,
    /// How many verifiers confirmed.
    pub confirmed: i64,
    /// How many leases ran out.
    pub lapsed: i64,
    /// The wait in milliseconds.
    pub waited_ms: i64,
    /// The verifiers that were connected; none for an incident of a version that did not record them.
    pub witnesses: Vec<Witness>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = incidents)]
struct IncidentRow {
    id: DbId,
    actor_id: DbId,
    actor_username: String,
    key_id: String,
    selector: String,
    reason: String,
    note: Option<String>,
    cascades: bool,
    includes_caller: bool,
    digest: String,
    matched: i64,
    done: i64,
    expired: i64,
    started_at: DbInstant,
    active_at: DbInstant,
    ended_at: Option<DbInstant>,
    confirmed: Option<i64>,
    lapsed: Option<i64>,
    waited_ms: Option<i64>,
    witnesses: Option<String>,
}

impl TryFrom<IncidentRow> for Incident {
    type Error = StoreError;

    fn try_from(row: IncidentRow) -> Result<Self, StoreError> {
        let id = row.id.0;
        let witnesses = match &row.witnesses {
            Some(text) => confirmations::read(text).ok_or_else(|| confirmations::damaged("incidents", id))?,
            None => Vec::new(),
        };
        Ok(Self {
            id,
            actor: UserId::from_uuid(row.actor_id.0),
            actor_username: row.actor_username,
            key_id: KeyId::from_stored(row.key_id),
            selector: row.selector,
            reason: row.reason.parse().map_err(|error| StoreError::damaged("incidents", id, error))?,
            note: row.note.map(EndNote::from_stored),
            cascades: row.cascades,
            includes_caller: row.includes_caller,
            digest: row.digest,
            matched: row.matched,
            done: row.done,
            expired: row.expired,
            started_at: row.started_at.0,
            active_at: row.active_at.0,
            end: row.ended_at.map(|at| End {
                at: at.0,
                confirmed: row.confirmed.unwrap_or(0),
                lapsed: row.lapsed.unwrap_or(0),
                waited_ms: row.waited_ms.unwrap_or(0),
                witnesses,
            }),
        })
    }
}

/// Stores a new incident with the ids of its keys.
///
/// # Errors
/// [`StoreError::Taken`] if there is one with this id, or another error if the database fails.
pub fn begin(tx: &mut Tx<'_>, incident: &Incident, keys: &[KeyId]) -> Result<(), StoreError> {
    let damaged = |error| StoreError::damaged("incidents", incident.id, error);
    let row = IncidentRow {
        id: DbId(incident.id),
        actor_id: DbId(incident.actor.as_uuid()),
        actor_username: incident.actor_username.clone(),
        key_id: incident.key_id.to_string(),
        selector: incident.selector.clone(),
        reason: incident.reason.to_string(),
        note: incident.note.as_ref().map(ToString::to_string),
        cascades: incident.cascades,
        includes_caller: incident.includes_caller,
        digest: incident.digest.clone(),
        matched: incident.matched,
        done: incident.done,
        expired: incident.expired,
        started_at: DbInstant(incident.started_at),
        active_at: DbInstant(incident.active_at),
        ended_at: None,
        confirmed: None,
        lapsed: None,
        waited_ms: None,
        witnesses: None,
    };
    let ids: Vec<&str> = keys.iter().map(KeyId::as_str).collect();
    let ids = serde_json::to_string(&ids).map_err(damaged)?;
    on_backend!(tx.conn(), |db| diesel::insert_into(incidents::table)
        .values((&row, incidents::key_ids.eq(&ids)))
        .execute(db))?;
    Ok(())
}

/// Finds an incident.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn find(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<Incident>, StoreError> {
    let row: Option<IncidentRow> = on_backend!(conn, |db| incidents::table
        .filter(incidents::id.eq(DbId(id)))
        .select(IncidentRow::as_select())
        .get_result(db)
        .optional())?;
    row.map(Incident::try_from).transpose()
}

/// The ids of an incident's keys, in their order.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn keys(conn: &mut Conn<'_>, id: Uuid) -> Result<Vec<KeyId>, StoreError> {
    let text: String = on_backend!(conn, |db| incidents::table
        .filter(incidents::id.eq(DbId(id)))
        .select(incidents::key_ids)
        .get_result(db))?;
    let ids: Vec<String> = serde_json::from_str(&text).map_err(|error| StoreError::damaged("incidents", id, error))?;
    Ok(ids.into_iter().map(KeyId::from_stored).collect())
}

/// The newest incidents that began before `before`.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn list(conn: &mut Conn<'_>, before: (Timestamp, Uuid), limit: i64) -> Result<Vec<Incident>, StoreError> {
    let (time, id) = (DbInstant(before.0), DbId(before.1));
    let rows: Vec<IncidentRow> = on_backend!(conn, |db| incidents::table
        .filter(incidents::started_at.le(time))
        .filter(incidents::started_at.lt(time).or(incidents::id.lt(id)))
        .order((incidents::started_at.desc(), incidents::id.desc()))
        .limit(limit)
        .select(IncidentRow::as_select())
        .load(db))?;
    rows.into_iter().map(Incident::try_from).collect()
}

/// Records that a batch is done: `done` ids in place of `before`, of which `expired` were live. Returns
/// false, and changes nothing, if another request did the batch.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn advance(
    tx: &mut Tx<'_>,
    id: Uuid,
    before: i64,
    done: i64,
    expired: i64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let changed = on_backend!(tx.conn(), |db| diesel::update(incidents::table)
        .filter(incidents::id.eq(DbId(id)))
        .filter(incidents::done.eq(before))
        .set((
            incidents::done.eq(done),
            incidents::expired.eq(incidents::expired + expired),
            incidents::active_at.eq(DbInstant(now)),
        ))
        .execute(db))?;
    Ok(changed > 0)
}

/// Records the end of an incident whose keys are all done, unless it is recorded.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn end(tx: &mut Tx<'_>, incident: &Incident, end: &End, origin: &Origin) -> Result<(), StoreError> {
    let id = incident.id;
    let changed = on_backend!(tx.conn(), |db| diesel::update(incidents::table)
        .filter(incidents::id.eq(DbId(id)))
        .filter(incidents::ended_at.is_null())
        .set((
            incidents::ended_at.eq(DbInstant(end.at)),
            incidents::confirmed.eq(end.confirmed),
            incidents::lapsed.eq(end.lapsed),
            incidents::waited_ms.eq(end.waited_ms),
            incidents::witnesses.eq(confirmations::write(&end.witnesses)),
        ))
        .execute(db))?;
    if changed > 0 {
        let confirmation = Confirmation { at: end.at, waited_ms: end.waited_ms, witnesses: end.witnesses.clone() };
        tx.record(origin, Event::IncidentEnded { id, expired: incident.expired, confirmation });
    }
    Ok(())
}
