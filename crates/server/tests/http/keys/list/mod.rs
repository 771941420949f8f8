//! `GET /users/{user}/keys/tokens` and `GET /users/{user}/keys`

mod pages;

use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{SECOND, each, expire, id_of, seconds, text};

const TOKENS: &str = "/api/v2/users/me/keys/tokens";
const KEYS: &str = "/api/v2/users/me/keys";

on_both! {
    nothing_is_an_empty_list,
    the_latest_end_comes_first_and_then_the_latest_id,
    sessions_stand_among_the_keys_and_never_among_the_tokens,
    the_fields_are_those_of_a_key_and_its_owners_name,
    everyones_are_those_that_the_caller_may_read,
    another_users_tokens_are_listed_by_who_may_read_them,
    the_query_is_read_strictly,
    a_key_moved_earlier_by_hand_is_over,
}

async fn nothing_is_an_empty_list(app: TestApp) {
    let answer = app.owner.http.get(TOKENS).await.expect(200);
    assert_eq!(answer.text, "[]");
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
}

async fn the_latest_end_comes_first_and_then_the_latest_id(app: TestApp) {
    let mut same = Vec::new();
    for lifetime in [60, 600, 60, 60, 30, 60] {
        let token = app.owner.token(&json!({ "lifetime": lifetime * SECOND })).await;
        same.push((lifetime, text(&token, "id").to_owned()));
    }
    same.sort_by(|a, b| b.cmp(a));
    let expected: Vec<String> = same.iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(app.owner.token_ids("").await, expected);
    // Newly expired tokens come after the live ones.
    app.advance(seconds(30));
    expire(&app.owner.http, &expected[0]).await;
    let mut dead_last = expected[1..5].to_vec();
    dead_last.extend(if expected[0] > expected[5] {
        [expected[0].clone(), expected[5].clone()]
    } else {
        [expected[5].clone(), expected[0].clone()]
    });
    assert_eq!(app.owner.token_ids("?include_expired=true").await, dead_last);
    assert_eq!(app.owner.token_ids("").await, expected[1..5]);
}

async fn sessions_stand_among_the_keys_and_never_among_the_tokens(app: TestApp) {
    let member = app.person("member", &[]).await;
    let token = member.token(&json!({})).await;
    let ended = app.owner.http.send("POST", "/api/v2/users/member/keys").await.expect(201).json();
    let (live, ended) = (id_of(&member.session), id_of(text(&ended, "key")));
    expire(&app.owner.http, ended).await;
    let list = async |path: &str| member.http.get(path).await.expect(200).json();
    assert_eq!(each(&list(TOKENS).await, "id"), [text(&token, "id")]);
    assert_eq!(each(&list(&format!("{TOKENS}?include_expired=true&include_all=true")).await, "id").len(), 1);
    let keys = list(KEYS).await;
    assert_eq!(each(&keys, "id"), [text(&token, "id"), live]);
    assert_eq!(each(&keys, "login_type"), ["token", "password"]);
    assert_eq!(each(&keys, "username"), ["member", "member"]);
    assert_eq!(each(&list(&format!("{KEYS}?include_expired=t")).await, "id"), [text(&token, "id"), live, ended]);
}

async fn the_fields_are_those_of_a_key_and_its_owners_name(app: TestApp) {
    let mut token = app.owner.token(&json!({ "token_name": "ci" })).await;
    token.as_object_mut().unwrap().remove("key");
    token["username"] = json!("owner");
    let list = app.owner.http.get(TOKENS).await.expect(200).json();
    assert_eq!(list, json!([token]));
}

async fn everyones_are_those_that_the_caller_may_read(app: TestApp) {
    let member = app.person("member", &[]).await;
    let other = app.person("other", &[]).await;
    let auditor = app.person("auditor", &["auditor"]).await;
    let admin = app.person("admin", &["user-admin"]).await;
    for person in [&app.owner, &member, &other, &auditor, &admin] {
        person.token(&json!({ "token_name": person.name })).await;
    }
    let all = ["admin", "auditor", "member", "other", "owner"];
    for (person, names) in [
        (&app.owner, &all[..]),
        (&auditor, &all[..]),
        (&admin, &all[..4]),
        (&member, &["member"][..]),
        (&other, &["other"][..]),
    ] {
        let list = person.http.get(&format!("{TOKENS}?include_all=true")).await.expect(200).json();
        let mut shown = each(&list, "token_name");
        shown.sort();
        assert_eq!(shown, names, "to {}", person.name);
        let owners: Vec<String> = each(&list, "username");
        assert_eq!(owners, each(&list, "token_name"));
        let own = person.http.get(TOKENS).await.expect(200).json();
        assert_eq!(each(&own, "token_name"), [person.name.as_str()]);
    }
    // A user-admin who is also an owner reads all.
    let both = app.person("both", &["user-admin", "owner"]).await;
    assert_eq!(both.token_ids("?include_all=1").await.len(), 5);
    let auditing = app.person("auditing", &["user-admin", "auditor"]).await;
    assert_eq!(auditing.token_ids("?include_all=1").await.len(), 5);
}

async fn another_users_tokens_are_listed_by_who_may_read_them(app: TestApp) {
    let member = app.person("member", &[]).await;
    let admin = app.person("admin", &["user-admin"]).await;
    member.token(&json!({ "token_name": "theirs" })).await;
    app.owner.token(&json!({ "token_name": "own" })).await;
    let path = |user: &str| format!("/api/v2/users/{user}/keys/tokens");
    assert_eq!(each(&admin.http.get(&path("member")).await.expect(200).json(), "token_name"), ["theirs"]);
    assert_eq!(each(&admin.http.get("/api/v2/users/member/keys").await.expect(200).json(), "id").len(), 2);
    admin.http.get(&path("owner")).await.refused(404, "not_found");
    member.http.get(&path("owner")).await.refused(404, "not_found");
    member.http.get(&format!("{}?include_all=true", path("owner"))).await.refused(404, "not_found");
    member.http.get(&path("nobody")).await.refused(404, "not_found");
}

async fn the_query_is_read_strictly(app: TestApp) {
    app.owner.token(&json!({})).await;
    for good in ["true", "TRUE", "True", "t", "T", "1", "false", "f", "F", "0"] {
        app.owner.http.get(&format!("{TOKENS}?include_expired={good}&include_all={good}")).await.expect(200);
        app.owner.http.get(&format!("{KEYS}?include_expired={good}")).await.expect(200);
    }
    for path in [TOKENS, KEYS] {
        for wrong in ["yes", "", "2", "01", "tru", "null", "%20true", "on"] {
            app.owner.http.get(&format!("{path}?include_expired={wrong}")).await.refused(400, "validation_failed");
        }
        for wrong in ["0", "1001", "-1", "+5", "1.5", "ten", "", "99999999999999999999", "%20"] {
            app.owner.http.get(&format!("{path}?limit={wrong}")).await.refused(400, "validation_failed");
        }
        for wrong in
            ["", "x", "k.", "k.1", "k.x.y", "a.1.2", "u.owner", "k.99999999999999999999.kwd_0000000000", "k.1.%00"]
        {
            app.owner.http.get(&format!("{path}?after={wrong}")).await.refused(400, "validation_failed");
        }
        app.owner.http.get(&format!("{path}?limit=1&limit=2")).await.refused(400, "validation_failed");
        for good in ["1", "1000", "0010"] {
            app.owner.http.get(&format!("{path}?limit={good}&colour=red")).await.expect(200);
        }
    }
    app.owner.http.get(&format!("{TOKENS}?include_all=yes")).await.refused(400, "validation_failed");
}

async fn a_key_moved_earlier_by_hand_is_over(app: TestApp) {
    let token = app.owner.token(&json!({ "lifetime": 3_600 * SECOND })).await;
    let user = app.with(text(&token, "key"));
    user.get("/api/v2/users/me").await.expect(200);
    app.database.execute("UPDATE api_keys SET expires_at = created_at WHERE kind = 'token'").unwrap();
    user.get("/api/v2/users/me").await.refused(401, "key_expired");
    let list: Value = app.owner.http.get(TOKENS).await.expect(200).json();
    assert_eq!(list, json!([]));
}
