//! `keyward tokens create`

use std::process::Stdio;

use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::shell::{Run, Shell, aside};

/// What is said of a token without scopes.
const UNLIMITED: &str =
    "The token can do everything its owner can; --scope narrows it, as in --scope workspace:read.\n";

on_both! {
    it_prints_the_token_alone,
    a_token_that_nobody_could_read_is_told_of,
    json_is_the_whole_answer,
    without_flags_the_server_chooses,
    every_unit_of_a_lifetime_is_understood,
    scopes_may_be_separated_by_commas,
    an_owner_makes_tokens_for_others,
    too_long_a_lifetime_is_refused_with_the_limit,
    an_unknown_scope_is_refused_with_near_ones,
    a_bad_allow_list_is_refused,
    a_name_that_cannot_be_is_refused,
    a_token_cannot_make_more_than_itself,
}

async fn it_prints_the_token_alone(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    let run = shell.keyward("tokens create -n ci").await;
    run.is("
        <token>
        ! The token can do everything its owner can; --scope narrows it, as in --scope workspace:read.
        exit 0");
    app.with(run.stdout.trim_end()).get("/api/v2/users/me").await.expect(200);
}

async fn a_token_that_nobody_could_read_is_told_of(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    let mut command = shell.command("tokens create -n ci");
    let run = aside(move || {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        Run::of(child.wait_with_output().unwrap())
    })
    .await;
    run.is("
        ! error: token <id> was created but could not be printed
        !   cause: stdout is closed
        !   hint: the token was not printed; expire it with `keyward tokens remove <id>` and create another
        exit 1");
}

async fn json_is_the_whole_answer(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    let line = "token create --name ci --lifetime 1d12h --scope workspace:read --scope api_key:read \
                --allow workspace:web-1 --allow template:* -o json";
    let created = shell.keyward(line).await.json();
    let viewed = app.owner.http.get("/api/v2/users/me/keys/tokens/ci").await.expect(200).json();
    for (field, value) in viewed.as_object().unwrap() {
        assert_eq!(&created[field], value, "{field}");
    }
    assert!(created["key"].as_str().unwrap().starts_with(&format!("{}-", created["id"].as_str().unwrap())));
    assert_eq!(created["lifetime_seconds"], 36 * 3600);
    assert_eq!(created["scopes"], json!(["workspace:read", "api_key:read"]));
    assert_eq!(created["allow_list"], json!(["template:*", "workspace:web-1"]));
}

async fn scopes_may_be_separated_by_commas(app: TestApp) {
    let line = "tokens create -o json --scope workspace:read,api_key:read --allow template:*,workspace:web-1";
    let created = Shell::of(&app, &app.owner).keyward(line).await.json();
    assert_eq!(created["scopes"], json!(["workspace:read", "api_key:read"]));
    assert_eq!(created["allow_list"], json!(["template:*", "workspace:web-1"]));
}

async fn without_flags_the_server_chooses(app: TestApp) {
    let created = Shell::of(&app, &app.owner).keyward("tokens create -o json").await.json_saying(UNLIMITED);
    assert_eq!(created["lifetime_seconds"], 7 * 24 * 3600);
    assert_eq!(created["scopes"], json!(["*:*"]));
    assert_eq!(created["allow_list"], json!(["*:*"]));
    assert_eq!(created["token_name"].as_str().unwrap().split('-').count(), 3, "{created}");
}

async fn every_unit_of_a_lifetime_is_understood(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let shell = Shell::of(&app, &ada);
    for (lifetime, seconds) in [
        ("1s", 1),
        ("90m", 5_400),
        ("8h", 28_800),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
        ("1y", 31_536_000),
        ("1w1d1h1m1s", 694_861),
    ] {
        let created =
            shell.keyward(&format!("tokens create --lifetime {lifetime} -o json")).await.json_saying(UNLIMITED);
        assert_eq!(created["lifetime_seconds"], seconds, "{lifetime}");
    }
}

async fn an_owner_makes_tokens_for_others(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let shell = Shell::of(&app, &app.owner);
    for user in ["ada", "ADA", ada.id.as_str()] {
        let created = shell.keyward(&format!("tokens create -u {user} -o json")).await.json_saying(UNLIMITED);
        assert_eq!(created["user_id"], ada.id.as_str());
    }
    shell.keyward("tokens create --user nobody").await.is("
        ! error: cannot create the token
        !   cause: Resource not found or you do not have access to this resource
        !   request id: <uuid>
        exit 3");
    let run = Shell::of(&app, &ada).keyward("tokens create --user owner").await;
    assert_eq!(run.exit, Some(3), "others are not to be seen: {run:?}");
}

async fn too_long_a_lifetime_is_refused_with_the_limit(app: TestApp) {
    Shell::of(&app, &app.owner).keyward("tokens create --lifetime 8d").await.is("
        ! error: cannot create the token
        !   cause: Failed to validate create API key request.
        !   cause: lifetime must be less than or equal to 7d
        !   hint: The server's flag --max-admin-token-lifetime sets this limit; a service account may have tokens that live longer.
        !   request id: <uuid>
        exit 1");
}

async fn an_unknown_scope_is_refused_with_near_ones(app: TestApp) {
    Shell::of(&app, &app.owner).keyward("tokens create --scope workspace:raed").await.is("
        ! error: cannot create the token
        !   cause: invalid or unsupported API key scope: \"workspace:raed\"
        !   hint: Did you mean workspace:read or workspace:* or workspace:create? GET /api/v2/auth/scopes lists the scopes.
        !   request id: <uuid>
        exit 1");
}

async fn a_bad_allow_list_is_refused(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("tokens create --allow badvalue").await.is("
        ! error: cannot create the token
        !   cause: invalid allow_list entry \"badvalue\": want <type>:<id>
        !   request id: <uuid>
        exit 1");
    let run = shell.keyward("tokens create --allow foo:*").await;
    run.failed(1, "unknown resource type \"foo\"");
}

async fn a_name_that_cannot_be_is_refused(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    for (name, said) in
        [("tokenconfig", "is reserved"), ("kwd_mine", "must not begin with kwd_"), ("a\u{202e}b", "U+202E")]
    {
        shell.keyward(&format!("tokens create -n '{name}'")).await.failed(1, said);
    }
}

async fn a_token_cannot_make_more_than_itself(app: TestApp) {
    let scopes = json!({ "scopes": ["api_key:create", "workspace:read"] });
    let token = app.owner.token(&scopes).await["key"].as_str().unwrap().to_owned();
    let shell = Shell::stored(&app.url, &token);
    let run = shell.keyward("tokens create --scope workspace:read").await;
    assert_eq!(run.exit, Some(0), "{run:?}");
    shell.keyward("tokens create --scope workspace:delete").await.failed(4, "workspace:delete");
}
