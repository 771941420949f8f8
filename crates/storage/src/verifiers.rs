//! The one thing about verifiers that outlives a server: the longest lease that any was given.

use diesel::prelude::*;

use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::verifier_lease;

/// The longest lease ever given, in milliseconds; none if none was.
///
/// # Errors
/// When the database fails.
pub fn longest_lease(conn: &mut Conn<'_>) -> Result<Option<i64>, StoreError> {
    let stored: Option<Option<i64>> =
        on_backend!(conn, |db| verifier_lease::table.select(verifier_lease::longest_ms).first(db).optional())?;
    Ok(stored.flatten())
}

/// Notes a lease, if it is the longest yet. Done before it is given. It is no change of a key or a
/// user, and leaves no audit entry.
///
/// # Errors
/// When the database fails.
pub fn note_lease(conn: &mut Conn<'_>, millis: i64) -> Result<(), StoreError> {
    on_backend!(conn, |db| diesel::update(verifier_lease::table)
        .filter(verifier_lease::longest_ms.is_null().or(verifier_lease::longest_ms.lt(millis)))
        .set(verifier_lease::longest_ms.eq(millis))
        .execute(db))?;
    Ok(())
}
