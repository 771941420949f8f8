//! `POST /users`

use futures_util::future::join_all;
use keyward_test_support::{PASSWORD, TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{micros, text, wrong_fields};

const USERS: &str = "/api/v2/users";

fn named(username: &str) -> Value {
    json!({ "email": format!("{username}@example.com"), "username": username, "password": PASSWORD })
}

fn with(field: &str, value: Value) -> Value {
    let mut body = named("alice");
    body[field] = value;
    body
}

async fn refused(app: &TestApp, field: &str, value: Value) {
    let refused = app.owner.http.post(USERS, &with(field, value.clone())).await.refused(400, "validation_failed");
    assert_eq!(wrong_fields(&refused), [field], "{value}");
}

on_both! {
    a_user_is_answered_whole,
    names_and_addresses_are_unique_in_any_case,
    what_a_user_cannot_be_is_refused_by_field,
    only_an_owner_makes_owners,
    who_may_is_judged_before_the_body,
    disable_login_makes_a_service_account,
}

/// A published client of the lineage sends `disable_login`, and an empty `login_type`.
async fn disable_login_makes_a_service_account(app: TestApp) {
    let body = |name: &str, more: Value| {
        let mut body = json!({ "email": format!("{name}@example.com"), "username": name });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (name, more) in [
        ("robot", json!({ "disable_login": true })),
        ("robot-2", json!({ "disable_login": true, "login_type": "" })),
        ("robot-3", json!({ "disable_login": true, "login_type": "none", "password": "" })),
    ] {
        let user = app.owner.http.post(USERS, &body(name, more)).await.expect(201).json();
        assert_eq!(user["login_type"], "none");
    }
    let person = body("person", json!({ "disable_login": false, "login_type": "", "password": PASSWORD }));
    assert_eq!(app.owner.http.post(USERS, &person).await.expect(201).json()["login_type"], "password");
    let torn = body("torn", json!({ "disable_login": true, "login_type": "password", "password": PASSWORD }));
    let refused = app.owner.http.post(USERS, &torn).await.refused(400, "validation_failed");
    assert_eq!(wrong_fields(&refused), ["disable_login"]);
}

async fn a_user_is_answered_whole(app: TestApp) {
    let mut body = with("roles", json!(["auditor", "member", "user-admin", "auditor"]));
    body["name"] = json!("Alice Ä.");
    let user = app.owner.http.post(USERS, &body).await.expect(201).json();
    let mut fields: Vec<&str> = user.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let expected = [
        "created_at",
        "email",
        "id",
        "last_seen_at",
        "login_type",
        "name",
        "organization_ids",
        "roles",
        "status",
        "updated_at",
        "username",
    ];
    assert_eq!(fields, expected);
    assert_eq!((text(&user, "username"), text(&user, "email")), ("alice", "alice@example.com"));
    assert_eq!(text(&user, "name"), "Alice Ä.");
    assert_eq!((text(&user, "status"), text(&user, "login_type")), ("active", "password"));
    assert_eq!(user["organization_ids"], json!([]));
    assert_eq!(micros(&user, "created_at"), app.service.now().as_micros());
    assert_eq!(user["created_at"], user["updated_at"]);
    assert_eq!(text(&user, "last_seen_at"), "1970-01-01T00:00:00Z");
    let roles = json!([
        { "name": "user-admin", "display_name": "User Admin" },
        { "name": "auditor", "display_name": "Auditor" },
    ]);
    assert_eq!(user["roles"], roles);
    assert_eq!(app.owner.http.get("/api/v2/users/alice").await.expect(200).json(), user);

    let entries = app.audit("action:create resource_target:alice").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["resource_id"], user["id"]);
    assert_eq!(entries[0]["resource_type"], "user");
    assert_eq!(entries[0]["new"]["roles"], json!(["user-admin", "auditor"]));
    assert!(!entries[0].to_string().contains("argon2"));
}

async fn names_and_addresses_are_unique_in_any_case(app: TestApp) {
    app.owner.http.post(USERS, &named("alice")).await.expect(201);
    let before = app.database.contents();
    let mut same_name = named("bob");
    same_name["username"] = json!("ALICE");
    let refused = app.owner.http.post(USERS, &same_name).await.refused(409, "conflict");
    assert_eq!(wrong_fields(&refused), ["username"]);
    let mut same_address = named("bob");
    same_address["email"] = json!("Alice@Example.COM");
    let refused = app.owner.http.post(USERS, &same_address).await.refused(409, "conflict");
    assert_eq!(wrong_fields(&refused), ["email"]);
    assert_eq!(app.database.contents(), before);
    let bodies = [named("carol"), named("carol"), named("Carol")];
    let answers = join_all(bodies.iter().map(|body| app.owner.http.post(USERS, body))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409]);
}

async fn what_a_user_cannot_be_is_refused_by_field(app: TestApp) {
    let before = app.database.contents();
    let long = "z".repeat(33);
    for name in [
        "",
        "-a",
        "a-",
        "a--b",
        "a_b",
        "a b",
        "a@b",
        "ä",
        "me",
        "ME",
        "new",
        "create",
        "first",
        "login",
        "Logout",
        &long,
        "11111111-2222-3333-4444-555555555555",
        "11111111222233334444555555555555",
    ] {
        refused(&app, "username", json!(name)).await;
    }
    for email in ["", "alice", "@example.com", "alice@", "a@b@c", "a b@example.com", "a\u{0}@example.com"] {
        refused(&app, "email", json!(email)).await;
    }
    for password in [json!(null), json!(""), json!("elevenbytes"), json!("x".repeat(257))] {
        refused(&app, "password", password).await;
    }
    refused(&app, "name", json!("a\nb")).await;
    refused(&app, "name", json!("x".repeat(129))).await;
    refused(&app, "login_type", json!("github")).await;
    refused(&app, "roles", json!(["owner", "king"])).await;
    for (field, wrong) in
        [("roles", json!("owner")), ("roles", json!([1])), ("username", json!(7)), ("email", json!(null))]
    {
        app.owner.http.post(USERS, &with(field, wrong)).await.refused(400, "bad_request");
    }
    assert_eq!(app.database.contents(), before);
    let longest = "x".repeat(256);
    for (name, password) in [("a", "exactly12byt"), ("z-9", longest.as_str()), (&long[..32], "sechs äöü ß")] {
        let mut body = named(name);
        body["password"] = json!(password);
        app.owner.http.post(USERS, &body).await.expect(201);
        app.anonymous().post("/api/v2/users/login", &json!({ "email": name, "password": password })).await.expect(201);
    }
}

async fn only_an_owner_makes_owners(app: TestApp) {
    let admin = app.person("admin", &["user-admin"]).await;
    admin.http.post(USERS, &with("roles", json!(["owner"]))).await.refused(403, "forbidden");
    admin.http.post(USERS, &with("roles", json!(["auditor", "owner"]))).await.refused(403, "forbidden");
    admin.http.post(USERS, &with("roles", json!(["user-admin", "auditor"]))).await.expect(201);
    app.owner
        .http
        .post(USERS, &{
            let mut body = named("bob");
            body["roles"] = json!(["owner"]);
            body
        })
        .await
        .expect(201);
}

async fn who_may_is_judged_before_the_body(app: TestApp) {
    let member = app.person("member", &[]).await;
    member.http.post(USERS, &json!({ "username": 7 })).await.refused(403, "forbidden");
    app.owner.http.post(USERS, &json!({ "username": 7 })).await.refused(400, "bad_request");
}
