//! The contents of a database, for checking whether anything has changed.

use diesel::prelude::*;

use crate::database::{Backend, TestDatabase, TextRow};

/// The tables, each with the columns that change when a key or user is merely used.
const TABLES: [(&str, &str); 3] =
    [("users", "'last_seen_at'"), ("api_keys", "'last_used', 'last_used_ip'"), ("audit_logs", "''")];

/// Reads all rows repeatedly over one connection.
#[expect(missing_debug_implementations, reason = "connections do not implement Debug")]
pub struct Contents {
    connection: Connection,
    sql: String,
}

enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Contents {
    /// Connects to the database.
    #[must_use]
    pub fn of(database: &TestDatabase) -> Self {
        let connection = match database.backend {
            Backend::Sqlite => Connection::Sqlite(database.sqlite()),
            Backend::Postgres => Connection::Postgres(database.postgres()),
        };
        let tables = TABLES.map(|(table, use_columns)| rows(database, table, use_columns)).join(" || '\n' || ");
        Self { connection, sql: format!("SELECT {tables} AS text") }
    }

    /// All rows of all tables, without the columns that mere use changes. If two results are equal,
    /// nothing has changed.
    pub fn read(&mut self) -> String {
        let query = diesel::sql_query(&self.sql);
        let row: TextRow = match &mut self.connection {
            Connection::Sqlite(conn) => query.get_result(conn),
            Connection::Postgres(conn) => query.get_result(conn),
        }
        .expect("the contents");
        row.text
    }
}

impl TestDatabase {
    /// The contents, read once over a new connection.
    #[must_use]
    pub fn contents(&self) -> String {
        Contents::of(self).read()
    }
}

/// A scalar subquery: the rows of a table in the order of their IDs, one per line.
fn rows(database: &TestDatabase, table: &str, use_columns: &str) -> String {
    match database.backend {
        Backend::Sqlite => {
            // SQL has no syntax for "all columns except these".
            let columns = database.text(&format!(
                "SELECT group_concat('quote(' || name || ')', ' || '' '' || ') AS text
                 FROM pragma_table_info('{table}') WHERE name NOT IN ({use_columns})"
            ));
            format!("(SELECT coalesce(group_concat({columns}, '\n'), '') FROM (SELECT * FROM {table} ORDER BY id))")
        }
        Backend::Postgres => format!(
            "(SELECT coalesce(string_agg((to_jsonb(t) - ARRAY[{use_columns}])::text, '\n' ORDER BY id), '') FROM {table} t)"
        ),
    }
}
