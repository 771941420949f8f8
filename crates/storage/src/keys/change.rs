//! Changes of keys, each with its audit entry.
//!
//! Every statement names its columns and its condition; none can move the end of a dead key. The
//! triggers of both databases say the same once more.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use keyward_domain::audit::Entry;
use keyward_domain::key::Digest;
use keyward_domain::{ApiKey, KeyId, KeyKind, Timestamp, TokenName, UserId};

use super::list::of_kind;
use super::row::KeyRow;
use crate::audit;
use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::api_keys;
use crate::sql_types::{DbId, DbInstant};

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
pub fn lock_name(conn: &mut Conn<'_>, user: UserId, name: &TokenName) -> Result<(), StoreError> {
    if let Conn::Postgres(db) = conn {
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

/// Makes a key.
///
/// # Errors
/// When the database fails, or there is a key with that id already.
pub fn create(conn: &mut Conn<'_>, new: &NewKey, entry: &Entry) -> Result<(), StoreError> {
    let row = KeyRow::new(&new.key, &new.digest)?;
    on_backend!(conn, |db| diesel::insert_into(api_keys::table).values(&row).execute(db))?;
    audit::write(conn, entry)
}

/// Moves the end of a live key to `ended`'s, which is now. Answers whether the key was still live;
/// if not, nothing is changed and nothing is written.
///
/// # Errors
/// When the database fails.
pub fn expire(conn: &mut Conn<'_>, ended: &ApiKey, entry: &Entry) -> Result<bool, StoreError> {
    let end = DbInstant(ended.expires_at);
    let changed = on_backend!(conn, |db| diesel::update(api_keys::table)
        .filter(api_keys::id.eq(ended.id.as_str()))
        .filter(api_keys::ended_at.is_null())
        .filter(api_keys::expires_at.gt(end))
        .set((api_keys::expires_at.eq(end), api_keys::ended_at.eq(end)))
        .execute(db))?;
    if changed > 0 {
        audit::write(conn, entry)?;
    }
    Ok(changed > 0)
}

/// Ends every key of the user that is live at `now`, each with the entry that `tell` makes of the
/// states before and after. Answers the ids.
///
/// # Errors
/// When the database fails.
pub fn end_all_of(
    conn: &mut Conn<'_>,
    user: UserId,
    now: Timestamp,
    mut tell: impl FnMut(&ApiKey, &ApiKey) -> Entry,
) -> Result<Vec<KeyId>, StoreError> {
    let mut ended = Vec::new();
    loop {
        let live = live_of(conn, user, now)?;
        if live.is_empty() {
            return Ok(ended);
        }
        for before in live {
            // The query saw it live at this same instant, so it has an end to move.
            if let Some(after) = before.expired_at(now) {
                let entry = tell(&before, &after);
                expire(conn, &after, &entry)?;
                ended.push(after.id);
            }
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

/// Removes a key and its record. Answers whether it was there.
///
/// # Errors
/// When the database fails.
pub fn delete(conn: &mut Conn<'_>, id: &KeyId, entry: &Entry) -> Result<bool, StoreError> {
    let removed =
        on_backend!(conn, |db| diesel::delete(api_keys::table).filter(api_keys::id.eq(id.as_str())).execute(db))?;
    if removed > 0 {
        audit::write(conn, entry)?;
    }
    Ok(removed > 0)
}

/// Removes one batch of keys that expired before `cutoff`, with one entry for all. Answers how
/// many there were; fewer than a batch means that none is left.
///
/// # Errors
/// When the database fails.
pub fn retire(
    conn: &mut Conn<'_>,
    cutoff: Timestamp,
    batch: i64,
    tell: impl FnOnce(usize) -> Entry,
) -> Result<usize, StoreError> {
    let mut ids: Vec<String> = Vec::new();
    for kind in KeyKind::ALL {
        let left = batch - i64::try_from(ids.len()).unwrap_or(batch);
        let found: Vec<String> = on_backend!(conn, |db| api_keys::table
            .filter(of_kind(kind))
            .filter(api_keys::expires_at.lt(DbInstant(cutoff)))
            .order((api_keys::expires_at, api_keys::id))
            .limit(left)
            .select(api_keys::id)
            .load(db))?;
        ids.extend(found);
    }
    // The end is asked for again: on PostgreSQL a session may have slid meanwhile.
    let removed = on_backend!(conn, |db| diesel::delete(api_keys::table)
        .filter(api_keys::id.eq_any(&ids))
        .filter(api_keys::expires_at.lt(DbInstant(cutoff)))
        .execute(db))?;
    if removed > 0 {
        audit::write(conn, &tell(removed))?;
    }
    Ok(removed)
}
