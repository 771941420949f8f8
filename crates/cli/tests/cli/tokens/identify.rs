//! `keyward tokens identify`

use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::shell::{Shell, whole_second};

on_both! {
    a_text_leads_to_its_key_and_owner,
    what_leads_to_no_key_exits_3_and_is_not_repeated,
}

async fn a_text_leads_to_its_key_and_owner(app: TestApp) {
    whole_second(&app);
    let ada = app.person("ada", &[]).await;
    let token = ada.token(&json!({ "token_name": "ci" })).await;
    let (id, key) = (token["id"].as_str().unwrap(), token["key"].as_str().unwrap());
    let shell = Shell::of(&app, &app.owner);
    for (line, stdin) in [("", key), ("-", key), (key, ""), ("", &format!("  {key} "))] {
        let run = shell.keyward_reading(&format!("tokens identify {line}"), &format!("{stdin}\n")).await;
        run.is("
            HOW         exact: the secret is the key's
            ID          <id>
            NAME        ci
            SCOPES      *:*
            ALLOW LIST  *:*
            LAST USED   never
            EXPIRES AT  <time>
            CREATED AT  <time>
            STATUS      live
            KIND        token
            OWNER ID    <uuid>
            OWNER       ada
            exit 0");
    }
    let run = shell.keyward(&format!("tokens identify {id}")).await;
    assert!(run.stdout.starts_with("HOW         id_only: the ID is the key's, and the secret is"), "{run:?}");
    let shown = shell.keyward_reading("tokens identify -o json", key).await.json();
    assert_eq!((&shown["how"], &shown["user"]["username"]), (&json!("exact"), &json!("ada")));
}

async fn what_leads_to_no_key_exits_3_and_is_not_repeated(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let foreign = app.owner.token(&json!({})).await["key"].as_str().unwrap().to_owned();
    let shell = Shell::of(&app, &ada);
    shell.keyward_reading("tokens identify", "hush-hush").await.is("
        ! error: no key was found
        !   cause: the text is not a key, and does not begin with the ID of one
        !   hint: check that the text begins with kwd_ or kws_; `keyward tokens view ID` shows a key by its ID
        exit 3");
    let run = shell.keyward_reading("tokens identify", &foreign).await;
    run.is("
        ! error: no key was found
        !   cause: no key has the ID in the text, or you may not see it
        exit 3");
    shell.keyward_reading("tokens identify", "").await.failed(2, "as one line on stdin, but got no text");
    let run = Shell::new().keyward(&format!("tokens identify {foreign}")).await;
    run.failed(4, "no server is configured");
    assert!(!run.stderr.contains(&foreign[15..]), "{run:?}");
}
