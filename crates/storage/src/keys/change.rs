//! Changes of keys, each with its event.
//!
//! Every statement names its columns and its condition; none can move the end of a dead key. The
//! triggers of both databases say the same once more.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use keyward_domain::event::{Cause, Event, Origin};
use keyward_domain::key::Digest;
use keyward_domain::{ApiKey, KeyId, KeyKind, Timestamp, TokenName, UserId};
use strum::VariantArray as _;

use super::list::of_kind;
use super::row::KeyRow;
use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::api_keys;
use crate::sql_types::{DbId, DbInstant};
use crate::tx::Tx;

/// How many keys one statement of a larger change handles.
const BATCH: i64 = 500;

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The key.
    pub key: ApiKey,
    /// What stands for its secret.
    pub digest: Digest,
}

/// Holds a name of a user until the transaction ends, so that of two who make a token of that name
/// one waits and sees the other's. On SQLite the transaction itself does that.
///
/// # Errors
/// When the database fails.
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

/// Has the user a token of that name that is live at `now`?
///
/// # Errors
/// When the database fails.
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

/// Makes a key. `login` says whether a login made it, and not a request for a key.
///
/// # Errors
/// When the database fails, or there is a key with that id already.
pub fn create(tx: &mut Tx<'_>, new: NewKey, login: bool, origin: &Origin) -> Result<(), StoreError> {
    let NewKey { key, digest } = new;
    let row = KeyRow::new(&key, &digest)?;
    on_backend!(tx.conn(), |db| diesel::insert_into(api_keys::table).values(&row).execute(db))?;
    // Nobody remembers a key that is new.
    tx.record(origin, if login { Event::LoggedIn { key } } else { Event::KeyCreated { key } });
    Ok(())
}

/// Ends a key at `now`, if it is live then, and promises that nobody accepts it any more. A dead key
/// stays as it is, and leaves no event.
///
/// # Errors
/// When the database fails.
pub fn expire(tx: &mut Tx<'_>, key: ApiKey, now: Timestamp, cause: Cause, origin: &Origin) -> Result<(), StoreError> {
    tx.promise_end();
    let Some(after) = key.expired_at(now) else { return Ok(()) };
    let end = DbInstant(now);
    let changed = on_backend!(tx.conn(), |db| diesel::update(api_keys::table)
        .filter(api_keys::id.eq(key.id.as_str()))
        .filter(api_keys::ended_at.is_null())
        .filter(api_keys::expires_at.gt(end))
        .set((api_keys::expires_at.eq(end), api_keys::ended_at.eq(end)))
        .execute(db))?;
    if changed > 0 {
        tx.touch_key(key.id.clone());
        tx.record(origin, Event::KeyExpired { before: key, after, cause });
    }
    Ok(())
}

/// Ends every key of the user that is live at `now`.
///
/// # Errors
/// When the database fails.
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
            return Ok(());
        }
        for key in live {
            expire(tx, key, now, cause, origin)?;
        }
    }
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
        // A slide under way is waited for, so that the state before is the true one.
        Conn::Postgres(db) => live!().for_update().load(*db)?,
    };
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// Deletes a key and its record. Answers whether it was there.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut Tx<'_>, key: ApiKey, origin: &Origin) -> Result<bool, StoreError> {
    let removed = on_backend!(tx.conn(), |db| diesel::delete(api_keys::table)
        .filter(api_keys::id.eq(key.id.as_str()))
        .execute(db))?;
    if removed > 0 {
        tx.promise_end();
        tx.touch_key(key.id.clone());
        tx.record(origin, Event::KeyDeleted { key });
    }
    Ok(removed > 0)
}

/// Removes one batch of keys that expired before `cutoff`, and records one event for all of them.
/// Answers how many there were; 0 means that none is left.
///
/// # Errors
/// When the database fails.
pub fn retire(tx: &mut Tx<'_>, cutoff: Timestamp, batch: i64, origin: &Origin) -> Result<usize, StoreError> {
    let mut ids: Vec<String> = Vec::new();
    for &kind in KeyKind::VARIANTS {
        let left = batch - i64::try_from(ids.len()).unwrap_or(batch);
        let found: Vec<String> = on_backend!(tx.conn(), |db| api_keys::table
            .filter(of_kind(kind))
            .filter(api_keys::expires_at.lt(DbInstant(cutoff)))
            .order((api_keys::expires_at, api_keys::id))
            .limit(left)
            .select(api_keys::id)
            .load(db))?;
        ids.extend(found);
    }
    if ids.is_empty() {
        return Ok(0);
    }
    // The end is asked for again: on PostgreSQL a session may have slid meanwhile.
    let removed: Vec<String> = on_backend!(tx.conn(), |db| diesel::delete(api_keys::table)
        .filter(api_keys::id.eq_any(&ids))
        .filter(api_keys::expires_at.lt(DbInstant(cutoff)))
        .returning(api_keys::id)
        .get_results(db))?;
    let count = removed.len();
    if count > 0 {
        // They were dead before, so nobody has to be waited for.
        removed.into_iter().for_each(|id| tx.touch_key(KeyId::from_stored(id)));
        tx.record(origin, Event::KeysRetired { count, cutoff });
    }
    Ok(count)
}
