//! `keyward tokens view`

use keyward_domain::Lifetime;
use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::shell::{Shell, whole_second};

on_both! {
    by_name_by_id_and_by_the_token_itself,
    a_session_is_shown_by_its_id,
    the_live_one_of_a_name_wins,
    another_users_token_is_found_by_user_and_name,
    the_chain_leads_up_to_a_login_and_down_one_step,
    a_minter_without_a_record_ends_the_chain,
    the_last_uses_are_shown_by_way_and_address,
    what_is_not_there_exits_3,
}

async fn by_name_by_id_and_by_the_token_itself(app: TestApp) {
    whole_second(&app);
    let token = app.owner.token(&json!({ "token_name": "my ci" })).await;
    let (id, key) = (token["id"].as_str().unwrap(), token["key"].as_str().unwrap());
    let shell = Shell::of(&app, &app.owner);
    for name in ["'my ci'", id, key] {
        let run = shell.keyward(&format!("tokens view {name}")).await;
        run.is("
            ID          <id>
            NAME        my ci
            SCOPES      *:*
            ALLOW LIST  *:*
            LAST USED   never
            EXPIRES AT  <time>
            CREATED AT  <time>
            STATUS      live
            KIND        token
            OWNER ID    <uuid>
            MINTED BY
              <id>  (session)  owner
            exit 0");
        let mut shown = token.clone();
        shown.as_object_mut().unwrap().remove("key");
        assert_eq!(shell.keyward(&format!("tokens view {name} -o json")).await.json(), shown, "{name}");
    }
}

async fn a_session_is_shown_by_its_id(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    for name in [&app.owner.session[..14], &app.owner.session] {
        let shown = shell.keyward(&format!("tokens view {name} -o json")).await.json();
        assert_eq!((&shown["id"], &shown["login_type"]), (&json!(app.owner.session[..14]), &json!("password")));
    }
    let run = shell.keyward(&format!("tokens view {}", &app.owner.session[..14])).await;
    assert!(run.stdout.contains("KIND        session\n"), "{run:?}");
}

async fn the_live_one_of_a_name_wins(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    let old = app.owner.token(&json!({ "token_name": "ci" })).await;
    shell.keyward("tokens remove ci").await.printed("Token has been expired.\n");
    let seen = shell.keyward("tokens view ci -o json").await.json();
    assert_eq!(seen["id"], old["id"], "the expired one, for want of a live one");
    let new = app.owner.token(&json!({ "token_name": "ci" })).await;
    assert_eq!(shell.keyward("tokens view ci -o json").await.json()["id"], new["id"]);
}

async fn another_users_token_is_found_by_user_and_name(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let token = ada.token(&json!({ "token_name": "hers" })).await;
    let shell = Shell::of(&app, &app.owner);
    let id = token["id"].as_str().unwrap();
    for line in ["hers -u ada", &format!("{id} -u ada"), id] {
        assert_eq!(shell.keyward(&format!("tokens view {line} -o json")).await.json()["id"], id, "{line}");
    }
    assert_eq!(shell.keyward("tokens view hers").await.exit, Some(3));
    assert_eq!(
        Shell::of(&app, &app.person("bob", &[]).await).keyward(&format!("tokens view {id}")).await.exit,
        Some(3)
    );
}

async fn the_chain_leads_up_to_a_login_and_down_one_step(app: TestApp) {
    whole_second(&app);
    let path = "/api/v2/users/me/keys/tokens";
    let parent = app.owner.token(&json!({ "token_name": "parent" })).await;
    let parent_http = app.with(parent["key"].as_str().unwrap());
    let child = parent_http.post(path, &json!({ "token_name": "child" })).await.expect(201).json();
    let child_http = app.with(child["key"].as_str().unwrap());
    child_http.post(path, &json!({ "token_name": "grandchild" })).await.expect(201);
    child_http.get("/api/v2/users/me").await.expect(200);
    app.service.flush_usage().await.unwrap();
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("tokens rm grandchild").await.printed("Token has been expired.\n");
    app.database.execute("UPDATE api_keys SET last_used = created_at WHERE token_name = 'child'").unwrap();
    shell.keyward("tokens view child").await.is("
        ID            <id>
        NAME          child
        SCOPES        *:*
        ALLOW LIST    *:*
        LAST USED     <time>
        EXPIRES AT    <time>
        CREATED AT    <time>
        LAST USED IP  127.0.0.1
        STATUS        live
        KIND          token
        OWNER ID      <uuid>
        MINTED BY
          <id>  parent  owner
            <id>  (session)  owner
        MINTED
          <id>  grandchild  owner
        exit 0");
    for number in 0..22 {
        parent_http.post(path, &json!({ "token_name": format!("t{number}") })).await.expect(201);
    }
    let view = shell.keyward("tokens view parent").await.stdout;
    assert!(view.ends_with("  owner\n  and 3 more\n"), "{view}");
    assert_eq!(view.lines().skip_while(|line| *line != "MINTED").count(), 22, "{view}");
}

async fn a_minter_without_a_record_ends_the_chain(app: TestApp) {
    let path = "/api/v2/users/me/keys/tokens";
    let parent = app.owner.token(&json!({ "token_name": "parent" })).await;
    app.with(parent["key"].as_str().unwrap()).post(path, &json!({ "token_name": "child" })).await.expect(201);
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("tokens rm parent --delete").await.printed("Token has been deleted.\n");
    let view = shell.keyward("tokens view child").await.stdout;
    assert!(view.ends_with(&format!("MINTED BY\n  {}  (record gone)\n", parent["id"].as_str().unwrap())), "{view}");
}

async fn the_last_uses_are_shown_by_way_and_address(app: TestApp) {
    whole_second(&app);
    let token = app.owner.token(&json!({ "token_name": "ci", "scopes": ["workspace:read"] })).await;
    let user = app.with(token["key"].as_str().unwrap());
    for _ in 0..3 {
        user.get("/api/v2/users/me").await.expect(200);
    }
    app.advance(Lifetime::minutes(1));
    let shop = app.person("svc-shop", &["owner"]).await;
    shop.http.post("/api/v2/verifiers/look-up", &json!({ "key": token["key"] })).await.expect(200);
    app.service.flush_activity().await.unwrap();
    let shell = Shell::of(&app, &app.owner);
    let uses = async || {
        let view = shell.keyward("tokens view ci").await;
        assert_eq!((view.exit, view.stderr.as_str()), (Some(0), ""));
        view.stdout.lines().skip_while(|line| *line != "LAST USES").map(str::to_owned).collect::<Vec<_>>()
    };
    let seen = uses().await;
    assert!(seen[1].starts_with("  embedded by svc-shop, 1 time, last 20"), "{seen:?}");
    assert!(seen[2].starts_with("  api from 127.0.0.1, 3 times, last 20"), "{seen:?}");
    assert_eq!(seen[3], "MINTED BY", "{seen:?}");
    for _ in 0..7 {
        app.advance(Lifetime::hours(1));
        user.get("/api/v2/users").await.refused(403, "insufficient_scope");
    }
    app.advance(Lifetime::hours(1));
    shell.keyward("tokens expire ci").await.printed("Token has been expired.\n");
    user.get("/api/v2/users/me").await.refused(401, "key_expired");
    user.get("/api/v2/users/me").await.refused(401, "key_expired");
    app.service.flush_activity().await.unwrap();
    let seen = uses().await;
    assert!(seen[3].starts_with("  REFUSED key_expired from 127.0.0.1, 2 times, last 20"), "{seen:?}");
    assert!(seen[4].starts_with("  REFUSED insufficient_scope from 127.0.0.1, 1 time, last 20"), "{seen:?}");
    assert_eq!(seen[8], "MINTED BY", "5 of each: {seen:?}");
}

async fn what_is_not_there_exits_3(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    for name in ["nope", "kwd_0000000000", "kwd_0000000000-0123456789abcdefghijklmnopqr", "'a/b?c#d%'"] {
        let run = shell.keyward(&format!("tokens view {name}")).await;
        run.failed(3, "Resource not found or you do not have access to this resource\n");
        assert!(!run.stderr.contains("0123456789"), "{run:?}");
    }
    shell.keyward("tokens view nope").await.is("
        ! error: cannot view token \"nope\"
        !   cause: Resource not found or you do not have access to this resource
        !   hint: run `keyward tokens list --include-expired` to see the existing tokens
        !   request id: <uuid>
        exit 3");
}
