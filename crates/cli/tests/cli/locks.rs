//! `keyward locks`, and what a lock does to the lists

use keyward_test_support::{Person, TestApp, on_both};
use serde_json::json;

use crate::shell::{Shell, whole_second};

on_both! {
    a_lock_refuses_keys_until_it_is_removed,
    a_limit_leaves_some_scopes,
    each_condition_is_a_flag,
    a_lock_of_someone_else_is_hidden,
    a_bad_value_is_refused_by_its_name,
}

async fn is_refused(person: &Person) -> bool {
    person.http.get("/api/v2/users/me").await.status == 403
}

async fn a_lock_refuses_keys_until_it_is_removed(app: TestApp) {
    whole_second(&app);
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("locks list").await.is("
        ! No locks found.
        exit 0");
    let ada = app.person("ada", &[]).await;
    let token = ada.token(&json!({ "token_name": "leaked" })).await;
    let run = shell.keyward("locks add --user ada --message 'Ask the owner.' --reason compromised").await;
    run.is("
        <uuid>
        ! The lock refuses every key of user ada, later ones too, until you run: keyward locks remove <uuid>
        exit 0");
    let id = run.stdout.trim_end();
    assert!(is_refused(&ada).await);
    Shell::of(&app, &ada).keyward("tokens list").await.is("
        ! error: cannot list tokens
        !   cause: Ask the owner.
        !   hint: The key is locked, and not expired. Ask an administrator to remove the lock.
        !   request id: <uuid>
        exit 4");
    shell.keyward("locks list").await.is("
        ID                                    MODE  KEYS       SCOPES  MESSAGE         REASON       BY     CREATED AT            ENDS AT
        <uuid>  deny  user: ada          Ask the owner.  compromised  owner  <time>
        exit 0");
    let csv = shell.keyward("locks ls -o csv").await.stdout;
    let header = "id,mode,keys,scopes,message,reason,by,created at,ends at";
    assert!(csv.starts_with(&format!("{header}\n{id},deny,user: ada,,Ask the owner.,compromised,owner,")), "{csv}");
    let listed = shell.keyward("locks list -o json").await.json();
    assert_eq!((&listed[0]["id"], &listed[0]["selector"]["user"]), (&json!(id), &json!(ada.id)));

    shell.keyward("tokens list --all --status locked -c name,status").await.is("
        NAME    STATUS
        leaked  locked
        exit 0");
    let preview = shell.keyward("tokens expire --status locked --kind token --dry-run -o json").await.json();
    assert_eq!((&preview["matched"], &preview["sample"][0]["id"]), (&json!(1), &token["id"]));

    shell.keyward(&format!("locks remove {id}")).await.printed("Lock has been removed.\n");
    assert!(!is_refused(&ada).await);
    shell.keyward(&format!("locks rm {id}")).await.is("
        ! error: cannot remove lock <uuid>
        !   cause: Resource not found or you do not have access to this resource
        !   hint: run `keyward locks list` to see the existing locks
        !   request id: <uuid>
        exit 3");
}

async fn a_limit_leaves_some_scopes(app: TestApp) {
    let token = app.owner.token(&json!({ "token_name": "broad" })).await;
    let shell = Shell::of(&app, &app.owner);
    let line = "locks add --name-prefix BROAD --mode limit --message 'Read only'";
    shell.keyward(&format!("{line} --allow-scope workspace:read --allow-scope user:read --ends-at +2h")).await.is("
        <uuid>
        ! The lock leaves every key whose name begins with \"broad\", later ones too, only workspace:read, user:read until <time>
        exit 0");
    let user = app.with(token["key"].as_str().unwrap());
    user.get("/api/v2/users").await.expect(200);
    user.get("/api/v2/users/me/keys/tokens").await.refused(403, "insufficient_scope");
    let second = shell.keyward(&format!("{line} --scopes workspace:read,user:read -o json")).await.json();
    let listed = shell.keyward("locks list -o json").await.json();
    assert_eq!(listed[1], second);
    assert_eq!((&listed[0]["scopes"], &listed[0]["mode"]), (&second["scopes"], &json!("limit")));
    assert!(listed[0]["ends_at"].is_string() && second["ends_at"].is_null());
    let table = shell.keyward("locks list").await.stdout;
    assert!(table.contains("  limit  name prefix: broad  workspace:read, user:read  Read only "), "{table}");
}

async fn each_condition_is_a_flag(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    let ada = app.person("ada", &[]).await;
    let token = ada.token(&json!({})).await;
    let (id, key) = (token["id"].as_str().unwrap(), token["key"].as_str().unwrap());
    for (line, which, listed) in [
        (format!("--id {key}"), format!("with the ID {id} until"), format!("ids: {id}")),
        ("--scope task:read".to_owned(), "that grants task:read, later".to_owned(), "scope: task:read".to_owned()),
        ("--user me".to_owned(), "of user owner, later".to_owned(), "user: owner".to_owned()),
        (format!("-u {}", ada.id), format!("of user {}, later", ada.id), "user: ada".to_owned()),
        (
            "--user ada --name-prefix ci".to_owned(),
            "of user ada whose name begins with \"ci\", later".to_owned(),
            "name prefix: ci, user: ada".to_owned(),
        ),
        ("--everything".to_owned(), "refuses every key, later ones too, until".to_owned(), "  deny  all  ".to_owned()),
    ] {
        let run = shell.keyward(&format!("locks add {line} --message x")).await;
        assert_eq!(run.exit, Some(0), "{line}: {run:?}");
        assert!(run.stderr.contains(&which), "{line}: {run:?}");
        let table = shell.keyward("locks list").await.stdout;
        assert!(table.contains(&listed), "{line}: {table}");
        assert!(!table.contains(key) && !run.stderr.contains(key), "only the ID is kept: {table}");
        shell.keyward(&format!("locks remove {}", run.stdout.trim_end())).await.printed("Lock has been removed.\n");
    }
}

async fn a_lock_of_someone_else_is_hidden(app: TestApp) {
    let (ada, bob) = (app.person("ada", &[]).await, app.person("bob", &[]).await);
    let shell = Shell::of(&app, &ada);
    let run = shell.keyward("locks add --name-prefix ci --message x").await;
    run.is("
        <uuid>
        ! The lock refuses every key of user ada whose name begins with \"ci\", later ones too, until you run: keyward locks remove <uuid>
        exit 0");
    let other = Shell::of(&app, &bob);
    assert_eq!(other.keyward("locks list -o json").await.json_saying("No locks found.\n"), json!([]));
    let id = run.stdout.trim_end();
    other.keyward(&format!("locks remove {id}")).await.failed(3, "cannot remove lock");
    shell.keyward(&format!("locks remove {id}")).await.printed("Lock has been removed.\n");
}

async fn a_bad_value_is_refused_by_its_name(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("locks add --user nobody --message x").await.is("
        ! error: cannot lock the keys of user \"nobody\"
        !   cause: The request has a field with an invalid value.
        !   cause: there is no such user, or you may not see them
        !   request id: <uuid>
        exit 1");
    for (line, said) in [
        ("--everything --message ''", "a message is required"),
        ("--scope nope:read --message x", "nope:read"),
        ("--everything --mode limit --allow-scope nope:read --message x", "nope:read"),
    ] {
        shell.keyward(&format!("locks add {line}")).await.failed(1, said);
    }
}
