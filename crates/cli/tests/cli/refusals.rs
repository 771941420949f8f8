//! Exit codes and what is said, when the server refuses or fails.

use keyward_domain::Lifetime;
use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::shell::Shell;

on_both! {
    an_expired_session_exits_4_and_says_what_to_do,
    a_bad_variable_exits_4_and_is_blamed,
    a_suspended_user_exits_4,
    a_missing_scope_exits_4,
    a_taken_name_exits_5,
    a_server_that_is_not_keyward_exits_1,
    a_failing_database_exits_6_and_is_not_a_bad_key,
}

async fn an_expired_session_exits_4_and_says_what_to_do(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    app.advance(Lifetime::days(2));
    let run = shell.keyward("tokens list").await;
    assert!(run.stderr.contains(&shell.dir.path().join("session").display().to_string()), "{run:?}");
    assert!(run.stderr.contains("API key expired at \""), "{run:?}");
    run.failed(4, "  hint: run `keyward login`\n");
}

async fn a_bad_variable_exits_4_and_is_blamed(app: TestApp) {
    let shell = Shell::of(&app, &app.owner).with("KEYWARD_SESSION_TOKEN", "nonsense");
    shell.keyward("tokens list").await.is("
        ! error: cannot list tokens
        !   cause: You are signed out or your session has expired. Please sign in again to continue.
        !   cause: API key is invalid.
        !   cause: the credential came from KEYWARD_SESSION_TOKEN
        !   hint: set KEYWARD_SESSION_TOKEN to a live token, or unset it and run `keyward login`
        !   request id: <uuid>
        exit 4");
}

async fn a_suspended_user_exits_4(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let shell = Shell::of(&app, &ada);
    Shell::of(&app, &app.owner).keyward("users suspend ada").await.printed("User ada has been suspended.\n");
    let run = shell.keyward("tokens list").await;
    run.failed(4, "User is not active");
    assert!(!run.stderr.contains("keyward login"), "logging in does not help: {run:?}");
}

async fn a_missing_scope_exits_4(app: TestApp) {
    let token = app.owner.token(&json!({ "scopes": ["workspace:read"] })).await["key"].as_str().unwrap().to_owned();
    let run = Shell::stored(&app.url, &token).keyward("tokens list").await;
    run.failed(4, "api_key:read");
}

async fn a_taken_name_exits_5(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    app.owner.token(&json!({ "token_name": "ci" })).await;
    shell.keyward("tokens create -n ci").await.is("
        ! error: cannot create the token
        !   cause: A token with name \"ci\" already exists.
        !   hint: Choose another name, or expire that token first.
        !   request id: <uuid>
        exit 5");
}

async fn a_server_that_is_not_keyward_exits_1(app: TestApp) {
    let shell = Shell::stored(&format!("{}/elsewhere", app.url), &app.owner.session);
    shell.keyward("tokens list").await.is("
        ! error: cannot list tokens
        !   cause: Route not found.
        !   hint: check that the URL points to a Keyward server and that its version is recent
        !   request id: <uuid>
        exit 1");
}

async fn a_failing_database_exits_6_and_is_not_a_bad_key(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    app.database.execute("ALTER TABLE api_keys RENAME TO lost").unwrap();
    // Less time than the server asks to wait.
    shell.keyward("tokens list --timeout 1s").await.is("
        ! error: cannot list tokens
        !   cause: The server is temporarily unavailable.
        !   hint: Try again in a moment.
        !   request id: <uuid>
        exit 6");
    let run = shell.keyward("tokens list --timeout 4s").await;
    assert_eq!(run.exit, Some(6));
    assert!(run.stderr.matches("trying again in 1.").count() >= 1, "{run:?}");
}
