//! Inserts many keys at once with SQL.

use std::ops::RangeInclusive;

use diesel::QueryResult;
use keyward_domain::{PlainKey, UserId};

use crate::database::{Backend, TestDatabase};

/// The columns that a copy takes from the original.
const COPIED: &str = "kind, login_type, digest_version, scopes, allow_list, lifetime_seconds, created_at, updated_at, \
                      last_used, last_used_ip, slides_until, slid_at";

/// Rows that one statement inserts.
const ROWS: usize = 2_000;

/// A copy of a key for another user.
#[derive(Debug)]
pub struct KeyCopy {
    /// The new key.
    pub key: PlainKey,
    /// Its owner.
    pub user: UserId,
    /// Its name.
    pub name: String,
}

impl TestDatabase {
    /// Copies a user once for each of these IDs and usernames. They have the original's password and roles.
    ///
    /// # Errors
    /// The database's error.
    pub fn copy_user(&self, id: &str, copies: &[(UserId, String)]) -> QueryResult<()> {
        const COPIED: &str = "login_type, status, roles, password_hash, created_at, updated_at";
        let inserts = copies.chunks(ROWS).map(|copies| {
            let rows = copies.iter().map(|(copy, name)| format!("({}, '{name}')", self.user_id(Some(*copy))));
            format!(
                "WITH copy (copy_id, copy_name) AS (VALUES {})
                 INSERT INTO users (id, username, username_key, name, email, email_key, {COPIED})
                 SELECT copy_id, copy_name, copy_name, '', copy_name || '@example.com', copy_name || '@example.com',
                     {COPIED}
                 FROM copy CROSS JOIN users WHERE id = '{id}'",
                rows.collect::<Vec<_>>().join(", ")
            )
        });
        self.execute_together(inserts)
    }

    /// Copies a live key once for each of these new keys. They have the original's owner and permissions; their
    /// names are their IDs.
    ///
    /// # Errors
    /// The database's error.
    pub fn copy_live_key(&self, id: &str, copies: &[PlainKey]) -> QueryResult<()> {
        self.insert_copies(id, copies, |copy| (copy, copy.id().as_str(), None))
    }

    /// Copies a live key once for each of these new keys. They have the original's permissions.
    ///
    /// # Errors
    /// The database's error.
    pub fn copy_live_key_to(&self, id: &str, copies: &[KeyCopy]) -> QueryResult<()> {
        self.insert_copies(id, copies, |copy| (&copy.key, &copy.name, Some(copy.user)))
    }

    /// Inserts a row for each copy. `row` returns its key, its name, and its owner unless it is the original's.
    fn insert_copies<'a, T>(
        &self,
        id: &str,
        copies: &'a [T],
        row: impl Fn(&'a T) -> (&'a PlainKey, &'a str, Option<UserId>),
    ) -> QueryResult<()> {
        let inserts = copies.chunks(ROWS).map(|copies| {
            let rows = copies.iter().map(|copy| {
                let (key, name, owner) = row(copy);
                let digest: String = key.digest().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
                let digest = match self.backend {
                    Backend::Sqlite => format!("X'{digest}'"),
                    Backend::Postgres => format!("'\\x{digest}'::bytea"),
                };
                format!("('{}', '{name}', {digest}, {})", key.id(), self.user_id(owner))
            });
            format!(
                "WITH copy (copy_id, copy_name, copy_digest, copy_user) AS (VALUES {})
                 INSERT INTO api_keys (id, token_name, digest, user_id, expires_at, {COPIED})
                 SELECT copy_id, copy_name, copy_digest, coalesce(copy_user, user_id), expires_at, {COPIED}
                 FROM copy CROSS JOIN api_keys WHERE id = '{id}'",
                rows.collect::<Vec<_>>().join(", ")
            )
        });
        self.execute_together(inserts)
    }

    /// Executes the statements in one transaction.
    fn execute_together(&self, statements: impl Iterator<Item = String>) -> QueryResult<()> {
        let statements = statements.collect::<Vec<_>>().join(";\n");
        match self.backend {
            // Without room for the pages of all indexes, SQLite would write each of them many times.
            Backend::Sqlite => self.execute(&format!("PRAGMA cache_size = -262144; BEGIN; {statements}; COMMIT")),
            Backend::Postgres => self.execute(&statements),
        }
    }

    /// A user ID as SQL.
    fn user_id(&self, id: Option<UserId>) -> String {
        let text = id.map_or_else(|| "NULL".to_owned(), |id| format!("'{id}'"));
        match self.backend {
            Backend::Sqlite => text,
            Backend::Postgres => format!("{text}::uuid"),
        }
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
             INSERT INTO api_keys (id, token_name, digest, user_id, expires_at, {COPIED})
             SELECT {key_id}, token_name || '-' || n, {digest}, user_id, {end}, {COPIED}
             FROM series CROSS JOIN api_keys WHERE id = '{id}'"
        ))
    }
}
