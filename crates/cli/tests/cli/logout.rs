//! `keyward logout`.

use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::shell::Shell;

on_both! {
    logging_out_ends_the_session,
    a_session_that_is_over_is_forgotten,
    a_token_is_only_forgotten,
    the_session_of_the_variable_ends_and_the_stored_one_stays,
}

async fn logging_out_ends_the_session(app: TestApp) {
    let person = app.person("ada", &[]).await;
    let shell = Shell::of(&app, &person);
    shell.keyward("logout").await.is("
        Logged out of <url>.
        exit 0");
    person.http.get("/api/v2/users/me").await.refused(401, "key_expired");
    assert_eq!((shell.file("session"), shell.file("url")), (None, Some(app.url.clone())));
    shell.keyward("whoami").await.is("
        ! error: no session token found - run 'keyward login' first
        exit 4");
}

async fn a_session_that_is_over_is_forgotten(app: TestApp) {
    let person = app.person("ada", &[]).await;
    let shell = Shell::of(&app, &person);
    person.http.send("POST", "/api/v2/users/logout").await.expect(200);
    shell.keyward("logout").await.is("
        Logged out of <url>.
        exit 0");
    assert_eq!(shell.file("session"), None);
}

async fn a_token_is_only_forgotten(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "ci" })).await["key"].as_str().unwrap().to_owned();
    let shell = Shell::stored(&app.url, &token);
    shell.keyward("logout").await.is("
        Logged out of <url>.
        ! token <id> was forgotten on this machine but not expired; run `keyward tokens remove` to expire it
        exit 0");
    app.with(&token).get("/api/v2/users/me").await.expect(200);
}

async fn the_session_of_the_variable_ends_and_the_stored_one_stays(app: TestApp) {
    let (one, other) = (app.person("ada", &[]).await, app.person("bob", &[]).await);
    let shell = Shell::of(&app, &one).with("KEYWARD_SESSION_TOKEN", &other.session);
    shell.keyward("logout").await.is("
        Logged out of <url>.
        ! warning: KEYWARD_SESSION_TOKEN is still set; unset it
        exit 0");
    other.http.get("/api/v2/users/me").await.refused(401, "key_expired");
    one.http.get("/api/v2/users/me").await.expect(200);
    assert_eq!(shell.file("session").as_deref().map(str::trim), Some(one.session.as_str()));
}
