//! Pages of the audit log.

use keyward_test_support::{Backend, TestApp, on_both};
use serde_json::Value;

use crate::support::{each, pages, text};

/// Inserts many entries with the same time, older than all others, with a user agent that identifies
/// them.
fn many(app: &TestApp, count: u32) {
    let kept = "time, request_id, ip, actor_id, actor_username, actor_email, action, resource_type, resource_id, \
                resource_target, event, description, old, \"new\", diff, additional_fields";
    let (numbers, id) = match app.database.backend {
        Backend::Sqlite => (
            format!("WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"),
            "printf('00000000-0000-7000-8000-%012d', n * 7919 % 1000003)",
        ),
        Backend::Postgres => (
            format!("WITH numbers AS (SELECT generate_series(1, {count}) AS n)"),
            "('00000000-0000-7000-8000-' || lpad((n * 7919 % 1000003)::text, 12, '0'))::uuid",
        ),
    };
    let model = "(SELECT * FROM audit_logs WHERE action = 'login') AS model";
    app.database
        .execute(&format!(
            "{numbers} INSERT INTO audit_logs (id, user_agent, {kept})
             SELECT {id}, 'copy', {kept} FROM numbers, {model}"
        ))
        .unwrap();
}

fn entries(pages: &[Value]) -> Vec<Value> {
    pages.iter().flat_map(|page| page["audit_logs"].as_array().unwrap().clone()).collect()
}

on_both! {
    without_a_limit_the_newest_hundred_come,
    pages_are_in_order_each_entry_once,
    a_count_stops_at_its_cap,
    limit_and_cursor_are_read_strictly,
    new_entries_do_not_shift_the_pages,
}

async fn without_a_limit_the_newest_hundred_come(app: TestApp) {
    many(&app, 150);
    let answer = app.owner.http.get("/api/v2/audit").await.expect(200);
    assert!(answer.header("Link").is_some());
    let log = answer.json();
    assert_eq!(log["audit_logs"].as_array().unwrap().len(), 100);
    assert_eq!(log["count"], 152);
    let rest = pages(&app.owner.http, "/api/v2/audit").await;
    assert_eq!(entries(&rest).len(), 152, "the Link header leads to the others");
    assert_eq!(rest.len(), 2);
}

async fn pages_are_in_order_each_entry_once(app: TestApp) {
    many(&app, 1_100);
    let mut expected: Option<Vec<Value>> = None;
    for limit in [1_000, 367, 1_000] {
        let all = entries(&pages(&app.owner.http, &format!("/api/v2/audit?limit={limit}&q=action:login")).await);
        assert_eq!(all.len(), 1_101);
        assert!(all.is_sorted_by(|a, b| (text(a, "time"), text(a, "id")) > (text(b, "time"), text(b, "id"))));
        assert_eq!(*expected.get_or_insert_with(|| all.clone()), all);
    }
    assert_eq!(
        each(&Value::Array(expected.unwrap()), "user_agent").iter().filter(|agent| *agent == "copy").count(),
        1_100
    );
}

async fn a_count_stops_at_its_cap(app: TestApp) {
    many(&app, 2_100);
    assert_eq!(app.owner.http.get("/api/v2/audit?limit=1").await.expect(200).json()["count"], 2_000);
    assert_eq!(app.owner.http.get("/api/v2/audit?limit=1&q=user").await.expect(200).json()["count"], 1);
}

async fn limit_and_cursor_are_read_strictly(app: TestApp) {
    for wrong in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "after=",
        "after=a.1",
        "after=a.x.y",
        "after=k.1.kwd_0000000000",
        "limit=1&limit=2",
    ] {
        app.owner.http.get(&format!("/api/v2/audit?{wrong}")).await.refused(400, "validation_failed");
    }
}

async fn new_entries_do_not_shift_the_pages(app: TestApp) {
    many(&app, 10);
    let first = app.owner.http.get("/api/v2/audit?limit=6").await.expect(200);
    let next = first.header("Link").unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    app.owner.token(&serde_json::json!({})).await;
    let rest = entries(&pages(&app.owner.http, &next).await);
    assert_eq!(rest.len(), 6);
    let shown = each(&first.json()["audit_logs"], "id");
    assert!(rest.iter().all(|entry| !shown.contains(&text(entry, "id").to_owned())));
}
