//! The scopes of a new token.

use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{create, wrong_fields};

on_both! {
    scopes_are_kept_in_their_canonical_form,
    unknown_scopes_are_named_with_what_is_near,
    every_scope_of_the_catalogue_can_be_asked_for,
    a_composite_holds_what_it_is_made_of_and_no_more,
}

async fn scopes_are_kept_in_their_canonical_form(app: TestApp) {
    let all = json!(["*:*"]);
    let connect = json!(["workspace:application_connect"]);
    for (body, scopes, scope) in [
        (json!({}), all.clone(), "all"),
        (json!({ "scopes": null, "scope": null }), all.clone(), "all"),
        (json!({ "scope": "" }), all.clone(), "all"),
        (json!({ "scopes": ["all"] }), all.clone(), "all"),
        (json!({ "scopes": ["coder:all", "*:*", "all"] }), all.clone(), "all"),
        (json!({ "scope": "all" }), all.clone(), "all"),
        (json!({ "scope": "application_connect" }), connect.clone(), "application_connect"),
        (json!({ "scopes": ["coder:application_connect"] }), connect.clone(), "application_connect"),
        (json!({ "scope": "workspace:read" }), json!(["workspace:read"]), ""),
        (json!({ "scopes": ["template:read"], "scope": "all" }), json!(["template:read"]), ""),
        (
            json!({ "scopes": ["workspace:ssh", "api_key:*", "workspace:ssh", "template:use"] }),
            json!(["workspace:ssh", "api_key:*", "template:use"]),
            "",
        ),
        (json!({ "scopes": ["coder:workspaces.access"] }), json!(["coder:workspaces.access"]), ""),
        (
            json!({ "scopes": ["template:read", "application_connect"] }),
            json!(["template:read", "workspace:application_connect"]),
            "application_connect",
        ),
    ] {
        let token = create(&app.owner.http, &body).await.expect(201).json();
        assert_eq!(token["scopes"], scopes, "{body}");
        assert_eq!(token["scope"], scope, "{body}");
    }
}

async fn unknown_scopes_are_named_with_what_is_near(app: TestApp) {
    let before = app.database.contents();
    for (scope, near) in [
        ("workspace:raed", Some("workspace:read")),
        ("workspaces:read", Some("workspace:read")),
        ("api_key:creat", Some("api_key:create")),
        ("al", Some("all")),
        ("Workspace:Read", None),
        ("workspace:", None),
        (":read", None),
        ("*:read", None),
        ("something:else", None),
        ("workspace:read ", Some("workspace:read")),
        ("", None),
    ] {
        for body in [json!({ "scopes": ["template:read", scope] }), json!({ "scope": scope })] {
            if scope.is_empty() && body.get("scope").is_some() {
                continue;
            }
            let refused = create(&app.owner.http, &body).await.refused(400, "invalid_scope").json();
            assert_eq!(refused["message"], format!("invalid or unsupported API key scope: \"{scope}\""));
            let hint = refused["hint"].as_str().unwrap();
            assert!(near.is_none_or(|near| hint.contains(near)), "{scope}: {hint}");
        }
    }
    let empty = create(&app.owner.http, &json!({ "scopes": [] })).await.refused(400, "validation_failed");
    assert_eq!(wrong_fields(&empty), ["scopes"]);
    for wrong in
        [json!({ "scopes": "all" }), json!({ "scopes": [1] }), json!({ "scopes": [null] }), json!({ "scope": [] })]
    {
        create(&app.owner.http, &wrong).await.refused(400, "bad_request");
    }
    assert_eq!(app.database.contents(), before);
}

async fn every_scope_of_the_catalogue_can_be_asked_for(app: TestApp) {
    let catalogue = app.anonymous().get("/api/v2/auth/scopes").await.expect(200).json();
    let external: Vec<&str> =
        catalogue["external"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(external.is_sorted());
    for name in [
        "*:*",
        "api_key:*",
        "api_key:verify",
        "audit_log:read",
        "workspace:application_connect",
        "coder:apikeys.manage_self",
    ] {
        assert!(external.contains(&name), "{name}");
    }
    for alias in ["all", "coder:all", "application_connect", "coder:application_connect"] {
        assert!(!external.contains(&alias), "{alias}");
    }
    let described: Vec<&Value> = catalogue["scopes"].as_array().unwrap().iter().collect();
    assert_eq!(described.iter().map(|scope| scope["name"].as_str().unwrap()).collect::<Vec<_>>(), external);
    assert!(described.iter().all(|scope| !scope["description"].as_str().unwrap().is_empty()));
    let token = create(&app.owner.http, &json!({ "scopes": external })).await.expect(201).json();
    assert_eq!(token["scopes"], catalogue["external"]);
}

async fn a_composite_holds_what_it_is_made_of_and_no_more(app: TestApp) {
    let token = app.owner.token(&json!({ "scopes": ["coder:apikeys.manage_self"] })).await;
    let user = app.with(token["key"].as_str().unwrap());
    user.get("/api/v2/users/me/keys").await.expect(200);
    user.get("/api/v2/users").await.refused(403, "insufficient_scope");
    // A token may create tokens with its composite scope or parts of it, but not with more.
    create(&user, &json!({ "scopes": ["api_key:read", "coder:apikeys.manage_self"] })).await.expect(201);
    create(&user, &json!({ "scopes": ["api_key:*"] })).await.refused(403, "scope_exceeds_caller");
}
