//! `keyward tokens expire` with conditions, and `keyward incidents`

use keyward_domain::Lifetime;
use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::shell::{Shell, whole_second};

on_both! {
    a_dry_run_shows_what_would_end,
    what_was_selected_ends_under_one_incident,
    children_end_only_with_cascade,
    the_key_in_use_is_spared,
    nothing_live_is_nothing_to_do,
    ids_select_and_secrets_are_dropped,
    a_stopped_incident_goes_on,
    an_incident_of_someone_else_is_hidden,
    a_bad_value_is_refused_by_its_name,
}

fn id(token: &Value) -> &str {
    token["id"].as_str().unwrap()
}

async fn is_live(app: &TestApp, token: &Value) -> bool {
    app.with(token["key"].as_str().unwrap()).get("/api/v2/users/me").await.status == 200
}

/// The id of the incident that a run has announced.
fn incident_of(stderr: &str) -> String {
    let line = stderr.lines().find(|line| line.starts_with("Incident ")).unwrap_or_else(|| panic!("{stderr}"));
    line["Incident ".len()..][..36].to_owned()
}

async fn a_dry_run_shows_what_would_end(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let used = ada.token(&json!({ "token_name": "leaked" })).await;
    ada.token(&json!({ "token_name": "leaked-before" })).await;
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("tokens rm leaked-before -u ada").await.printed("Token has been expired.\n");
    assert!(is_live(&app, &used).await);
    app.service.flush_usage().await.unwrap();
    whole_second(&app);
    app.database.execute("UPDATE api_keys SET last_used = created_at WHERE token_name = 'leaked'").unwrap();
    let line = "tokens expire --user ada --kind token --name LEAKED --dry-run";
    shell.keyward(line).await.is("
        2 keys selected: 1 live, 1 expired before
        Used in the last hour: 1; in the last day: 1
        Owners: ada (1)
        ID              NAME    OWNER  LAST USED
        <id>  leaked  ada    <time>
        exit 0");
    let preview = shell.keyward(&format!("{line} -o json")).await.json();
    assert_eq!((&preview["matched"], &preview["sample"][0]["id"]), (&json!(2), &used["id"]));
    assert!(is_live(&app, &used).await);
}

async fn what_was_selected_ends_under_one_incident(app: TestApp) {
    whole_second(&app);
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("incidents list").await.is("
        ! No incidents found.
        exit 0");
    let ada = app.person("ada", &[]).await;
    let (one, other) = (ada.token(&json!({})).await, ada.token(&json!({})).await);
    let line = "tokens expire --user ada --kind token --reason compromised --note 'laptop stolen'";
    shell.keyward(line).await.is("
        ! error: the number of keys must be confirmed, and there is no terminal to prompt on
        !   hint: pass --yes
        !   hint: --dry-run shows what would be expired
        exit 2");
    let run = shell.keyward(&format!("{line} --yes")).await;
    run.is("
        2 keys expired, 0 had expired before; incident <uuid>; no verifier is connected.
        ! 2 keys selected: 2 live, 0 expired before
        ! Used in the last hour: 0; in the last day: 0
        ! Owners: ada (2)
        ! Incident <uuid>. If this is interrupted, run: keyward tokens expire --incident <uuid>
        exit 0");
    assert!(!is_live(&app, &one).await && !is_live(&app, &other).await);
    let view = shell.keyward(&format!("tokens view {} -u ada", id(&one))).await.stdout;
    assert!(view.contains("\nEND REASON  compromised: laptop stolen\n"), "{view}");

    let incident = incident_of(&run.stderr);
    shell.keyward("incidents list").await.is("
        ID                                    STATE  KEYS  EXPIRED  REASON       BY     STARTED AT
        <uuid>  done   2     2        compromised  owner  <time>
        exit 0");
    let csv = shell.keyward("incidents ls -o csv").await.stdout;
    assert!(csv.starts_with(&format!("id,state,keys,expired,reason,by,started at\n{incident},done,2,")), "{csv}");
    assert_eq!(shell.keyward("incidents list -o json").await.json()[0]["id"], incident);
    let view = shell.keyward(&format!("incidents view {incident}")).await;
    view.is("
        ID              <uuid>
        STATE           done
        KEYS            2
        EXPIRED         2
        EXPIRED BEFORE  0
        REASON          compromised
        NOTE            laptop stolen
        SELECTOR        kind: token, user: ada
        CASCADE         no
        BY              owner
        KEY ID          <id>
        STARTED AT      <time>
        ENDED AT        <time>
        VERIFIERS       none connected
        exit 0");
    assert_eq!(shell.keyward(&format!("incidents view {incident} -o json")).await.json()["note"], "laptop stolen");
}

async fn children_end_only_with_cascade(app: TestApp) {
    let parent = app.owner.token(&json!({ "token_name": "parent" })).await;
    let path = "/api/v2/users/me/keys/tokens";
    let child = app.with(parent["key"].as_str().unwrap()).post(path, &json!({ "token_name": "child" })).await;
    let child = child.expect(201).json();
    let shell = Shell::of(&app, &app.owner);
    let run = shell.keyward("tokens expire --name parent --dry-run").await;
    assert!(
        run.stdout.contains("Created by them: 1 key more live, which will stay live without --cascade\n"),
        "{run:?}"
    );
    let run = shell.keyward("tokens expire --name parent --cascade --reason policy --yes -o json").await;
    let done: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.exit, &done["expired"]), (Some(0), &json!(2)), "{run:?}");
    assert!(run.stderr.contains("Created by them: 1 key more live, which will expire too\n"), "{run:?}");
    assert!(!is_live(&app, &child).await);
}

async fn the_key_in_use_is_spared(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "ci" })).await;
    let shell = Shell::stored(&app.url, token["key"].as_str().unwrap());
    let line = "tokens expire --kind token --everything --reason retired --yes";
    assert_eq!(shell.keyward(line).await.exit, Some(0));
    assert!(is_live(&app, &token).await);
    let run = shell.keyward(&format!("{line} --include-self")).await;
    assert!(run.stdout.starts_with("1 key expired, 0 had expired before;"), "{run:?}");
    assert!(!is_live(&app, &token).await);
}

async fn nothing_live_is_nothing_to_do(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("tokens expire --name nope --reason retired --yes").await.is("
        ! 0 keys selected: 0 live, 0 expired before
        ! Used in the last hour: 0; in the last day: 0
        ! Nothing to expire.
        exit 0");
    assert_eq!(shell.keyward("incidents list -o json").await.json_saying("No incidents found.\n"), json!([]));
}

async fn ids_select_and_secrets_are_dropped(app: TestApp) {
    let (one, other) = (app.owner.token(&json!({})).await, app.owner.token(&json!({})).await);
    let third = app.owner.token(&json!({})).await;
    let shell = Shell::of(&app, &app.owner);
    let line = format!("--id {} --id {} --reason superseded --yes", id(&one), other["key"].as_str().unwrap());
    let run = shell.keyward(&format!("tokens expire {line}")).await;
    assert!(run.stdout.starts_with("2 keys expired, 0 had expired before;"), "{run:?}");
    assert!(is_live(&app, &third).await && !is_live(&app, &other).await);
    let stored = shell.keyward("incidents list -o json").await.json();
    assert_eq!(stored[0]["selector"]["ids"], json!([one["id"], other["id"]]));
}

async fn a_stopped_incident_goes_on(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    for _ in 0..3 {
        ada.token(&json!({})).await;
    }
    let shell = Shell::of(&app, &app.owner);
    let run = shell.keyward("tokens expire --user ada --kind token --reason policy --yes").await;
    let incident = incident_of(&run.stderr);
    // As if the server had been killed after the first of the keys.
    app.database.execute("UPDATE incidents SET done = 1, expired = 1, ended_at = NULL").unwrap();
    app.advance(Lifetime::minutes(1));
    assert_eq!(shell.keyward("incidents list -o json").await.json()[0]["state"], "interrupted");
    let run = shell.keyward(&format!("tokens expire --incident {incident}")).await;
    assert!(run.stdout.contains(&format!("; incident {incident}; ")), "{run:?}");
    assert_eq!((run.exit, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(shell.keyward("incidents list -o json").await.json()[0]["state"], "done");
}

async fn an_incident_of_someone_else_is_hidden(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let shell = Shell::of(&app, &ada);
    let unknown = "019ac3f0-7a1e-7000-8000-000000000001";
    shell.keyward(&format!("incidents view {unknown}")).await.is("
        ! error: cannot view incident <uuid>
        !   cause: Resource not found or you do not have access to this resource
        !   hint: run `keyward incidents list` to see the existing incidents
        !   request id: <uuid>
        exit 3");
    shell.keyward(&format!("tokens expire --incident {unknown}")).await.is("
        ! error: cannot go on with incident <uuid>
        !   cause: Resource not found or you do not have access to this resource
        !   hint: no key was expired under this ID, or another user began it; `keyward incidents list` shows yours
        !   request id: <uuid>
        exit 3");
}

async fn a_bad_value_is_refused_by_its_name(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("tokens expire --user nobody --dry-run").await.is("
        ! error: cannot select the keys of user \"nobody\"
        !   cause: The request has a field with an invalid value.
        !   cause: there is no such user, or you may not see them
        !   request id: <uuid>
        exit 1");
    let ada = app.person("ada", &["auditor"]).await;
    let run = Shell::of(&app, &ada).keyward("tokens expire --everything --dry-run").await;
    assert_eq!(run.exit, Some(0), "one's own: {run:?}");
}
