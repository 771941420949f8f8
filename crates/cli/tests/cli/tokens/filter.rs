//! The conditions and orders of `keyward tokens list`

use keyward_domain::Lifetime;
use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::shell::{Shell, whole_second};

on_both! {
    each_condition_is_a_flag,
    lists_are_ordered_by_any_instant,
    sessions_have_conditions_too,
    the_status_is_shown_where_it_differs,
    a_scope_that_does_not_exist_is_quoted,
}

async fn each_condition_is_a_flag(app: TestApp) {
    let old = app.owner.token(&json!({ "token_name": "Old-Deploy", "scopes": ["workspace:*"] })).await;
    app.with(old["key"].as_str().unwrap()).get("/api/v2/users/me").await.expect(200);
    app.service.flush_usage().await.unwrap();
    app.advance(Lifetime::hours(1));
    let noon = app.service.now();
    let minter = app.owner.token(&json!({ "token_name": "minter", "scopes": ["*:*"] })).await;
    let path = "/api/v2/users/me/keys/tokens";
    let child = json!({ "token_name": "child", "scopes": ["template:read"], "lifetime": 3_600_000_000_000_i64 });
    app.with(minter["key"].as_str().unwrap()).post(path, &child).await.expect(201);
    app.service.flush_usage().await.unwrap();
    let later = noon.checked_add(Lifetime::hours(2)).unwrap();
    let minter = minter["id"].as_str().unwrap();
    let shell = Shell::of(&app, &app.owner);
    for (line, names) in [
        ("--name deploy".to_owned(), "Old-Deploy"),
        ("--name EPLO --status live".to_owned(), "Old-Deploy"),
        ("--scope template:read".to_owned(), "child,minter"),
        (format!("--created-before {noon}"), "Old-Deploy"),
        (format!("--created-after {noon}"), "child,minter"),
        ("--created-before 2000-01-01".to_owned(), ""),
        ("--created-after 900d".to_owned(), "Old-Deploy,child,minter"),
        (format!("--expires-before {later}"), "child"),
        (format!("--expires-after {later}"), "Old-Deploy,minter"),
        ("--expires-after +9000d".to_owned(), ""),
        ("--used-after 2000-01-01 --name d".to_owned(), "Old-Deploy"),
        ("--used-before 2000-01-01".to_owned(), "child"),
        ("--never-used --name d".to_owned(), "child"),
        ("--last-used-ip 127.0.0.0/8 --name d".to_owned(), "Old-Deploy"),
        ("--last-used-ip 192.0.2.7".to_owned(), ""),
        (format!("--minted-by {minter}"), "child"),
        ("--end-reason policy".to_owned(), ""),
    ] {
        let run = shell.keyward(&format!("tokens list -c name -o csv {line}")).await;
        assert_eq!(run.exit, Some(0), "{line}: {run:?}");
        let mut found: Vec<_> = run.stdout.lines().skip(1).collect();
        found.sort_unstable();
        assert_eq!(found.join(","), names, "{line}: {run:?}");
    }
}

async fn lists_are_ordered_by_any_instant(app: TestApp) {
    for hours in [3_i64, 1, 2] {
        app.owner.token(&json!({ "token_name": format!("{hours}h"), "lifetime": hours * 3_600_000_000_000 })).await;
        app.advance(Lifetime::minutes(1));
    }
    let shell = Shell::of(&app, &app.owner);
    for (line, names) in [
        ("", "3h\n2h\n1h"),
        ("--order asc", "1h\n2h\n3h"),
        ("--sort created-at", "2h\n1h\n3h"),
        ("--sort created_at --order asc", "3h\n1h\n2h"),
    ] {
        shell.keyward(&format!("tokens list -c name {line}")).await.printed(&format!("NAME\n{names}\n"));
    }
    assert_eq!(shell.keyward("tokens list --sort last-used -o json").await.exit, Some(0));
}

async fn sessions_have_conditions_too(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    let id = &app.owner.session[..14];
    shell.keyward("tokens list --sessions -c id --created-after 2000-01-01").await.printed(&format!("ID\n{id}\n"));
    shell.keyward("tokens list --sessions --created-before 2000-01-01").await.is("
        ! No sessions found.
        exit 0");
}

async fn the_status_is_shown_where_it_differs(app: TestApp) {
    whole_second(&app);
    let shell = Shell::of(&app, &app.owner);
    app.owner.token(&json!({ "token_name": "live" })).await;
    app.owner.token(&json!({ "token_name": "ended" })).await;
    shell.keyward("tokens rm ended --reason superseded --note 'by live'").await.printed("Token has been expired.\n");
    let expired = shell.keyward("tokens list --status expired").await;
    expired.is("
        ID              NAME   SCOPES  ALLOW LIST  LAST USED  EXPIRES AT            CREATED AT            STATUS
        <id>  ended  *:*     *:*         never      <time>  <time>  expired
        exit 0");
    shell.keyward("tokens list --status live -c name,status").await.is("
        NAME  STATUS
        live  live
        exit 0");
    shell
        .keyward("tokens list --end-reason superseded -c name,end-reason,last-used-ip,minted-by -o csv")
        .await
        .printed(&format!("name,end reason,last used ip,minted by\nended,superseded,,{}\n", &app.owner.session[..14]));
}

async fn a_scope_that_does_not_exist_is_quoted(app: TestApp) {
    let run = Shell::of(&app, &app.owner).keyward("tokens list --scope nothing:read").await;
    run.failed(1, "nothing:read");
}
