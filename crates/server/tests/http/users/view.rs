//! `GET /users/{user}` and `GET /users/{user}/roles`

use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::support::token_of;

on_both! {
    a_user_is_found_by_me_id_or_name_in_any_case,
    whatever_names_nobody_is_not_found,
    seeing_oneself_needs_no_scope_and_others_do,
}

async fn a_user_is_found_by_me_id_or_name_in_any_case(app: TestApp) {
    let member = app.person("Member-1", &["auditor"]).await;
    let own = member.http.get("/api/v2/users/me").await.expect(200).json();
    assert_eq!(own["id"], member.id.as_str());
    for user in [member.id.clone(), member.id.to_uppercase(), "Member-1".into(), "MEMBER-1".into()] {
        let user = format!("/api/v2/users/{user}");
        assert_eq!(app.owner.http.get(&user).await.expect(200).json(), own);
        assert_eq!(
            app.owner.http.get(&format!("{user}/roles")).await.expect(200).json(),
            json!({ "roles": ["auditor"] })
        );
    }
}

async fn whatever_names_nobody_is_not_found(app: TestApp) {
    let other_forms =
        [app.owner.id.replace('-', ""), format!("%7B{}%7D", app.owner.id), format!("urn:uuid:{}", app.owner.id)];
    for user in [
        "nobody",
        "a_b",
        "-",
        "Me",
        "first%20",
        "owner%00",
        "%FF",
        "owner@example.com",
        "00000000-0000-0000-0000-000000000000",
    ]
    .into_iter()
    .chain(other_forms.iter().map(String::as_str))
    {
        for path in [
            format!("/api/v2/users/{user}"),
            format!("/api/v2/users/{user}/roles"),
            format!("/api/v2/users/{user}/keys"),
        ] {
            app.owner.http.get(&path).await.refused(404, "not_found");
        }
    }
}

async fn seeing_oneself_needs_no_scope_and_others_do(app: TestApp) {
    let (token, _) = token_of(&app, &app.owner, &json!({ "scopes": ["workspace:read"] })).await;
    app.person("member", &[]).await;
    for own in ["me", "owner", "OWNER", app.owner.id.as_str()] {
        token.get(&format!("/api/v2/users/{own}")).await.expect(200);
    }
    for other in ["member", "nobody", "%FF"] {
        token.get(&format!("/api/v2/users/{other}")).await.refused(403, "insufficient_scope");
    }
    token.get("/api/v2/users/me/roles").await.refused(403, "insufficient_scope");
}
