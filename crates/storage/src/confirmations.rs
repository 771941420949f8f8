//! Confirmations that keys are dead: when nobody accepted them any more, and who confirmed it.

use diesel::prelude::*;
use keyward_domain::confirmation::{Confirmation, Witness};
use keyward_domain::{KeyId, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::end_confirmations;
use crate::sql_types::DbInstant;
use crate::tx::Tx;

/// Rows per INSERT. SQLite allows 32 766 bound values in a statement.
const BATCH: usize = 5_000;

/// Stores a confirmation for each of the keys. A key that has one keeps it.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn add(tx: &mut Tx<'_>, keys: &[KeyId], confirmation: &Confirmation) -> Result<(), StoreError> {
    let witnesses = write(&confirmation.witnesses);
    for keys in keys.chunks(BATCH) {
        let rows: Vec<_> = keys
            .iter()
            .map(|key| {
                (
                    end_confirmations::key_id.eq(key.as_str()),
                    end_confirmations::confirmed_at.eq(DbInstant(confirmation.at)),
                    end_confirmations::waited_ms.eq(confirmation.waited_ms),
                    end_confirmations::witnesses.eq(&witnesses),
                )
            })
            .collect();
        on_backend!(tx.conn(), |db| diesel::insert_into(end_confirmations::table)
            .values(rows)
            .on_conflict_do_nothing()
            .execute(db))?;
    }
    Ok(())
}

/// The confirmation that a key is dead; none if the key was not ended by hand, or a moment ago.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn find(conn: &mut Conn<'_>, key: &KeyId) -> Result<Option<Confirmation>, StoreError> {
    let row: Option<(DbInstant, i64, String)> = on_backend!(conn, |db| end_confirmations::table
        .filter(end_confirmations::key_id.eq(key.as_str()))
        .select((end_confirmations::confirmed_at, end_confirmations::waited_ms, end_confirmations::witnesses))
        .first(db)
        .optional())?;
    let Some((at, waited_ms, witnesses)) = row else { return Ok(None) };
    let witnesses = read(&witnesses).ok_or_else(|| damaged("end_confirmations", key))?;
    Ok(Some(Confirmation { at: at.0, waited_ms, witnesses }))
}

/// Removes the confirmations of keys whose records are removed.
pub(crate) fn forget(tx: &mut Tx<'_>, keys: &[&str]) -> Result<(), StoreError> {
    on_backend!(tx.conn(), |db| diesel::delete(end_confirmations::table)
        .filter(end_confirmations::key_id.eq_any(keys))
        .execute(db))?;
    Ok(())
}

/// Witnesses as the JSON of a column.
pub(crate) fn write(witnesses: &[Witness]) -> String {
    let witness = |it: &Witness| json!({ "id": it.id, "name": it.name, "confirmed_at": it.confirmed_at });
    Value::Array(witnesses.iter().map(witness).collect()).to_string()
}

/// The witnesses of a column; none if it was not written by [`write()`].
pub(crate) fn read(text: &str) -> Option<Vec<Witness>> {
    let rows: Vec<Value> = serde_json::from_str(text).ok()?;
    rows.iter()
        .map(|row| {
            let confirmed_at = match row.get("confirmed_at")? {
                Value::Null => None,
                time => Some(time.as_str()?.parse::<Timestamp>().ok()?),
            };
            let id = Uuid::try_parse(row.get("id")?.as_str()?).ok()?;
            Some(Witness { id, name: row.get("name")?.as_str()?.to_owned(), confirmed_at })
        })
        .collect()
}

pub(crate) fn damaged(table: &'static str, row: impl ToString) -> StoreError {
    StoreError::damaged(table, row, "it has no list of verifiers")
}
