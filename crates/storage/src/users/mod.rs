//! Queries and changes of users.

mod change;
mod list;
mod row;
mod setup_code;

pub use change::{Change, create, delete, hold_all, update};
pub use list::{UserFilter, count, list};
pub(crate) use row::UserRow;
pub use setup_code::{set_setup_code, setup_code};

use diesel::prelude::*;
use keyward_domain::user::{Email, UserRef, UserStatus, Username};
use keyward_domain::{User, UserId};

use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::users;
use crate::sql_types::DbId;
use crate::tx::Tx;

/// The query for users that are not deleted.
macro_rules! live {
    () => {
        users::table.filter(users::deleted_at.is_null()).select(UserRow::as_select())
    };
}

/// A user and their password hash, if they have a password.
#[derive(Clone)]
pub struct Credentials {
    /// The user.
    pub user: User,
    /// The password hash, a PHC string.
    pub password_hash: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Finds the user of a reference other than `me`; none if there is none or it is deleted.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn find(conn: &mut Conn<'_>, user: &UserRef) -> Result<Option<User>, StoreError> {
    let found: Option<UserRow> = match user {
        UserRef::Me => None,
        UserRef::Id(id) => {
            on_backend!(conn, |db| live!().filter(users::id.eq(DbId(id.as_uuid()))).get_result(db).optional())?
        }
        UserRef::Name(name) => {
            on_backend!(conn, |db| live!().filter(users::username_key.eq(name.key())).get_result(db).optional())?
        }
    };
    found.map(User::try_from).transpose()
}

/// Finds the user with this id, unless deleted, and locks the row `FOR SHARE` on PostgreSQL: until
/// the transaction ends, no other transaction can suspend, delete or demote the user. On SQLite the
/// transaction itself is the lock.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn find_for_share(tx: &mut Tx<'_>, id: UserId) -> Result<Option<User>, StoreError> {
    let user = users::id.eq(DbId(id.as_uuid()));
    let found: Option<UserRow> = match tx.conn() {
        Conn::Sqlite(db) => live!().filter(user).first(*db).optional()?,
        // If it waits for another transaction, it returns the row as that transaction left it.
        Conn::Postgres(db) => live!().filter(user).for_share().first(*db).optional()?,
    };
    found.map(User::try_from).transpose()
}

/// Like [`find_for_share`], but locks the row `FOR UPDATE`.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn find_for_update(tx: &mut Tx<'_>, id: UserId) -> Result<Option<User>, StoreError> {
    if let Conn::Postgres(db) = tx.conn() {
        let user = users::table.filter(users::id.eq(DbId(id.as_uuid()))).select(users::id);
        let _locked: Option<DbId> = user.for_update().first(*db).optional()?;
    }
    find(tx, &UserRef::Id(id))
}

/// Finds the user to log in by e-mail address or username.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn find_login(conn: &mut Conn<'_>, login: &str) -> Result<Option<Credentials>, StoreError> {
    // No username contains an @, so a text is at most one of the two. A text that is neither is not
    // looked up: it may contain characters that PostgreSQL rejects in text, such as NUL.
    let found: Option<UserRow> = match (login.parse::<Email>(), login.parse::<Username>()) {
        (Ok(email), _) => {
            on_backend!(conn, |db| live!().filter(users::email_key.eq(email.key())).get_result(db).optional())?
        }
        (Err(_), Ok(name)) => {
            on_backend!(conn, |db| live!().filter(users::username_key.eq(name.key())).get_result(db).optional())?
        }
        (Err(_), Err(_)) => None,
    };
    let Some(user) = found.map(User::try_from).transpose()? else { return Ok(None) };
    let password_hash = password_hash(conn, user.id)?;
    Ok(Some(Credentials { user, password_hash }))
}

/// The user's password hash, if they have a password.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn password_hash(conn: &mut Conn<'_>, id: UserId) -> Result<Option<String>, StoreError> {
    let found: Option<Option<String>> = on_backend!(conn, |db| users::table
        .filter(users::id.eq(DbId(id.as_uuid())))
        .select(users::password_hash)
        .get_result(db)
        .optional())?;
    Ok(found.flatten())
}

/// Whether any user was ever created.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn any(conn: &mut Conn<'_>) -> Result<bool, StoreError> {
    Ok(on_backend!(conn, |db| diesel::select(diesel::dsl::exists(users::table.select(users::id))).get_result(db))?)
}

/// Up to two of the active owners.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn active_owners(conn: &mut Conn<'_>) -> Result<Vec<UserId>, StoreError> {
    let ids: Vec<DbId> = on_backend!(conn, |db| users::table
        .filter(users::deleted_at.is_null())
        .filter(users::status.eq(UserStatus::Active.as_str()))
        .filter(users::roles.like("%\"owner\"%"))
        .select(users::id)
        .limit(2)
        .load(db))?;
    Ok(ids.into_iter().map(|id| UserId::from_uuid(id.0)).collect())
}

/// Whether there is an active owner other than this user.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn another_owner_is_active(conn: &mut Conn<'_>, id: UserId) -> Result<bool, StoreError> {
    Ok(on_backend!(conn, |db| diesel::select(diesel::dsl::exists(
        users::table
            .filter(users::deleted_at.is_null())
            .filter(users::status.eq(UserStatus::Active.as_str()))
            .filter(users::roles.like("%\"owner\"%"))
            .filter(users::id.ne(DbId(id.as_uuid())))
    ))
    .get_result(db))?)
}
