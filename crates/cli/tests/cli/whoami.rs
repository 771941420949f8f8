//! `keyward whoami`.

use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::shell::Shell;

on_both! {
    it_says_that_the_credential_came_from_the_file,
    it_says_that_the_credential_came_from_the_variable,
    a_token_of_another_server_is_used_there,
}

async fn it_says_that_the_credential_came_from_the_file(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    let file = shell.dir.path().join("session");
    let run = shell.keyward("whoami").await;
    run.printed(&format!(
        "USER             owner\nNAME\nEMAIL            owner@example.com\nROLES            owner\n\
         URL              {}\nKEY ID           {}\nCREDENTIAL FROM  {}\n",
        app.url,
        &app.owner.session[..14],
        file.display(),
    ));
    assert_eq!(run.stderr, "");
    assert_eq!(
        shell.keyward("whoami -o json").await.json(),
        json!({
            "username": "owner",
            "user_id": app.owner.id,
            "name": "",
            "email": "owner@example.com",
            "roles": ["owner"],
            "url": app.url,
            "key_id": &app.owner.session[..14],
            "source": file,
        })
    );
}

async fn it_says_that_the_credential_came_from_the_variable(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let shell = Shell::of(&app, &app.owner).with("KEYWARD_SESSION_TOKEN", &ada.session);
    let me = shell.keyward("whoami -o json").await.json();
    assert_eq!(me["source"], "KEYWARD_SESSION_TOKEN");
    assert_eq!(me["username"], "ada");
    assert_eq!(me["key_id"], &ada.session[..14]);
    let told = shell.keyward("whoami").await.stdout;
    assert!(told.contains("ROLES            member\n"), "{told}");
    assert!(told.ends_with("CREDENTIAL FROM  KEYWARD_SESSION_TOKEN\n"), "{told}");
    assert!(!told.contains(&ada.session));
}

async fn a_token_of_another_server_is_used_there(app: TestApp) {
    let token = app.owner.token(&json!({ "scopes": ["workspace:read"] })).await["key"].as_str().unwrap().to_owned();
    let shell = Shell::stored("http://elsewhere.example", "kws_a1B2c3D4e5-0123456789abcdefghijklmnopqr")
        .with("KEYWARD_SESSION_TOKEN", token)
        .with("KEYWARD_URL", &app.url);
    assert_eq!(shell.keyward("whoami -o json").await.json()["username"], "owner", "who one is needs no scope");
}
