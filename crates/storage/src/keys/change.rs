//! Changes of keys. Each records an event.
//!
//! No statement can move the expiry of a dead key: each names its columns and its condition. Triggers
//! in both databases enforce the same rule.

use std::borrow::Cow;
use std::collections::HashSet;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use keyward_domain::event::{Cause, Event, Origin};
use keyward_domain::key::{Digest, EndNote, EndReason, Ending};
use keyward_domain::{ApiKey, KeyId, KeyKind, Timestamp, TokenName, UserId};
use uuid::Uuid;

use super::list::of_kind;
use super::row::{KeyRow, SecretRow};
use crate::activity;
use crate::confirmations;
use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::{api_keys, users};
use crate::sql_types::{DbId, DbInstant};
use crate::tx::Tx;

/// Keys per statement in a change of many keys.
const BATCH: i64 = 500;

/// A key to create.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The key.
    pub key: ApiKey,
    /// The digest of its secret.
    pub digest: Digest,
}

/// Locks a token name of a user until the transaction ends: of two concurrent creates with one name,
/// the second waits and then sees the token of the first. On SQLite the transaction itself is the
/// lock.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn lock_name(tx: &mut Tx<'_>, user: UserId, name: &TokenName) -> Result<(), StoreError> {
    if let Conn::Postgres(db) = tx.conn() {
        let subject = format!("{user}/{name}");
        diesel::select(
            sql::<Text>("pg_advisory_xact_lock(hashtextextended(")
                .bind::<Text, _>(subject)
                .sql(", ")
                .bind::<BigInt, _>(1)
                .sql("))::text"),
        )
        .execute(*db)?;
    }
    Ok(())
}

/// Whether the user has a token of this name that is live at `now`.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn live_name_exists(
    conn: &mut Conn<'_>,
    user: UserId,
    name: &TokenName,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let exists = on_backend!(conn, |db| diesel::select(diesel::dsl::exists(
        api_keys::table
            .filter(api_keys::kind.eq(KeyKind::Token.as_str()))
            .filter(api_keys::user_id.eq(DbId(user.as_uuid())))
            .filter(api_keys::token_name.eq(name.as_str()))
            .filter(api_keys::expires_at.gt(DbInstant(now)))
            .filter(api_keys::ended_at.is_null())
    ))
    .get_result(db))?;
    Ok(exists)
}

/// Creates a key. `login` says whether a login created it instead of a request for a key.
///
/// # Errors
/// [`StoreError`] if the database fails, or a key with this id exists.
pub fn create(tx: &mut Tx<'_>, new: NewKey, login: bool, origin: &Origin) -> Result<(), StoreError> {
    let NewKey { key, digest } = new;
    let row = (KeyRow::new(&key)?, SecretRow::new(&key, &digest));
    on_backend!(tx.conn(), |db| diesel::insert_into(api_keys::table).values(&row).execute(db))?;
    // No cache can hold a new key, so it is not in the changes.
    tx.record(origin, if login { Event::LoggedIn { key } } else { Event::KeyCreated { key } });
    Ok(())
}

/// Ends a key at `now` if it is live, as [`expire_many`] does.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn expire(
    tx: &mut Tx<'_>,
    key: ApiKey,
    now: Timestamp,
    ending: &Ending,
    origin: &Origin,
) -> Result<(), StoreError> {
    expire_many(tx, vec![key], now, ending, origin).map(drop)
}

/// Ends those of the keys that are live at `now`, and sets
/// [`Changes::promises_end`](crate::Changes::promises_end). Returns the ids of all keys that it has ended.
/// The caller has locked their rows. A dead key does not change for its readers and records no event. One that has only
/// expired is marked as ended: the response promises that it is dead, also if `now` is wrong or goes back.
/// The sessions that the keys have created end with them.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn expire_many(
    tx: &mut Tx<'_>,
    keys: Vec<ApiKey>,
    now: Timestamp,
    ending: &Ending,
    origin: &Origin,
) -> Result<Vec<KeyId>, StoreError> {
    tx.promise_end();
    let mut keys = keys;
    let mut ended = Vec::new();
    let mut ending = Cow::Borrowed(ending);
    while !keys.is_empty() {
        let ids: Vec<String> = keys.iter().map(|key| key.id.to_string()).collect();
        end_live(tx, &keys, now, &ending, origin, &mut ended)?;
        mark_lapsed(tx, &keys, now)?;
        keys = sessions_of(tx, &ids, now)?;
        if ending.cause != Cause::MinterEnded {
            ending = Cow::Owned(Ending { cause: Cause::MinterEnded, ..ending.into_owned() });
        }
    }
    Ok(ended)
}

/// Ends the live ones of the keys, and adds their ids to `ended`.
fn end_live(
    tx: &mut Tx<'_>,
    keys: &[ApiKey],
    now: Timestamp,
    ending: &Ending,
    origin: &Origin,
    ended: &mut Vec<KeyId>,
) -> Result<(), StoreError> {
    let end = DbInstant(now);
    let live: Vec<&str> = keys.iter().filter(|key| !key.is_dead(now)).map(|key| key.id.as_str()).collect();
    if live.is_empty() {
        return Ok(());
    }
    let reason = (
        api_keys::end_reason.eq(ending.reason.map(EndReason::as_str)),
        api_keys::end_note.eq(ending.note.as_ref().map(EndNote::as_str)),
    );
    let changed: Vec<String> = on_backend!(tx.conn(), |db| diesel::update(api_keys::table)
        .filter(api_keys::id.eq_any(&live))
        .filter(api_keys::ended_at.is_null())
        .filter(api_keys::expires_at.gt(end))
        .set((api_keys::expires_at.eq(end), api_keys::ended_at.eq(end), reason))
        .returning(api_keys::id)
        .get_results(db))?;
    let changed: HashSet<String> = changed.into_iter().collect();
    for key in keys.iter().filter(|key| changed.contains(key.id.as_str())) {
        if let Some(after) = key.ended(now, ending) {
            tx.touch_ended_key(key.id.clone());
            ended.push(key.id.clone());
            let (cause, incident) = (ending.cause, ending.incident);
            tx.record(
                origin,
                Event::KeyExpired { before: Box::new(key.clone()), after: Box::new(after), cause, incident },
            );
        }
    }
    Ok(())
}

/// Marks those of the keys as ended that had expired before `now`.
fn mark_lapsed(tx: &mut Tx<'_>, keys: &[ApiKey], now: Timestamp) -> Result<(), StoreError> {
    let end = DbInstant(now);
    let dead = keys.iter().filter(|key| key.ended_at.is_none() && key.is_dead(now));
    let dead: Vec<&str> = dead.map(|key| key.id.as_str()).collect();
    if dead.is_empty() {
        return Ok(());
    }
    let marked: Vec<String> = on_backend!(tx.conn(), |db| diesel::update(api_keys::table)
        .filter(api_keys::id.eq_any(&dead))
        .filter(api_keys::ended_at.is_null())
        .filter(api_keys::expires_at.le(end))
        .set(api_keys::ended_at.eq(end))
        .returning(api_keys::id)
        .get_results(db))?;
    marked.into_iter().for_each(|id| tx.touch_key(KeyId::from_stored(id)));
    Ok(())
}

/// The live sessions that the keys have created, locked. A session has no more rights than the key that
/// created it, and ends with it.
fn sessions_of(tx: &mut Tx<'_>, minters: &[String], now: Timestamp) -> Result<Vec<ApiKey>, StoreError> {
    macro_rules! sessions {
        () => {
            api_keys::table
                .filter(api_keys::minted_by.eq_any(minters))
                .filter(of_kind(KeyKind::Session))
                .filter(api_keys::ended_at.is_null())
                .filter(api_keys::expires_at.gt(DbInstant(now)))
                .order(api_keys::id)
                .select(KeyRow::as_select())
        };
    }
    let rows: Vec<KeyRow> = match tx.conn() {
        Conn::Sqlite(db) => sessions!().load(*db)?,
        Conn::Postgres(db) => sessions!().for_update().load(*db)?,
    };
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// The keys with these ids, locked, in the order of their ids.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn find_many_for_update(tx: &mut Tx<'_>, ids: &[KeyId]) -> Result<Vec<ApiKey>, StoreError> {
    let ids: Vec<&str> = ids.iter().map(KeyId::as_str).collect();
    macro_rules! wanted {
        () => {
            api_keys::table.filter(api_keys::id.eq_any(&ids)).order(api_keys::id).select(KeyRow::as_select())
        };
    }
    let rows: Vec<KeyRow> = match tx.conn() {
        Conn::Sqlite(db) => wanted!().load(*db)?,
        Conn::Postgres(db) => wanted!().for_update().load(*db)?,
    };
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// The ids of the live keys that the keys with these ids have created: those of the user `only`, if it is
/// set, and not those of users with the role owner, except for the user `hide_owners_except`.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn live_children(
    conn: &mut Conn<'_>,
    minters: &[KeyId],
    only: Option<UserId>,
    hide_owners_except: Option<UserId>,
    now: Timestamp,
) -> Result<Vec<KeyId>, StoreError> {
    let (every, hides) = (only.is_none(), hide_owners_except.is_some());
    let user = DbId(only.or(hide_owners_except).map_or(Uuid::nil(), UserId::as_uuid));
    let mut children = Vec::new();
    for minters in minters.chunks(500) {
        let ids: Vec<&str> = minters.iter().map(KeyId::as_str).collect();
        let found: Vec<String> = on_backend!(conn, |db| api_keys::table
            .inner_join(users::table)
            .filter(api_keys::minted_by.eq_any(&ids))
            .filter(api_keys::ended_at.is_null())
            .filter(api_keys::expires_at.gt(DbInstant(now)))
            .filter(every.into_sql::<Bool>().or(users::id.eq(user)))
            .filter((!hides).into_sql::<Bool>().or(users::id.eq(user)).or(users::roles.not_like("%\"owner\"%")),)
            .select(api_keys::id)
            .load(db))?;
        children.extend(found.into_iter().map(KeyId::from_stored));
    }
    Ok(children)
}

/// Ends every key of the user that is live at `now`, and marks those that have expired, as [`expire`]
/// does.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn expire_all_of(
    tx: &mut Tx<'_>,
    user: UserId,
    now: Timestamp,
    cause: Cause,
    origin: &Origin,
) -> Result<(), StoreError> {
    loop {
        let live = live_of(tx.conn(), user, now)?;
        if live.is_empty() {
            break;
        }
        expire_many(tx, live, now, &Ending::from(cause), origin)?;
    }
    let end = DbInstant(now);
    let marked = on_backend!(tx.conn(), |db| diesel::update(api_keys::table)
        .filter(api_keys::user_id.eq(DbId(user.as_uuid())))
        .filter(api_keys::ended_at.is_null())
        .filter(api_keys::expires_at.le(end))
        .set(api_keys::ended_at.eq(end))
        .execute(db))?;
    if marked > 0 {
        tx.touch_user(user);
    }
    Ok(())
}

fn live_of(conn: &mut Conn<'_>, user: UserId, now: Timestamp) -> Result<Vec<ApiKey>, StoreError> {
    macro_rules! live {
        () => {
            api_keys::table
                .filter(api_keys::user_id.eq(DbId(user.as_uuid())))
                .filter(api_keys::expires_at.gt(DbInstant(now)))
                .filter(api_keys::ended_at.is_null())
                .order(api_keys::id)
                .limit(BATCH)
                .select(KeyRow::as_select())
        };
    }
    let rows: Vec<KeyRow> = match conn {
        Conn::Sqlite(db) => live!().load(*db)?,
        // The lock waits for a concurrent slide, so that the event records the actual state before.
        Conn::Postgres(db) => live!().for_update().load(*db)?,
    };
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// Deletes a key and its record. Returns whether it existed.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn delete(tx: &mut Tx<'_>, key: ApiKey, origin: &Origin) -> Result<bool, StoreError> {
    let removed = on_backend!(tx.conn(), |db| diesel::delete(api_keys::table)
        .filter(api_keys::id.eq(key.id.as_str()))
        .execute(db))?;
    if removed > 0 {
        tx.promise_end();
        tx.touch_key(key.id.clone());
        activity::forget(tx, &[key.id.as_str()])?;
        confirmations::forget(tx, &[key.id.as_str()])?;
        let sessions = sessions_of(tx, &[key.id.to_string()], origin.time)?;
        expire_many(tx, sessions, origin.time, &Ending::from(Cause::MinterEnded), origin)?;
        tx.record(origin, Event::KeyDeleted { key });
    }
    Ok(removed > 0)
}
