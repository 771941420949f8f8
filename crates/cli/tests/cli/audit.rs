//! `keyward audit list`

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use keyward_test_support::{TestApp, on_both};
use serde_json::{Value, json};

use crate::shell::{Run, Shell, aside, whole_second};

fn count(list: &Value) -> usize {
    list.as_array().unwrap().len()
}

on_both! {
    entries_are_listed_newest_first,
    new_entries_are_followed,
    every_filter_is_a_flag,
    the_limit_goes_beyond_a_page_of_the_servers,
    a_bad_value_is_refused_by_its_name,
    a_member_may_not_read_it,
}

async fn entries_are_listed_newest_first(app: TestApp) {
    whole_second(&app);
    app.person("ada", &[]).await.token(&json!({ "token_name": "ci" })).await;
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("tokens remove -u ada ci").await.printed("Token has been expired.\n");
    shell.keyward("audit list --resource-target ci").await.is("
        TIME                  USER   EVENT        ACTION  TYPE     TARGET  RESOURCE ID     STATUS  IP
        <time>  owner  key.expired  write   api_key  ci      <id>  204     127.0.0.1
        <time>  ada    key.created  create  api_key  ci      <id>  201     127.0.0.1
        exit 0");
    let list = shell.keyward("audit ls -o json").await.json();
    assert_eq!(list, app.owner.http.get("/api/v2/audit").await.json()["audit_logs"]);
}

async fn new_entries_are_followed(app: TestApp) {
    for name in ["one", "two", "three"] {
        app.owner.token(&json!({ "token_name": name })).await;
    }
    let shell = Shell::of(&app, &app.owner);
    for (flags, header) in [("-o json", 0), ("", 1)] {
        let line = format!("audit list --event key.created --limit 2 --follow {flags}");
        let mut child = shell.command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (seen, mut lines) =
            aside(move || (lines.by_ref().take(2 + header).map(Result::unwrap).collect::<Vec<_>>(), lines)).await;
        let is_about =
            |line: &str, name: &str| line.contains(&format!("\"{name}\"")) || line.contains(&format!(" {name} "));
        let earlier = if header == 0 { ["two", "three"] } else { ["four", "five"] };
        assert!(is_about(&seen[header], earlier[0]) && is_about(&seen[header + 1], earlier[1]), "{seen:?}");
        for name in ["four", "five"] {
            app.owner.token(&json!({ "token_name": format!("{name}{}", "x".repeat(header)) })).await;
        }
        let next = aside(move || lines.by_ref().take(2).map(Result::unwrap).collect::<Vec<_>>()).await;
        let suffix = "x".repeat(header);
        assert!(is_about(&next[0], &format!("four{suffix}")), "{next:?}");
        assert!(is_about(&next[1], &format!("five{suffix}")), "{next:?}");
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
        let run = aside(move || Run::of(child.wait_with_output().unwrap())).await;
        assert_eq!((run.exit, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    }
}

async fn every_filter_is_a_flag(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let token = ada.token(&json!({ "token_name": "my ci" })).await;
    let shell = Shell::of(&app, &app.owner);
    let entry = &shell.keyward("audit list --resource-target 'my ci' -o json").await.json()[0];
    assert_eq!(entry["resource_id"], token["id"]);
    let (request, now) = (entry["request_id"].as_str().unwrap(), app.service.now());
    let id = token["id"].as_str().unwrap();
    for (line, wanted) in [
        (format!("--resource-id {id}"), 1),
        (format!("--request-id {request}"), 1),
        ("--resource-type api_key --action create".to_owned(), 1),
        ("--username ada --action create".to_owned(), 1),
        ("--email ada@example.com --action create".to_owned(), 1),
        ("--username ada --action delete".to_owned(), 0),
        ("--ip 127.0.0.1 --action create --resource-type api_key".to_owned(), 1),
        ("--ip 203.0.113.7".to_owned(), 0),
        (format!("--resource-target 'my ci' --date-from {now}"), 1),
        (format!("--resource-target 'my ci' --date-to {now}"), 1),
        ("--date-to 2020-01-01".to_owned(), 0),
    ] {
        let run = shell.keyward(&format!("audit list -o json {line}")).await;
        let list: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((run.exit, count(&list)), (Some(0), wanted), "{line}: {run:?}");
    }
    shell.keyward("audit list --date-to 2020-01-01").await.is("
        ! No audit entries found.
        exit 0");
}

async fn the_limit_goes_beyond_a_page_of_the_servers(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    app.owner.token(&json!({})).await;
    let all = count(&shell.keyward("audit list -o json").await.json());
    for limit in 1..=all {
        let run = shell.keyward(&format!("audit list -o json --limit {limit}")).await;
        let more = if limit < all { format!("more than {limit}; --limit N or --all\n") } else { String::new() };
        assert_eq!(count(&run.json_saying(&more)), limit);
    }
    assert_eq!(count(&shell.keyward("audit list -o json --limit 5000").await.json()), all);
    assert_eq!(count(&shell.keyward("audit list -o json --all").await.json()), all);
}

async fn a_bad_value_is_refused_by_its_name(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    shell.keyward("audit list --action explode").await.is("
        ! error: cannot read the audit log
        !   cause: Invalid audit search query.
        !   cause: action: unknown audit action \"explode\": want create, write, delete, login or logout
        !   request id: <uuid>
        exit 1");
}

async fn a_member_may_not_read_it(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let run = Shell::of(&app, &ada).keyward("audit list").await;
    run.failed(4, "cannot read the audit log");
    let carol = app.person("carol", &["auditor"]).await;
    assert_eq!(Shell::of(&app, &carol).keyward("audit list").await.exit, Some(0));
}
