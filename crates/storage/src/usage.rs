//! Records the use of keys. Use is not a change: it leaves no audit entry, and these statements
//! update no other column.

use std::collections::BTreeMap;

use diesel::prelude::*;
use keyward_domain::{KeyId, KeyKind, Timestamp, UserId};

use crate::conn::on_backend;
use crate::error::StoreError;
use crate::schema::{api_keys, users};
use crate::sql_types::{DbId, DbInstant};
use crate::tx::Tx;

/// A use of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The used key.
    pub key: KeyId,
    /// The key's owner.
    pub user: UserId,
    /// Time of the use.
    pub at: Timestamp,
    /// The client's address, if known.
    pub ip: Option<String>,
}

/// Records uses: last use and address of the keys, and last use of their owners. These times never
/// move back.
///
/// To avoid deadlocks, rows are locked in one order: users by id, then keys in the order of `uses`,
/// which the caller sorts by id. Expiring all keys of a user locks the user first, too.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn note(tx: &mut Tx<'_>, uses: &[Use]) -> Result<(), StoreError> {
    let mut seen: BTreeMap<UserId, Timestamp> = BTreeMap::new();
    for used in uses {
        let at = seen.entry(used.user).or_insert(used.at);
        *at = used.at.max(*at);
    }
    for (user, at) in seen {
        let at = DbInstant(at);
        on_backend!(tx.conn(), |db| diesel::update(users::table)
            .filter(users::id.eq(DbId(user.as_uuid())))
            .filter(users::last_seen_at.is_null().or(users::last_seen_at.lt(at)))
            .set(users::last_seen_at.eq(at))
            .execute(db))?;
    }
    for Use { key, at, ip, .. } in uses {
        let at = DbInstant(*at);
        // An unknown address does not replace the stored one.
        let ip = ip.as_ref().map(|ip| api_keys::last_used_ip.eq(ip));
        on_backend!(tx.conn(), |db| diesel::update(api_keys::table)
            .filter(api_keys::id.eq(key.as_str()))
            .filter(api_keys::last_used.is_null().or(api_keys::last_used.lt(at)))
            .set((api_keys::last_used.eq(at), ip))
            .execute(db))?;
    }
    Ok(())
}

/// Moves the expiry of a session that is live at `now` to the later time `end`. Returns whether it
/// moved: a dead session stays dead.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn slide(tx: &mut Tx<'_>, id: &KeyId, now: Timestamp, end: Timestamp) -> Result<bool, StoreError> {
    let (now, end) = (DbInstant(now), DbInstant(end));
    let moved = on_backend!(tx.conn(), |db| diesel::update(api_keys::table)
        .filter(api_keys::id.eq(id.as_str()))
        .filter(api_keys::kind.eq(KeyKind::Session.as_str()))
        .filter(api_keys::ended_at.is_null())
        .filter(api_keys::expires_at.gt(now))
        .filter(api_keys::expires_at.lt(end))
        .set((api_keys::expires_at.eq(end), api_keys::slid_at.eq(now)))
        .execute(db))?;
    if moved > 0 {
        // A slide only extends the session, so no barrier is needed.
        tx.touch_key(id.clone());
    }
    Ok(moved > 0)
}
