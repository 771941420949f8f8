//! Expiring all keys of a user also expires keys that are being created.

use futures_util::future::{join, join_all};
use keyward_test_support::{Http, PASSWORD, TestApp, on_both};
use serde_json::json;

use crate::support::create;

/// Number of concurrent token creators.
const AT_ONCE: usize = 8;

/// Creates tokens until the calling key is rejected.
async fn make_tokens(http: &Http) -> usize {
    let mut made = 0;
    loop {
        let answer = create(http, &json!({})).await;
        match answer.status {
            201 => made += 1,
            _ => {
                answer.refused(401, "key_expired");
                return made;
            }
        }
    }
}

fn live_keys(app: &TestApp) -> i64 {
    app.database.count(
        "SELECT count(*) AS count FROM api_keys JOIN users ON users.id = user_id \
         WHERE username = 'member' AND ended_at IS NULL",
    )
}

on_both! {
    no_token_made_meanwhile_outlives_a_change_of_the_password,
    no_token_made_meanwhile_outlives_the_user,
}

async fn no_token_made_meanwhile_outlives_a_change_of_the_password(app: TestApp) {
    let member = app.person("member", &[]).await;
    let body = json!({ "old_password": PASSWORD, "password": "a new and longer password" });
    let change = async { app.owner.http.json("PUT", "/api/v2/users/member/password", &body).await.expect(204) };
    let (made, _) = join(join_all((0..AT_ONCE).map(|_| make_tokens(&member.http))), change).await;
    assert!(made.iter().sum::<usize>() > 0, "the creators made tokens");
    assert_eq!(live_keys(&app), 0);
}

async fn no_token_made_meanwhile_outlives_the_user(app: TestApp) {
    let member = app.person("member", &[]).await;
    create(&member.http, &json!({})).await.expect(201);
    let delete = async { app.owner.http.send("DELETE", "/api/v2/users/member").await.expect(200) };
    let makers = (0..AT_ONCE).map(|_| async { while create(&member.http, &json!({})).await.status == 201 {} });
    join(join_all(makers), delete).await;
    assert_eq!(live_keys(&app), 0);
}
