//! `POST /keys/expire` and `GET /incidents`

use keyward_domain::Lifetime;
use keyward_test_support::{Answer, Http, TestApp, on_both};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{create, each, expire, service_account, text, token_of, wrong_fields};

const EXPIRE: &str = "/api/v2/keys/expire";

on_both! {
    a_dry_run_shows_exactly_what_then_ends,
    another_selection_than_the_previewed_one_is_refused,
    children_end_only_when_asked,
    nobody_ends_keys_beyond_their_rights,
    the_calling_key_is_spared_unless_it_is_included,
    what_says_nothing_ends_nothing,
    an_incident_goes_on_where_it_stopped,
    an_incident_goes_on_only_with_the_rights_of_now,
    sessions_that_end_with_their_minter_are_counted_once,
    one_key_ends_with_its_children,
}

async fn dry_run(http: &Http, selector: &Value) -> Value {
    http.post(EXPIRE, &json!({ "selector": selector, "dry_run": true })).await.expect(200).json()
}

async fn end(http: &Http, selector: &Value, digest: &Value) -> Answer {
    let body = json!({ "selector": selector, "reason": "compromised", "note": "leaked", "expect": digest });
    http.post(EXPIRE, &body).await
}

async fn a_dry_run_shows_exactly_what_then_ends(app: TestApp) {
    let member = app.person("member", &[]).await;
    let (leaked, leaked_id) = token_of(&app, &member, &json!({ "token_name": "leaked" })).await;
    let (_, gone) = token_of(&app, &member, &json!({ "token_name": "leaked-before" })).await;
    expire(&app.owner.http, &gone).await;
    let (other, _) = token_of(&app, &member, &json!({ "token_name": "other" })).await;
    leaked.get("/api/v2/users/me").await.expect(200);
    app.service.flush_usage().await.unwrap();
    let before = app.database.contents();

    let selector = json!({ "user": "member", "name": "LEAKED" });
    let preview = dry_run(&app.owner.http, &selector).await;
    assert_eq!(app.database.contents(), before, "a dry run changes nothing");
    assert_eq!(
        (&preview["matched"], &preview["already_expired"], &preview["children"]),
        (&json!(2), &json!(1), &json!(0))
    );
    assert_eq!((&preview["used_last_hour"], &preview["used_last_day"]), (&json!(1), &json!(1)));
    assert_eq!(preview["owners"], json!([{ "user_id": member.id, "username": "member", "keys": 1 }]));
    assert_eq!(each(&preview["sample"], "id"), [leaked_id.as_str()]);
    assert_eq!(text(&preview, "digest").len(), 64);

    let done = end(&app.owner.http, &selector, &preview["digest"]).await.expect(200).json();
    assert_eq!((&done["expired"], &done["already_expired"]), (&json!(1), &json!(1)));
    assert!(done["barrier"]["confirmed"].is_number() && done["barrier"]["waited_ms"].is_number());
    leaked.get("/api/v2/users/me").await.refused(401, "key_expired");
    other.get("/api/v2/users/me").await.expect(200);
    member.http.get("/api/v2/users/me").await.expect(200);

    let id = text(&done, "incident_id");
    let entries = app.audit(&format!("incident:{id} event:key.expired")).await;
    assert_eq!(each(&json!(entries), "resource_id"), [leaked_id.as_str()], "one entry a key");
    assert_eq!((text(&entries[0], "reason"), text(&entries[0], "incident_id")), ("compromised", id));
    let incident = app.owner.http.get(&format!("/api/v2/incidents/{id}")).await.expect(200).json();
    assert_eq!((text(&incident, "state"), &incident["matched"], &incident["expired"]), ("done", &json!(2), &json!(1)));
    assert_eq!((text(&incident["by"], "username"), text(&incident, "note")), ("owner", "leaked"));
    assert_eq!(incident["selector"], selector);
    let list = app.owner.http.get("/api/v2/incidents").await.expect(200).json();
    assert_eq!(each(&list["incidents"], "id"), [id]);
    let viewed = app.owner.http.get(&format!("/api/v2/users/me/keys/{leaked_id}")).await.expect(200).json();
    assert_eq!((text(&viewed, "end_reason"), text(&viewed, "end_note")), ("compromised", "leaked"));
    // Those who do not read the audit log see only their own.
    member.http.get(&format!("/api/v2/incidents/{id}")).await.refused(404, "not_found");
    assert_eq!(member.http.get("/api/v2/incidents").await.expect(200).json()["incidents"], json!([]));
}

async fn another_selection_than_the_previewed_one_is_refused(app: TestApp) {
    let (one, _) = token_of(&app, &app.owner, &json!({ "token_name": "leaked-1" })).await;
    let selector = json!({ "name": "leaked" });
    let digest = dry_run(&app.owner.http, &selector).await["digest"].clone();
    token_of(&app, &app.owner, &json!({ "token_name": "leaked-2" })).await;
    let before = app.database.contents();
    let refused = end(&app.owner.http, &selector, &digest).await.refused(409, "selection_changed").json();
    assert_eq!((&refused["matched"], &refused["already_expired"]), (&json!(2), &json!(0)), "{refused}");
    assert_eq!(app.database.contents(), before);
    one.get("/api/v2/users/me").await.expect(200);
    end(&app.owner.http, &selector, &refused["digest"]).await.expect(200);
    one.get("/api/v2/users/me").await.refused(401, "key_expired");
}

async fn children_end_only_when_asked(app: TestApp) {
    let (parent, parent_id) = token_of(&app, &app.owner, &json!({ "token_name": "parent" })).await;
    let child = app.with(text(&create(&parent, &json!({})).await.expect(201).json(), "key"));
    let grandchild = app.with(text(&create(&child, &json!({})).await.expect(201).json(), "key"));
    let selector = json!({ "ids": [parent_id] });
    let plain = dry_run(&app.owner.http, &selector).await;
    assert_eq!((&plain["matched"], &plain["children"]), (&json!(1), &json!(2)));
    let body = json!({ "selector": selector, "cascade": true, "dry_run": true });
    let cascading = app.owner.http.post(EXPIRE, &body).await.expect(200).json();
    assert_ne!(cascading["digest"], plain["digest"]);
    let body = json!({ "selector": selector, "cascade": true, "reason": "policy", "expect": cascading["digest"] });
    let done = app.owner.http.post(EXPIRE, &body).await.expect(200).json();
    assert_eq!(done["expired"], json!(3));
    for http in [parent, child, grandchild] {
        http.get("/api/v2/users/me").await.refused(401, "key_expired");
    }
}

async fn nobody_ends_keys_beyond_their_rights(app: TestApp) {
    let admin = app.person("admin", &["user-admin"]).await;
    let member = app.person("member", &[]).await;
    token_of(&app, &app.owner, &json!({ "token_name": "t-owner" })).await;
    token_of(&app, &admin, &json!({ "token_name": "t-admin" })).await;
    token_of(&app, &member, &json!({ "token_name": "t-member" })).await;
    let everything = json!({ "everything": true, "kind": "token" });
    for (http, expected) in [(&app.owner.http, 3), (&admin.http, 2), (&member.http, 1)] {
        assert_eq!(dry_run(http, &everything).await["matched"], json!(expected));
    }
    for (http, user) in [(&member.http, "owner"), (&member.http, "nobody")] {
        let body = json!({ "selector": { "user": user }, "dry_run": true });
        assert_eq!(wrong_fields(&http.post(EXPIRE, &body).await.refused(400, "validation_failed")), ["user"]);
    }
    let owners = dry_run(&admin.http, &json!({ "user": "owner" })).await;
    assert_eq!(owners["matched"], json!(0), "a user-admin ends no owner's keys");
    let narrow = create(&app.owner.http, &json!({ "scopes": ["api_key:read"] })).await.expect(201).json();
    let body = json!({ "selector": everything, "dry_run": true });
    app.with(text(&narrow, "key")).post(EXPIRE, &body).await.refused(403, "insufficient_scope");
}

async fn the_calling_key_is_spared_unless_it_is_included(app: TestApp) {
    let (caller, id) = token_of(&app, &app.owner, &json!({ "token_name": "caller" })).await;
    let selector = json!({ "ids": [id] });
    assert_eq!(dry_run(&caller, &selector).await["matched"], json!(0));
    let body = json!({ "selector": selector, "include_self": true, "dry_run": true });
    let preview = caller.post(EXPIRE, &body).await.expect(200).json();
    assert_eq!(preview["matched"], json!(1));
    let body = json!({ "selector": selector, "include_self": true, "reason": "retired", "expect": preview["digest"] });
    caller.post(EXPIRE, &body).await.expect(200);
    caller.get("/api/v2/users/me").await.refused(401, "key_expired");
}

async fn what_says_nothing_ends_nothing(app: TestApp) {
    let before = app.database.contents();
    for (body, field) in [
        (json!({ "selector": {}, "dry_run": true }), "selector"),
        (json!({ "selector": { "everything": false }, "dry_run": true }), "selector"),
        (json!({ "selector": { "everything": true }, "expect": "x" }), "reason"),
        (json!({ "selector": { "everything": true }, "reason": "policy" }), "expect"),
        (json!({ "selector": { "everything": true }, "reason": "because", "dry_run": true }), "reason"),
        (json!({ "selector": { "everything": true }, "note": "a\nb", "dry_run": true }), "note"),
        (json!({ "selector": { "ids": ["nonsense"] }, "dry_run": true }), "ids"),
        (json!({ "selector": { "status": "dead" }, "dry_run": true }), "status"),
    ] {
        let refused = app.owner.http.post(EXPIRE, &body).await.refused(400, "validation_failed");
        assert_eq!(wrong_fields(&refused), [field], "{body}");
    }
    let refused = app.owner.http.post(EXPIRE, &json!({ "dry_run": true })).await.refused(400, "validation_failed");
    assert_eq!(wrong_fields(&refused), ["selector"]);
    app.owner.http.post(EXPIRE, &json!({ "everything": true, "dry_run": true })).await.expect(200);
    let digest = dry_run(&app.owner.http, &json!({ "name": "none" })).await["digest"].clone();
    assert_eq!(app.database.contents(), before);
    let done = end(&app.owner.http, &json!({ "name": "none" }), &digest).await.expect(200).json();
    assert_eq!(done["expired"], json!(0));
}

async fn an_incident_goes_on_where_it_stopped(app: TestApp) {
    let account = service_account(&app, "svc", &[]).await;
    for _ in 0..3 {
        let path = format!("/api/v2/users/{account}/keys/tokens");
        app.owner.http.post(&path, &json!({})).await.expect(201);
    }
    let selector = json!({ "user": "svc" });
    let preview = dry_run(&app.owner.http, &selector).await;
    let id = Uuid::now_v7();
    let body = json!({ "selector": selector, "reason": "policy", "expect": preview["digest"], "incident_id": id });
    let first = app.owner.http.post(EXPIRE, &body).await.expect(200).json();
    assert_eq!((&first["expired"], &first["incident_id"]), (&json!(3), &json!(id)));
    // The keys are dead now, so the selector matches others; the incident keeps its own.
    app.advance(Lifetime::minutes(1));
    let path = format!("/api/v2/users/{account}/keys/tokens");
    let later = app.with(text(&app.owner.http.post(&path, &json!({})).await.expect(201).json(), "key"));
    let again = app.owner.http.post(EXPIRE, &body).await.expect(200).json();
    assert_eq!((&again["expired"], &again["already_expired"]), (&json!(3), &json!(0)));
    later.get("/api/v2/users/me").await.expect(200);
    // As if the server had been killed after the first of the keys.
    app.database.execute("UPDATE incidents SET done = 1, ended_at = NULL").unwrap();
    let resumed = app.owner.http.post(EXPIRE, &body).await.expect(200).json();
    assert_eq!(resumed["incident_id"], json!(id));
    assert_eq!(app.audit(&format!("incident:{id} event:key.expired")).await.len(), 3, "one entry a key");
    later.get("/api/v2/users/me").await.expect(200);
    let mut other = body.clone();
    other["expect"] = json!("another");
    app.owner.http.post(EXPIRE, &other).await.refused(409, "conflict");
}

async fn one_key_ends_with_its_children(app: TestApp) {
    let (parent, id) = token_of(&app, &app.owner, &json!({ "token_name": "parent" })).await;
    let child = app.with(text(&create(&parent, &json!({})).await.expect(201).json(), "key"));
    let path = format!("/api/v2/users/me/keys/{id}/expire");
    for (body, field) in [(json!({ "reason": "because" }), "reason"), (json!({ "note": "x".repeat(501) }), "note")] {
        let refused = app.owner.http.json("PUT", &path, &body).await.refused(400, "validation_failed");
        assert_eq!(wrong_fields(&refused), [field]);
    }
    // A key that may act only on the parent may not end the children.
    let body = json!({ "scopes": ["api_key:update"], "allow_list": [format!("api_key:{id}")] });
    let (narrow, _) = token_of(&app, &app.owner, &body).await;
    narrow.json("PUT", &path, &json!({ "cascade": true })).await.refused(403, "resource_not_allowed");
    parent.get("/api/v2/users/me").await.expect(200);
    app.owner.http.json("PUT", &path, &json!({ "reason": "superseded", "cascade": true })).await.expect(204);
    for http in [parent, child] {
        http.get("/api/v2/users/me").await.refused(401, "key_expired");
    }
    assert_eq!(each(&json!(app.audit("event:key.expired").await), "reason"), ["superseded"; 2]);
}

async fn an_incident_goes_on_only_with_the_rights_of_now(app: TestApp) {
    let (boss, member) = (app.person("boss", &["owner"]).await, app.person("member", &[]).await);
    let (theirs, _) = token_of(&app, &member, &json!({ "token_name": "leaked" })).await;
    let selector = json!({ "name": "leaked" });
    let preview = dry_run(&boss.http, &selector).await;
    let id = Uuid::now_v7();
    let body = json!({ "selector": selector, "reason": "policy", "expect": preview["digest"], "incident_id": id });
    boss.http.post(EXPIRE, &body).await.expect(200);
    theirs.get("/api/v2/users/me").await.refused(401, "key_expired");
    // As if it had been stopped before a later key of the same list.
    let (later, later_id) = token_of(&app, &member, &json!({})).await;
    app.database
        .execute(&format!("UPDATE incidents SET done = 0, ended_at = NULL, key_ids = '[\"{later_id}\"]'"))
        .unwrap();
    let roles = json!({ "roles": ["user-admin"] });
    app.owner.http.json("PUT", "/api/v2/users/boss/roles", &json!({ "roles": [] })).await.expect(200);
    boss.http.post(EXPIRE, &body).await.refused(403, "forbidden");
    later.get("/api/v2/users/me").await.expect(200);
    app.owner.http.json("PUT", "/api/v2/users/boss/roles", &roles).await.expect(200);
    boss.http.post(EXPIRE, &body).await.expect(200);
    later.get("/api/v2/users/me").await.refused(401, "key_expired");
}

async fn sessions_that_end_with_their_minter_are_counted_once(app: TestApp) {
    let member = app.person("member", &[]).await;
    let (token, _) = token_of(&app, &member, &json!({ "token_name": "minter" })).await;
    token.send("POST", "/api/v2/users/me/keys").await.expect(201);
    // The token, its session, and the session of the login.
    for (selector, expired) in [(json!({ "name": "minter" }), 1), (json!({ "user": "member" }), 1)] {
        let preview = dry_run(&app.owner.http, &selector).await;
        let done = end(&app.owner.http, &selector, &preview["digest"]).await.expect(200).json();
        let all = preview["matched"].as_i64().unwrap();
        assert_eq!((&done["expired"], &done["already_expired"]), (&json!(expired), &json!(all - expired)), "{done}");
    }
}
