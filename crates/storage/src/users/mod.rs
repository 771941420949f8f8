//! Queries and changes of users.

mod change;
mod list;
mod row;

pub use change::{Change, create, delete, hold_all, update};
pub use list::{UserFilter, count, list};
pub(crate) use row::UserRow;

use diesel::prelude::*;
use keyward_domain::user::{Email, UserRef, UserStatus, Username};
use keyward_domain::{User, UserId};

use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::users;
use crate::sql_types::DbId;
use crate::tx::Tx;

/// The users that are not deleted, as rows.
macro_rules! live {
    () => {
        users::table.filter(users::deleted_at.is_null()).select(UserRow::as_select())
    };
}

/// A user and the hash of their password, if they have one.
#[derive(Clone)]
pub struct Credentials {
    /// The user.
    pub user: User,
    /// A PHC string.
    pub password_hash: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The user that a reference other than `me` names, unless deleted.
///
/// # Errors
/// When the database fails.
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

/// The user of that id, unless deleted; on PostgreSQL held until the transaction ends, shared with
/// others who only rely on it: nobody suspends, deletes or demotes them meanwhile. On SQLite the
/// transaction itself does that.
///
/// # Errors
/// When the database fails.
pub fn find_for_share(tx: &mut Tx<'_>, id: UserId) -> Result<Option<User>, StoreError> {
    let user = users::id.eq(DbId(id.as_uuid()));
    let found: Option<UserRow> = match tx.conn() {
        Conn::Sqlite(db) => live!().filter(user).first(*db).optional()?,
        // After a wait the row is read, and judged, as the other transaction left it.
        Conn::Postgres(db) => live!().filter(user).for_share().first(*db).optional()?,
    };
    found.map(User::try_from).transpose()
}

/// Like [`find_for_share`], but locks the row `FOR UPDATE`.
///
/// # Errors
/// When the database fails.
pub fn find_for_update(tx: &mut Tx<'_>, id: UserId) -> Result<Option<User>, StoreError> {
    if let Conn::Postgres(db) = tx.conn() {
        let held = users::table.filter(users::id.eq(DbId(id.as_uuid()))).select(users::id);
        let _held: Option<DbId> = held.for_update().first(*db).optional()?;
    }
    find(tx, &UserRef::Id(id))
}

/// The user who logs in under this text: an e-mail address, or else a username.
///
/// # Errors
/// When the database fails.
pub fn find_login(conn: &mut Conn<'_>, login: &str) -> Result<Option<Credentials>, StoreError> {
    // No username has an @, so the two cannot be confused. What is neither is nobody's, and may hold
    // what PostgreSQL takes in no text.
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

/// The hash of a user's password, if they have one.
///
/// # Errors
/// When the database fails.
pub fn password_hash(conn: &mut Conn<'_>, id: UserId) -> Result<Option<String>, StoreError> {
    let found: Option<Option<String>> = on_backend!(conn, |db| users::table
        .filter(users::id.eq(DbId(id.as_uuid())))
        .select(users::password_hash)
        .get_result(db)
        .optional())?;
    Ok(found.flatten())
}

/// Has anyone been created yet?
///
/// # Errors
/// When the database fails.
pub fn any(conn: &mut Conn<'_>) -> Result<bool, StoreError> {
    Ok(on_backend!(conn, |db| diesel::select(diesel::dsl::exists(users::table.select(users::id))).get_result(db))?)
}

/// Is there an active owner other than this user?
///
/// # Errors
/// When the database fails.
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
