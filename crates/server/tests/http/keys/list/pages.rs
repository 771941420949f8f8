//! Pages of key lists: those the server reads internally, and those a client asks for.

use keyward_test_support::{Backend, TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{SECOND, each, pages, text};

/// More than two internal pages.
const MANY: usize = 1_203;

/// Copies the caller's only token `MANY - 1` times. Five copies share each expiry; a third are expired.
async fn many(app: &TestApp) -> String {
    let first = app.owner.token(&json!({ "token_name": "one", "lifetime": 86_400 * SECOND })).await;
    let id = text(&first, "id");
    let (numbers, copied, end) = match app.database.backend {
        Backend::Sqlite => (
            format!(
                "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {})",
                MANY - 1
            ),
            "'kwd_' || printf('%010d', n * 7919 % 1000003)",
            "strftime('%Y-%m-%dT%H:%M:%f', created_at, ((n / 5 - 80) * 60) || ' seconds') || '000Z'",
        ),
        Backend::Postgres => (
            format!("WITH numbers AS (SELECT generate_series(1, {}) AS n)", MANY - 1),
            "'kwd_' || lpad((n * 7919 % 1000003)::text, 10, '0')",
            "date_trunc('milliseconds', created_at) + make_interval(secs => (n / 5 - 80) * 60)",
        ),
    };
    let kept = "user_id, kind, login_type, digest, digest_version, scopes, allow_list, lifetime_seconds, created_at, updated_at";
    app.database
        .execute(&format!(
            "{numbers} INTO_KEYS SELECT {copied}, 'copy-' || n, {end}, {kept} FROM numbers, api_keys WHERE id = '{id}'"
        )
        .replace("INTO_KEYS", &format!("INSERT INTO api_keys (id, token_name, expires_at, {kept})")))
        .unwrap();
    id.to_owned()
}

fn joined(pages: &[Value]) -> Vec<Value> {
    pages.iter().flat_map(|page| page.as_array().unwrap().clone()).collect()
}

on_both! {
    a_long_list_comes_whole_and_in_order,
    pages_join_to_the_whole_list,
    a_cursor_without_a_limit_gives_all_the_rest,
    a_key_that_dies_while_one_pages_is_not_missed,
    a_list_that_fails_in_the_middle_is_cut_and_never_looks_whole,
}

async fn a_long_list_comes_whole_and_in_order(app: TestApp) {
    many(&app).await;
    let list = app.owner.http.get("/api/v2/users/me/keys/tokens?include_expired=true").await.expect(200);
    assert_eq!(list.header("Link"), None);
    let list = list.json();
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), MANY);
    let mut ids = each(&json!(list), "id");
    let by_end = |key: &Value| key["expires_at"].as_str().unwrap().parse::<keyward_domain::Timestamp>().unwrap();
    assert!(list.is_sorted_by(|a, b| (by_end(a), text(a, "id")) >= (by_end(b), text(b, "id"))));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), MANY, "each key appears once");

    let now = app.service.now();
    let live: Vec<&Value> = list.iter().filter(|key| by_end(key) > now).collect();
    assert!((500..1_000).contains(&live.len()), "{}", live.len());
    let shown = app.owner.http.get("/api/v2/users/me/keys/tokens").await.expect(200).json();
    assert_eq!(shown.as_array().unwrap().iter().collect::<Vec<_>>(), live);
    let all = app.owner.http.get("/api/v2/users/me/keys/tokens?include_all=true").await.expect(200).json();
    assert_eq!(all, shown);
    let keys = app.owner.http.get("/api/v2/users/me/keys?include_expired=true").await.expect(200).json();
    assert_eq!(keys.as_array().unwrap().len(), MANY + 1, "the tokens and the session");
}

async fn pages_join_to_the_whole_list(app: TestApp) {
    many(&app).await;
    for (path, limit) in [
        ("/api/v2/users/me/keys/tokens?include_expired=true", 1_000),
        ("/api/v2/users/me/keys/tokens?include_expired=true&include_all=true", 401),
        ("/api/v2/users/me/keys/tokens?include_all=false", 7 * 43),
        ("/api/v2/users/me/keys?include_expired=true", 602),
        ("/api/v2/users/me/keys?include_expired=false", 97),
    ] {
        let whole = app.owner.http.get(path).await.expect(200).json();
        let pages = pages(&app.owner.http, &format!("{path}&limit={limit}")).await;
        let count = whole.as_array().unwrap().len();
        assert_eq!(pages.len(), count.div_ceil(limit), "{path}: no empty last page");
        assert!(pages.iter().rev().skip(1).all(|page| page.as_array().unwrap().len() == limit));
        assert_eq!(joined(&pages), *whole.as_array().unwrap(), "{path}");
    }
}

async fn a_cursor_without_a_limit_gives_all_the_rest(app: TestApp) {
    many(&app).await;
    let path = "/api/v2/users/me/keys/tokens?include_expired=true";
    let whole = app.owner.http.get(path).await.expect(200).json();
    let first = app.owner.http.get(&format!("{path}&limit=10")).await.expect(200);
    let link = first.header("Link").unwrap();
    let cursor = link.split("after=").nth(1).unwrap().split(['&', '>']).next().unwrap();
    let rest = app.owner.http.get(&format!("{path}&after={cursor}")).await.expect(200);
    assert_eq!(rest.header("Link"), None);
    assert_eq!(joined(&[first.json(), rest.json()]), *whole.as_array().unwrap());
}

async fn a_key_that_dies_while_one_pages_is_not_missed(app: TestApp) {
    let mut ids = Vec::new();
    for minutes in 1..=6 {
        let token = app.owner.token(&json!({ "lifetime": minutes * 60 * SECOND })).await;
        ids.push(text(&token, "id").to_owned());
    }
    let first = app.owner.http.get("/api/v2/users/me/keys/tokens?include_expired=true&limit=2").await.expect(200);
    let next = first.header("Link").unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    // Expires one key of the first page and one of a later page.
    for id in [&ids[5], &ids[0]] {
        crate::support::expire(&app.owner.http, id).await;
    }
    let mut seen = each(&first.json(), "id");
    for page in pages(&app.owner.http, &next).await {
        seen.extend(each(&page, "id"));
    }
    assert!(ids.iter().all(|id| seen.contains(id)), "{seen:?}");
}

async fn a_list_that_fails_in_the_middle_is_cut_and_never_looks_whole(app: TestApp) {
    let id = many(&app).await;
    let path = "/api/v2/users/me/keys/tokens?include_expired=true";
    let list = app.owner.http.get(path).await.expect(200).json();
    let late = text(&list.as_array().unwrap()[900], "id").to_owned();
    assert_ne!(late, id);
    app.database.execute(&format!("UPDATE api_keys SET scopes = 'damaged' WHERE id = '{late}'")).unwrap();
    let response = app.owner.http.request("GET", path).send().await.unwrap();
    assert_eq!(response.status(), 200, "the response had already begun");
    response.text().await.unwrap_err();
    // An error on the first page is an error response.
    app.owner.http.get(&format!("{path}&limit=1000")).await.refused(500, "internal");
}
