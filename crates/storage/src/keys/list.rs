//! Lists of keys, in pages.
//!
//! The database filters expired keys by `(:include_expired OR expires_at > :now)`. The query also has
//! `expires_at > :since`, where `since` is `now`, or [`Timestamp::MIN`] to include expired keys. It is
//! redundant, but only it can use the index: without it SQLite, and PostgreSQL with a cached generic
//! plan, would read every expired row. The order, the cursor and the filter all use one index,
//! `(…, expires_at, id)`.

use diesel::dsl::{exists, sql};
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use keyward_domain::user::UserStatus;
use keyward_domain::{ApiKey, Catalogue, KeyKind, Timestamp, UserId};

use super::lock_check::LockCheck;
use super::row::KeyRow;
use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::explain::Explain as _;
use crate::locks;
use crate::schema::{api_keys, locks as locks_table, users};
use crate::sql_types::{DbId, DbInstant, Instant};

/// The owners whose keys are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// One user's keys, of one kind or of all kinds.
    One(UserId, Option<KeyKind>),
    /// Every user's keys of one kind.
    All {
        /// The kind.
        kind: KeyKind,
        /// If set, hides the keys of users with the role owner, except for this user's.
        hide_owners_except: Option<UserId>,
    },
}

/// Conditions on keys. All pages of a list use the same `now`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListFilter {
    /// The owners of the keys.
    pub owners: Owners,
    /// Whether to include expired keys.
    pub include_expired: bool,
    /// The time at which keys count as expired or live.
    pub now: Timestamp,
}

/// A key of a list.
#[derive(Clone, Debug)]
pub struct ListedKey {
    /// The key.
    pub key: ApiKey,
    /// The owner's username.
    pub username: String,
    /// Whether the owner is not suspended.
    pub owner_is_active: bool,
    /// Whether a lock refuses the key.
    pub locked: bool,
}

/// A position in a list: the next page begins after this expiry and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCursor {
    /// The expiry of the last key of the previous page.
    pub expires_at: Timestamp,
    /// The id of the last key of the previous page.
    pub id: String,
}

impl KeyCursor {
    /// The position before the first key: no expiry is later, and no id sorts after `~`.
    #[must_use]
    pub fn first() -> Self {
        Self { expires_at: Timestamp::MAX, id: "~".to_owned() }
    }
}

/// The query parts that all lists share: filter, cursor and order.
macro_rules! wanted {
    ($filter:expr, $page:expr, $limit:expr) => {{
        let ListFilter { include_expired, now, .. } = $filter;
        let since = if include_expired { Timestamp::MIN } else { now };
        let (now, since, before) = (DbInstant(now), DbInstant(since), DbInstant($page.expires_at));
        api_keys::table
            .inner_join(users::table)
            .filter(include_expired.into_sql::<Bool>().or(api_keys::expires_at.gt(now)))
            .filter(include_expired.into_sql::<Bool>().or(api_keys::ended_at.is_null()))
            .filter(api_keys::expires_at.gt(since))
            .filter(
                sql::<Bool>("(api_keys.expires_at, api_keys.id) < (")
                    .bind::<Instant, _>(before)
                    .sql(", ")
                    .bind::<Text, _>(&$page.id)
                    .sql(")"),
            )
            .order((api_keys::expires_at.desc(), api_keys::id.desc()))
            .limit($limit)
            .select((
                KeyRow::as_select(),
                users::username,
                users::status.eq(UserStatus::Active.as_str()),
                // Usually there is no lock, and this costs less than a second query.
                exists(locks_table::table.select(locks_table::id)),
            ))
    }};
}

/// A condition on the kind. The kind is a literal, because a statement with a bound value cannot use
/// a kind's partial index.
pub(super) fn of_kind(kind: KeyKind) -> SqlLiteral<Bool> {
    sql(match kind {
        KeyKind::Token => "api_keys.kind = 'token'",
        KeyKind::Session => "api_keys.kind = 'session'",
    })
}

/// Runs an expression on the query for the filter. A macro, because each case has its own query type.
macro_rules! with_query {
    ($filter:expr, $page:expr, $limit:expr, |$query:ident| $run:expr) => {
        match $filter.owners {
            Owners::One(user, Some(kind)) => {
                let $query = wanted!($filter, $page, $limit)
                    .filter(api_keys::user_id.eq(DbId(user.as_uuid())))
                    .filter(api_keys::kind.eq(kind.as_str()));
                $run
            }
            Owners::One(user, None) => {
                let $query = wanted!($filter, $page, $limit).filter(api_keys::user_id.eq(DbId(user.as_uuid())));
                $run
            }
            Owners::All { kind, hide_owners_except: None } => {
                let $query = wanted!($filter, $page, $limit).filter(of_kind(kind));
                $run
            }
            Owners::All { kind, hide_owners_except: Some(except) } => {
                let $query = wanted!($filter, $page, $limit)
                    .filter(of_kind(kind))
                    .filter(users::roles.not_like("%\"owner\"%").or(users::id.eq(DbId(except.as_uuid()))));
                $run
            }
        }
    };
}

/// At most `limit` keys after `page`: latest expiry first, then highest id.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn list(
    conn: &mut Conn<'_>,
    filter: ListFilter,
    catalogue: &Catalogue,
    page: &KeyCursor,
    limit: i64,
) -> Result<Vec<ListedKey>, StoreError> {
    let rows: Vec<(KeyRow, String, bool, bool)> =
        on_backend!(conn, |db| with_query!(filter, page, limit, |query| query.load(db)))?;
    let any_lock = rows.first().is_some_and(|(.., any_lock)| *any_lock);
    let mut locks = LockCheck::new(if any_lock { locks::all(conn)? } else { Vec::new() });
    let listed = |(row, username, owner_is_active, _): (KeyRow, String, bool, bool)| {
        let key = ApiKey::try_from(row)?;
        let locked = locks.refuse(conn, &key, catalogue)?;
        Ok(ListedKey { key, username, owner_is_active, locked })
    };
    rows.into_iter().map(listed).collect()
}

/// The query plan of [`list`], one line a step. On PostgreSQL it is the generic plan, which the
/// server uses after some executions of the prepared statement.
///
/// # Errors
/// [`StoreError`] if the database fails.
#[doc(hidden)]
pub fn explain_list(
    conn: &mut Conn<'_>,
    filter: ListFilter,
    page: &KeyCursor,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    Ok(on_backend!(conn, |db| with_query!(filter, page, limit, |query| db.explain(query)))?)
}
