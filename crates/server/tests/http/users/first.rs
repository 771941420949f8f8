//! `GET /users/first` and `POST /users/first`

use futures_util::future::join_all;
use keyward_test_support::{Answer, Backend, NewApp, PASSWORD, TestApp, TestDatabase, on_both};
use serde_json::{Value, json};

use crate::support::{text, wrong_fields};

const FIRST: &str = "/api/v2/users/first";

async fn new_server(like: &TestApp) -> NewApp {
    let backend: Backend = like.database.backend;
    NewApp::start(TestDatabase::create(backend).unwrap()).await
}

fn named(username: &str) -> Value {
    let email = format!("{username}@example.com");
    json!({ "email": email, "username": username, "name": "The First", "password": PASSWORD })
}

/// Creates the first user with a proxy header, as if from another machine.
async fn from_elsewhere(server: &NewApp, header: &str, code: Option<&str>) -> Answer {
    let mut request = server.anonymous().request("POST", FIRST).header(header, "203.0.113.9");
    if let Some(code) = code {
        request = request.header("Keyward-Setup-Code", code);
    }
    Answer::of(request.header("content-type", "application/json").body(named("first-one").to_string())).await
}

on_both! {
    the_first_user_is_an_owner_and_there_is_one_first,
    of_those_who_race_to_be_first_one_is,
    from_elsewhere_the_setup_code_is_needed,
    only_the_last_started_server_has_the_setup_code,
    a_first_user_who_cannot_be_is_refused_and_the_place_stays_free,
}

async fn the_first_user_is_an_owner_and_there_is_one_first(app: TestApp) {
    let server = new_server(&app).await;
    let http = server.anonymous();
    http.get(FIRST).await.refused(404, "no_first_user");
    let made = http.post(FIRST, &named("Alice")).await.expect(201).json();
    assert_eq!(made.as_object().unwrap().len(), 1, "{made}");
    let there = http.get(FIRST).await.expect(200).json();
    assert_eq!(there, json!({ "message": "The initial user has already been created!" }));
    http.post(FIRST, &named("bob")).await.refused(409, "conflict");

    let login = http.post("/api/v2/users/login", &json!({ "email": "alice", "password": PASSWORD })).await;
    let me = http.with(text(&login.expect(201).json(), "session_token")).get("/api/v2/users/me").await.json();
    assert_eq!(me["id"], made["user_id"]);
    assert_eq!((text(&me, "username"), text(&me, "name")), ("Alice", "The First"));
    assert_eq!((text(&me, "status"), text(&me, "login_type")), ("active", "password"));
    assert_eq!(me["roles"], json!([{ "name": "owner", "display_name": "Owner" }]));
}

async fn of_those_who_race_to_be_first_one_is(app: TestApp) {
    let server = new_server(&app).await;
    let http = server.anonymous();
    let bodies: Vec<Value> = (0..4).map(|number| named(&format!("user-{number}"))).collect();
    let answers = join_all(bodies.iter().map(|body| http.post(FIRST, body))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
    assert_eq!(server.database.count("SELECT count(*) AS count FROM users"), 1);
}

async fn from_elsewhere_the_setup_code_is_needed(app: TestApp) {
    let server = new_server(&app).await;
    for header in ["X-Forwarded-For", "Forwarded"] {
        for code in [None, Some(""), Some("wrong"), Some(&server.setup_code()[1..])] {
            let refused = from_elsewhere(&server, header, code).await.refused(403, "setup_code_required");
            assert!(refused.json()["hint"].as_str().unwrap().contains("Keyward-Setup-Code"));
            assert!(!refused.text.contains(server.setup_code()));
        }
    }
    assert_eq!(server.database.count("SELECT count(*) AS count FROM users"), 0);
    from_elsewhere(&server, "X-Forwarded-For", Some(server.setup_code())).await.expect(201);
}

async fn only_the_last_started_server_has_the_setup_code(app: TestApp) {
    // Drawn through the same service, since on SQLite only one server can open the database.
    let server = new_server(&app).await;
    let before = server.setup_code().to_owned();
    let last = server.service.draw_setup_code().await.unwrap().unwrap();
    from_elsewhere(&server, "X-Forwarded-For", Some(&before)).await.refused(403, "setup_code_required");
    from_elsewhere(&server, "X-Forwarded-For", Some(last.expose())).await.expect(201);
    assert_eq!(server.database.count("SELECT count(*) AS count FROM setup_code"), 0, "it is gone with its purpose");
    from_elsewhere(&server, "X-Forwarded-For", Some(last.expose())).await.refused(409, "conflict");
    assert!(server.service.draw_setup_code().await.unwrap().is_none());
}

async fn a_first_user_who_cannot_be_is_refused_and_the_place_stays_free(app: TestApp) {
    let server = new_server(&app).await;
    let http = server.anonymous();
    for (field, wrong) in [("username", "me"), ("email", "nobody"), ("password", "short"), ("name", "a\u{7}b")] {
        let mut body = named("alice");
        body[field] = json!(wrong);
        let refused = http.post(FIRST, &body).await.refused(400, "validation_failed");
        assert_eq!(wrong_fields(&refused), [field]);
        assert!(field != "password" || !refused.text.contains(wrong));
    }
    for field in ["username", "email", "password"] {
        let mut body = named("alice");
        body[field] = json!(null);
        http.post(FIRST, &body).await.refused(400, "bad_request");
    }
    http.get(FIRST).await.refused(404, "no_first_user");
    http.post(FIRST, &named("alice")).await.expect(201);
}
