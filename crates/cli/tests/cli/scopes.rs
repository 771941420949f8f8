//! `keyward scopes list`.

use keyward_test_support::{TestApp, on_both};

use crate::shell::Shell;

on_both! {
    scopes_are_listed_with_what_they_allow,
}

async fn scopes_are_listed_with_what_they_allow(app: TestApp) {
    // It is public: neither a session nor a stored url is needed.
    let shell = Shell::new().with("KEYWARD_URL", &app.url);
    let run = shell.keyward("scopes list").await;
    assert_eq!((run.exit, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    let catalogue = app.anonymous().get("/api/v2/auth/scopes").await.expect(200).json();
    let scopes = catalogue["scopes"].as_array().unwrap();
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(lines.len(), scopes.len() + 1);
    assert!(lines[0].starts_with("NAME ") && lines[0].ends_with(" DESCRIPTION"), "{}", lines[0]);
    for (line, scope) in lines[1..].iter().zip(scopes) {
        let (name, description) = (scope["name"].as_str().unwrap(), scope["description"].as_str().unwrap());
        assert!(line.starts_with(&format!("{name} ")) && line.ends_with(&format!("  {description}")), "{line}");
    }
    assert!(lines.iter().any(|line| line.starts_with("api_key:read ")), "{}", run.stdout);
    assert_eq!(shell.keyward("scopes ls -o json").await.json(), catalogue["scopes"]);
}
