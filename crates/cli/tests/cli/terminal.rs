//! At a terminal: what is asked, and how it looks there.

#![cfg(unix)]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use keyward_test_support::{PASSWORD, TestApp, on_both};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::json;

use crate::login::new_server;
use crate::shell::{Shell, aside};
use crate::snapshot::redacted;

/// A terminal with the program in it. It knows no width, so that it counts as 80 columns wide.
struct Terminal {
    keys: File,
    screen: Receiver<Vec<u8>>,
    child: Child,
    shown: String,
    /// Up to where the screen has been looked at.
    looked: usize,
}

impl Terminal {
    fn start(mut command: Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let its = rustix::fs::open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        command.stdin(its.try_clone().unwrap()).stdout(its.try_clone().unwrap()).stderr(its);
        let child = command.spawn().unwrap();
        // Nobody but the program holds its side now, so that its end is the end of the screen.
        drop(command);
        let keys = File::from(ours);
        let mut reader = keys.try_clone().unwrap();
        let (sender, screen) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The end is an error (EIO) on Linux.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { keys, screen, child, shown: String::new(), looked: 0 }
    }

    /// Waits for a question.
    fn asked(&mut self, question: &str) -> &mut Self {
        while !self.shown[self.looked..].contains(question) {
            assert!(self.read(), "\"{question}\" was not asked: {}", self.shown);
        }
        self.looked = self.shown.len();
        self
    }

    /// Types a line.
    fn types(&mut self, line: &str) -> &mut Self {
        writeln!(self.keys, "{line}").unwrap();
        self
    }

    /// Waits for the end: the exit code, and all that was shown.
    fn ended(mut self) -> (Option<i32>, String) {
        while self.read() {}
        let exit = self.child.wait().unwrap().code();
        (exit, redacted(&self.shown.replace("\r\n", "\n")))
    }

    fn read(&mut self) -> bool {
        match self.screen.recv_timeout(Duration::from_secs(60)) {
            Ok(bytes) => {
                self.shown.push_str(&String::from_utf8_lossy(&bytes));
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => panic!("nothing happens: {}", self.shown),
        }
    }
}

#[test]
fn a_terminal_is_told_from_a_pipe() {
    let mut shell = Terminal::start(Shell::new().command("login http://127.0.0.1:1 --username ada"));
    assert!(shell.read());
    let (exit, shown) = shell.ended();
    assert_eq!(exit, Some(6), "{shown}");
    assert!(shown.contains("\u{1b}[1;31merror"), "in colour: {shown}");
}

on_both! {
    the_first_user_is_asked_for,
    two_different_passwords_create_nobody,
    a_password_is_asked_for,
    deleting_asks_for_the_name,
    deleting_a_user_asks_for_the_name,
    ones_own_password_is_asked_for_old_and_new,
    yes_skips_the_question,
    expiring_asks_nothing,
    expiring_by_conditions_asks_for_the_number,
    keys_that_appear_after_the_preview_are_a_conflict,
    a_new_token_is_shown_with_its_end,
    tables_are_fitted_and_coloured_unless_that_is_unwanted,
    on_eighty_columns_no_word_is_split,
}

async fn the_first_user_is_asked_for(app: TestApp) {
    let server = new_server(&app).await;
    let shell = Shell::new();
    let command = shell.command(&format!("login {}", server.url));
    let (exit, shown) = aside(move || {
        let mut terminal = Terminal::start(command);
        terminal.asked("Username: ").types("ada");
        terminal.asked("E-mail address: ").types("ada@example.com");
        terminal.asked("New password (at least 12 characters): ").types(PASSWORD);
        terminal.asked("Repeat the new password: ").types(PASSWORD);
        terminal.ended()
    })
    .await;
    assert_eq!(exit, Some(0), "{shown}");
    let expected = "User ada has been created as an owner.\nLogged in to <url> as ada.\n";
    assert!(shown.ends_with(expected), "{shown}");
    assert_eq!(shell.keyward("whoami -o json").await.json()["username"], "ada");
}

async fn two_different_passwords_create_nobody(app: TestApp) {
    let server = new_server(&app).await;
    let shell = Shell::new();
    let flags = "--first-user-username ada --first-user-email a@example.com";
    let command = shell.command(&format!("login {} {flags}", server.url));
    let (exit, shown) = aside(move || {
        let mut terminal = Terminal::start(command);
        terminal.asked("New password (at least 12 characters): ").types(PASSWORD);
        terminal.asked("Repeat the new password: ").types("correct horse battery stable");
        terminal.ended()
    })
    .await;
    assert_eq!(exit, Some(1), "{shown}");
    assert!(shown.contains("the two passwords do not match; nothing was changed"), "{shown}");
    server.anonymous().get("/api/v2/users/first").await.refused(404, "no_first_user");
}

async fn a_password_is_asked_for(app: TestApp) {
    let shell = Shell::new();
    let command = shell.command(&format!("login {}", app.url));
    let (exit, shown) = aside(move || {
        let mut terminal = Terminal::start(command);
        terminal.asked("Username or e-mail address: ").types("owner");
        terminal.asked("Password: ").types(PASSWORD);
        terminal.ended()
    })
    .await;
    assert_eq!(exit, Some(0), "{shown}");
    assert!(shown.ends_with("Logged in to <url> as owner.\n"), "{shown}");
}

async fn deleting_asks_for_the_name(app: TestApp) {
    app.owner.token(&json!({ "token_name": "ci" })).await;
    let shell = Shell::of(&app, &app.owner);
    for (typed, ends, exit_wanted) in [
        ("cd", "error: the name does not match \"ci\"; nothing was deleted\n", 1),
        ("ci", "Token has been deleted.\n", 0),
    ] {
        let command = shell.command("tokens remove ci --delete --no-color");
        let (exit, shown) = aside(move || {
            let mut terminal = Terminal::start(command);
            terminal.asked("will be permanently deleted. Type its name to confirm (ci): ").types(typed);
            terminal.ended()
        })
        .await;
        assert_eq!(exit, Some(exit_wanted), "{shown}");
        assert!(shown.starts_with("Token <id> will be permanently deleted"), "{shown}");
        assert!(shown.ends_with(ends), "{shown}");
    }
    assert_eq!(app.owner.token_ids("?include_expired=true").await.len(), 0);
}

async fn deleting_a_user_asks_for_the_name(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let shell = Shell::of(&app, &app.owner);
    for (typed, wanted) in [("", 1), ("Ada", 1), ("ada", 0)] {
        ada.http.get("/api/v2/users/me").await.expect(200);
        let command = shell.command(&format!("users delete {}", ada.id));
        let (exit, shown) = aside(move || {
            let mut terminal = Terminal::start(command);
            let question = "User ada will be permanently deleted. Type its name to confirm (ada): ";
            terminal.asked(question).types(typed);
            terminal.ended()
        })
        .await;
        assert_eq!(exit, Some(wanted), "{shown}");
    }
    assert_eq!(ada.http.get("/api/v2/users/me").await.status, 401);
}

async fn ones_own_password_is_asked_for_old_and_new(app: TestApp) {
    let ada = app.person("ada", &[]).await;
    let shell = Shell::of(&app, &ada);
    let command = shell.command("users password ada");
    let new = "another battery staple horse";
    let (exit, shown) = aside(move || {
        let mut terminal = Terminal::start(command);
        terminal.asked("Old password: ").types(PASSWORD);
        terminal.asked("New password (at least 12 characters): ").types(new);
        terminal.asked("Repeat the new password: ").types(new);
        terminal.ended()
    })
    .await;
    assert_eq!(exit, Some(0), "{shown}");
    assert!(shown.ends_with("This includes your session: run `keyward login`.\n"), "{shown}");
    let run = shell.keyward_reading("login --username ada --password-stdin", new).await;
    assert_eq!(run.exit, Some(0), "{run:?}");
}

async fn yes_skips_the_question(app: TestApp) {
    app.owner.token(&json!({ "token_name": "ci" })).await;
    let shell = Shell::of(&app, &app.owner);
    let command = shell.command("tokens remove ci --delete --yes");
    let (exit, shown) = aside(move || Terminal::start(command).ended()).await;
    assert_eq!((exit, shown.as_str()), (Some(0), "Token has been deleted.\n"));
}

async fn expiring_asks_nothing(app: TestApp) {
    app.owner.token(&json!({ "token_name": "ci" })).await;
    let shell = Shell::of(&app, &app.owner);
    let command = shell.command("tokens remove ci");
    let (exit, shown) = aside(move || Terminal::start(command).ended()).await;
    assert_eq!((exit, shown.as_str()), (Some(0), "Token has been expired.\n"));
}

async fn expiring_by_conditions_asks_for_the_number(app: TestApp) {
    app.owner.token(&json!({ "token_name": "leaked-1" })).await;
    app.owner.token(&json!({ "token_name": "leaked-2" })).await;
    let shell = Shell::of(&app, &app.owner);
    for (typed, ends, exit_wanted) in [
        ("3", "error: \"3\" is not the number of keys, 2; nothing was expired\n", 1),
        ("2", "2 keys expired, 0 had expired before; incident <uuid>; no verifier is connected.\n", 0),
    ] {
        let command = shell.command("tokens expire --name leaked --reason compromised --no-color");
        let (exit, shown) = aside(move || {
            let mut terminal = Terminal::start(command);
            terminal.asked("2 keys will be expired. Type the number to confirm (2): ").types(typed);
            terminal.ended()
        })
        .await;
        assert_eq!(exit, Some(exit_wanted), "{shown}");
        assert!(shown.starts_with("2 keys selected: 2 live, 0 expired before\n"), "{shown}");
        assert!(shown.ends_with(ends), "{shown}");
    }
    assert_eq!(app.owner.token_ids("").await.len(), 0);
}

async fn keys_that_appear_after_the_preview_are_a_conflict(app: TestApp) {
    app.owner.token(&json!({ "token_name": "leaked-1" })).await;
    let shell = Shell::of(&app, &app.owner);
    let command = shell.command("tokens expire --name leaked --reason compromised --no-color");
    let (tell_asked, asked) = tokio::sync::oneshot::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let running = tokio::task::spawn_blocking(move || {
        let mut terminal = Terminal::start(command);
        terminal.asked("1 key will be expired. Type the number to confirm (1): ");
        tell_asked.send(()).unwrap();
        may_go_on.recv_timeout(Duration::from_secs(60)).unwrap();
        terminal.types("1");
        terminal.ended()
    });
    asked.await.unwrap();
    app.owner.token(&json!({ "token_name": "leaked-2" })).await;
    go_on.send(()).unwrap();
    let (exit, shown) = running.await.unwrap();
    assert_eq!(exit, Some(5), "{shown}");
    let said = "error: the selection has changed since the dry run; no key was expired\n  cause: before: 1 key, 0 \
                expired before; now: 2 keys, 0 expired before\n";
    assert!(shown.contains(said), "{shown}");
    assert_eq!(app.owner.token_ids("").await.len(), 2);
}

async fn a_new_token_is_shown_with_its_end(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    let command = shell.command("tokens create -n ci");
    let (exit, shown) = aside(move || Terminal::start(command).ended()).await;
    let expected = "<token>\nThe token can do everything its owner can; --scope narrows it, as in --scope \
                    workspace:read.\nToken \"ci\" (<id>) expires at <time>. It is shown only this once.\n";
    assert_eq!((exit, shown.as_str()), (Some(0), expected));
}

async fn tables_are_fitted_and_coloured_unless_that_is_unwanted(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    app.owner.token(&json!({ "token_name": "a name of many words that does not fit on one line of it" })).await;
    for (line, variable, coloured) in [
        ("tokens list", None, true),
        ("tokens list --no-color", None, false),
        ("tokens list", Some(("NO_COLOR", "1")), false),
        ("tokens list", Some(("NO_COLOR", "")), true),
        ("tokens list", Some(("TERM", "dumb")), false),
    ] {
        let mut command = shell.command(line);
        command.envs(variable);
        let (exit, shown) = aside(move || Terminal::start(command).ended()).await;
        assert_eq!(exit, Some(0), "{shown}");
        assert_eq!(shown.contains('\u{1b}'), coloured, "{line} {variable:?}: {shown:?}");
        assert!(shown.contains("never") && shown.contains("days"), "{shown}");
        assert!(coloured || shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }
}

async fn on_eighty_columns_no_word_is_split(app: TestApp) {
    let (name, scope) = ("nightly-deployment-of-the-whole-site", "workspace:application_connect");
    let ada = app.person("ada-of-the-deployments", &[]).await;
    ada.token(&json!({ "token_name": name, "scopes": [scope, "workspace:read"] })).await;
    let shell = Shell::of(&app, &app.owner);
    assert_eq!(shell.keyward("tokens expire --name nothing --reason policy --yes").await.exit, Some(0));
    assert_eq!(shell.keyward("tokens expire --name site --reason policy --yes").await.exit, Some(0));
    for (line, dropped) in [
        ("tokens list --all --include-expired", Some("not shown in 80 columns: allow list, last used, created at; ")),
        ("tokens list --all --include-expired -c name,scopes", None),
        ("users list", None),
        ("audit list", Some("not shown in 80 columns: action, type, ip; ")),
        ("incidents list", Some("not shown in 80 columns: expired; ")),
        ("scopes list", None),
    ] {
        let command = shell.command(&format!("{line} --no-color"));
        let (exit, shown) = aside(move || Terminal::start(command).ended()).await;
        assert_eq!((exit, shown.contains("not shown")), (Some(0), dropped.is_some()), "{line}: {shown}");
        assert!(shown.contains(dropped.unwrap_or_default()), "{line}: {shown}");
        for text in shown.lines() {
            assert!(text.chars().count() <= 80, "{line}: {shown}");
            for word in text.split_whitespace().filter(|word| word.starts_with("nightly") || word.starts_with("work")) {
                let word = word.trim_end_matches(',');
                let is_whole = word == name || word == scope || !word.contains("nightly") && !word.contains("app");
                assert!(is_whole || word.ends_with('…'), "{line}: {word}: {shown}");
            }
        }
    }
}
