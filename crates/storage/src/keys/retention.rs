//! Retention removes the records of keys that expired long ago. If it would remove more than half of
//! all keys, it waits for an operator.

use diesel::prelude::*;
use keyward_domain::event::{Event, Origin};
use keyward_domain::{KeyId, KeyKind, Timestamp};
use strum::VariantArray as _;

use super::list::of_kind;
use crate::activity;
use crate::confirmations;
use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::{api_keys, key_retention};
use crate::sql_types::DbInstant;
use crate::tx::Tx;

/// What retention waits for, and what an operator has confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The cutoff that waits for an operator, and the number of keys that expired before it.
    pub held: Option<(Timestamp, i64)>,
    /// The latest cutoff that an operator has confirmed.
    pub confirmed: Option<Timestamp>,
}

/// The number of keys that expired before `cutoff`, and the number of all keys.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn count_expired(conn: &mut Conn<'_>, cutoff: Timestamp) -> Result<(i64, i64), StoreError> {
    let mut expired = 0;
    for &kind in KeyKind::VARIANTS {
        expired += on_backend!(conn, |db| api_keys::table
            .filter(of_kind(kind))
            .filter(api_keys::expires_at.lt(DbInstant(cutoff)))
            .count()
            .get_result::<i64>(db))?;
    }
    let all = on_backend!(conn, |db| api_keys::table.count().get_result::<i64>(db))?;
    Ok((expired, all))
}

/// What retention waits for.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn hold(conn: &mut Conn<'_>) -> Result<Hold, StoreError> {
    type Row = (Option<DbInstant>, Option<i64>, Option<DbInstant>);
    let (cutoff, keys, confirmed): Row = on_backend!(conn, |db| key_retention::table
        .select((key_retention::held_cutoff, key_retention::held_keys, key_retention::confirmed_cutoff))
        .get_result(db))?;
    Ok(Hold { held: cutoff.map(|cutoff| cutoff.0).zip(keys), confirmed: confirmed.map(|cutoff| cutoff.0) })
}

/// Records what retention waits for; none clears it, and a confirmation with it. This changes no key,
/// so it leaves no audit entry.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn set_hold(tx: &mut Tx<'_>, held: Option<(Timestamp, i64)>) -> Result<(), StoreError> {
    let cutoff = held.map(|(cutoff, _)| DbInstant(cutoff));
    let set = (
        key_retention::held_cutoff.eq(cutoff),
        key_retention::held_keys.eq(held.map(|(_, keys)| keys)),
        key_retention::confirmed_cutoff.eq(None::<DbInstant>),
    );
    on_backend!(tx.conn(), |db| diesel::update(key_retention::table).set(set).execute(db))?;
    Ok(())
}

/// Confirms what retention waits for and records an event. Returns it; none if retention waits for
/// nothing.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn confirm(tx: &mut Tx<'_>, origin: &Origin) -> Result<Option<(Timestamp, i64)>, StoreError> {
    let Some((cutoff, count)) = hold(tx.conn())?.held else { return Ok(None) };
    on_backend!(tx.conn(), |db| diesel::update(key_retention::table)
        .set(key_retention::confirmed_cutoff.eq(key_retention::held_cutoff))
        .execute(db))?;
    tx.record(origin, Event::RetentionConfirmed { count, cutoff });
    Ok(Some((cutoff, count)))
}

/// Removes one batch of keys that expired before `cutoff` and records one event for all of them.
/// Returns the number removed; 0 means that none is left.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn retire(tx: &mut Tx<'_>, cutoff: Timestamp, batch: i64, origin: &Origin) -> Result<usize, StoreError> {
    let mut ids: Vec<String> = Vec::new();
    for &kind in KeyKind::VARIANTS {
        let left = batch - i64::try_from(ids.len()).unwrap_or(batch);
        let found: Vec<String> = on_backend!(tx.conn(), |db| api_keys::table
            .filter(of_kind(kind))
            .filter(api_keys::expires_at.lt(DbInstant(cutoff)))
            .order((api_keys::expires_at, api_keys::id))
            .limit(left)
            .select(api_keys::id)
            .load(db))?;
        ids.extend(found);
    }
    if ids.is_empty() {
        return Ok(0);
    }
    // The condition on the expiry is repeated: on PostgreSQL a session may have slid meanwhile.
    let removed: Vec<String> = on_backend!(tx.conn(), |db| diesel::delete(api_keys::table)
        .filter(api_keys::id.eq_any(&ids))
        .filter(api_keys::expires_at.lt(DbInstant(cutoff)))
        .returning(api_keys::id)
        .get_results(db))?;
    let count = removed.len();
    if count > 0 {
        let ids: Vec<&str> = removed.iter().map(String::as_str).collect();
        activity::forget(tx, &ids)?;
        confirmations::forget(tx, &ids)?;
        // The keys were already dead, so no barrier is needed.
        removed.into_iter().for_each(|id| tx.touch_key(KeyId::from_stored(id)));
        tx.record(origin, Event::KeysRetired { count, cutoff });
    }
    Ok(count)
}
