//! Every list uses an index with the expiry in the index condition, so hidden keys cost nothing. A
//! bound bool in an OR alone would prevent that: always on SQLite, and with the generic plan on
//! PostgreSQL.

use keyward_domain::{KeyKind, Lifetime, UserId};
use keyward_storage::keys::{KeyCursor, ListFilter, Owners, explain_list};
use keyward_storage::{Lane, StoreError};
use keyward_test_support::{Backend, Person, TestApp, on_both};
use serde_json::json;

/// Inserts `count` copies of a token of this person, each with another expiry.
async fn seed(app: &TestApp, person: &Person, count: u32) {
    let token = person.token(&json!({ "token_name": "seed" })).await;
    let name = &person.name;
    let columns =
        "user_id, kind, login_type, digest_version, scopes, allow_list, lifetime_seconds, created_at, updated_at";
    let (numbers, id, end) = match app.database.backend {
        Backend::Sqlite => (
            format!("WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {count})"),
            format!("printf('kwd_{name}_%d', n)"),
            "strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2020-01-01', n || ' seconds')",
        ),
        Backend::Postgres => (
            format!("WITH series AS (SELECT n FROM generate_series(1, {count}) AS n)"),
            format!("'kwd_{name}_' || n"),
            "timestamptz '2020-01-01' + n * interval '1 second'",
        ),
    };
    let sql = format!(
        "{numbers} INSERT INTO api_keys (id, token_name, digest, expires_at, {columns})
         SELECT {id}, 'copy', digest, {end}, {columns} FROM api_keys, series WHERE api_keys.id = '{}'",
        token["id"].as_str().unwrap()
    );
    app.database.execute(&sql).unwrap();
    app.database.execute("ANALYZE").unwrap();
}

async fn plan(app: &TestApp, filter: ListFilter, page: KeyCursor) -> String {
    let explain = app.service.store().read(Lane::Normal, move |conn| explain_list(conn, filter, &page, 50));
    let lines: Result<Vec<String>, StoreError> = explain.await;
    lines.unwrap().join("\n")
}

on_both! {
    async fn every_list_uses_its_index_with_the_expiry_as_a_condition(app: TestApp) {
        // Half of the keys belong to another user; otherwise the planner could use any index.
        let member = app.person("member", &[]).await;
        seed(&app, &app.owner, 5_000).await;
        seed(&app, &member, 5_000).await;
        let owner = UserId::from_uuid(app.owner.id.parse().unwrap());
        let kind = KeyKind::Token;
        let now = app.service.now();
        let deep = KeyCursor { expires_at: now.saturating_sub(Lifetime::days(1_500)), id: "kwd_0000000001".to_owned() };
        for (owners, index) in [
            (Owners::One(owner, Some(kind)), "api_keys_by_user_and_kind"),
            (Owners::One(owner, None), "api_keys_by_user"),
            (Owners::All { kind, hide_owners_except: None }, "api_keys_tokens"),
            (Owners::All { kind, hide_owners_except: Some(owner) }, "api_keys_tokens"),
        ] {
            for include_expired in [false, true] {
                for page in [KeyCursor::first(), deep.clone()] {
                    let filter = ListFilter { owners, include_expired, now };
                    let plan = plan(&app, filter, page).await;
                    let condition = plan.lines().find(|line| line.contains(match app.database.backend {
                        Backend::Sqlite => "SEARCH api_keys",
                        Backend::Postgres => "Index Cond: ",
                    }) && line.contains("expires_at"));
                    assert!(condition.is_some(), "expires_at is not in the index condition of {filter:?}:\n{plan}");
                    assert!(plan.contains(index), "{filter:?}:\n{plan}");
                    assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "sorted, for {filter:?}:\n{plan}");
                }
            }
        }
    }
}
