//! Conditions and orders of the lists of keys.

use keyward_domain::Lifetime;
use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{MY_TOKENS, create, each, expire, text, token_of, wrong_fields};

on_both! {
    each_condition_selects_and_all_must_hold,
    lists_are_ordered_by_any_instant_and_paged,
    a_list_of_all_is_filtered_by_owner,
    what_is_no_condition_is_refused_by_name,
}

async fn names(app: &TestApp, query: &str) -> Vec<String> {
    each(&app.owner.http.get(&format!("{MY_TOKENS}?{query}")).await.expect(200).json(), "token_name")
}

async fn each_condition_selects_and_all_must_hold(app: TestApp) {
    let token = |name: &str, scope: &str| json!({ "token_name": name, "scopes": [scope] });
    let (old, _) = token_of(&app, &app.owner, &token("Old-Deploy", "workspace:*")).await;
    app.advance(Lifetime::hours(2));
    let noon = app.service.now().to_string();
    let (minter, minter_id) = token_of(&app, &app.owner, &json!({ "token_name": "minter" })).await;
    create(&minter, &json!({ "token_name": "child", "scopes": ["template:read"], "lifetime": 3_600_000_000_000_i64 }))
        .await
        .expect(201);
    let (_, ended) = token_of(&app, &app.owner, &token("ended", "task:read")).await;
    let why = json!({ "reason": "compromised", "note": "found in a log" });
    app.owner.http.json("PUT", &format!("/api/v2/users/me/keys/{ended}/expire"), &why).await.expect(204);
    let (_, plain) = token_of(&app, &app.owner, &token("plain", "task:read")).await;
    expire(&app.owner.http, &plain).await;
    old.get("/api/v2/users/me").await.expect(200);
    app.service.flush_usage().await.unwrap();

    for (query, expected) in [
        ("name=deploy", vec!["Old-Deploy"]),
        ("name=EPLO&kind=token", vec!["Old-Deploy"]),
        ("kind=session", vec![]),
        ("scope=workspace:read", vec!["minter", "Old-Deploy"]),
        ("scope=template:read", vec!["minter", "child"]),
        (&format!("created_before={noon}"), vec!["Old-Deploy"]),
        (&format!("created_after={noon}"), vec!["minter", "child"]),
        ("created_after=2000-01-01&created_before=2000-01-02", vec![]),
        (&format!("expires_before={}", app.service.now().checked_add(Lifetime::hours(2)).unwrap()), vec!["child"]),
        ("last_used_after=2000-01-01", vec!["minter", "Old-Deploy"]),
        ("never_used=true", vec!["child"]),
        ("never_used=false", vec!["minter", "Old-Deploy"]),
        ("last_used_ip=127.0.0.0/8", vec!["minter", "Old-Deploy"]),
        ("last_used_ip=127.0.0.1", vec!["minter", "Old-Deploy"]),
        ("last_used_ip=192.0.2.0/24", vec![]),
        (&format!("minted_by={minter_id}"), vec!["child"]),
        ("status=expired", vec!["plain", "ended"]),
        ("status=live", vec!["minter", "Old-Deploy", "child"]),
        ("end_reason=compromised", vec!["ended"]),
        ("end_reason=unspecified", vec!["plain"]),
        ("end_reason=policy", vec![]),
        ("status=live&end_reason=compromised", vec![]),
        ("user=owner", vec!["minter", "Old-Deploy", "child"]),
        ("name=e&scope=workspace:read&never_used=0", vec!["minter", "Old-Deploy"]),
    ] {
        let mut found = names(&app, query).await;
        let mut expected = expected;
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{query}");
    }
    let list = app.owner.http.get(&format!("{MY_TOKENS}?end_reason=compromised")).await.json();
    assert_eq!((&list[0]["end_reason"], &list[0]["end_note"]), (&json!("compromised"), &json!("found in a log")));
    let entry = &app.audit("event:key.expired").await[1];
    assert_eq!((text(entry, "reason"), text(entry, "resource_id")), ("compromised", ended.as_str()));
    let sessions = app.owner.http.get("/api/v2/users/me/keys?kind=session").await.json();
    assert_eq!(each(&sessions, "kind"), ["session"]);
}

async fn lists_are_ordered_by_any_instant_and_paged(app: TestApp) {
    for hours in [3_i64, 1, 2] {
        let body = json!({ "token_name": format!("{hours}h"), "lifetime": hours * 3_600_000_000_000 });
        create(&app.owner.http, &body).await.expect(201);
        app.advance(Lifetime::minutes(1));
    }
    let (used, _) = token_of(&app, &app.owner, &json!({ "token_name": "used" })).await;
    used.get("/api/v2/users/me").await.expect(200);
    app.service.flush_usage().await.unwrap();
    for (query, expected) in [
        ("", ["used", "3h", "2h", "1h"]),
        ("sort=expires_at&order=asc", ["1h", "2h", "3h", "used"]),
        ("sort=created_at", ["used", "2h", "1h", "3h"]),
        ("sort=created_at&order=asc", ["3h", "1h", "2h", "used"]),
    ] {
        assert_eq!(names(&app, query).await, expected, "{query}");
        let mut paged: Vec<String> = Vec::new();
        let mut page = format!("{MY_TOKENS}?{query}&limit=1");
        loop {
            let answer = app.owner.http.get(&page).await.expect(200);
            paged.extend(each(&answer.json(), "token_name"));
            let Some(link) = answer.header("Link") else { break };
            page = link[1..link.find('>').unwrap()].to_owned();
        }
        assert_eq!(paged, expected, "{query}");
    }
    assert_eq!(names(&app, "sort=last_used").await[0], "used");
    assert_eq!(names(&app, "sort=last_used&order=asc").await[3], "used");
    assert_eq!(names(&app, "sort=created_at&name=h&limit=2").await, ["2h", "1h"]);
}

async fn a_list_of_all_is_filtered_by_owner(app: TestApp) {
    let member = app.person("member", &[]).await;
    member.token(&json!({ "token_name": "theirs" })).await;
    app.owner.token(&json!({ "token_name": "mine" })).await;
    for user in ["member", member.id.as_str()] {
        assert_eq!(names(&app, &format!("include_all=true&user={user}")).await, ["theirs"]);
    }
    assert_eq!(names(&app, "user=member").await, [""; 0], "not one of mine");
    let list = |query: &'static str| {
        let http = &member.http;
        async move { http.get(&format!("{MY_TOKENS}?{query}")).await }
    };
    assert_eq!(each(&list("include_all=true&name=i").await.json(), "token_name"), ["theirs"]);
    assert_eq!(wrong_fields(&list("include_all=true&user=owner").await.refused(400, "validation_failed")), ["user"]);
}

async fn what_is_no_condition_is_refused_by_name(app: TestApp) {
    for (field, value) in [
        ("status", "dead"),
        ("kind", "cookie"),
        ("scope", "nothing:read"),
        ("created_after", "yesterday"),
        ("expires_before", "2026-13-01"),
        ("last_used_ip", "300.0.0.0/8"),
        ("minted_by", "x"),
        ("end_reason", "because"),
        ("user", "nobody"),
        ("sort", "name"),
        ("order", "up"),
    ] {
        for list in [MY_TOKENS, "/api/v2/users/me/keys"] {
            let refused = app.owner.http.get(&format!("{list}?{field}={value}")).await;
            let refused: Value = refused.refused(400, "validation_failed").json();
            assert_eq!(each(&refused["validations"], "field"), [field]);
        }
    }
    app.owner.http.get(&format!("{MY_TOKENS}?never_used=perhaps")).await.refused(400, "validation_failed");
}
