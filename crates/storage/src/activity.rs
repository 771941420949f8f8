//! How keys were used, and uses that were refused although the secret was right. These are not changes:
//! they leave no audit entry.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::upsert::excluded;
use keyward_domain::{KeyId, Timestamp, UserId};

use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::{api_keys, key_refusals, key_uses, users};
use crate::sql_types::DbInstant;
use crate::tx::Tx;

/// Uses or refusals of a key that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The key.
    pub key: KeyId,
    /// What happened.
    pub what: What,
    /// The client's address, if known.
    pub ip: Option<String>,
    /// How often.
    pub count: i64,
    /// When first.
    pub first_at: Timestamp,
    /// When last.
    pub last_at: Timestamp,
}

/// What happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It was accepted.
    Used {
        /// `api`, `verify`, `authz` or `embedded`.
        via: &'static str,
        /// The user who asked about the key.
        asked_by: Option<UserId>,
    },
    /// It was refused with this code.
    Refused(&'static str),
}

/// The rows of a key that were active last.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// Uses, the last first.
    pub used: Vec<UsedRow>,
    /// Refusals, the last first.
    pub refused: Vec<RefusedRow>,
}

/// Uses that are alike.
#[derive(Clone, Debug)]
pub struct UsedRow {
    /// `api`, `verify`, `authz` or `embedded`.
    pub via: String,
    /// The username of the user who asked about the key.
    pub asked_by: Option<String>,
    /// The client's address, if known.
    pub ip: Option<String>,
    /// How often.
    pub count: i64,
    /// When first.
    pub first_at: Timestamp,
    /// When last.
    pub last_at: Timestamp,
}

/// Refusals that are alike, within an hour.
#[derive(Clone, Debug)]
pub struct RefusedRow {
    /// The code of the refusal.
    pub code: String,
    /// The client's address, if known.
    pub ip: Option<String>,
    /// How often.
    pub count: i64,
    /// When first.
    pub first_at: Timestamp,
    /// When last.
    pub last_at: Timestamp,
}

/// Adds tallies. Those of keys whose records are gone are dropped.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn add(tx: &mut Tx<'_>, tallies: &[Tally]) -> Result<(), StoreError> {
    let ids: Vec<&str> = tallies.iter().map(|tally| tally.key.as_str()).collect();
    let known: Vec<String> =
        on_backend!(tx.conn(), |db| api_keys::table.filter(api_keys::id.eq_any(&ids)).select(api_keys::id).load(db))?;
    let known: HashSet<String> = known.into_iter().collect();
    for tally in tallies.iter().filter(|tally| known.contains(tally.key.as_str())) {
        let ip = tally.ip.as_deref().unwrap_or_default();
        let (first, last) = (DbInstant(tally.first_at), DbInstant(tally.last_at));
        match &tally.what {
            What::Used { via, asked_by } => {
                let asked_by = asked_by.map_or_else(String::new, |user| user.to_string());
                let row = (
                    key_uses::key_id.eq(tally.key.as_str()),
                    key_uses::via.eq(via),
                    key_uses::asked_by.eq(&asked_by),
                    key_uses::ip.eq(ip),
                    key_uses::uses.eq(tally.count),
                    key_uses::first_at.eq(first),
                    key_uses::last_at.eq(last),
                );
                on_backend!(tx.conn(), |db| diesel::insert_into(key_uses::table)
                    .values(row)
                    .on_conflict((key_uses::key_id, key_uses::via, key_uses::asked_by, key_uses::ip))
                    .do_update()
                    .set((
                        key_uses::uses.eq(key_uses::uses + excluded(key_uses::uses)),
                        key_uses::last_at.eq(excluded(key_uses::last_at)),
                    ))
                    .execute(db))?;
            }
            What::Refused(code) => {
                let row = (
                    key_refusals::key_id.eq(tally.key.as_str()),
                    key_refusals::code.eq(code),
                    key_refusals::ip.eq(ip),
                    key_refusals::hour.eq(DbInstant(hour(tally.first_at))),
                    key_refusals::refusals.eq(tally.count),
                    key_refusals::first_at.eq(first),
                    key_refusals::last_at.eq(last),
                );
                on_backend!(tx.conn(), |db| diesel::insert_into(key_refusals::table)
                    .values(row)
                    .on_conflict((key_refusals::key_id, key_refusals::code, key_refusals::ip, key_refusals::hour))
                    .do_update()
                    .set((
                        key_refusals::refusals.eq(key_refusals::refusals + excluded(key_refusals::refusals)),
                        key_refusals::last_at.eq(excluded(key_refusals::last_at)),
                    ))
                    .execute(db))?;
            }
        }
    }
    Ok(())
}

/// Removes the rows of keys whose records are deleted. Not by a foreign key, because operators may TRUNCATE
/// the keys.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub(crate) fn forget(tx: &mut Tx<'_>, ids: &[&str]) -> Result<(), StoreError> {
    on_backend!(tx.conn(), |db| diesel::delete(key_uses::table).filter(key_uses::key_id.eq_any(ids)).execute(db))?;
    on_backend!(tx.conn(), |db| diesel::delete(key_refusals::table)
        .filter(key_refusals::key_id.eq_any(ids))
        .execute(db))?;
    Ok(())
}

/// The beginning of the hour.
fn hour(at: Timestamp) -> Timestamp {
    const MICROS: i64 = 3_600 * 1_000_000;
    let micros = at.as_micros();
    Timestamp::from_micros(micros - micros.rem_euclid(MICROS)).unwrap_or(at)
}

/// The newest rows of a key, up to `limit` of each kind.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn of(conn: &mut Conn<'_>, key: &KeyId, limit: i64) -> Result<Activity, StoreError> {
    type Used = (String, String, String, i64, DbInstant, DbInstant);
    type Refused = (String, String, i64, DbInstant, DbInstant);
    let used: Vec<Used> = on_backend!(conn, |db| key_uses::table
        .filter(key_uses::key_id.eq(key.as_str()))
        .order((key_uses::last_at.desc(), key_uses::via, key_uses::asked_by, key_uses::ip))
        .limit(limit)
        .select((
            key_uses::via,
            key_uses::asked_by,
            key_uses::ip,
            key_uses::uses,
            key_uses::first_at,
            key_uses::last_at
        ))
        .load(db))?;
    let refused: Vec<Refused> = on_backend!(conn, |db| key_refusals::table
        .filter(key_refusals::key_id.eq(key.as_str()))
        .order((key_refusals::last_at.desc(), key_refusals::code, key_refusals::ip))
        .limit(limit)
        .select((
            key_refusals::code,
            key_refusals::ip,
            key_refusals::refusals,
            key_refusals::first_at,
            key_refusals::last_at
        ))
        .load(db))?;
    let some = |text: String| (!text.is_empty()).then_some(text);
    let mut activity = Activity::default();
    for (via, asked_by, ip, count, first, last) in used {
        let asked_by = some(asked_by).map(|id| username(conn, &id)).transpose()?;
        let (first_at, last_at) = (first.0, last.0);
        activity.used.push(UsedRow { via, asked_by, ip: some(ip), count, first_at, last_at });
    }
    activity.refused = refused
        .into_iter()
        .map(|(code, ip, count, first, last)| RefusedRow {
            code,
            ip: some(ip),
            count,
            first_at: first.0,
            last_at: last.0,
        })
        .collect();
    Ok(activity)
}

/// The username of a user, who may be deleted; the id if the record is gone.
fn username(conn: &mut Conn<'_>, id: &str) -> Result<String, StoreError> {
    let Ok(uuid) = id.parse::<uuid::Uuid>() else { return Ok(id.to_owned()) };
    let found: Option<String> = on_backend!(conn, |db| users::table
        .filter(users::id.eq(crate::sql_types::DbId(uuid)))
        .select(users::username)
        .get_result(db)
        .optional())?;
    Ok(found.unwrap_or_else(|| id.to_owned()))
}
