//! Query plans, for tests and benchmarks that check that lists use their indexes.

use diesel::connection::SimpleConnection as _;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Integer, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};

/// A connection that can show the plan of a query of type `Q`.
pub(crate) trait Explain<Q> {
    /// Returns the plan, one line a step.
    fn explain(&mut self, query: Q) -> QueryResult<Vec<String>>;
}

/// A query with the prefix `EXPLAIN QUERY PLAN` and the same bound values.
struct Explained<Q>(Q);

impl<Q> QueryId for Explained<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q> Query for Explained<Q> {
    // The columns of a step: its number, its parent's number, an unused value, and its description.
    type SqlType = (Integer, Integer, Integer, Text);
}

impl<Q> RunQueryDsl<SqliteConnection> for Explained<Q> {}

impl<Q: QueryFragment<Sqlite>> QueryFragment<Sqlite> for Explained<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql("EXPLAIN QUERY PLAN ");
        self.0.walk_ast(out)
    }
}

impl<Q: QueryFragment<Sqlite>> Explain<Q> for SqliteConnection {
    fn explain(&mut self, query: Q) -> QueryResult<Vec<String>> {
        let steps: Vec<(i32, i32, i32, String)> = Explained(query).load(self)?;
        Ok(steps.into_iter().map(|(_, _, _, step)| step).collect())
    }
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

/// Shows the generic plan, which does not depend on the values. PostgreSQL switches to it after some
/// executions of a prepared statement; a plain `EXPLAIN` of the query would plan for the values.
impl<Q: QueryFragment<Pg>> Explain<Q> for PgConnection {
    fn explain(&mut self, query: Q) -> QueryResult<Vec<String>> {
        let text = diesel::debug_query::<Pg, _>(&query).to_string();
        let sql = text.split_once(" -- binds: ").map_or(text.as_str(), |(sql, _)| sql);
        // Placeholders are numbered from 1 without gaps; a generic plan is the same for all values.
        let values = vec!["NULL"; sql.matches('$').count()].join(", ");
        self.transaction(|db| {
            db.batch_execute("SET LOCAL plan_cache_mode = force_generic_plan")?;
            db.batch_execute(&format!("PREPARE keyward_explained AS {sql}"))?;
            let lines: Vec<Line> =
                diesel::sql_query(format!("EXPLAIN EXECUTE keyward_explained ({values})")).load(db)?;
            db.batch_execute("DEALLOCATE keyward_explained")?;
            Ok(lines.into_iter().map(|line| line.line).collect())
        })
    }
}
