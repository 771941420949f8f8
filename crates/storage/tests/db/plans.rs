//! Lists use an index with the expiry as an index condition, so hidden keys cost nothing. A bound bool
//! in an OR alone would prevent that, on SQLite at once and on PostgreSQL with the generic plan.

use keyward_domain::key::KeySelector;
use keyward_domain::{KeyKind, Lifetime, LoginType, User};
use keyward_storage::keys::{KeyCursor, ListFilter, Owners, Selection, Sort, explain_list, explain_select};
use keyward_storage::{Lane, StoreError};
use keyward_test_database::Backend;

use crate::support::{Db, on_both};

/// Makes so many copies of a key of this user, each with another expiry.
async fn seed(db: &Db, user: &User, login: LoginType, name: Option<&str>, count: u32) {
    let key = db.key(user, login, name).await;
    let columns = "user_id, token_name, kind, login_type, digest_version, scopes, allow_list, lifetime_seconds, created_at, updated_at";
    let (numbers, id, end) = match db.database.backend {
        Backend::Sqlite => (
            format!("WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {count})"),
            format!("printf('{key}_%d', n)"),
            "strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2020-01-01', n || ' seconds')",
        ),
        Backend::Postgres => (
            format!("WITH series AS (SELECT n FROM generate_series(1, {count}) AS n)"),
            format!("'{key}_' || n"),
            "timestamptz '2020-01-01' + n * interval '1 second'",
        ),
    };
    let sql = format!(
        "{numbers} INSERT INTO api_keys (id, digest, expires_at, {columns})
         SELECT {id}, digest, {end}, {columns} FROM api_keys, series WHERE api_keys.id = '{key}'"
    );
    db.database.execute(&sql).unwrap();
    db.database.execute("ANALYZE").unwrap();
}

async fn plan(db: &Db, filter: ListFilter, page: KeyCursor) -> String {
    let explain = db.store.read(Lane::Normal, move |conn| explain_list(conn, filter, &page, 50));
    let lines: Result<Vec<String>, StoreError> = explain.await;
    lines.unwrap().join("\n")
}

on_both! {
    every_list_uses_its_index_with_the_expiry_as_a_condition,
    a_list_with_conditions_uses_an_index_and_does_not_sort,
}

async fn a_list_with_conditions_uses_an_index_and_does_not_sort(db: Db) {
    let member = db.user("member").await;
    for user in [&db.owner, &member] {
        seed(&db, user, LoginType::Token, Some("seed"), 3_000).await;
    }
    let (owner, now) = (db.owner.id, db.now());
    let selection = |selector: KeySelector, sort: Sort| Selection {
        selector,
        hide_owners_except: None,
        include_expired: true,
        now,
        sort,
        descending: true,
    };
    let by_kind = KeySelector { kind: Some(KeyKind::Token), ..KeySelector::default() };
    let by_user = KeySelector { user: Some(owner), ..by_kind.clone() };
    for (selector, sort, index) in [
        (by_kind.clone(), Sort::Creation, "api_keys_by_creation"),
        (by_kind.clone(), Sort::Use, "api_keys_by_use"),
        (by_kind.clone(), Sort::Expiry, "api_keys_tokens"),
        (by_user, Sort::Expiry, "api_keys_by_user"),
    ] {
        let selection = selection(selector, sort);
        let shown = format!("{selection:?}");
        let page = KeyCursor::start(true);
        let explain = db.store.read(Lane::Normal, move |conn| explain_select(conn, &selection, &page, 50));
        let lines: Result<Vec<String>, StoreError> = explain.await;
        let plan = lines.unwrap().join("\n");
        assert!(plan.contains(index), "{shown}:\n{plan}");
        assert!(
            !plan.contains("TEMP B-TREE FOR ORDER") && !plan.contains("Sort Key: api_keys.exp"),
            "{shown}:\n{plan}"
        );
    }
}

async fn every_list_uses_its_index_with_the_expiry_as_a_condition(db: Db) {
    // Half of the keys belong to another user, and half of each user's are sessions; otherwise the
    // planner could use any index.
    let member = db.user("member").await;
    for user in [&db.owner, &member] {
        seed(&db, user, LoginType::Token, Some("seed"), 3_000).await;
        seed(&db, user, LoginType::Password, None, 3_000).await;
    }
    let owner = db.owner.id;
    let kind = KeyKind::Token;
    let now = db.now();
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
                let plan = plan(&db, filter, page).await;
                let condition = plan.lines().find(|line| {
                    line.contains(match db.database.backend {
                        Backend::Sqlite => "SEARCH api_keys",
                        Backend::Postgres => "Index Cond: ",
                    }) && line.contains("expires_at")
                });
                assert!(condition.is_some(), "expires_at is not in the index condition of {filter:?}:\n{plan}");
                assert!(plan.contains(index), "{filter:?}:\n{plan}");
                assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "sorted, for {filter:?}:\n{plan}");
            }
        }
    }
}
