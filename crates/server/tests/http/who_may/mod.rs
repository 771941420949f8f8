//! Calls every endpoint as every kind of caller, on the caller's own resources and on those of others.
//! Checks the status, the code, and that a refused call changes nothing.

mod cast;
mod table;

use std::collections::BTreeSet;

use keyward_test_support::{Answer, Contents, Http, PASSWORD, TestApp, on_both};
use serde_json::{Value, json};

use cast::{Caller, Cast, Target};
use table::{Kind, Outcome, TABLE, Whose, expected};

on_both! {
    every_endpoint_lets_those_do_it_who_may_and_refuses_the_others_without_a_trace,
}

async fn every_endpoint_lets_those_do_it_who_may_and_refuses_the_others_without_a_trace(app: TestApp) {
    assert_eq!(endpoints_of_the_table(), endpoints_of_the_description(&app).await);
    let cast = Cast::new(&app);
    let mut callers = Vec::new();
    for kind in Kind::ALL {
        callers.push((kind, cast.caller(kind).await));
    }
    let others = [Whose::Member, Whose::Owner, Whose::Nobody];
    let mut targets = Vec::new();
    for whose in others {
        targets.push((whose, cast.target(whose).await));
    }

    app.seal().await;
    let mut contents = Contents::of(&app.database);
    let before = contents.read();
    for_each_call(&callers, &targets, async |call: Call<'_>| {
        if call.expected.0 < 400 {
            return;
        }
        for path in call.paths(call.target) {
            call.send(&call.caller.http, &path, &cast).await;
            assert_eq!(contents.read(), before, "{call} left a trace");
        }
    })
    .await;

    for_each_call(&callers, &targets, async |call: Call<'_>| {
        if call.expected.0 >= 400 {
            return;
        }
        let paths = call.paths(call.target);
        for (which, path) in paths.into_iter().enumerate() {
            let path = if call.method == "GET" { path } else { call.fresh_path(which, &cast).await };
            match call.fresh_caller(&cast).await {
                Some(caller) => call.send(&caller.http, &call.paths(&caller.own)[which], &cast).await,
                None => call.send(&call.caller.http, &path, &cast).await,
            }
        }
    })
    .await;
}

/// One line of the table with one caller and one target.
struct Call<'a> {
    method: &'static str,
    pattern: &'static str,
    outcome: &'a Outcome,
    kind: Kind,
    caller: &'a Caller,
    whose: Whose,
    target: &'a Target,
    expected: (u16, &'static str),
}

async fn for_each_call(callers: &[(Kind, Caller)], targets: &[(Whose, Target)], mut work: impl AsyncFnMut(Call<'_>)) {
    for (method, pattern, outcome) in TABLE {
        for (kind, caller) in callers {
            let own = (Whose::Own, caller.own.clone());
            let all = std::iter::once(&own).chain(targets);
            // A path without a parameter has no target, so one call is enough.
            let count = if pattern.contains('{') { targets.len() + 1 } else { 1 };
            for (whose, target) in all.take(count) {
                let (kind, whose) = (*kind, *whose);
                let expected = expected(pattern, outcome, kind, whose);
                work(Call { method, pattern, outcome, kind, caller, whose, target, expected }).await;
            }
        }
    }
}

impl Call<'_> {
    /// The paths with the target filled in. A key is found by its ID alone, so the user in the path may
    /// be its owner or `me`. A name is looked up among the keys of the user in the path.
    fn paths(&self, Target { user, key, name }: &Target) -> Vec<String> {
        let fill = |user: &str| self.pattern.replace("{user}", user).replace("{keyid}", key).replace("{keyname}", name);
        let through_me = self.pattern.contains("{keyid}")
            || self.pattern.contains("{keyname}") && self.whose == Whose::Nobody
            || self.whose == Whose::Own && self.pattern.contains("{user}");
        let through_me = through_me.then(|| fill("me"));
        std::iter::once(fill(user)).chain(through_me).collect()
    }

    /// The path to a new target, which the call may destroy.
    async fn fresh_path(&self, which: usize, cast: &Cast<'_>) -> String {
        let target = match self.whose {
            Whose::Own => cast.token_of(&self.target.user).await,
            Whose::Member | Whose::Owner => cast.target(self.whose).await,
            Whose::Nobody => self.target.clone(),
        };
        self.paths(&target)[which].clone()
    }

    /// A new caller, if the call ends the credential it is made with.
    async fn fresh_caller(&self, cast: &Cast<'_>) -> Option<Caller> {
        let ends_itself = matches!(self.outcome, Outcome::SignedIn(_))
            || self.pattern.ends_with("/password") && self.whose == Whose::Own;
        if ends_itself { Some(cast.caller(self.kind).await) } else { None }
    }

    async fn send(&self, http: &Http, path: &str, cast: &Cast<'_>) {
        let answer = match self.body(cast) {
            _ if path.starts_with("/oauth2/") => {
                let form = http.request(self.method, path).header("content-type", "application/x-www-form-urlencoded");
                Answer::of(form.body("token=kwd_unknown")).await
            }
            Some(body) => http.json(self.method, path, &body).await,
            None => http.send(self.method, path).await,
        };
        let Answer { status, text, .. } = &answer;
        let code = if *status < 400 { String::new() } else { answer.code() };
        assert_eq!((*status, code.as_str()), self.expected, "{self}, as {path}: {text}");
    }

    /// A valid body.
    fn body(&self, cast: &Cast<'_>) -> Option<Value> {
        let name = cast.name();
        let email = format!("{name}@example.com");
        match (self.method, self.pattern.rsplit('/').next().unwrap()) {
            ("POST", "first" | "users") => Some(json!({ "username": name, "email": email, "password": PASSWORD })),
            ("POST", "login") => Some(json!({ "email": "owner", "password": PASSWORD })),
            ("POST", "tokens") => Some(json!({})),
            ("POST", "identify") => Some(json!({ "key": "kwd_unknown" })),
            ("POST", "expire") => Some(json!({ "selector": { "name": "none" }, "dry_run": true })),
            ("POST", "locks") => {
                Some(json!({ "selector": { "name_prefix": "none" }, "mode": "deny", "message": "none" }))
            }
            ("POST", "verify") => Some(json!({ "key": "kwd_unknown" })),
            ("POST", "poll") => Some(json!({ "id": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "name": "walker" })),
            ("POST", "look-up") => Some(json!({ "key": "kwd_unknown" })),
            ("POST", "batch") => Some(json!({ "keys": [{ "key": "kwd_unknown" }] })),
            ("PUT", "roles") => Some(json!({ "roles": ["auditor"] })),
            ("PUT", "password") => Some(json!({ "old_password": PASSWORD, "password": "another long password" })),
            _ => None,
        }
    }
}

impl std::fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} by {:?} on {:?}", self.method, self.pattern, self.kind, self.whose)
    }
}

fn endpoints_of_the_table() -> BTreeSet<(String, String)> {
    TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect()
}

/// The endpoints in the server's OpenAPI description. Comparing them finds endpoints that the table
/// lacks.
async fn endpoints_of_the_description(app: &TestApp) -> BTreeSet<(String, String)> {
    let description = app.anonymous().get("/api/v2/openapi.json").await.expect(200).json();
    let paths = description["paths"].as_object().unwrap();
    let methods = |item: &Value| item.as_object().unwrap().keys().map(|key| key.to_uppercase()).collect::<Vec<_>>();
    paths.iter().flat_map(|(path, item)| methods(item).into_iter().map(|method| (method, path.clone()))).collect()
}
