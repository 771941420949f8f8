//! Changes of users, each with its event.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use keyward_domain::event::{Event, Origin, UserChange};
use keyward_domain::user::UserStatus;
use keyward_domain::{Roles, Timestamp, User};

use super::row::{UserRow, roles_text};
use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::users;
use crate::sql_types::{DbId, DbInstant};
use crate::tx::Tx;

/// Any number will do, as long as every server asks for the same.
const LOCK: i64 = 0x6b65_7977_6172_6402;

/// Lets only one transaction at a time, of all servers', decide something about users as a whole:
/// whether there is any yet, whether an owner is left. On SQLite the transaction itself does that.
///
/// # Errors
/// When the database fails.
pub fn hold_all(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    if let Conn::Postgres(db) = tx.conn() {
        let lock = sql::<Text>("pg_advisory_xact_lock(").bind::<BigInt, _>(LOCK).sql(")::text");
        diesel::select(lock).execute(*db)?;
    }
    Ok(())
}

/// Makes a user.
///
/// # Errors
/// [`StoreError::Taken`] when the username or the address is; else when the database fails.
pub fn create(tx: &mut Tx<'_>, user: &User, password_hash: Option<&str>, origin: &Origin) -> Result<(), StoreError> {
    let row = UserRow::new(user)?;
    on_backend!(tx.conn(), |db| diesel::insert_into(users::table)
        .values((&row, users::password_hash.eq(password_hash)))
        .execute(db))?;
    tx.record(origin, Event::UserCreated { user: user.clone() });
    Ok(())
}

/// One change of a user; nothing else of them changes.
#[derive(Clone, Debug)]
pub enum Change {
    /// The roles.
    Roles(Roles),
    /// Active or suspended.
    Status(UserStatus),
    /// The password's hash, a PHC string.
    Password(String),
}

/// Changes a user at `now`, whom `before` shows as they are, and promises that nobody judges their
/// keys by what was before. Answers the user as they are then.
///
/// # Errors
/// When the database fails.
pub fn update(
    tx: &mut Tx<'_>,
    before: User,
    change: Change,
    now: Timestamp,
    origin: &Origin,
) -> Result<User, StoreError> {
    let mut after = User { updated_at: now, ..before.clone() };
    let updated_at = users::updated_at.eq(DbInstant(now));
    let id = DbId(before.id.as_uuid());
    let change = match change {
        Change::Roles(roles) => {
            after.roles = roles;
            let roles = users::roles.eq(roles_text(&after)?);
            on_backend!(tx.conn(), |db| diesel::update(users::table.find(id)).set((roles, updated_at)).execute(db))?;
            UserChange::Roles
        }
        Change::Status(status) => {
            after.status = status;
            let word = users::status.eq(status.as_str());
            on_backend!(tx.conn(), |db| diesel::update(users::table.find(id)).set((word, updated_at)).execute(db))?;
            match status {
                UserStatus::Suspended => UserChange::Suspended,
                UserStatus::Active => UserChange::Activated,
            }
        }
        Change::Password(hash) => {
            let hash = users::password_hash.eq(hash);
            on_backend!(tx.conn(), |db| diesel::update(users::table.find(id)).set((hash, updated_at)).execute(db))?;
            UserChange::Password
        }
    };
    tx.promise_end();
    tx.touch_user(before.id);
    tx.record(origin, Event::UserChanged { before, after: after.clone(), change });
    Ok(after)
}

/// Marks a user deleted: the row stays, the name and the address become free.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut Tx<'_>, user: User, now: Timestamp, origin: &Origin) -> Result<(), StoreError> {
    on_backend!(tx.conn(), |db| diesel::update(users::table.find(DbId(user.id.as_uuid())))
        .set((users::deleted_at.eq(DbInstant(now)), users::password_hash.eq(None::<String>)))
        .execute(db))?;
    tx.promise_end();
    tx.touch_user(user.id);
    tx.record(origin, Event::UserDeleted { user });
    Ok(())
}
