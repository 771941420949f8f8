//! `GET /users`

use keyward_test_support::{Backend, Http, TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{each, pages, service_account};

async fn names(http: &Http, query: &str) -> Vec<String> {
    each(&http.get(&format!("/api/v2/users{query}")).await.expect(200).json()["users"], "username")
}

/// Creates users; one has a name that differs from its e-mail address.
async fn crowd(app: &TestApp) {
    for name in ["bob", "Alice", "carol-x", "dave"] {
        service_account(app, name, &[]).await;
    }
    let (email, name) = ("mallory@evil.example", "100%_Real! Person");
    let body = json!({ "username": "eve", "email": email, "name": name, "login_type": "none" });
    app.owner.http.post("/api/v2/users", &body).await.expect(201);
}

on_both! {
    users_come_in_the_order_of_their_names_whatever_the_case,
    the_search_finds_a_part_of_name_or_address_as_it_stands,
    pages_join_to_the_whole_list,
    a_list_holds_only_whom_the_caller_may_read,
    a_count_stops_at_its_cap,
}

async fn users_come_in_the_order_of_their_names_whatever_the_case(app: TestApp) {
    crowd(&app).await;
    let answer = app.owner.http.get("/api/v2/users").await.expect(200);
    assert_eq!(answer.header("Link"), None);
    let page = answer.json();
    assert_eq!(each(&page["users"], "username"), ["Alice", "bob", "carol-x", "dave", "eve", "owner"]);
    assert_eq!((&page["count"], &page["count_cap"]), (&json!(6), &json!(2_000)));
    let alone = app.owner.http.get("/api/v2/users/alice").await.expect(200).json();
    assert_eq!(page["users"][0], alone);
}

async fn the_search_finds_a_part_of_name_or_address_as_it_stands(app: TestApp) {
    crowd(&app).await;
    for (search, found) in [
        ("ALI", &["Alice"][..]),
        ("o", &["Alice", "bob", "carol-x", "dave", "eve", "owner"]),
        ("bob@", &["bob"]),
        ("evil", &["eve"]),
        ("mallory@EVIL.example", &["eve"]),
        ("real!%20p", &["eve"]),
        ("%25", &["eve"]),
        ("_", &["eve"]),
        ("b_b", &[]),
        ("%25%25", &[]),
        ("nobody", &[]),
        ("'%20OR%201=1", &[]),
        ("", &["Alice", "bob", "carol-x", "dave", "eve", "owner"]),
    ] {
        assert_eq!(names(&app.owner.http, &format!("?q={search}")).await, found, "{search}");
        let page = app.owner.http.get(&format!("/api/v2/users?q={search}&limit=1")).await.json();
        assert_eq!(page["count"], found.len(), "{search}");
    }
}

async fn pages_join_to_the_whole_list(app: TestApp) {
    crowd(&app).await;
    let whole = app.owner.http.get("/api/v2/users?q=e").await.expect(200).json();
    let count = whole["users"].as_array().unwrap().len();
    for limit in [1, 2, 4, 1_000] {
        let pages = pages(&app.owner.http, &format!("/api/v2/users?q=e&limit={limit}")).await;
        assert_eq!(pages.len(), count.div_ceil(limit));
        assert!(pages.iter().all(|page| page["count"] == whole["count"]));
        let joined: Vec<Value> = pages.iter().flat_map(|page| page["users"].as_array().unwrap().clone()).collect();
        assert_eq!(joined, *whole["users"].as_array().unwrap());
    }
    for wrong in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "after=k.1.kwd_0000000000",
        "after=",
        "after=u.",
        "after=u.me",
        "after=u.%00",
        "q=%00",
        "q=a%0Ab",
    ] {
        app.owner.http.get(&format!("/api/v2/users?{wrong}")).await.refused(400, "validation_failed");
    }
}

async fn a_list_holds_only_whom_the_caller_may_read(app: TestApp) {
    crowd(&app).await;
    let member = app.person("member", &[]).await;
    assert_eq!(names(&member.http, "").await, ["member"]);
    assert_eq!(names(&member.http, "?q=bob").await, [""; 0]);
    assert_eq!(member.http.get("/api/v2/users").await.json()["count"], 1);
    for role in ["auditor", "user-admin", "owner"] {
        let person = app.person(&format!("the-{role}"), &[role]).await;
        let count = app.database.count("SELECT count(*) AS count FROM users");
        assert_eq!(names(&person.http, "").await.len() as i64, count, "{role}");
    }
}

async fn a_count_stops_at_its_cap(app: TestApp) {
    let (many, id) = match app.database.backend {
        Backend::Sqlite => (
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2500)",
            "printf('00000000-0000-4000-8000-%012d', n)",
        ),
        Backend::Postgres => (
            "WITH n AS (SELECT generate_series(1, 2500) AS n)",
            "('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid",
        ),
    };
    let copied = "status, created_at, updated_at";
    app.database
        .execute(&format!(
            "{many}
             INSERT INTO users (id, username, username_key, name, email, email_key, login_type, roles, {copied})
             SELECT {id}, 'copy-' || n, 'copy-' || n, '', n || '@copies', n || '@copies', 'none', '[]', {copied}
             FROM n, users",
        ))
        .unwrap();
    let page = app.owner.http.get("/api/v2/users").await.expect(200).json();
    assert_eq!(page["users"].as_array().unwrap().len(), 2_501);
    assert_eq!(page["count"], 2_000);
    assert_eq!(app.owner.http.get("/api/v2/users?q=copy-1&limit=1").await.json()["count"], 1_111);
    assert_eq!(pages(&app.owner.http, "/api/v2/users?limit=1000").await.len(), 3);
}
