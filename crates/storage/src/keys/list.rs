//! Lists of keys, a page at a time.
//!
//! The database hides the expired: `(:include_expired OR expires_at > :now)` says what is meant.
//! Beside it stands `expires_at > :since`, which adds nothing to the meaning (`since` is `now`, or
//! the earliest instant when the expired are wanted) and is what the index can use: without it
//! SQLite, and PostgreSQL once it caches a generic plan, read every expired row to hide it.
//! The order, the cursor and the filter all come from one index, `(…, expires_at, id)`.

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use keyward_domain::{ApiKey, KeyKind, Timestamp, UserId};

use super::row::KeyRow;
use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::explain::Explain as _;
use crate::schema::{api_keys, users};
use crate::sql_types::{DbId, DbInstant, Instant};

/// Whose keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// One user's, of one kind or of all.
    One(UserId, Option<KeyKind>),
    /// Everyone's of one kind; without those of owners, other than this user's own, if set.
    All {
        /// Of which kind.
        kind: KeyKind,
        /// Hide the keys of owners, but not this one's.
        hide_owners_except: Option<UserId>,
    },
}

/// Which keys, judged at one instant however many pages it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListFilter {
    /// Whose.
    pub owners: Owners,
    /// The expired ones too.
    pub include_expired: bool,
    /// The instant by which a key is expired or not.
    pub now: Timestamp,
}

/// Where a page begins: behind this end and id, in the list's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCursor {
    /// The end of the last key of the page before.
    pub expires_at: Timestamp,
    /// The id of the last key of the page before.
    pub id: String,
}

impl KeyCursor {
    /// Before the first key: no end is later, and no id sorts behind `~`.
    #[must_use]
    pub fn first() -> Self {
        Self { expires_at: Timestamp::MAX, id: "~".to_owned() }
    }
}

/// The part that all lists share: the filter, the cursor, the order.
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
            .select((KeyRow::as_select(), users::username))
    }};
}

/// The kind is written out and not bound: a statement can use a kind's partial index only if it names
/// the kind itself.
pub(super) fn of_kind(kind: KeyKind) -> SqlLiteral<Bool> {
    sql(match kind {
        KeyKind::Token => "api_keys.kind = 'token'",
        KeyKind::Session => "api_keys.kind = 'session'",
    })
}

/// Runs an expression on the query that the filter asks for: each kind is a type of its own.
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

/// At most `limit` keys behind `page` with their owners' usernames, latest end first, then latest id.
///
/// # Errors
/// When the database fails.
pub fn list(
    conn: &mut Conn<'_>,
    filter: ListFilter,
    page: &KeyCursor,
    limit: i64,
) -> Result<Vec<(ApiKey, String)>, StoreError> {
    let rows: Vec<(KeyRow, String)> = on_backend!(conn, |db| with_query!(filter, page, limit, |query| query.load(db)))?;
    rows.into_iter().map(|(row, username)| Ok((row.try_into()?, username))).collect()
}

/// How the database would answer [`list`]: its plan, a line for each step. PostgreSQL's is the
/// generic one, which it comes to after some executions of the prepared statement.
///
/// # Errors
/// When the database fails.
#[doc(hidden)]
pub fn explain_list(
    conn: &mut Conn<'_>,
    filter: ListFilter,
    page: &KeyCursor,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    Ok(on_backend!(conn, |db| with_query!(filter, page, limit, |query| db.explain(query)))?)
}
