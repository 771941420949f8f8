//! Lists of users, in pages, ordered by username.

use diesel::prelude::*;
use keyward_domain::{User, UserId};

use super::row::UserRow;
use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::users;
use crate::sql_types::DbId;

/// Conditions on users.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Only this user.
    pub only: Option<UserId>,
    /// A part of the username, name or e-mail address, in any case.
    pub search: Option<String>,
}

/// The query for the matching users, without an order.
macro_rules! matching {
    ($filter:expr) => {{
        let mut query = users::table.filter(users::deleted_at.is_null()).into_boxed();
        if let Some(id) = $filter.only {
            query = query.filter(users::id.eq(DbId(id.as_uuid())));
        }
        if let Some(text) = &$filter.search {
            let pattern = contains(&text.to_lowercase());
            query = query.filter(
                users::username_key
                    .like(pattern.clone())
                    .escape('!')
                    .or(users::email_key.like(pattern.clone()).escape('!'))
                    .or(lower(users::name).like(pattern).escape('!')),
            );
        }
        query
    }};
}

diesel::define_sql_function! {
    /// Lower case. On SQLite only ASCII letters change.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// A LIKE pattern for texts that contain `text` literally.
fn contains(text: &str) -> String {
    let mut pattern = String::from("%");
    for symbol in text.chars() {
        if matches!(symbol, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(symbol);
    }
    pattern.push('%');
    pattern
}

/// At most `limit` users after the username `after` (in lower case; empty for the first page).
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn list(conn: &mut Conn<'_>, filter: &UserFilter, after: &str, limit: i64) -> Result<Vec<User>, StoreError> {
    let rows: Vec<UserRow> = on_backend!(conn, |db| matching!(filter)
        .filter(users::username_key.gt(after))
        .order(users::username_key.asc())
        .limit(limit)
        .select(UserRow::as_select())
        .load(db))?;
    rows.into_iter().map(User::try_from).collect()
}

/// The number of matching users, counted up to `cap`.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn count(conn: &mut Conn<'_>, filter: &UserFilter, cap: u32) -> Result<u32, StoreError> {
    let ids: Vec<DbId> = on_backend!(conn, |db| matching!(filter).select(users::id).limit(i64::from(cap)).load(db))?;
    Ok(u32::try_from(ids.len()).unwrap_or(cap))
}
