//! Changes of keys. Each records an event.
//!
//! No statement can move the expiry of a dead key: each names its columns and its condition. Triggers
//! in both databases enforce the same rule.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use keyward_domain::event::{Cause, Event, Origin};
use keyward_domain::key::Digest;
use keyward_domain::{ApiKey, KeyId, KeyKind, Timestamp, TokenName, UserId};

use super::list::of_kind;
use super::row::{KeyRow, SecretRow};
use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::api_keys;
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

/// Ends a key at `now` if it is live, and sets [`Changes::promises_end`](crate::Changes::promises_end).
/// A dead key does not change for its readers and records no event. One that has only expired is marked
/// as ended: the response promises that it is dead, also if `now` is wrong or goes back.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn expire(tx: &mut Tx<'_>, key: ApiKey, now: Timestamp, cause: Cause, origin: &Origin) -> Result<(), StoreError> {
    tx.promise_end();
    let end = DbInstant(now);
    let Some(after) = key.expired_at(now) else {
        let lapsed = api_keys::id.eq(key.id.as_str()).and(api_keys::ended_at.is_null());
        let marked = on_backend!(tx.conn(), |db| diesel::update(api_keys::table)
            .filter(lapsed.and(api_keys::expires_at.le(end)))
            .set(api_keys::ended_at.eq(end))
            .execute(db))?;
        if marked > 0 {
            tx.touch_key(key.id.clone());
        }
        return expire_sessions_of(tx, &key.id, now, origin);
    };
    let changed = on_backend!(tx.conn(), |db| diesel::update(api_keys::table)
        .filter(api_keys::id.eq(key.id.as_str()))
        .filter(api_keys::ended_at.is_null())
        .filter(api_keys::expires_at.gt(end))
        .set((api_keys::expires_at.eq(end), api_keys::ended_at.eq(end)))
        .execute(db))?;
    let id = key.id.clone();
    if changed > 0 {
        tx.touch_key(id.clone());
        tx.record(origin, Event::KeyExpired { before: key, after, cause });
    }
    expire_sessions_of(tx, &id, now, origin)
}

/// Ends the live sessions that a key has created, and the sessions that those have created: a session
/// has no more rights than the key that created it, and ends with it.
fn expire_sessions_of(tx: &mut Tx<'_>, minter: &KeyId, now: Timestamp, origin: &Origin) -> Result<(), StoreError> {
    macro_rules! sessions {
        () => {
            api_keys::table
                .filter(api_keys::minted_by.eq(minter.as_str()))
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
    for row in rows {
        expire(tx, row.try_into()?, now, Cause::MinterEnded, origin)?;
    }
    Ok(())
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
        for key in live {
            expire(tx, key, now, cause, origin)?;
        }
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
        expire_sessions_of(tx, &key.id, origin.time, origin)?;
        tx.record(origin, Event::KeyDeleted { key });
    }
    Ok(removed > 0)
}
