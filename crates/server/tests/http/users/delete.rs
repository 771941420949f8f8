//! `DELETE /users/{user}`

use futures_util::future::join;
use keyward_test_support::{PASSWORD, TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{each, id_of, text, token_of};

on_both! {
    a_deleted_user_is_gone_with_all_keys_and_the_records_stay,
    name_and_address_are_free_again_and_nothing_is_inherited,
    nobody_deletes_themselves,
    an_owner_is_always_left,
}

async fn a_deleted_user_is_gone_with_all_keys_and_the_records_stay(app: TestApp) {
    let member = app.person("member", &["auditor"]).await;
    let (token, id) = token_of(&app, &member, &json!({ "token_name": "ci" })).await;
    let answer = app.owner.http.send("DELETE", "/api/v2/users/member").await.expect(200).json();
    assert!(!text(&answer, "message").is_empty());
    for http in [&token, &member.http] {
        http.get("/api/v2/users/me").await.refused(401, "key_expired");
    }
    for user in ["member", member.id.as_str()] {
        app.owner.http.get(&format!("/api/v2/users/{user}")).await.refused(404, "not_found");
        app.owner.http.get(&format!("/api/v2/users/{user}/keys")).await.refused(404, "not_found");
        app.owner.http.send("DELETE", &format!("/api/v2/users/{user}")).await.refused(404, "not_found");
        app.owner.http.send("PUT", &format!("/api/v2/users/{user}/status/activate")).await.refused(404, "not_found");
    }
    let users = app.owner.http.get("/api/v2/users").await.expect(200).json();
    assert_eq!(each(&users["users"], "username"), ["owner"]);
    let login = json!({ "email": "member", "password": PASSWORD });
    app.anonymous().post("/api/v2/users/login", &login).await.refused(401, "incorrect_credentials");
    let record = app.owner.http.get(&format!("/api/v2/users/me/keys/{id}")).await.expect(200).json();
    assert_eq!(text(&record, "user_id"), member.id);
    let all = app.owner.http.get("/api/v2/users/me/keys/tokens?include_all=true&include_expired=true").await.json();
    assert_eq!(each(&all, "id"), [id.as_str()]);

    let entries = app.audit("action:delete").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["resource_type"], "user");
    assert_eq!(entries[0]["resource_id"], member.id.as_str());
    assert_eq!(entries[0]["resource_target"], "member");
    assert_eq!(entries[0]["old"]["roles"], json!(["auditor"]));
    assert_eq!(entries[0]["new"], Value::Null);
    for key in [id.as_str(), id_of(&member.session)] {
        let ended = app.audit(&format!("action:write resource_id:{key}")).await;
        assert_eq!(ended.len(), 1, "{key}");
        assert_eq!(ended[0]["user"]["username"], "owner");
        assert_eq!(ended[0]["additional_fields"]["owner_id"], member.id.as_str());
    }
}

async fn name_and_address_are_free_again_and_nothing_is_inherited(app: TestApp) {
    let first = app.person("member", &["owner"]).await;
    let token = first.token(&json!({ "token_name": "ci" })).await;
    app.owner.http.send("DELETE", "/api/v2/users/member").await.expect(200);
    let second = app.person("member", &[]).await;
    assert_ne!(second.id, first.id);
    assert_eq!(second.token_ids("?include_expired=true").await, [""; 0]);
    let path = format!("/api/v2/users/me/keys/{}", text(&token, "id"));
    second.http.get(&path).await.refused(404, "not_found");
    second.http.get("/api/v2/users/me/keys/tokens/ci").await.refused(404, "not_found");
    app.with(text(&token, "key")).get("/api/v2/users/me").await.refused(401, "key_expired");
    app.owner.http.send("DELETE", "/api/v2/users/member").await.expect(200);
    app.person("member", &[]).await;
}

async fn nobody_deletes_themselves(app: TestApp) {
    let admin = app.person("admin", &["user-admin"]).await;
    let before = app.database.contents();
    for (person, user) in [(&app.owner, "me"), (&app.owner, "OWNER"), (&admin, "me"), (&admin, admin.id.as_str())] {
        person.http.send("DELETE", &format!("/api/v2/users/{user}")).await.refused(400, "validation_failed");
    }
    assert_eq!(app.database.contents(), before);
}

async fn an_owner_is_always_left(app: TestApp) {
    let second = app.person("second", &["owner"]).await;
    let (one, two) =
        join(second.http.send("DELETE", "/api/v2/users/owner"), app.owner.http.send("DELETE", "/api/v2/users/second"))
            .await;
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert!(statuses[0] == 200 && [400, 401, 404].contains(&statuses[1]), "{statuses:?}");
    assert_eq!(app.database.count("SELECT count(*) AS count FROM users WHERE deleted_at IS NULL"), 1);
}
