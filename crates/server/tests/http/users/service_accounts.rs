//! Users with `login_type = none`.

use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::support::{service_account, text, wrong_fields};

on_both! {
    a_service_account_has_no_password_and_no_login,
    its_keys_are_made_by_an_owner_alone,
}

async fn a_service_account_has_no_password_and_no_login(app: TestApp) {
    let id = service_account(&app, "robot", &[]).await;
    let user = app.owner.http.get("/api/v2/users/robot").await.expect(200).json();
    assert_eq!((text(&user, "id"), text(&user, "login_type")), (id.as_str(), "none"));
    for password in ["", "nobody's password", "a long enough password"] {
        let login = json!({ "email": "robot", "password": password });
        app.anonymous().post("/api/v2/users/login", &login).await.refused(401, "incorrect_credentials");
    }
    let before = app.database.contents();
    let body = json!({ "password": "a long enough password" });
    let refused =
        app.owner.http.json("PUT", "/api/v2/users/robot/password", &body).await.refused(400, "validation_failed");
    assert_eq!(wrong_fields(&refused), ["password"]);
    let mut body = json!({ "username": "other", "email": "other@example.com", "login_type": "none" });
    body["password"] = json!("a long enough password");
    let refused = app.owner.http.post("/api/v2/users", &body).await.refused(400, "validation_failed");
    assert_eq!(wrong_fields(&refused), ["password"]);
    assert_eq!(app.database.contents(), before);
}

async fn its_keys_are_made_by_an_owner_alone(app: TestApp) {
    let id = service_account(&app, "robot", &["auditor"]).await;
    let admin = app.person("admin", &["user-admin"]).await;
    let path = "/api/v2/users/robot/keys/tokens";
    admin.http.post(path, &json!({})).await.refused(403, "forbidden");
    let token = app.owner.http.post(path, &json!({ "token_name": "ci" })).await.expect(201).json();
    let robot = app.with(text(&token, "key"));
    assert_eq!(text(&robot.get("/api/v2/users/me").await.expect(200).json(), "id"), id);
    robot.get("/api/v2/audit").await.expect(200);
    // It may create keys within its own permissions.
    robot.post("/api/v2/users/me/keys/tokens", &json!({})).await.expect(201);
    admin.http.send("PUT", &format!("/api/v2/users/me/keys/{}/expire", text(&token, "id"))).await.expect(204);
    robot.get("/api/v2/users/me").await.refused(401, "key_expired");
}
