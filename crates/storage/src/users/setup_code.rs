//! The digest of the code that lets another machine create the first user.

use diesel::prelude::*;
use keyward_domain::key::Digest;

use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::setup_code::dsl;
use crate::tx::Tx;

/// Replaces the setup code. Secrets are not audited, and a drawn code changes nothing that a client sees.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn set_setup_code(tx: &mut Tx<'_>, digest: &Digest) -> Result<(), StoreError> {
    forget_setup_code(tx)?;
    let row = (dsl::id.eq(1), dsl::digest.eq(digest.as_bytes().as_slice()));
    on_backend!(tx.conn(), |db| diesel::insert_into(dsl::setup_code).values(row).execute(db))?;
    Ok(())
}

/// Removes the setup code.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub(super) fn forget_setup_code(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    on_backend!(tx.conn(), |db| diesel::delete(dsl::setup_code).execute(db))?;
    Ok(())
}

/// The digest of the setup code; none if there is a user, or no server has been started.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn setup_code(conn: &mut Conn<'_>) -> Result<Option<Digest>, StoreError> {
    let stored: Option<Vec<u8>> =
        on_backend!(conn, |db| dsl::setup_code.select(dsl::digest).get_result(db).optional())?;
    let bytes = stored.map(|stored| <[u8; 32]>::try_from(stored.as_slice()));
    let bytes = bytes.transpose().map_err(|error| StoreError::damaged("setup_code", 1, error))?;
    Ok(bytes.map(Digest::from_bytes))
}
