//! Changes of users. Each records an event.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use keyward_domain::event::{Event, Origin, UserChange};
use keyward_domain::user::UserStatus;
use keyward_domain::{Roles, Timestamp, User};

use super::row::{UserRow, roles_text};
use super::setup_code::forget_setup_code;
use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::locks::spare_only_owner;
use crate::schema::users;
use crate::sql_types::{DbId, DbInstant};
use crate::tx::Tx;

/// The id of the advisory lock. The number is arbitrary, but every server must use the same one.
const LOCK: i64 = 0x6b65_7977_6172_6402;

/// Locks the set of all users until the transaction ends, across all servers. Decisions such as
/// "there is no user yet" or "another owner is left" need it. On SQLite the transaction itself is the
/// lock.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn hold_all(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    if let Conn::Postgres(db) = tx.conn() {
        let lock = sql::<Text>("pg_advisory_xact_lock(").bind::<BigInt, _>(LOCK).sql(")::text");
        diesel::select(lock).execute(*db)?;
    }
    Ok(())
}

/// Creates a user. From the first user on, there is no setup code.
///
/// # Errors
/// [`StoreError::Taken`] if the username or the address is taken, or another error if the database
/// fails.
pub fn create(tx: &mut Tx<'_>, user: &User, password_hash: Option<&str>, origin: &Origin) -> Result<(), StoreError> {
    let row = UserRow::new(user)?;
    on_backend!(tx.conn(), |db| diesel::insert_into(users::table)
        .values((&row, users::password_hash.eq(password_hash)))
        .execute(db))?;
    tx.record(origin, Event::UserCreated { user: user.clone() });
    forget_setup_code(tx)
}

/// A change of one property of a user.
#[derive(Clone, Debug)]
pub enum Change {
    /// Replaces the roles.
    Roles(Roles),
    /// Suspends or activates the user.
    Status(UserStatus),
    /// Replaces the password hash, a PHC string.
    Password(String),
}

/// Changes the user `before` at `now` and sets [`Changes::promises_end`](crate::Changes::promises_end),
/// because the user's keys must be judged by the new state. Returns the changed user.
///
/// # Errors
/// [`StoreError`] if the database fails.
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
    if before.is_owner() && !(after.is_owner() && after.is_active()) {
        spare_only_owner(tx)?;
    }
    tx.promise_end();
    tx.touch_user(before.id);
    tx.record(origin, Event::UserChanged { before, after: after.clone(), change });
    Ok(after)
}

/// Marks a user as deleted. The row stays, but the name and the address become free.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn delete(tx: &mut Tx<'_>, user: User, now: Timestamp, origin: &Origin) -> Result<(), StoreError> {
    on_backend!(tx.conn(), |db| diesel::update(users::table.find(DbId(user.id.as_uuid())))
        .set((users::deleted_at.eq(DbInstant(now)), users::password_hash.eq(None::<String>)))
        .execute(db))?;
    if user.is_owner() {
        spare_only_owner(tx)?;
    }
    tx.promise_end();
    tx.touch_user(user.id);
    tx.record(origin, Event::UserDeleted { user });
    Ok(())
}
