//! Locks. There are few, so they are always read together.

use diesel::prelude::*;
use keyward_domain::event::{Event, Origin};
use keyward_domain::lock::{Lock, LockMode, LockSelector, Spared};
use keyward_domain::{KeyId, Scope, Scopes, Timestamp, UserId};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::locks;
use crate::sql_types::{DbId, DbInstant};
use crate::tx::Tx;
use crate::users::active_owners;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = locks)]
struct LockRow {
    id: DbId,
    created_at: DbInstant,
    actor_id: DbId,
    actor_username: String,
    user_id: Option<DbId>,
    key_ids: Option<String>,
    scope: Option<String>,
    name_prefix: Option<String>,
    spared_key: String,
    spares_owners: bool,
    spared_sessions: Option<DbId>,
    scopes: Option<String>,
    message: String,
    reason: Option<String>,
    ends_at: Option<DbInstant>,
}

/// All locks, oldest first.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn all(conn: &mut Conn<'_>) -> Result<Vec<Lock>, StoreError> {
    let rows: Vec<LockRow> = on_backend!(conn, |db| locks::table
        .order((locks::created_at, locks::id))
        .select(LockRow::as_select())
        .load(db))?;
    rows.into_iter().map(Lock::try_from).collect()
}

/// Adds a lock. It may change how any key is judged, so every cache forgets all keys.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn add(tx: &mut Tx<'_>, lock: &Lock, origin: &Origin) -> Result<(), StoreError> {
    let row = LockRow::try_from(lock)?;
    on_backend!(tx.conn(), |db| diesel::insert_into(locks::table).values(&row).execute(db))?;
    tx.promise_end();
    tx.touch_everything();
    tx.record(origin, Event::LockAdded { id: lock.id, state: state(lock) });
    Ok(())
}

/// Removes a lock. Returns whether it was there.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn remove(tx: &mut Tx<'_>, lock: &Lock, origin: &Origin) -> Result<bool, StoreError> {
    let removed =
        on_backend!(tx.conn(), |db| diesel::delete(locks::table).filter(locks::id.eq(DbId(lock.id))).execute(db))?;
    if removed > 0 {
        tx.promise_end();
        tx.touch_everything();
        tx.record(origin, Event::LockRemoved { id: lock.id, state: state(lock) });
    }
    Ok(removed > 0)
}

/// Lets the locks spare the sessions of the only active owner, if there is only one: otherwise a lock that was
/// made while there were two owners shuts out the one who is left. Called after each change of who is an active
/// owner.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub(crate) fn spare_only_owner(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let owners = active_owners(tx)?;
    let [only] = owners.as_slice() else { return Ok(()) };
    let only = DbId(only.as_uuid());
    let other = locks::spared_sessions.is_null().or(locks::spared_sessions.ne(only));
    // Asked first, because on PostgreSQL an update of no row makes every verifier forget all keys, too.
    if on_backend!(tx.conn(), |db| diesel::select(diesel::dsl::exists(locks::table.filter(other))).get_result(db))? {
        let spares = locks::spared_sessions.eq(only);
        on_backend!(tx.conn(), |db| diesel::update(locks::table.filter(other)).set(spares).execute(db))?;
        tx.touch_everything();
    }
    Ok(())
}

/// Whether a lock has ended at `now`.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn any_ended(conn: &mut Conn<'_>, now: Timestamp) -> Result<bool, StoreError> {
    Ok(on_backend!(conn, |db| diesel::select(diesel::dsl::exists(
        locks::table.filter(locks::ends_at.le(DbInstant(now)))
    ))
    .get_result(db))?)
}

fn state(lock: &Lock) -> Map<String, Value> {
    let LockSelector { user, ids, scope, name_prefix } = &lock.selector;
    let ids: Option<Vec<&str>> = ids.as_ref().map(|ids| ids.iter().map(KeyId::as_str).collect());
    let scopes = match &lock.mode {
        LockMode::Deny => None,
        LockMode::Limit(scopes) => Some(scopes.to_strings()),
    };
    let fields = json!({
        "user": user.map(|user| user.to_string()),
        "ids": ids,
        "scope": scope.as_ref().map(Scope::to_string),
        "name_prefix": name_prefix,
        "mode": if scopes.is_some() { "limit" } else { "deny" },
        "scopes": scopes,
        "message": lock.message,
        "reason": lock.reason.map(|reason| reason.as_str()),
        "ends_at": lock.ends_at,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

impl TryFrom<&Lock> for LockRow {
    type Error = StoreError;

    fn try_from(lock: &Lock) -> Result<Self, StoreError> {
        let json = |texts: Vec<String>| {
            serde_json::to_string(&texts).map_err(|error| StoreError::damaged("locks", lock.id, error))
        };
        let LockSelector { user, ids, scope, name_prefix } = &lock.selector;
        let ids = ids.as_ref().map(|ids| ids.iter().map(ToString::to_string).collect());
        Ok(Self {
            id: DbId(lock.id),
            created_at: DbInstant(lock.created_at),
            actor_id: DbId(lock.actor.as_uuid()),
            actor_username: lock.actor_username.clone(),
            user_id: user.map(|user| DbId(user.as_uuid())),
            key_ids: ids.map(json).transpose()?,
            scope: scope.as_ref().map(ToString::to_string),
            name_prefix: name_prefix.clone(),
            spared_key: lock.spared.key.to_string(),
            spares_owners: lock.spared.owners,
            spared_sessions: lock.spared.sessions_of.map(|user| DbId(user.as_uuid())),
            scopes: match &lock.mode {
                LockMode::Deny => None,
                LockMode::Limit(scopes) => Some(json(scopes.to_strings())?),
            },
            message: lock.message.clone(),
            reason: lock.reason.map(|reason| reason.to_string()),
            ends_at: lock.ends_at.map(DbInstant),
        })
    }
}

impl TryFrom<LockRow> for Lock {
    type Error = StoreError;

    fn try_from(row: LockRow) -> Result<Self, StoreError> {
        let id = row.id.0;
        read(row).map_err(|source| StoreError::damaged("locks", id, source))
    }
}

fn read(row: LockRow) -> Result<Lock, Box<dyn std::error::Error + Send + Sync>> {
    let texts = |text: &String| serde_json::from_str::<Vec<String>>(text);
    let ids = row.key_ids.as_ref().map(texts).transpose()?;
    let mode = match row.scopes.as_ref().map(texts).transpose()? {
        None => LockMode::Deny,
        Some(scopes) => {
            let scopes = scopes.iter().map(|scope| scope.parse::<Scope>()).collect::<Result<Vec<_>, _>>()?;
            LockMode::Limit(Scopes::new(scopes).ok_or("the list of scopes is empty")?)
        }
    };
    Ok(Lock {
        id: row.id.0,
        created_at: row.created_at.0,
        actor: UserId::from_uuid(row.actor_id.0),
        actor_username: row.actor_username,
        selector: LockSelector {
            user: row.user_id.map(|user| UserId::from_uuid(user.0)),
            ids: ids.map(|ids| ids.into_iter().map(KeyId::from_stored).collect()),
            scope: row.scope.map(|scope| scope.parse()).transpose()?,
            name_prefix: row.name_prefix,
        },
        spared: Spared {
            key: KeyId::from_stored(row.spared_key),
            owners: row.spares_owners,
            sessions_of: row.spared_sessions.map(|user| UserId::from_uuid(user.0)),
        },
        mode,
        message: row.message,
        reason: row.reason.map(|reason| reason.parse()).transpose()?,
        ends_at: row.ends_at.map(|at| at.0),
    })
}

/// The lock with this id.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn find(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<Lock>, StoreError> {
    let row: Option<LockRow> = on_backend!(conn, |db| locks::table
        .filter(locks::id.eq(DbId(id)))
        .select(LockRow::as_select())
        .get_result(db)
        .optional())?;
    row.map(Lock::try_from).transpose()
}
