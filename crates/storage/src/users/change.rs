//! Changes of users, each with its audit entry.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use keyward_domain::audit::Entry;
use keyward_domain::{Timestamp, User, UserId};

use super::row::{UserRow, roles_text};
use crate::audit;
use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::users;
use crate::sql_types::{DbId, DbInstant};

/// Any number will do, as long as every server asks for the same.
const LOCK: i64 = 0x6b65_7977_6172_6402;

/// Lets only one transaction at a time, of all servers', decide something about users as a whole:
/// whether there is any yet, whether an owner is left. On SQLite the transaction itself does that.
///
/// # Errors
/// When the database fails.
pub fn hold_all(conn: &mut Conn<'_>) -> Result<(), StoreError> {
    if let Conn::Postgres(db) = conn {
        let lock = sql::<Text>("pg_advisory_xact_lock(").bind::<BigInt, _>(LOCK).sql(")::text");
        diesel::select(lock).execute(*db)?;
    }
    Ok(())
}

/// Makes a user.
///
/// # Errors
/// [`StoreError::Taken`] when the username or the address is; else when the database fails.
pub fn create(conn: &mut Conn<'_>, user: &User, password_hash: Option<&str>, entry: &Entry) -> Result<(), StoreError> {
    let row = UserRow::new(user)?;
    on_backend!(conn, |db| diesel::insert_into(users::table)
        .values((&row, users::password_hash.eq(password_hash)))
        .execute(db))?;
    audit::write(conn, entry)
}

/// What of a user changes; nothing else does.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// The roles.
    Roles,
    /// Active or suspended.
    Status,
    /// The password's hash, a PHC string.
    Password(&'a str),
}

/// Writes one change of a user, as `new` has it.
///
/// # Errors
/// When the database fails.
pub fn update(conn: &mut Conn<'_>, new: &User, change: Change<'_>, entry: &Entry) -> Result<(), StoreError> {
    let updated_at = users::updated_at.eq(DbInstant(new.updated_at));
    let id = DbId(new.id.as_uuid());
    match change {
        Change::Roles => {
            let roles = users::roles.eq(roles_text(new)?);
            on_backend!(conn, |db| diesel::update(users::table.find(id)).set((roles, updated_at)).execute(db))?;
        }
        Change::Status => {
            let status = users::status.eq(new.status.as_str());
            on_backend!(conn, |db| diesel::update(users::table.find(id)).set((status, updated_at)).execute(db))?;
        }
        Change::Password(hash) => {
            let hash = users::password_hash.eq(hash);
            on_backend!(conn, |db| diesel::update(users::table.find(id)).set((hash, updated_at)).execute(db))?;
        }
    }
    audit::write(conn, entry)
}

/// Marks a user deleted: the row stays, the name and the address become free.
///
/// # Errors
/// When the database fails.
pub fn set_deleted(conn: &mut Conn<'_>, id: UserId, now: Timestamp, entry: &Entry) -> Result<(), StoreError> {
    on_backend!(conn, |db| diesel::update(users::table.find(DbId(id.as_uuid())))
        .set((users::deleted_at.eq(DbInstant(now)), users::password_hash.eq(None::<String>)))
        .execute(db))?;
    audit::write(conn, entry)
}
