//! `keyward users …`

use keyward_test_support::{PASSWORD, TestApp, on_both};
use serde_json::json;

use crate::shell::{Shell, whole_second};

const OTHER: &str = "another battery staple horse";

on_both! {
    a_user_is_created_and_logs_in,
    a_service_account_has_no_password,
    a_taken_name_exits_5,
    users_are_listed,
    a_user_is_shown,
    suspending_stops_a_user_and_activating_lets_them_go_on,
    nobody_suspends_demotes_or_deletes_themselves,
    deleting_a_user_ends_their_keys,
    roles_are_replaced,
    ones_own_password_needs_the_old_one,
    anothers_password_is_an_owners_to_set,
    a_member_manages_nobody,
}

async fn a_user_is_created_and_logs_in(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    let line = "users create --username ada --email ada@example.com --name 'Ada L.' --role auditor --password-stdin";
    shell.keyward_reading(line, &format!("{PASSWORD}\n")).await.is("
        User ada has been created.
        exit 0");
    let hers = Shell::new();
    let login = format!("login {} --username ada --password-stdin", app.url);
    assert_eq!(hers.keyward_reading(&login, PASSWORD).await.exit, Some(0));
    let me = hers.keyward("whoami -o json").await.json();
    assert_eq!((&me["name"], &me["roles"]), (&json!("Ada L."), &json!(["auditor"])));
}

async fn a_service_account_has_no_password(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    let line = "user create --username svc --email svc@example.com --login-type none -o json";
    let user = shell.keyward(line).await.json();
    assert_eq!((&user["username"], &user["login_type"]), (&json!("svc"), &json!("none")));
    let created = shell.keyward("tokens create -u svc --lifetime 30d --scope *:* -o json").await.json();
    assert_eq!(created["user_id"], user["id"]);
}

async fn a_taken_name_exits_5(app: TestApp) {
    let line = "users create --username OWNER --email other@example.com --password-stdin";
    Shell::of(&app, &app.owner).keyward_reading(line, PASSWORD).await.is("
        ! error: cannot create the user
        !   cause: A user with this username already exists.
        !   request id: <uuid>
        exit 5");
}

async fn users_are_listed(app: TestApp) {
    whole_second(&app);
    app.person("ada", &["auditor", "user-admin"]).await;
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("users list -q ada").await.is("
        USERNAME  NAME  EMAIL            ROLES                STATUS  LOGIN TYPE  LAST SEEN  CREATED AT
        ada             ada@example.com  user-admin, auditor  active  password    never      <time>
        exit 0");
    let list = shell.keyward("users ls -o json").await.json();
    assert_eq!(list, app.owner.http.get("/api/v2/users").await.json()["users"]);
    let found = shell.keyward("users list -q ada -o json").await.json();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["username"]), (1, &json!("ada")));
    shell.keyward("users list --search nobody").await.is("
        ! No users found.
        exit 0");
}

async fn a_user_is_shown(app: TestApp) {
    whole_second(&app);
    let ada = app.person("ada", &[]).await;
    let shell = Shell::of(&app, &app.owner);
    for user in ["ada", "Ada", ada.id.as_str()] {
        shell.keyward(&format!("users view {user}")).await.is("
            ID          <uuid>
            ROLES       member
            USERNAME    ada
            NAME
            EMAIL       ada@example.com
            STATUS      active
            LOGIN TYPE  password
            LAST SEEN   never
            CREATED AT  <time>
            exit 0");
    }
    let shown = shell.keyward("users view me -o json").await.json();
    assert_eq!(shown["id"], app.owner.id.as_str());
    shell.keyward("users view nobody").await.is("
        ! error: cannot view user \"nobody\"
        !   cause: Resource not found or you do not have access to this resource
        !   request id: <uuid>
        exit 3");
}

async fn suspending_stops_a_user_and_activating_lets_them_go_on(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("users suspend ada").await.is("
        User ada has been suspended.
        exit 0");
    ada.http.get("/api/v2/users/me").await.refused(401, "user_suspended");
    let login = format!("login {} --username ada --password-stdin", app.url);
    Shell::new().keyward_reading(&login, PASSWORD).await.failed(4, "suspended");
    shell.keyward("users activate ada").await.is("
        User ada has been activated.
        exit 0");
    ada.http.get("/api/v2/users/me").await.expect(200);
}

async fn nobody_suspends_demotes_or_deletes_themselves(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    for line in ["suspend me", "suspend owner", "activate me", "delete owner", "edit-roles owner", "edit-roles me"] {
        let run = shell.keyward(&format!("users {line}")).await;
        assert_eq!((run.exit, run.stdout.as_str()), (Some(1), ""), "{line}: {run:?}");
    }
}

async fn deleting_a_user_ends_their_keys(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("users delete ada").await.is("
        User ada has been deleted.
        exit 0");
    assert_eq!(ada.http.get("/api/v2/users/me").await.status, 401);
    assert_eq!(shell.keyward("users delete ada").await.exit, Some(3));
}

async fn roles_are_replaced(app: TestApp) {
    app.person("ada", &["auditor"]).await;
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("users edit-roles ada --role user-admin --role auditor").await.is("
        Roles of user ada are now: user-admin, auditor.
        exit 0");
    shell.keyward("users edit-roles ada").await.is("
        Roles of user ada are now: member.
        exit 0");
    shell.keyward("users edit-roles ada --role emperor").await.is("
        ! error: cannot edit the roles of user \"ada\"
        !   cause: The request has a field with an invalid value.
        !   cause: unknown role \"emperor\": want owner, user-admin, auditor or verifier
        !   request id: <uuid>
        exit 1");
    assert_eq!(shell.keyward("users view ada -o json").await.json()["roles"], json!([]));
}

async fn ones_own_password_needs_the_old_one(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    for user in ["me", "ADA", ada.id.as_str()] {
        let run =
            Shell::of(&app, &ada).keyward_reading(&format!("users password {user} --password-stdin"), OTHER).await;
        run.failed(2, "--password-stdin needs the password");
    }
    let shell = Shell::of(&app, &ada);
    let wrong = shell.keyward_reading("users password me --password-stdin", &format!("{OTHER}\n{OTHER}\n")).await;
    assert_eq!(wrong.exit, Some(1), "{wrong:?}");
    ada.http.get("/api/v2/users/me").await.expect(200);
    shell.keyward_reading("users password me --password-stdin", &format!("{PASSWORD}\n{OTHER}\n")).await.is("
        Password has been changed, and all keys of the user have been expired.
        ! This includes your session: run `keyward login`.
        exit 0");
    ada.http.get("/api/v2/users/me").await.refused(401, "key_expired");
    let login = "login --username ada --password-stdin";
    assert_eq!(shell.keyward_reading(login, PASSWORD).await.exit, Some(4));
    assert_eq!(shell.keyward_reading(login, OTHER).await.exit, Some(0));
}

async fn anothers_password_is_an_owners_to_set(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let shell = Shell::of(&app, &app.owner);
    shell.keyward_reading("users password ada --password-stdin", OTHER).await.is("
        Password has been changed, and all keys of the user have been expired.
        exit 0");
    ada.http.get("/api/v2/users/me").await.refused(401, "key_expired");
    let login = format!("login {} --username ada --password-stdin", app.url);
    let hers = Shell::new();
    assert_eq!(hers.keyward_reading(&login, OTHER).await.exit, Some(0));
    let run = hers.keyward_reading("users password owner --password-stdin", OTHER).await;
    assert_eq!(run.exit, Some(3), "{run:?}");
}

async fn a_member_manages_nobody(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    app.person("bob", &[]).await;
    let shell = Shell::of(&app, &ada);
    for line in ["suspend bob", "activate bob", "delete bob", "view bob", "edit-roles bob --role owner"] {
        let run = shell.keyward(&format!("users {line}")).await;
        assert_eq!((run.exit, run.stdout.as_str()), (Some(3), ""), "{line}: {run:?}");
    }
    let line = "users create --username eve --email eve@example.com --password-stdin";
    assert_eq!(shell.keyward_reading(line, PASSWORD).await.exit, Some(4));
}
