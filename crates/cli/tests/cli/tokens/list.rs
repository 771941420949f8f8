//! `keyward tokens list`

use keyward_domain::Lifetime;
use keyward_test_support::{Person, TestApp, on_both};
use serde_json::json;

use crate::shell::{Shell, whole_second};

const SECOND: i64 = 1_000_000_000;

/// A live token, and two that are over: one ended by hand, one by its lifetime.
async fn one_live_two_expired(app: &TestApp, person: &Person) {
    whole_second(app);
    person.token(&json!({ "token_name": "live", "scopes": ["workspace:read", "template:*"] })).await;
    person.token(&json!({ "token_name": "short", "lifetime": SECOND })).await;
    let ended = person.token(&json!({ "token_name": "ended" })).await;
    let path = format!("/api/v2/users/me/keys/{}/expire", ended["id"].as_str().unwrap());
    person.http.send("PUT", &path).await.expect(204);
    app.advance(Lifetime::from_secs(2).unwrap());
}

on_both! {
    tokens_filter_expired,
    the_server_decides_what_has_expired,
    none_are_none,
    csv_has_a_header_and_exact_times_and_no_formulas,
    columns_are_chosen_and_ordered,
    all_adds_the_owner,
    another_users_tokens_are_listed_by_user,
    sessions_are_listed_apart,
    hidden_ones_are_counted_up_to_a_thousand,
    what_a_server_says_is_printed_visibly,
    off_a_terminal_nothing_is_cut_wrapped_or_coloured,
}

async fn tokens_filter_expired(app: TestApp) {
    one_live_two_expired(&app, &app.owner).await;
    let shell = Shell::of(&app, &app.owner);
    let live = shell.keyward("tokens list").await;
    live.is("
        ID              NAME  SCOPES                      ALLOW LIST  LAST USED  EXPIRES AT            CREATED AT
        <id>  live  workspace:read, template:*  *:*         never      <time>  <time>
        ! 2 expired tokens hidden; --include-expired shows them
        exit 0");
    let all = shell.keyward("tokens ls --include-expired").await;
    all.is("
        ID              NAME   SCOPES                      ALLOW LIST  LAST USED  EXPIRES AT            CREATED AT            STATUS
        <id>  live   workspace:read, template:*  *:*         never      <time>  <time>  live
        <id>  short  *:*                         *:*         never      <time>  <time>  expired
        <id>  ended  *:*                         *:*         never      <time>  <time>  expired
        exit 0");
    for (line, count) in [("", 1), ("--include-expired", 3), ("--all", 1), ("-a --include-expired", 3), ("-u owner", 1)]
    {
        let run = shell.keyward(&format!("tokens list -o json {line}")).await;
        let list: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(list.as_array().unwrap().len(), count, "{line}");
        let told = if count == 1 { "2 expired tokens hidden; --include-expired shows them\n" } else { "" };
        assert_eq!((run.exit, run.stderr.as_str()), (Some(0), told), "{line}");
    }
    // What is listed is what the server lists: the program itself filters nothing.
    let query = "/api/v2/users/me/keys/tokens?include_expired=true";
    let listed = app.owner.http.get(query).await.expect(200).json();
    assert_eq!(shell.keyward("tokens list --include-expired -o json").await.json(), listed);
}

async fn the_server_decides_what_has_expired(app: TestApp) {
    // By the clock of this machine none of these is over for days.
    app.owner.token(&json!({ "token_name": "one" })).await;
    app.owner.token(&json!({ "token_name": "other", "lifetime": 3600 * SECOND })).await;
    let token = app.owner.token(&json!({ "token_name": "ci", "lifetime": 604_800 * SECOND })).await;
    app.advance(Lifetime::hours(2));
    let shell = Shell::stored(&app.url, token["key"].as_str().unwrap());
    let run = shell.keyward("tokens list -c name").await;
    assert_eq!(run.stderr, "1 expired token hidden; --include-expired shows them\n");
    assert_eq!(run.stdout.lines().count(), 3, "{run:?}");
}

async fn none_are_none(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    for line in ["", "-o csv", "--include-expired", "--all"] {
        shell.keyward(&format!("tokens list {line}")).await.is("
            ! No tokens found.
            exit 0");
    }
    shell.keyward("tokens list -o json").await.is("
        []
        ! No tokens found.
        exit 0");
    let token = app.owner.token(&json!({ "lifetime": SECOND })).await;
    assert!(token["key"].is_string());
    app.advance(Lifetime::minutes(1));
    shell.keyward("tokens list").await.is("
        ! No tokens found.
        ! 1 expired token hidden; --include-expired shows them
        exit 0");
}

async fn csv_has_a_header_and_exact_times_and_no_formulas(app: TestApp) {
    whole_second(&app);
    let body = json!({ "token_name": "=1+1,\"x\"", "scopes": ["workspace:read", "template:read"] });
    let token = app.owner.token(&body).await;
    let run = Shell::of(&app, &app.owner).keyward("tokens list -o csv").await;
    run.printed(&format!(
        "id,name,scopes,allow list,last used,expires at,created at\n\
         {},\"'=1+1,\"\"x\"\"\",\"workspace:read, template:read\",*:*,,{},{}\n",
        token["id"].as_str().unwrap(),
        token["expires_at"].as_str().unwrap(),
        token["created_at"].as_str().unwrap(),
    ));
    for (name, cell) in [("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("x=1", "x=1")] {
        app.owner.token(&json!({ "token_name": name })).await;
        let list = Shell::of(&app, &app.owner).keyward("tokens list -o csv -c name").await.stdout;
        assert!(list.lines().any(|line| line == cell), "{list}");
    }
}

async fn columns_are_chosen_and_ordered(app: TestApp) {
    app.owner.token(&json!({ "token_name": "ci" })).await;
    let shell = Shell::of(&app, &app.owner);
    for line in ["-c name -c owner", "-c name,owner", "--column Name --column OWNER"] {
        shell.keyward(&format!("tokens list {line}")).await.printed("NAME  OWNER\nci    owner\n");
    }
    shell
        .keyward("tokens list -c 'allow list,allow_list,allow-list' -o csv")
        .await
        .printed("allow list,allow list,allow list\n*:*,*:*,*:*\n");
}

async fn all_adds_the_owner(app: TestApp) {
    let (ada, auditor) = (app.person("ada", &[]).await, app.person("carol", &["auditor"]).await);
    app.owner.token(&json!({ "token_name": "mine" })).await;
    ada.token(&json!({ "token_name": "hers", "lifetime": 3600 * SECOND })).await;
    for who in [&app.owner, &auditor] {
        let shell = Shell::of(&app, who);
        let list = shell.keyward("tokens list -a -o csv").await.stdout;
        let lines: Vec<_> = list.lines().collect();
        assert!(lines[0].ends_with(",created at,owner"), "{list}");
        assert!(lines[1].contains(",mine,") && lines[1].ends_with(",owner"), "{list}");
        assert!(lines[2].contains(",hers,") && lines[2].ends_with(",ada"), "{list}");
        shell.keyward("tokens list --all -c name").await.printed("NAME\nmine\nhers\n");
    }
    // Who may not read others' tokens gets their own.
    Shell::of(&app, &ada).keyward("tokens list --all -c name,owner").await.printed("NAME  OWNER\nhers  ada\n");
}

async fn another_users_tokens_are_listed_by_user(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    ada.token(&json!({ "token_name": "hers" })).await;
    let shell = Shell::of(&app, &app.owner);
    for user in ["ada", ada.id.as_str()] {
        shell.keyward(&format!("tokens list -u {user} -c name")).await.printed("NAME\nhers\n");
    }
    Shell::of(&app, &ada).keyward("tokens list --user owner").await.is("
        ! error: cannot list tokens
        !   cause: Resource not found or you do not have access to this resource
        !   request id: <uuid>
        exit 3");
}

async fn sessions_are_listed_apart(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    ada.token(&json!({ "token_name": "hers" })).await;
    let shell = Shell::of(&app, &ada);
    shell
        .keyward("tokens list --sessions -c id,name")
        .await
        .printed(&format!("ID              NAME\n{}\n", &ada.session[..14]));
    let list = shell.keyward("tokens list --sessions -o json").await.json();
    assert_eq!(list[0]["login_type"], "password");
    ada.http.send("POST", "/api/v2/users/logout").await.expect(200);
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("tokens list --sessions --user ada").await.is("
        ! No sessions found.
        ! 1 expired session hidden; --include-expired shows them
        exit 0");
    let list = shell.keyward("tokens list --sessions --user ada --include-expired -o json").await.json();
    assert_eq!(list.as_array().unwrap().len(), 1);
}

async fn hidden_ones_are_counted_up_to_a_thousand(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    app.owner.token(&json!({ "token_name": "live" })).await;
    let short = app.owner.token(&json!({ "token_name": "short", "lifetime": SECOND })).await;
    app.advance(Lifetime::minutes(1));
    app.database.copy_expired_key(short["id"].as_str().unwrap(), 1..=999).unwrap();
    let told = shell.keyward("tokens list -c name").await;
    assert_eq!(told.stderr, "1000 expired tokens hidden; --include-expired shows them\n");
    app.database.copy_expired_key(short["id"].as_str().unwrap(), 1_000..=1_000).unwrap();
    let told = shell.keyward("tokens list -c name").await;
    told.printed("NAME\nlive\n");
    assert_eq!(told.stderr, "more than 1000 expired tokens hidden; --include-expired shows them\n");
    let all = shell.keyward("tokens list --include-expired -o json").await.json();
    assert_eq!(all.as_array().unwrap().len(), 1_002, "every page");
}

async fn what_a_server_says_is_printed_visibly(app: TestApp) {
    let id = app.owner.token(&json!({ "token_name": "ci" })).await["id"].as_str().unwrap().to_owned();
    // No name may be like that, but a server is not to be trusted with a terminal.
    let name = "a\u{1b}[31m\u{202e}b\u{7f}";
    app.database.execute(&format!("UPDATE api_keys SET token_name = '{name}' WHERE id = '{id}'")).unwrap();
    let shell = Shell::of(&app, &app.owner);
    let seen = "a\\u{1b}[31m\\u{202e}b\\u{7f}";
    shell.keyward("tokens list -c name").await.printed(&format!("NAME\n{seen}\n"));
    shell.keyward("tokens list -c name -o csv").await.printed(&format!("name\n{seen}\n"));
    let view = shell.keyward(&format!("tokens view {id}")).await.stdout;
    assert!(view.contains(seen), "{view}");
    let run = shell.keyward("tokens list -o json").await;
    assert!(run.stdout.contains(r#""a\u001b[31m\u202eb\u007f""#), "{run:?}");
    assert_eq!(run.json()[0]["token_name"], name);
}

async fn off_a_terminal_nothing_is_cut_wrapped_or_coloured(app: TestApp) {
    let allow: Vec<_> = (10..60).map(|number| format!("workspace:web-{number}")).collect();
    app.owner.token(&json!({ "token_name": "ci", "allow_list": allow })).await;
    let list = Shell::of(&app, &app.owner).keyward("tokens list").await.stdout;
    assert_eq!(list.lines().count(), 2, "{list}");
    assert!(list.contains(&allow.join(", ")), "{list}");
    assert!(!list.contains('\u{1b}'), "{list}");
}
