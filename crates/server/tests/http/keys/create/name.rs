//! Token names: which are valid, and that no two live tokens of a user share one.

use futures_util::future::join_all;
use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::support::{SECOND, create, expire, seconds, text, wrong_fields};

/// Number of concurrent creates.
const AT_ONCE: usize = 8;

fn is_random(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let words = parts.iter().take(2).all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()));
    words && parts.len() == 3 && parts[2].len() == 2 && parts[2].bytes().all(|byte| byte.is_ascii_digit())
}

on_both! {
    names_come_back_normalised,
    what_is_no_name_is_refused,
    without_a_name_a_random_one_is_drawn_and_never_refused,
    a_name_is_taken_while_its_token_lives_and_free_again_afterwards,
    of_creates_that_race_for_a_name_exactly_one_wins,
}

async fn names_come_back_normalised(app: TestApp) {
    for (sent, kept) in [
        ("ci", "ci"),
        ("CI", "CI"),
        ("a/b c+d%e?f#g", "a/b c+d%e?f#g"),
        ("cafe\u{301}", "café"),
        ("日本語 🔑", "日本語 🔑"),
        ("...", "..."),
        ("Tokenconfig", "Tokenconfig"),
        (&"e\u{301}".repeat(64), &"é".repeat(64)),
    ] {
        let token = create(&app.owner.http, &json!({ "token_name": sent })).await.expect(201).json();
        assert_eq!(text(&token, "token_name"), kept);
    }
    create(&app.owner.http, &json!({ "token_name": "café" })).await.refused(409, "conflict");
}

async fn what_is_no_name_is_refused(app: TestApp) {
    let before = app.database.contents();
    let long = "x".repeat(65);
    for name in [
        "tokenconfig",
        ".",
        "..",
        "kwd_",
        "kwd_a1B2c3D4e5",
        "kws_x",
        " ci",
        "ci ",
        " ",
        "\u{a0}ci",
        "a\nb",
        "a\tb",
        "a\u{0}b",
        "a\u{7f}b",
        "a\u{85}b",
        "a\u{200b}b",
        "a\u{200d}b",
        "a\u{feff}b",
        "a\u{202e}b",
        "a\u{2066}b",
        "a\u{200f}b",
        "a\u{61c}b",
        &long,
    ] {
        let refused = create(&app.owner.http, &json!({ "token_name": name })).await.refused(400, "validation_failed");
        assert_eq!(wrong_fields(&refused), ["token_name"], "{name:?}");
    }
    for name in [json!(7), json!(true), json!(["ci"]), json!({})] {
        create(&app.owner.http, &json!({ "token_name": name })).await.refused(400, "bad_request");
    }
    assert_eq!(app.database.contents(), before);
}

async fn without_a_name_a_random_one_is_drawn_and_never_refused(app: TestApp) {
    let bodies = [json!({}), json!({ "token_name": null }), json!({ "token_name": "" })];
    let mut names = Vec::new();
    for body in bodies.iter().cycle().take(12) {
        let token = create(&app.owner.http, body).await.expect(201).json();
        names.push(text(&token, "token_name").to_owned());
    }
    for answer in join_all((0..AT_ONCE).map(|_| create(&app.owner.http, &bodies[0]))).await {
        names.push(text(&answer.expect(201).json(), "token_name").to_owned());
    }
    assert!(names.iter().all(|name| is_random(name)), "{names:?}");
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

async fn a_name_is_taken_while_its_token_lives_and_free_again_afterwards(app: TestApp) {
    let body = json!({ "token_name": "ci", "lifetime": 60 * SECOND });
    let member = app.person("member", &[]).await;
    let first = create(&app.owner.http, &body).await.expect(201).json();
    create(&app.owner.http, &body).await.refused(409, "conflict");
    create(&member.http, &body).await.expect(201);
    create(&app.owner.http, &json!({ "token_name": "Ci" })).await.expect(201);

    expire(&app.owner.http, text(&first, "id")).await;
    let second = create(&app.owner.http, &body).await.expect(201).json();
    create(&app.owner.http, &body).await.refused(409, "conflict");

    app.advance(seconds(60));
    let third = create(&app.owner.http, &body).await.expect(201).json();
    let key = format!("/api/v2/users/me/keys/{}", text(&third, "id"));
    app.owner.http.send("DELETE", &key).await.expect(204);
    create(&app.owner.http, &body).await.expect(201);
    let all = app.owner.http.get("/api/v2/users/me/keys/tokens?include_expired=true").await.json();
    let dead: Vec<&Value> = all.as_array().unwrap().iter().filter(|token| token["token_name"] == "ci").collect();
    assert_eq!(dead.len(), 3, "{first} and {second} still have records");
}

async fn of_creates_that_race_for_a_name_exactly_one_wins(app: TestApp) {
    for round in 0..5 {
        let body = json!({ "token_name": "ci", "lifetime": 60 * SECOND });
        let answers = join_all((0..AT_ONCE).map(|_| create(&app.owner.http, &body))).await;
        let mut won = 0;
        for answer in answers {
            match answer.status {
                201 => won += 1,
                _ => drop(answer.refused(409, "conflict")),
            }
        }
        assert_eq!(won, 1, "in round {round}");
        let live =
            app.database.count("SELECT count(*) AS count FROM api_keys WHERE token_name = 'ci' AND ended_at IS NULL");
        assert_eq!(live, round + 1);
        // The next round races for a name that was used before.
        app.advance(seconds(60));
    }
}
