//! Missing and hidden resources get the same response.

use keyward_test_support::{Answer, TestApp, on_both};
use serde_json::json;

use crate::support::{id_of, text};

/// The response without the parts that always differ.
fn essence(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let id = answer.header("Keyward-Request-Id").unwrap();
    let headers = answer.headers.iter().filter(|(name, _)| !["keyward-request-id", "date"].contains(&name.as_str()));
    let mut headers: Vec<_> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    headers.sort();
    (answer.status, answer.text.replace(id, "REQUEST"), headers)
}

on_both! {
    what_is_hidden_cannot_be_told_from_what_is_absent,
    a_missing_scope_is_told_before_anything_is_looked_up,
}

async fn what_is_hidden_cannot_be_told_from_what_is_absent(app: TestApp) {
    let member = app.person("member", &[]).await;
    let admin = app.person("admin", &["user-admin"]).await;
    let token = app.owner.token(&json!({ "token_name": "ci" })).await;
    let (id, session) = (text(&token, "id"), id_of(&app.owner.session));
    let gone = app.owner.token(&json!({})).await;
    let gone = text(&gone, "id");
    app.owner.http.send("DELETE", &format!("/api/v2/users/me/keys/{gone}")).await.expect(204);

    let mut answers = Vec::new();
    for person in [&member, &admin] {
        for key in [id, session, gone, "kwd_0000000000", "nonsense", "%FF", text(&token, "key")] {
            for user in ["me", "owner", "nobody"] {
                let path = format!("/api/v2/users/{user}/keys/{key}");
                answers.push(person.http.get(&path).await);
                answers.push(person.http.send("DELETE", &path).await);
                answers.push(person.http.send("PUT", &format!("{path}/expire")).await);
            }
        }
        for user in ["owner", "nobody", "a_b", "%FF"] {
            answers.push(person.http.get(&format!("/api/v2/users/{user}/keys/tokens/ci")).await);
            answers.push(person.http.get(&format!("/api/v2/users/{user}/keys")).await);
            answers.push(person.http.post(&format!("/api/v2/users/{user}/keys/tokens"), &json!({})).await);
        }
    }
    for user in ["owner", "nobody", "a_b", "%FF", &app.owner.id, "00000000-0000-0000-0000-000000000000"] {
        let path = format!("/api/v2/users/{user}");
        answers.push(member.http.get(&path).await);
        answers.push(member.http.get(&format!("{path}/roles")).await);
        answers.push(member.http.send("DELETE", &path).await);
        answers.push(member.http.send("PUT", &format!("{path}/status/suspend")).await);
        answers.push(member.http.json("PUT", &format!("{path}/roles"), &json!({ "roles": [] })).await);
        answers.push(
            member.http.json("PUT", &format!("{path}/password"), &json!({ "password": "a long enough one" })).await,
        );
    }
    let first = essence(&answers[0]);
    assert_eq!(first.0, 404);
    let message = "Resource not found or you do not have access to this resource";
    assert_eq!(answers[0].json()["message"], message);
    assert_eq!(answers[0].code(), "not_found");
    for answer in &answers {
        assert_eq!(essence(answer), first);
    }
    app.owner.http.get(&format!("/api/v2/users/me/keys/{id}")).await.expect(200);
}

async fn a_missing_scope_is_told_before_anything_is_looked_up(app: TestApp) {
    let token = app.owner.token(&json!({ "scopes": ["workspace:read"] })).await;
    let poor = app.with(text(&token, "key"));
    let mut answers = Vec::new();
    for user in ["me", "owner", "nobody", "a_b"] {
        for id in [text(&token, "id"), "kwd_0000000000", "nonsense"] {
            answers.push(poor.get(&format!("/api/v2/users/{user}/keys/{id}")).await.refused(403, "insufficient_scope"));
        }
    }
    let first = essence(&answers[0]);
    assert!(answers.iter().all(|answer| essence(answer) == first));
}
