//! Queries and changes of keys.

mod change;
mod list;
mod row;

pub use change::{NewKey, create, delete, expire, expire_all_of, live_name_exists, lock_name, retire};
pub use list::{KeyCursor, ListFilter, Owners, explain_list, list};

use diesel::prelude::*;
use keyward_domain::key::Digest;
use keyward_domain::{ApiKey, KeyId, KeyKind, TokenName, User, UserId};

use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::{api_keys, users};
use crate::sql_types::DbId;
use crate::tx::Tx;
use crate::users::UserRow;
use row::{KeyRow, digest_of};

/// A key with its owner.
#[derive(Clone, Debug)]
pub struct OwnedKey {
    /// The key.
    pub key: ApiKey,
    /// Whose it is; may be deleted by now.
    pub owner: User,
}

/// What is needed to judge a key that somebody presents.
#[derive(Clone, Debug)]
pub struct KeyFacts {
    /// The key and its owner.
    pub owned: OwnedKey,
    /// What was stored in the secret's place.
    pub digest: Digest,
}

/// The key of that id and its digest, with its owner.
///
/// # Errors
/// When the database fails.
// No `first`, here and wherever there is one row at most: it adds a LIMIT whose number is bound, and
// SQLite prepares a statement anew each time such a number is bound. That takes five times as long as
// the look-up itself.
pub fn facts(conn: &mut Conn<'_>, id: &KeyId) -> Result<Option<KeyFacts>, StoreError> {
    let found: Option<(KeyRow, UserRow)> = on_backend!(conn, |db| api_keys::table
        .inner_join(users::table)
        .filter(api_keys::id.eq(id.as_str()))
        .select((KeyRow::as_select(), UserRow::as_select()))
        .get_result(db)
        .optional())?;
    let Some((key, owner)) = found else { return Ok(None) };
    let digest = digest_of(&key)?;
    Ok(Some(KeyFacts { owned: OwnedKey { key: key.try_into()?, owner: owner.try_into()? }, digest }))
}

/// The key of that id, with its owner.
///
/// # Errors
/// When the database fails.
pub fn find(conn: &mut Conn<'_>, id: &KeyId) -> Result<Option<OwnedKey>, StoreError> {
    Ok(facts(conn, id)?.map(|facts| facts.owned))
}

/// Like [`find`], but locks the key's row `FOR UPDATE` on PostgreSQL. On SQLite the transaction itself
/// is the lock.
///
/// # Errors
/// When the database fails.
pub fn find_for_update(tx: &mut Tx<'_>, id: &KeyId) -> Result<Option<OwnedKey>, StoreError> {
    if let Conn::Postgres(db) = tx.conn() {
        let _held: Option<String> = api_keys::table
            .filter(api_keys::id.eq(id.as_str()))
            .select(api_keys::id)
            .for_update()
            .first(*db)
            .optional()?;
    }
    find(tx, id)
}

/// The user's token of that name: the live one, else the one that expired last. There is at most
/// one live one, and its end is later than any other's.
///
/// # Errors
/// When the database fails.
pub fn find_by_name(conn: &mut Conn<'_>, user: UserId, name: &TokenName) -> Result<Option<ApiKey>, StoreError> {
    let found: Option<KeyRow> = on_backend!(conn, |db| api_keys::table
        .filter(api_keys::kind.eq(KeyKind::Token.as_str()))
        .filter(api_keys::user_id.eq(DbId(user.as_uuid())))
        .filter(api_keys::token_name.eq(name.as_str()))
        .order((api_keys::expires_at.desc(), api_keys::id.desc()))
        .select(KeyRow::as_select())
        .first(db)
        .optional())?;
    found.map(ApiKey::try_from).transpose()
}
