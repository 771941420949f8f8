//! `PUT /users/{user}/roles`

use futures_util::future::join;
use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::support::{each, wrong_fields};

fn roles(names: &[&str]) -> serde_json::Value {
    json!({ "roles": names })
}

on_both! {
    roles_are_replaced_and_hold_at_once,
    roles_that_are_as_they_were_are_no_change,
    nobody_changes_their_own,
    a_user_admin_gives_and_takes_what_is_below_owner,
    what_are_no_roles_is_refused,
    an_owner_is_always_left,
}

async fn roles_are_replaced_and_hold_at_once(app: TestApp) {
    let member = app.person("member", &[]).await;
    let path = "/api/v2/users/member/roles";
    member.http.get("/api/v2/audit").await.refused(403, "forbidden");
    let user = app.owner.http.json("PUT", path, &roles(&["auditor", "member"])).await.expect(200).json();
    assert_eq!(each(&user["roles"], "name"), ["auditor"]);
    member.http.get("/api/v2/audit").await.expect(200);
    app.owner.http.json("PUT", path, &roles(&["user-admin"])).await.expect(200);
    member.http.get("/api/v2/audit").await.refused(403, "forbidden");
    app.owner.http.json("PUT", path, &roles(&[])).await.expect(200);
    assert_eq!(member.http.get("/api/v2/users/me/roles").await.expect(200).json(), json!({ "roles": [] }));

    let entries = app.audit("action:write resource_target:member").await;
    assert_eq!(entries.len(), 3);
    let diff = json!({ "roles": { "old": [], "new": ["auditor"], "secret": false } });
    assert_eq!(entries[2]["diff"], diff);
    assert_eq!(entries[2]["status_code"], 200);
}

async fn roles_that_are_as_they_were_are_no_change(app: TestApp) {
    app.person("member", &["auditor"]).await;
    let before = app.database.contents();
    app.owner.http.json("PUT", "/api/v2/users/member/roles", &roles(&["auditor", "auditor"])).await.expect(200);
    assert_eq!(app.database.contents(), before);
}

async fn nobody_changes_their_own(app: TestApp) {
    let admin = app.person("admin", &["user-admin"]).await;
    let before = app.database.contents();
    for (person, user) in [(&app.owner, "me"), (&app.owner, "owner"), (&admin, "me"), (&admin, admin.id.as_str())] {
        let path = format!("/api/v2/users/{user}/roles");
        person.http.json("PUT", &path, &roles(&["auditor"])).await.refused(400, "validation_failed");
    }
    assert_eq!(app.database.contents(), before);
}

async fn a_user_admin_gives_and_takes_what_is_below_owner(app: TestApp) {
    let admin = app.person("admin", &["user-admin"]).await;
    app.person("member", &[]).await;
    app.person("second", &["owner"]).await;
    let put = async |user: &str, names: &[&str]| {
        admin.http.json("PUT", &format!("/api/v2/users/{user}/roles"), &roles(names)).await
    };
    put("member", &["user-admin", "auditor", "verifier"]).await.expect(200);
    let before = app.database.contents();
    put("member", &["owner"]).await.refused(403, "forbidden");
    put("second", &[]).await.refused(403, "forbidden");
    put("nobody", &[]).await.refused(404, "not_found");
    assert_eq!(app.database.contents(), before);
}

async fn what_are_no_roles_is_refused(app: TestApp) {
    app.person("member", &[]).await;
    let path = "/api/v2/users/member/roles";
    for names in [&["king"][..], &["Owner"], &[""], &["auditor", "owner "]] {
        let refused = app.owner.http.json("PUT", path, &roles(names)).await.refused(400, "validation_failed");
        assert_eq!(wrong_fields(&refused), ["roles"]);
    }
    for wrong in
        [json!({}), json!({ "roles": null }), json!({ "roles": "owner" }), json!({ "roles": [7] }), json!(["owner"])]
    {
        app.owner.http.json("PUT", path, &wrong).await.refused(400, "bad_request");
    }
}

async fn an_owner_is_always_left(app: TestApp) {
    let second = app.person("second", &["owner"]).await;
    // Two owners remove each other's role at the same time; one of them must fail.
    let (path, other) = ("/api/v2/users/owner/roles", "/api/v2/users/second/roles");
    let none = roles(&[]);
    let (one, two) = join(second.http.json("PUT", path, &none), app.owner.http.json("PUT", other, &none)).await;
    let owners =
        app.database.count("SELECT count(*) AS count FROM users WHERE roles LIKE '%owner%' AND status = 'active'");
    assert_eq!(owners, 1);
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!([400, 403, 404].contains(&statuses[1]), "{statuses:?}");
}
