//! Inserts many keys at once with SQL.

use std::ops::RangeInclusive;

use diesel::QueryResult;
use keyward_domain::PlainKey;

use crate::database::{Backend, TestDatabase};

/// The columns that a copy takes from the original.
const COPIED: &str = "user_id, kind, login_type, digest_version, scopes, allow_list, lifetime_seconds, created_at, \
                      updated_at, last_used, last_used_ip, slides_until, slid_at";

impl TestDatabase {
    /// Copies a live key once for each of these new keys. They have the original's permissions.
    ///
    /// # Errors
    /// The database's error.
    pub fn copy_live_key(&self, id: &str, copies: &[PlainKey]) -> QueryResult<()> {
        for copies in copies.chunks(500) {
            let rows: Vec<String> = copies
                .iter()
                .map(|copy| {
                    let digest: String = copy.digest().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
                    match self.backend {
                        Backend::Sqlite => format!("('{}', X'{digest}')", copy.id()),
                        Backend::Postgres => format!("('{}', '\\x{digest}'::bytea)", copy.id()),
                    }
                })
                .collect();
            self.execute(&format!(
                "WITH copy (copy_id, copy_digest) AS (VALUES {})
                 INSERT INTO api_keys (id, token_name, digest, expires_at, {COPIED})
                 SELECT copy_id, copy_id, copy_digest, expires_at, {COPIED}
                 FROM copy CROSS JOIN api_keys WHERE id = '{id}'",
                rows.join(", ")
            ))?;
        }
        Ok(())
    }

    /// Copies an expired key once for each number `n`. The ID and the name contain `n`, the digest is
    /// different, and the expiry is `n` seconds before the original's.
    ///
    /// # Errors
    /// The database's error.
    pub fn copy_expired_key(&self, id: &str, numbers: RangeInclusive<u32>) -> QueryResult<()> {
        let (first, last) = (numbers.start(), numbers.end());
        let (series, key_id, digest, end) = match self.backend {
            Backend::Sqlite => (
                format!(
                    "WITH RECURSIVE series (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM series WHERE n < {last})"
                ),
                "printf('%s%07d', substr(id, 1, 7), n)",
                "randomblob(32)",
                "strftime('%Y-%m-%dT%H:%M:%f000Z', expires_at, '-' || n || ' seconds')",
            ),
            Backend::Postgres => (
                format!("WITH series (n) AS (SELECT generate_series({first}, {last}))"),
                "substr(id, 1, 7) || lpad(n::text, 7, '0')",
                "sha256(convert_to(id || n, 'UTF8'))",
                "expires_at - n * interval '1 second'",
            ),
        };
        self.execute(&format!(
            "{series}
             INSERT INTO api_keys (id, token_name, digest, expires_at, {COPIED})
             SELECT {key_id}, token_name || '-' || n, {digest}, {end}, {COPIED}
             FROM series CROSS JOIN api_keys WHERE id = '{id}'"
        ))
    }
}
