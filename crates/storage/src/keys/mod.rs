//! Queries and changes of keys.

mod change;
mod list;
mod lock_check;
mod retention;
mod row;
mod select;

pub use change::{
    NewKey, create, delete, expire, expire_all_of, expire_many, find_many_for_update, live_children, live_name_exists,
    lock_name,
};
pub use list::{KeyCursor, ListFilter, ListedKey, Owners, explain_list, list};
pub use retention::{Hold, confirm, count_expired, hold, retire, set_hold};
pub use select::{Selection, Sort, explain_select, select};

use diesel::dsl::exists;
use diesel::prelude::*;
use keyward_domain::key::Digest;
use keyward_domain::lock::Lock;
use keyward_domain::{ApiKey, KeyId, KeyKind, Timestamp, TokenName, User, UserId};

use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::{api_keys, locks, users};
use crate::sql_types::{DbId, DbInstant};
use crate::tx::Tx;
use crate::users::UserRow;
use row::{KeyRow, SecretRow};

/// A key and its owner.
#[derive(Clone, Debug)]
pub struct OwnedKey {
    /// The key.
    pub key: ApiKey,
    /// The owner, who may be deleted.
    pub owner: User,
}

/// The stored state that is needed to verify a presented key.
#[derive(Clone, Debug)]
pub struct KeyFacts {
    /// The key and its owner.
    pub owned: OwnedKey,
    /// The stored digest of the secret.
    pub digest: Digest,
    /// The locks, whether they apply to the key or not.
    pub locks: Vec<Lock>,
}

/// Fetches the key with this id, its digest and its owner.
///
/// # Errors
/// [`StoreError`] if the database fails.
// Queries for at most one row do not use `first`: it adds a LIMIT with a bound value, and SQLite
// prepares the statement again each time such a value is bound. That takes five times as long as the
// lookup itself.
pub fn facts(conn: &mut Conn<'_>, id: &KeyId) -> Result<Option<KeyFacts>, StoreError> {
    let found: Option<(KeyRow, SecretRow, UserRow, bool)> = on_backend!(conn, |db| api_keys::table
        .inner_join(users::table)
        .filter(api_keys::id.eq(id.as_str()))
        .select((
            KeyRow::as_select(),
            SecretRow::as_select(),
            UserRow::as_select(),
            // Usually there is no lock, and this costs less than a second query.
            exists(locks::table.select(locks::id)),
        ))
        .get_result(db)
        .optional())?;
    let Some((key, secret, owner, any_lock)) = found else { return Ok(None) };
    let key = ApiKey::try_from(key)?;
    let digest = secret.digest_of(&key)?;
    Ok(Some(KeyFacts {
        owned: OwnedKey { key, owner: owner.try_into()? },
        digest,
        locks: if any_lock { crate::locks::all(conn)? } else { Vec::new() },
    }))
}

/// What proves a verifier's report about a key.
#[derive(Clone, Debug)]
pub struct Provable {
    /// The key's id.
    pub id: KeyId,
    /// The owner.
    pub user: UserId,
    /// The stored digest of the secret.
    pub digest: Digest,
    /// When the key was created.
    pub created_at: Timestamp,
}

/// What proves reports about those of the keys that exist.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn provable(conn: &mut Conn<'_>, ids: &[KeyId]) -> Result<Vec<Provable>, StoreError> {
    let ids: Vec<&str> = ids.iter().map(KeyId::as_str).collect();
    let rows: Vec<(String, DbId, Vec<u8>, DbInstant)> = on_backend!(conn, |db| api_keys::table
        .filter(api_keys::id.eq_any(&ids))
        .select((api_keys::id, api_keys::user_id, api_keys::digest, api_keys::created_at))
        .load(db))?;
    // A digest of another length was written by hand and proves nothing.
    let read = |(id, user, digest, created): (String, DbId, Vec<u8>, DbInstant)| {
        let digest = Digest::from_bytes(digest.as_slice().try_into().ok()?);
        Some(Provable { id: KeyId::from_stored(id), user: UserId::from_uuid(user.0), digest, created_at: created.0 })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Finds the key with this id and its owner.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn find(conn: &mut Conn<'_>, id: &KeyId) -> Result<Option<OwnedKey>, StoreError> {
    Ok(facts(conn, id)?.map(|facts| facts.owned))
}

/// The key that created `key`, the key that created that one, and so on, up to 32 keys. The record of the
/// last one may be gone.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn minters(conn: &mut Conn<'_>, key: &ApiKey) -> Result<Vec<KeyId>, StoreError> {
    const MOST: usize = 32;

    let mut minters = Vec::new();
    let mut next = key.minted_by.clone();
    while let Some(id) = next.filter(|_| minters.len() < MOST) {
        let found: Option<Option<String>> = on_backend!(conn, |db| api_keys::table
            .filter(api_keys::id.eq(id.as_str()))
            .select(api_keys::minted_by)
            .get_result(db)
            .optional())?;
        minters.push(id);
        next = found.flatten().map(KeyId::from_stored);
    }
    Ok(minters)
}

/// Like [`find`], but locks the key's row `FOR UPDATE` on PostgreSQL. On SQLite the transaction itself
/// is the lock.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn find_for_update(tx: &mut Tx<'_>, id: &KeyId) -> Result<Option<OwnedKey>, StoreError> {
    if let Conn::Postgres(db) = tx.conn() {
        let _locked: Option<String> = api_keys::table
            .filter(api_keys::id.eq(id.as_str()))
            .select(api_keys::id)
            .for_update()
            .first(*db)
            .optional()?;
    }
    find(tx, id)
}

/// Finds the user's token of this name: the one that is live at `now`, or else the one that expired last.
/// At most one is live. Its expiry is the latest, unless another was ended after it had expired by a
/// clock that was ahead.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn find_by_name(
    conn: &mut Conn<'_>,
    user: UserId,
    name: &TokenName,
    now: Timestamp,
) -> Result<Option<ApiKey>, StoreError> {
    macro_rules! last {
        ($($filter:expr)?) => {
            on_backend!(conn, |db| api_keys::table
                .filter(api_keys::kind.eq(KeyKind::Token.as_str()))
                .filter(api_keys::user_id.eq(DbId(user.as_uuid())))
                .filter(api_keys::token_name.eq(name.as_str()))
                $(.filter($filter))?
                .order((api_keys::expires_at.desc(), api_keys::id.desc()))
                .select(KeyRow::as_select())
                .first(db)
                .optional())?
        };
    }
    let live: Option<KeyRow> = last!(api_keys::expires_at.gt(DbInstant(now)).and(api_keys::ended_at.is_null()));
    let found: Option<KeyRow> = match live {
        Some(live) => Some(live),
        None => last!(),
    };
    found.map(ApiKey::try_from).transpose()
}
