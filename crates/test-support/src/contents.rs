//! All that stands in a database, to see whether anything has changed.

use diesel::prelude::*;

use crate::database::{Backend, TestDatabase, Words};

/// The tables, and the columns in which mere use leaves its traces.
const TABLES: [(&str, &str); 3] =
    [("users", "'last_seen_at'"), ("api_keys", "'last_used', 'last_used_ip'"), ("audit_logs", "''")];

/// Reads everything, again and again, over one connection.
#[expect(missing_debug_implementations, reason = "connections have none")]
pub struct Contents {
    connection: Connection,
    sql: String,
}

enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Contents {
    /// Connects.
    #[must_use]
    pub fn of(database: &TestDatabase) -> Self {
        let connection = match database.backend {
            Backend::Sqlite => Connection::Sqlite(database.sqlite()),
            Backend::Postgres => Connection::Postgres(database.postgres()),
        };
        let tables = TABLES.map(|(table, traces)| rows(database, table, traces)).join(" || '\n' || ");
        Self { connection, sql: format!("SELECT {tables} AS text") }
    }

    /// Every row of every table, the traces of mere use left out: equal texts mean that nothing has
    /// changed.
    pub fn read(&mut self) -> String {
        let query = diesel::sql_query(&self.sql);
        let row: Words = match &mut self.connection {
            Connection::Sqlite(conn) => query.get_result(conn),
            Connection::Postgres(conn) => query.get_result(conn),
        }
        .expect("the contents");
        row.text
    }
}

impl TestDatabase {
    /// The same once, over a connection of its own.
    #[must_use]
    pub fn contents(&self) -> String {
        Contents::of(self).read()
    }
}

/// A scalar: the rows of a table in the order of their ids, one a line.
fn rows(database: &TestDatabase, table: &str, traces: &str) -> String {
    match database.backend {
        Backend::Sqlite => {
            // There is no word for "all columns but these".
            let columns = database.text(&format!(
                "SELECT group_concat('quote(' || name || ')', ' || '' '' || ') AS text
                 FROM pragma_table_info('{table}') WHERE name NOT IN ({traces})"
            ));
            format!("(SELECT coalesce(group_concat({columns}, '\n'), '') FROM (SELECT * FROM {table} ORDER BY id))")
        }
        Backend::Postgres => format!(
            "(SELECT coalesce(string_agg((to_jsonb(t) - ARRAY[{traces}])::text, '\n' ORDER BY id), '') FROM {table} t)"
        ),
    }
}
