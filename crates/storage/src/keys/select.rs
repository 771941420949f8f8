//! Keys that meet conditions, in one of several orders, in pages. [`list`](super::list) answers the
//! lists without conditions, whose queries are prepared once.

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use keyward_domain::key::{EndReason, KeySelector, KeyState, Period};
use keyward_domain::user::UserStatus;
use keyward_domain::{ApiKey, Catalogue, Timestamp, UserId};

use super::list::{KeyCursor, ListedKey, of_kind};
use super::lock_check::LockCheck;
use super::row::KeyRow;
use crate::conn::Conn;
use crate::error::StoreError;
use crate::explain::Explain as _;
use crate::locks;
use crate::schema::{api_keys, users};
use crate::sql_types::{DbId, DbInstant, Instant};

/// Which keys, and in which order. All pages of a list use the same `now`.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The conditions.
    pub selector: KeySelector,
    /// If set, hides the keys of users with the role owner, except for this user's.
    pub hide_owners_except: Option<UserId>,
    /// Whether to include expired keys.
    pub include_expired: bool,
    /// The time at which keys count as expired or live.
    pub now: Timestamp,
    /// The order.
    pub sort: Sort,
    /// Whether the latest comes first.
    pub descending: bool,
}

/// By what a list is ordered. Keys with the same instant are ordered by their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The expiry.
    #[default]
    Expiry,
    /// The creation.
    Creation,
    /// The last use. A key that was never used counts as used in 1970.
    Use,
}

impl Sort {
    /// The instant by which a key is ordered.
    #[must_use]
    pub fn of(self, key: &ApiKey) -> Timestamp {
        match self {
            Self::Expiry => key.expires_at,
            Self::Creation => key.created_at,
            Self::Use => key.last_used.unwrap_or(Timestamp::EPOCH),
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Expiry => "api_keys.expires_at",
            Self::Creation => "api_keys.created_at",
            Self::Use => LAST_USED,
        }
    }
}

/// Exactly the expression of the index, or the index is not used. PostgreSQL reads the text as an instant.
const LAST_USED: &str = "coalesce(api_keys.last_used, '1970-01-01T00:00:00.000000Z')";

impl KeyCursor {
    /// The position before the first key of a list in this order.
    #[must_use]
    pub fn start(descending: bool) -> Self {
        // No instant is later, and no id sorts after `~` or before the empty text.
        if descending { Self::first() } else { Self { expires_at: Timestamp::MIN, id: String::new() } }
    }
}

/// Rows that are read at a time while few of them meet the conditions that no query answers.
const ROWS: i64 = 1_000;

/// The query for at most `$limit` rows after `$page`.
macro_rules! selected {
    ($DB:ty, $selection:expr, $page:expr, $limit:expr) => {{
        let Selection { selector, hide_owners_except, include_expired, now, sort, descending } = $selection;
        let KeySelector {
            user, status, kind, created, expires, last_used, never_used, minted_by, end_reason, ids, ..
        } = selector;
        let now = DbInstant(*now);
        let mut query = api_keys::table
            .inner_join(users::table)
            .select((KeyRow::as_select(), users::username, users::status.eq(UserStatus::Active.as_str())))
            .limit($limit)
            .into_boxed::<$DB>();
        if !include_expired || matches!(status, Some(KeyState::Live | KeyState::Locked)) {
            query = query.filter(api_keys::expires_at.gt(now)).filter(api_keys::ended_at.is_null());
        }
        if *status == Some(KeyState::Expired) {
            query = query.filter(api_keys::expires_at.le(now).or(api_keys::ended_at.is_not_null()));
        }
        if let Some(user) = user {
            query = query.filter(api_keys::user_id.eq(DbId(user.as_uuid())));
        }
        if let Some(kind) = kind {
            query = query.filter(of_kind(*kind));
        }
        if let Some(except) = hide_owners_except {
            query = query.filter(users::roles.not_like("%\"owner\"%").or(users::id.eq(DbId(except.as_uuid()))));
        }
        for (column, Period { after, before }) in
            [("api_keys.created_at", created), ("api_keys.expires_at", expires), (LAST_USED, last_used)]
        {
            for (sign, instant) in [(" >= ", after), (" < ", before)] {
                if let Some(instant) = instant {
                    query =
                        query.filter(sql::<Bool>(&format!("{column}{sign}")).bind::<Instant, _>(DbInstant(*instant)));
                }
            }
        }
        match never_used {
            Some(true) => query = query.filter(api_keys::last_used.is_null()),
            Some(false) => query = query.filter(api_keys::last_used.is_not_null()),
            None => {}
        }
        if let Some(minter) = minted_by {
            query = query.filter(api_keys::minted_by.eq(minter.as_str()));
        }
        match end_reason {
            Some(EndReason::Unspecified) => {
                let unspecified = api_keys::end_reason.is_null().or(api_keys::end_reason.eq("unspecified"));
                query = query.filter(api_keys::ended_at.is_not_null()).filter(unspecified.assume_not_null());
            }
            Some(reason) => query = query.filter(api_keys::end_reason.eq(reason.as_str())),
            None => {}
        }
        if let Some(ids) = ids {
            query = query.filter(api_keys::id.eq_any(ids.iter().map(|id| id.as_str()).collect::<Vec<_>>()));
        }
        let (column, sign, order) =
            (sort.column(), if *descending { "<" } else { ">" }, if *descending { "DESC" } else { "ASC" });
        query
            .filter(
                sql::<Bool>(&format!("({column}, api_keys.id) {sign} ("))
                    .bind::<Instant, _>(DbInstant($page.expires_at))
                    .sql(", ")
                    .bind::<Text, _>($page.id.clone())
                    .sql(")"),
            )
            .order(ordered(column, order))
    }};
}

fn ordered(column: &str, order: &str) -> SqlLiteral<Text> {
    sql(&format!("{column} {order}, api_keys.id {order}"))
}

/// At most `limit` keys after `page` that meet all conditions.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn select(
    conn: &mut Conn<'_>,
    selection: &Selection,
    catalogue: &Catalogue,
    page: &KeyCursor,
    limit: i64,
) -> Result<Vec<ListedKey>, StoreError> {
    let wanted = usize::try_from(limit).unwrap_or(0);
    let mut locks = LockCheck::new(locks::all(conn)?);
    let wants_locked = selection.selector.status == Some(KeyState::Locked);
    let mut keys = Vec::new();
    let mut page = page.clone();
    loop {
        // The first read may be all that is needed.
        let rows_at_a_time = if keys.is_empty() { limit.max(1) } else { ROWS };
        let rows: Vec<(KeyRow, String, bool)> = match conn {
            Conn::Sqlite(db) => selected!(diesel::sqlite::Sqlite, selection, page, rows_at_a_time).load(*db)?,
            Conn::Postgres(db) => selected!(diesel::pg::Pg, selection, page, rows_at_a_time).load(*db)?,
        };
        let is_last = i64::try_from(rows.len()).unwrap_or(i64::MAX) < rows_at_a_time;
        for (row, username, owner_is_active) in rows {
            let key = ApiKey::try_from(row)?;
            page = KeyCursor { expires_at: selection.sort.of(&key), id: key.id.to_string() };
            if !selection.selector.matches_rest(&key, catalogue) {
                continue;
            }
            let locked = locks.refuse(conn, &key, catalogue)?;
            if locked || !wants_locked {
                keys.push(ListedKey { key, username, owner_is_active, locked });
                if keys.len() >= wanted {
                    return Ok(keys);
                }
            }
        }
        if is_last {
            return Ok(keys);
        }
    }
}

/// The query plan of [`select`], one line a step.
///
/// # Errors
/// [`StoreError`] if the database fails.
#[doc(hidden)]
pub fn explain_select(
    conn: &mut Conn<'_>,
    selection: &Selection,
    page: &KeyCursor,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    Ok(match conn {
        Conn::Sqlite(db) => db.explain(selected!(diesel::sqlite::Sqlite, selection, page, limit))?,
        Conn::Postgres(db) => db.explain(selected!(diesel::pg::Pg, selection, page, limit))?,
    })
}
