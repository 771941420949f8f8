//! The program from outside, as far as no server is needed: streams, exit codes, and which
//! credential would be used.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::shell::{Run, Shell};

const SESSION: &str = "kws_a1B2c3D4e5-0123456789abcdefghijklmnopqr";
const TOKEN: &str = "kwd_a1B2c3D4e5-0123456789abcdefghijklmnopqr";

/// A server's port that nobody listens on.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A port that somebody listens on, who can tell whether anyone came.
struct Ear(TcpListener);

impl Ear {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    #[track_caller]
    fn heard_nothing(&self) {
        assert!(self.0.accept().is_err(), "someone connected");
    }
}

#[test]
fn usage_errors_exit_2_and_are_on_stderr() {
    let shell = Shell::stored("http://127.0.0.1:1", SESSION);
    for (line, said) in [
        ("", "Usage: keyward"),
        ("nonsense", "nonsense"),
        ("tokens list --nonsense", "--nonsense"),
        (
            "tokens list -c id,size",
            "[possible values: id, name, scopes, allow-list, last-used, expires-at, created-at, owner, status, last-used-ip, minted-by, end-reason]",
        ),
        ("tokens list --all --user ada", "--user"),
        ("tokens list --used-after yesterday", "'yesterday'"),
        ("tokens list --created-before 2026-13-01", "'2026-13-01'"),
        ("tokens list --last-used-ip 192.0.2.0/33", "'192.0.2.0/33'"),
        ("tokens list --minted-by ci", "'ci'"),
        ("tokens list --status dead", "'dead'"),
        ("tokens list --sort name", "'name'"),
        ("tokens expire", "no token is selected"),
        ("tokens expire --reason policy --yes", "no token is selected"),
        ("tokens expire --user ada --yes", "a reason is needed"),
        ("tokens expire --user ada --reason because", "'because'"),
        ("tokens expire --user ada --reason policy", "no terminal"),
        ("tokens expire ci --never-used", "names and conditions"),
        ("tokens expire ci --dry-run", "names and conditions"),
        ("tokens expire --id ci --dry-run", "'ci'"),
        ("tokens expire --incident 1", "'1'"),
        ("tokens expire --incident 019ac3f0-7a1e-7000-8000-000000000001 --never-used", "leave out all other flags"),
        ("tokens expire ci -o json", "-o json needs conditions"),
        ("tokens remove ci --delete --reason policy", "--delete"),
        ("incidents view 1", "'1'"),
        ("locks add --message x", "--everything selects all keys"),
        ("locks add --everything", "--message <TEXT>"),
        ("locks add --everything --message x --mode limit", "pass --allow-scope, such as"),
        ("locks add --everything --message x --scopes workspace:read", "leaves no scopes, not \"workspace:read\""),
        ("locks add --everything --message x --ends-at 2h", "'2h'"),
        ("locks add --everything --message x --ends-at 2020-01-01", "in the future"),
        ("locks add --everything --message x --mode stop", "'stop'"),
        ("locks add --id ci --message x", "want the ID of a key"),
        ("locks remove 1", "'1'"),
        ("tokens list --user ..", "--user"),
        ("tokens create --lifetime 0s", "zero"),
        ("tokens create --lifetime 30", "not a duration"),
        ("tokens create --lifetime 1.5h", "not a duration"),
        ("tokens create --lifetime -1h", "-1"),
        ("tokens create --lifetime 300y", "too long"),
        ("tokens create -o csv", "csv"),
        ("tokens remove", "NAME|ID|TOKEN"),
        ("tokens view ..", "expected the name of a token"),
        ("tokens list --url example.com", "http:// or https://"),
        ("login --token-stdin --username ada", "--username"),
        ("login --username ada token", "login token"),
        ("audit list --limit 0", "limit"),
        ("audit list --username a\"b", "double quote"),
        ("users create --username svc --email a@b --login-type none --password-stdin", "service account"),
        ("users create --username ada --email a@b", "--password-stdin"),
        ("users password me", "--password-stdin"),
        ("man tokens nonsense", "nonsense"),
    ] {
        shell.run(line).failed(2, said);
    }
    shell.run_with("whoami", "KEYWARD_URL", "example.com").failed(2, "KEYWARD_URL");
}

#[test]
fn help_and_version_are_on_stdout() {
    for line in ["--help", "-h", "help tokens list", "tokens create --help"] {
        let run = Shell::new().run(line);
        assert_eq!((run.exit, run.stderr.as_str()), (Some(0), ""), "{run:?}");
        assert!(run.stdout.contains("Usage: keyward"), "{run:?}");
    }
    Shell::new().run("--version").printed(&format!("keyward {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_pasted_token_is_never_echoed() {
    let shell = Shell::stored(&format!("http://127.0.0.1:{}", closed_port()), SESSION);
    for line in [
        "login",
        "--url",
        "users view",
        "tokens list",
        "tokens view",
        "tokens remove",
        "tokens remove x",
        "tokens identify",
    ] {
        let run = shell.run(&format!("{line} {TOKEN}"));
        assert_ne!(run.exit, Some(0), "{run:?}");
        assert!(!run.stderr.contains("0123456789") && !run.stdout.contains("0123456789"), "{line}: {run:?}");
    }
}

#[test]
fn login_token_prints_the_stored_session_and_nothing_else() {
    let shell = Shell::stored("http://one.example", SESSION);
    let run = shell.run("login token");
    run.printed(&format!("{SESSION}\n"));
    assert_eq!(run.stderr, "");
}

#[test]
fn login_token_without_a_session_exits_4() {
    let run = Shell::new().run("login token");
    run.failed(4, "no session token found - run 'keyward login' first\n");
}

#[test]
fn the_variable_wins_over_the_stored_session() {
    let shell = Shell::stored("http://one.example", SESSION);
    shell.run_with("login token", "KEYWARD_SESSION_TOKEN", TOKEN).printed(&format!("{TOKEN}\n"));
    shell.run_with("login token", "KEYWARD_SESSION_TOKEN", "").printed(&format!("{SESSION}\n"));
    Shell::new().run_with("login token", "KEYWARD_SESSION_TOKEN", TOKEN).printed(&format!("{TOKEN}\n"));
}

#[test]
fn the_flag_wins_over_the_variable_and_that_over_the_file() {
    let shell = Shell::stored("http://one.example", SESSION);
    shell.run_with("login token", "KEYWARD_URL", "http://two.example").failed(4, "http://two.example");
    let run = shell.run_with("login token --url http://ONE.example:80/", "KEYWARD_URL", "http://two.example");
    run.printed(&format!("{SESSION}\n"));
    let other = tempfile::tempdir().unwrap();
    let line = format!("--config-dir {} login token", other.path().display());
    shell.run(&line).failed(4, "no session token found");
}

#[test]
fn the_stored_session_is_sent_to_no_other_server() {
    let shell = Shell::stored("http://one.example", SESSION);
    let ear = Ear::new();
    for command in ["whoami", "tokens list", "tokens remove ci", "logout", "users list"] {
        let run = shell.run(&format!("{command} --url {}", ear.url()));
        run.failed(4, "the stored session belongs to http://one.example and is not sent to");
    }
    ear.heard_nothing();
}

#[test]
fn without_a_server_or_a_session_it_exits_4() {
    Shell::new().run("login").failed(4, "no server is configured");
    Shell::new().run("tokens list").failed(4, "no server is configured");
    Shell::new().run("tokens list --url http://127.0.0.1:1").failed(4, "run 'keyward login' first");
}

#[test]
fn a_server_out_of_reach_exits_6() {
    let shell = Shell::stored(&format!("http://127.0.0.1:{}", closed_port()), SESSION);
    for line in
        ["whoami", "tokens list -o json", "tokens create", "scopes list", "login --username ada --password-stdin"]
    {
        shell.run(line).failed(6, "cannot reach http://127.0.0.1");
    }
    let run = shell.run("whoami -v");
    run.failed(6, "caused by: ");
}

#[test]
fn a_server_that_goes_mute_while_keys_expire_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let body = r#"{"matched":2,"already_expired":0,"children":0,"owners":[],"used_last_hour":0,
            "used_last_day":0,"sample":[],"digest":"abc"}"#;
        let (mut first, _) = listener.accept().unwrap();
        let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&request).contains(r#""dry_run":true}"#) {
            let count = first.read(&mut buffer).unwrap();
            assert_ne!(count, 0, "cut short");
            request.extend_from_slice(&buffer[..count]);
        }
        let length = body.len();
        write!(first, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        drop(first);
        // From here on, it accepts connections and says nothing.
        let silent: Vec<_> = listener.incoming().collect();
        drop(silent);
    });
    let began = Instant::now();
    let run = Shell::stored(&url, SESSION).run("tokens expire --name ci --reason policy --yes --timeout 1s");
    run.failed(6, "error: cannot expire the keys\n");
    assert!(run.stderr.contains("go on with: keyward tokens expire --incident "), "{run:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn several_removals_go_on_after_a_failure_and_are_summed_up() {
    let shell = Shell::stored(&format!("http://127.0.0.1:{}", closed_port()), SESSION);
    let run = shell.run("tokens remove kwd_x tokenconfig");
    assert_eq!((run.exit, run.stdout.as_str()), (Some(3), "(not a key): failed\ntokenconfig: failed\n"), "{run:?}");
    assert!(run.stderr.ends_with("0 of 2 expired, 2 failed\n"), "{run:?}");
}

#[test]
fn a_key_that_cannot_be_is_not_found_without_asking() {
    let ear = Ear::new();
    let shell = Shell::stored(&ear.url(), SESSION);
    shell.run("tokens view tokenconfig").failed(3, "the name \"tokenconfig\" is reserved, so no token can have it");
    shell.run("tokens remove kwd_a1B2c3D4e5oops").failed(3, "it looks like a key but is malformed");
    shell.run_reading("tokens remove -", "kwd_a1B2c3D4e5oops\n").failed(3, "it looks like a key but is malformed");
    shell.run_reading("tokens remove -", "").failed(2, "on stdin");
    ear.heard_nothing();
}

#[test]
fn logging_out_only_forgets_a_token() {
    let ear = Ear::new();
    let shell = Shell::stored(&ear.url(), TOKEN);
    let run = shell.run("logout");
    run.printed(&format!("Logged out of {}.\n", ear.url()));
    assert!(run.stderr.contains("kwd_a1B2c3D4e5 was forgotten on this machine but not expired"), "{run:?}");
    ear.heard_nothing();
    assert!(!shell.dir.path().join("session").exists());
    assert!(shell.dir.path().join("url").exists());
    shell.run("logout").failed(4, "no session token found");
}

#[test]
fn logging_out_says_that_the_variable_is_still_set() {
    let ear = Ear::new();
    let shell = Shell::stored("http://one.example", SESSION);
    let line = format!("logout --url {}", ear.url());
    let run = shell.run_with(&line, "KEYWARD_SESSION_TOKEN", TOKEN);
    assert_eq!(run.exit, Some(0), "{run:?}");
    assert!(run.stderr.contains("KEYWARD_SESSION_TOKEN is still set"), "{run:?}");
    ear.heard_nothing();
    assert!(shell.dir.path().join("session").exists(), "another server's session stays");
}

#[test]
fn completions_and_manual_pages_need_nothing_set_up() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = Shell::new().run_with(&format!("completion {shell}"), "KEYWARD_URL", "nonsense");
        assert_eq!((run.exit, run.stderr.as_str()), (Some(0), ""), "{shell}: {run:?}");
        assert!(run.stdout.contains("include-expired"), "{shell}");
    }
    for (line, title) in [
        ("man", ".TH keyward 1"),
        ("man tokens", ".TH keyward-tokens 1"),
        ("man token ls", ".TH keyward-tokens-list 1"),
        ("man users edit-roles", ".TH keyward-users-edit-roles 1"),
    ] {
        let run = Shell::new().run(line);
        assert_eq!((run.exit, run.stderr.as_str()), (Some(0), ""), "{run:?}");
        assert!(run.stdout.contains(title), "{line}: {run:?}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let shell = Shell::new();
    let mut child = shell.command("completion zsh").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!((run.exit, run.stderr.as_str()), (Some(0), ""), "{run:?}");
}
