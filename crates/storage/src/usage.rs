//! What is noted of the use of keys. Use is not a change: there is no audit entry, and these
//! statements touch no other column.

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
    /// Which key.
    pub key: KeyId,
    /// Whose.
    pub user: UserId,
    /// When.
    pub at: Timestamp,
    /// From where, if that is known.
    pub ip: Option<String>,
}

/// Notes uses: the keys' last use and address, and when their users were last seen. An instant
/// never moves back.
///
/// Users come before keys, in the order of their ids, and so shall the keys in `uses`: who ends all
/// keys of a user holds the user first too, and transactions do not wait for each other in a ring.
///
/// # Errors
/// When the database fails.
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
        // An address that is not known leaves the one that was.
        let ip = ip.as_ref().map(|ip| api_keys::last_used_ip.eq(ip));
        on_backend!(tx.conn(), |db| diesel::update(api_keys::table)
            .filter(api_keys::id.eq(key.as_str()))
            .filter(api_keys::last_used.is_null().or(api_keys::last_used.lt(at)))
            .set((api_keys::last_used.eq(at), ip))
            .execute(db))?;
    }
    Ok(())
}

/// Moves the end of a session that is live at `now` later, to `end`. Answers whether it moved: a
/// dead session stays dead.
///
/// # Errors
/// When the database fails.
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
        // It gives the session time and takes nothing from anybody, so nobody has to be waited for.
        tx.touch_key(id.clone());
    }
    Ok(moved > 0)
}
