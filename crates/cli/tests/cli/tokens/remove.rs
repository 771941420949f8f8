//! `keyward tokens remove`

use keyward_domain::Lifetime;
use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::shell::{Shell, whole_second};

on_both! {
    removing_expires_by_default,
    by_name_by_id_and_by_the_token_itself,
    one_that_is_over_is_left_as_it_is,
    delete_removes_the_record_and_asks_nothing_off_a_terminal,
    stdin_has_one_of_them,
    several_go_on_after_a_failure_and_are_summed_up,
    a_reason_is_kept_and_children_end_with_cascade,
    what_is_not_there_exits_3,
    an_auditor_may_see_but_not_expire,
    another_users_is_removed_by_user_and_name,
    a_token_can_expire_itself,
    who_may_expire_need_not_be_able_to_read,
}

async fn removing_expires_by_default(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    for verb in ["remove", "rm", "delete", "expire"] {
        let token = app.owner.token(&json!({ "token_name": "ci" })).await;
        shell.keyward(&format!("tokens {verb} ci")).await.is("
            Token has been expired.
            exit 0");
        app.with(token["key"].as_str().unwrap()).get("/api/v2/users/me").await.refused(401, "key_expired");
    }
    assert_eq!(app.owner.token_ids("?include_expired=true").await.len(), 4, "the records stay");
}

async fn by_name_by_id_and_by_the_token_itself(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    for field in ["token_name", "id", "key"] {
        let token = app.owner.token(&json!({ "token_name": "my ci" })).await;
        let line = format!("tokens remove '{}'", token[field].as_str().unwrap());
        shell.keyward(&line).await.printed("Token has been expired.\n");
    }
    let other = app.person("ada", &[]).await;
    let line = format!("tokens remove -u ada {}", &other.session[..14]);
    shell.keyward(&line).await.printed("Token has been expired.\n");
    other.http.get("/api/v2/users/me").await.refused(401, "key_expired");
}

async fn one_that_is_over_is_left_as_it_is(app: TestApp) {
    whole_second(&app);
    let shell = Shell::of(&app, &app.owner);
    let ended = app.owner.token(&json!({ "token_name": "ended" })).await;
    shell.keyward("tokens remove ended").await.printed("Token has been expired.\n");
    let since = app.service.now();
    let short = app.owner.token(&json!({ "token_name": "short", "lifetime": 1_000_000_000_i64 })).await;
    app.advance(Lifetime::hours(1));
    let said = format!("Token was already expired (since {since}).\n");
    for name in ["ended", ended["id"].as_str().unwrap(), ended["key"].as_str().unwrap()] {
        shell.keyward(&format!("tokens remove {name}")).await.printed(&said);
    }
    let said = format!("Token was already expired (since {}).\n", short["expires_at"].as_str().unwrap());
    shell.keyward("tokens remove short").await.printed(&said);
    assert_eq!(app.audit("action:write").await.len(), 1);
}

async fn delete_removes_the_record_and_asks_nothing_off_a_terminal(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    for (name, ended_before) in [("name", false), ("ended", true)] {
        app.owner.token(&json!({ "token_name": name })).await;
        if ended_before {
            shell.keyward(&format!("tokens remove {name}")).await.printed("Token has been expired.\n");
        }
        shell.keyward(&format!("tokens remove --delete {name}")).await.is("
            Token has been deleted.
            exit 0");
        assert_eq!(shell.keyward(&format!("tokens view {name}")).await.exit, Some(3));
    }
    let token = app.owner.token(&json!({})).await;
    for exit in [0, 3] {
        let line = format!("tokens rm --delete {}", token["key"].as_str().unwrap());
        assert_eq!(shell.keyward(&line).await.exit, Some(exit));
    }
    assert_eq!(app.audit("action:delete").await.len(), 3);
}

async fn stdin_has_one_of_them(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    for field in ["token_name", "id", "key"] {
        let token = app.owner.token(&json!({ "token_name": "ci" })).await;
        let stdin = format!("{}\n", token[field].as_str().unwrap());
        shell.keyward_reading("tokens remove -", &stdin).await.is("
            Token has been expired.
            exit 0");
    }
    app.owner.token(&json!({ "token_name": "one" })).await;
    app.owner.token(&json!({ "token_name": "other" })).await;
    shell.keyward_reading("tokens remove one -", "other").await.is("
        one: Token has been expired.
        other: Token has been expired.
        ! 2 of 2 expired, 0 failed
        exit 0");
}

async fn several_go_on_after_a_failure_and_are_summed_up(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    whole_second(&app);
    for name in ["one", "other", "third"] {
        app.owner.token(&json!({ "token_name": name })).await;
    }
    shell.keyward("tokens remove third").await.printed("Token has been expired.\n");
    shell.keyward("tokens remove one nope other third").await.is("
        one: Token has been expired.
        nope: failed
        other: Token has been expired.
        third: Token was already expired (since <time>).
        ! error: cannot expire token \"nope\"
        !   cause: Resource not found or you do not have access to this resource
        !   hint: run `keyward tokens list --include-expired` to see the existing tokens
        !   request id: <uuid>
        ! 3 of 4 expired, 1 failed
        exit 3");
    shell.keyward("tokens remove --delete one nope other").await.is("
        one: Token has been deleted.
        nope: failed
        other: Token has been deleted.
        ! error: cannot delete token \"nope\"
        !   cause: Resource not found or you do not have access to this resource
        !   hint: run `keyward tokens list --include-expired` to see the existing tokens
        !   request id: <uuid>
        ! 2 of 3 deleted, 1 failed
        exit 3");
}

async fn a_reason_is_kept_and_children_end_with_cascade(app: TestApp) {
    let parent = app.owner.token(&json!({ "token_name": "parent" })).await;
    let path = "/api/v2/users/me/keys/tokens";
    app.with(parent["key"].as_str().unwrap()).post(path, &json!({ "token_name": "child" })).await.expect(201);
    let shell = Shell::of(&app, &app.owner);
    let line = "tokens rm parent --cascade --reason compromised --note 'found in a log'";
    shell.keyward(line).await.printed("Token has been expired.\n");
    for name in ["parent", "child"] {
        let view = shell.keyward(&format!("tokens view {name} -o json")).await.json();
        assert_eq!((&view["status"], &view["end_reason"]), (&json!("expired"), &json!("compromised")), "{view}");
    }
    app.owner.token(&json!({ "token_name": "ci" })).await;
    shell.keyward("tokens expire ci --user owner --reason retired").await.printed("Token has been expired.\n");
    let note = "x".repeat(501);
    app.owner.token(&json!({ "token_name": "ci" })).await;
    shell.keyward(&format!("tokens rm ci --note {note}")).await.failed(1, "note: ");
}

async fn what_is_not_there_exits_3(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let foreign = app.owner.token(&json!({})).await["id"].as_str().unwrap().to_owned();
    let shell = Shell::of(&app, &ada);
    for line in ["nope", "kwd_0000000000", &foreign, "--delete nope", "--delete kwd_0000000000"] {
        let run = shell.keyward(&format!("tokens remove {line}")).await;
        run.failed(3, "Resource not found or you do not have access to this resource\n");
    }
    assert_eq!(app.owner.token_ids("").await.len(), 1);
}

async fn an_auditor_may_see_but_not_expire(app: TestApp) {
    let auditor = app.person("carol", &["auditor"]).await;
    app.owner.token(&json!({ "token_name": "ci" })).await;
    let run = Shell::of(&app, &auditor).keyward("tokens remove ci -u owner").await;
    assert_eq!((run.exit, run.stdout.as_str()), (Some(4), ""), "{run:?}");
    assert_eq!(app.owner.token_ids("").await.len(), 1);
}

async fn another_users_is_removed_by_user_and_name(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    ada.token(&json!({ "token_name": "hers" })).await;
    let shell = Shell::of(&app, &app.owner);
    assert_eq!(shell.keyward("tokens remove hers").await.exit, Some(3));
    shell.keyward("tokens remove hers --user ada").await.printed("Token has been expired.\n");
}

async fn a_token_can_expire_itself(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "ci" })).await["key"].as_str().unwrap().to_owned();
    let shell = Shell::stored(&app.url, &token);
    shell.keyward("tokens remove ci").await.is("
        Token has been expired.
        exit 0");
    app.with(&token).get("/api/v2/users/me").await.refused(401, "key_expired");
}

async fn who_may_expire_need_not_be_able_to_read(app: TestApp) {
    let scopes = json!({ "scopes": ["api_key:update"] });
    let caller = app.owner.token(&scopes).await["key"].as_str().unwrap().to_owned();
    let token = app.owner.token(&json!({ "token_name": "ci" })).await;
    let line = format!("tokens remove {}", token["id"].as_str().unwrap());
    Shell::stored(&app.url, &caller).keyward(&line).await.printed("Token has been expired.\n");
    app.with(token["key"].as_str().unwrap()).get("/api/v2/users/me").await.refused(401, "key_expired");
}
