//! `keyward login`, and what it stores.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use keyward_test_support::{NewApp, PASSWORD, TestApp, TestDatabase, on_both};
use serde_json::json;

use crate::shell::{Shell, mode};

/// A server beside the test's own that has no user yet.
pub async fn new_server(app: &TestApp) -> NewApp {
    NewApp::start(TestDatabase::create(app.database.backend).unwrap()).await
}

const FIRST: &str = "--first-user-username ada --first-user-email ada@example.com --first-user-password-stdin";

on_both! {
    the_first_login_creates_the_first_user,
    the_flags_of_the_first_user_log_in_when_there_is_one,
    a_new_server_wants_its_first_user,
    a_bad_first_user_is_refused,
    from_elsewhere_the_first_user_needs_the_setup_code,
    a_password_logs_in_by_username_or_address,
    logging_in_again_takes_the_place_of_the_session,
    a_wrong_password_stores_nothing,
    without_a_terminal_the_flags_must_say_who,
    a_token_is_stored_as_it_is,
    a_token_that_does_not_work_is_not_stored,
    it_says_that_the_variable_will_win,
    the_url_of_the_variable_is_logged_in_to,
    files_are_for_their_owner_only,
    a_directory_that_cannot_be_written_is_told_before_a_session_is_made,
}

async fn the_first_login_creates_the_first_user(app: TestApp) {
    let server = new_server(&app).await;
    let shell = Shell::new();
    let run =
        shell.keyward_reading(&format!("login {} {FIRST} --first-user-name 'Ada L.'", server.url), PASSWORD).await;
    run.is("
        User ada has been created as an owner.
        Logged in to <url> as ada.
        ! <url> has no users yet; creating the first user, an owner.
        exit 0");
    assert_eq!(shell.file("url").unwrap(), server.url);
    assert!(shell.file("session").unwrap().starts_with("kws_"));
    let me = shell.keyward("whoami -o json").await.json();
    assert_eq!(me["username"], "ada");
    assert_eq!(me["name"], "Ada L.");
    assert_eq!(me["roles"], json!(["owner"]));
}

async fn the_flags_of_the_first_user_log_in_when_there_is_one(app: TestApp) {
    let line = format!("login {} {}", app.url, FIRST.replace(" ada ", " owner "));
    Shell::new().keyward_reading(&line, &format!("{PASSWORD}\n")).await.is("
        Logged in to <url> as owner.
        ! The first user already exists; logging in.
        exit 0");
}

async fn a_new_server_wants_its_first_user(app: TestApp) {
    let server = new_server(&app).await;
    let line = format!("login {} --username ada --password-stdin", server.url);
    Shell::new().keyward_reading(&line, PASSWORD).await.is("
        ! error: the new server needs a first user, and there is no terminal to prompt on
        !   hint: pass --first-user-username, --first-user-email, --first-user-password-stdin
        exit 2");
}

async fn a_bad_first_user_is_refused(app: TestApp) {
    let server = new_server(&app).await;
    let shell = Shell::new();
    shell.keyward_reading(&format!("login {} {FIRST}", server.url), "short\n").await.is("
        ! <url> has no users yet; creating the first user, an owner.
        ! error: cannot create the first user
        !   cause: The request has a field with an invalid value.
        !   cause: password must have 12 to 256 bytes, not 5
        !   request id: <uuid>
        exit 1");
    assert_eq!(shell.file("session"), None);
}

async fn from_elsewhere_the_first_user_needs_the_setup_code(app: TestApp) {
    let server = new_server(&app).await;
    let url = forwarded(&server.url);
    let line = format!("login {url} {FIRST}");
    Shell::new().keyward_reading(&line, PASSWORD).await.is("
        ! <url> has no users yet; creating the first user, an owner.
        ! error: cannot create the first user
        !   cause: Creating the first user from another machine needs the setup code.
        !   hint: Send the code that the last started server printed in the header Keyward-Setup-Code.
        !   hint: set KEYWARD_SETUP_CODE to the setup code that the server printed when it started
        !   request id: <uuid>
        exit 4");
    let wrong = Shell::new().with("KEYWARD_SETUP_CODE", "nonsense");
    assert_eq!(wrong.keyward_reading(&line, PASSWORD).await.exit, Some(4));
    let right = Shell::new().with("KEYWARD_SETUP_CODE", server.setup_code());
    assert_eq!(right.keyward_reading(&line, PASSWORD).await.exit, Some(0));
}

async fn a_password_logs_in_by_username_or_address(app: TestApp) {
    for name in ["owner", "OWNER", "owner@example.com"] {
        let shell = Shell::new();
        let line = format!("login {}/ --username {name} --password-stdin", app.url);
        let run = shell.keyward_reading(&line, &format!("{PASSWORD}\r\n")).await;
        run.printed(&format!("Logged in to {} as {name}.\n", app.url));
        assert_eq!(run.stderr, "");
        assert_eq!(shell.file("url").unwrap(), app.url, "without the slash");
        assert_eq!(shell.keyward("whoami -o json").await.json()["username"], "owner");
    }
}

async fn logging_in_again_takes_the_place_of_the_session(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    app.person("ada", &[]).await;
    let run = shell.keyward_reading("login --username ada --password-stdin", PASSWORD).await;
    run.printed(&format!("Logged in to {} as ada.\n", app.url));
    let first = shell.file("session").unwrap();
    assert_ne!(first, app.owner.session);
    app.owner.http.get("/api/v2/users/me").await.expect(200);

    // The replaced session of the same user ends: nothing would use it any more.
    shell.keyward_reading("login --username ada --password-stdin", PASSWORD).await;
    assert_ne!(shell.file("session").unwrap(), first);
    app.with(first.trim()).get("/api/v2/users/me").await.refused(401, "key_expired");
    app.with(shell.file("session").unwrap().trim()).get("/api/v2/users/me").await.expect(200);
}

async fn a_wrong_password_stores_nothing(app: TestApp) {
    let shell = Shell::of(&app, &app.owner);
    for name in ["owner", "nobody"] {
        let line = format!("login --username {name} --password-stdin");
        shell.keyward_reading(&line, "correct horse battery stable").await.is("
            ! error: cannot log in to <url>
            !   cause: Incorrect email or password.
            !   request id: <uuid>
            exit 4");
    }
    assert_eq!(shell.file("session").unwrap(), app.owner.session);
}

async fn without_a_terminal_the_flags_must_say_who(app: TestApp) {
    Shell::new().keyward(&format!("login {}", app.url)).await.is("
        ! error: login needs a username and a password, and there is no terminal to prompt on
        !   hint: pass --username, --password-stdin
        !   hint: or pass --token-stdin with a token on stdin
        exit 2");
    let line = format!("login {} --username owner --password-stdin", app.url);
    Shell::new().keyward(&line).await.is("
        ! error: --password-stdin needs the password as one line on stdin, but got no text
        exit 2");
}

async fn a_token_is_stored_as_it_is(app: TestApp) {
    let created = app.owner.token(&json!({ "token_name": "ci" })).await;
    let token = created["key"].as_str().unwrap();
    let shell = Shell::new();
    shell.keyward_reading(&format!("login {} --token-stdin", app.url), &format!("{token}\n")).await.is("
        Logged in to <url> as owner.
        exit 0");
    assert_eq!(shell.file("session").unwrap(), token);
    shell.keyward("login token").await.printed(&format!("{token}\n"));
    let list = app.owner.http.get("/api/v2/users/me/keys").await.json();
    assert_eq!(list.as_array().unwrap().len(), 2, "no session was made: {list}");
}

async fn a_token_that_does_not_work_is_not_stored(app: TestApp) {
    let shell = Shell::new();
    let unknown = "kwd_a1B2c3D4e5-0123456789abcdefghijklmnopqr";
    shell.keyward_reading(&format!("login {} --token-stdin", app.url), unknown).await.is("
        ! error: cannot log in to <url> with the token
        !   cause: You are signed out or your session has expired. Please sign in again to continue.
        !   cause: API key is invalid.
        !   request id: <uuid>
        exit 4");
    assert_eq!((shell.file("url"), shell.file("session")), (None, None));
}

async fn it_says_that_the_variable_will_win(app: TestApp) {
    let shell = Shell::new().with("KEYWARD_SESSION_TOKEN", &app.owner.session);
    let line = format!("login {} --username owner --password-stdin", app.url);
    shell.keyward_reading(&line, PASSWORD).await.is("
        Logged in to <url> as owner.
        ! warning: KEYWARD_SESSION_TOKEN overrides the stored session; unset it to use the session
        exit 0");
    shell.keyward("login token").await.printed(&format!("{}\n", app.owner.session));
}

async fn the_url_of_the_variable_is_logged_in_to(app: TestApp) {
    let shell = Shell::new().with("KEYWARD_URL", &app.url);
    let run = shell.keyward_reading("login --username owner --password-stdin", PASSWORD).await;
    run.printed(&format!("Logged in to {} as owner.\n", app.url));
}

async fn files_are_for_their_owner_only(app: TestApp) {
    let home = tempfile::tempdir().unwrap();
    let shell = Shell::new().with("HOME", home.path().to_str().unwrap());
    let mut command = shell.command(&format!("login {} --token-stdin", app.url));
    command.env_remove("KEYWARD_CONFIG_DIR").env_remove("XDG_CONFIG_HOME");
    let session = app.owner.session.clone();
    crate::shell::aside(move || crate::shell::Run::reading(command, session)).await.is("
        Logged in to <url> as owner.
        exit 0");
    let dir = home.path().join(".config/keyward");
    assert_eq!(mode(&dir), 0o700);
    assert_eq!((mode(&dir.join("url")), mode(&dir.join("session"))), (0o600, 0o600));
}

async fn a_directory_that_cannot_be_written_is_told_before_a_session_is_made(app: TestApp) {
    let shell = Shell::new();
    std::fs::write(shell.dir.path().join("file"), "").unwrap();
    let dir = shell.dir.path().join("file/keyward");
    let line = format!("login {} --username owner --password-stdin --config-dir {}", app.url, dir.display());
    let run = shell.keyward_reading(&line, PASSWORD).await;
    run.failed(1, "cannot prepare the directory");
    assert_eq!(app.audit("action:login").await.len(), 1, "the one of the test itself");
}

/// A proxy before the server, which says for whom it asks. Ends with the test's process.
fn forwarded(server: &str) -> String {
    let server = server.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (client, server) = (stream.unwrap(), TcpStream::connect(&server).unwrap());
            forward(client, server);
        }
    });
    url
}

/// One request and its answer.
fn forward(mut client: TcpStream, mut server: TcpStream) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let head = loop {
        let count = client.read(&mut buffer).unwrap();
        request.extend_from_slice(&buffer[..count]);
        match request.windows(4).position(|end| end == b"\r\n\r\n") {
            Some(head) => break head,
            // The client came for nothing.
            None if count == 0 => return,
            None => {}
        }
    };
    let body = request.split_off(head + 2);
    server.write_all(&request).unwrap();
    server.write_all(b"X-Forwarded-For: 203.0.113.7\r\nConnection: close\r\n").unwrap();
    server.write_all(&body).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    // The rest of the request, if any is still on its way.
    thread::spawn(move || std::io::copy(&mut from, &mut to));
    // Either may hang up first.
    let _copied = std::io::copy(&mut server, &mut client);
    let _closed = client.shutdown(std::net::Shutdown::Both);
}
