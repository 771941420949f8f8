//! The allow list of a new token.

use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::support::{create, wrong_fields};

on_both! {
    allow_lists_are_kept_normalised,
    what_is_no_allow_list_is_refused,
}

async fn allow_lists_are_kept_normalised(app: TestApp) {
    let everything = json!(["*:*"]);
    for (sent, kept) in [
        (json!(null), everything.clone()),
        (json!([]), everything.clone()),
        (json!(["*:*"]), everything.clone()),
        (json!(["workspace:w1", "*:*", "template:*"]), everything.clone()),
        (json!(["workspace:b", "workspace:a", "workspace:b"]), json!(["workspace:a", "workspace:b"])),
        (json!(["workspace:b", "template:t", "workspace:*"]), json!(["template:t", "workspace:*"])),
        (json!(["user:A.z_0~9-x"]), json!(["user:A.z_0~9-x"])),
        (json!([format!("workspace:{}", "x".repeat(128))]), json!([format!("workspace:{}", "x".repeat(128))])),
    ] {
        let token = create(&app.owner.http, &json!({ "allow_list": sent })).await.expect(201).json();
        assert_eq!(token["allow_list"], kept, "{sent}");
    }
}

async fn what_is_no_allow_list_is_refused(app: TestApp) {
    let before = app.database.contents();
    let long = format!("workspace:{}", "x".repeat(129));
    for entry in [
        "badvalue",
        "",
        ":",
        "workspace:",
        ":w1",
        "*:w1",
        "*:",
        "workspace:a b",
        "workspace:a:b",
        "workspace:ä",
        "Workspace:w1",
        "workspace:w*",
        &long,
    ] {
        let refused = create(&app.owner.http, &json!({ "allow_list": ["workspace:w1", entry] })).await;
        let refused = refused.refused(400, "validation_failed");
        assert_eq!(wrong_fields(&refused), ["allow_list"], "{entry}");
        let message = format!("invalid allow_list entry \"{entry}\": want <type>:<id>");
        assert_eq!(refused.json()["message"], message);
    }
    let refused =
        create(&app.owner.http, &json!({ "allow_list": ["foo:bar"] })).await.refused(400, "validation_failed");
    assert_eq!(refused.json()["message"], "unknown resource type \"foo\"");

    let entries = |count: u32| (0..count).map(|number| format!("workspace:w{number}")).collect::<Vec<_>>();
    create(&app.owner.http, &json!({ "allow_list": entries(129) })).await.refused(400, "validation_failed");
    for wrong in [json!("*:*"), json!([7]), json!([null]), json!({})] {
        create(&app.owner.http, &json!({ "allow_list": wrong })).await.refused(400, "bad_request");
    }
    assert_eq!(app.database.contents(), before);
    create(&app.owner.http, &json!({ "allow_list": entries(128) })).await.expect(201);
}
