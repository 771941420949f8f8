//! `GET /users/{user}/keys/tokens/tokenconfig`

use keyward_domain::Lifetime;
use keyward_service::Settings;
use keyward_test_support::{TestApp, on_both};
use serde_json::json;

use crate::support::{DAY, another, service_account};

on_both! {
    the_limit_is_that_of_the_user_who_is_named,
    the_limit_is_the_operators,
}

async fn the_limit_is_that_of_the_user_who_is_named(app: TestApp) {
    let member = app.person("member", &[]).await;
    service_account(&app, "robot", &["auditor"]).await;
    let path = |user: &str| format!("/api/v2/users/{user}/keys/tokens/tokenconfig");
    for (user, days) in [("me", 7), ("owner", 7), ("member", 366), ("robot", 366)] {
        let config = app.owner.http.get(&path(user)).await.expect(200).json();
        assert_eq!(config, json!({ "max_token_lifetime": days * DAY }), "{user}");
    }
    assert_eq!(member.http.get(&path("me")).await.expect(200).json(), json!({ "max_token_lifetime": 366 * DAY }));
    app.owner.http.json("PUT", "/api/v2/users/member/roles", &json!({ "roles": ["owner"] })).await.expect(200);
    assert_eq!(member.http.get(&path("me")).await.expect(200).json(), json!({ "max_token_lifetime": 7 * DAY }));
}

async fn the_limit_is_the_operators(app: TestApp) {
    let mut settings = Settings::default();
    settings.tokens.max_token_lifetime = Lifetime::days(3);
    settings.tokens.max_admin_token_lifetime = Lifetime::hours(12);
    let app = another(&app, settings).await;
    app.person("member", &[]).await;
    for (user, limit) in [("me", DAY / 2), ("member", 3 * DAY)] {
        let path = format!("/api/v2/users/{user}/keys/tokens/tokenconfig");
        let config = app.owner.http.get(&path).await.expect(200).json();
        assert_eq!(config, json!({ "max_token_lifetime": limit }));
    }
}
