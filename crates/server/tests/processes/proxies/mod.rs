//! The documented configurations of reverse proxies, in the real programs: each asks a real server about
//! the requests to an application.

mod program;
mod responder;
mod stage;

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use keyward_test_support::{TIMEOUT, Wire};
use serde_json::{Value, json};

use program::{Program, Proxy};
use responder::Responder;
use stage::{Key, Stage};

/// A name and a function that panics if the check fails.
type Check = (&'static str, fn(&mut Stage));

/// What every proxy must do. The checks run in this order: the last ones expire a key and stop the server.
const CHECKS: &[Check] = &[
    ("without a sufficient key, the client gets Keyward's response", without_a_sufficient_key),
    ("the application learns the user and not the key", the_application_learns_the_user),
    ("two keys are refused", two_keys_are_refused),
    ("the client's path and query change nothing", the_client_chooses_no_scope),
    ("forged headers do not get through", forged_headers_do_not_get_through),
    ("forged headers do not get through if /authz sends none", forged_headers_without_others),
    ("Connection removes no header that the proxy adds", connection_removes_nothing),
    ("Keyward logs the client's address", the_log_has_the_clients_address),
    ("methods and bodies arrive", methods_and_bodies_arrive),
    ("WebSocket connections are checked and forwarded", websockets_are_checked),
    ("there is no other way around Keyward on a connection", no_tunnels),
    ("an expired key is refused at once", an_expired_key_is_refused),
    ("nothing gets through without Keyward", nothing_gets_through_without_keyward),
];

/// The value of forged headers.
const FORGED: &str = "somebody-else";

const IDENTITY: [&str; 4] = ["Keyward-User", "Keyward-User-Id", "Keyward-Key-Id", "Keyward-Scopes"];

const CREDENTIALS: [&str; 3] = ["Authorization", "Keyward-Session-Token", "Coder-Session-Token"];

/// No headers.
const NONE: &[&str] = &[];

const WEBSOCKET: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// The answer to the key in [`WEBSOCKET`]. RFC 6455 has both as its example.
const WEBSOCKET_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

#[test]
fn nginx_lets_through_what_keyward_allows() {
    check(Program::Nginx);
}

#[test]
fn haproxy_lets_through_what_keyward_allows() {
    check(Program::Haproxy);
}

#[test]
fn envoy_lets_through_what_keyward_allows() {
    check(Program::Envoy);
}

#[test]
fn traefik_lets_through_what_keyward_allows() {
    check(Program::Traefik);
}

#[test]
fn caddy_lets_through_what_keyward_allows() {
    check(Program::Caddy);
}

fn check(program: Program) {
    let Some(file) = program.file() else { return };
    let Some(mut stage) = Stage::new(program, file) else { return };
    for (name, check) in CHECKS {
        println!("{program:?}: {name}");
        check(&mut stage);
    }
}

fn without_a_sufficient_key(stage: &mut Stage) {
    for (credential, status, code, authenticate) in [
        (None, 401, "unauthenticated", "Bearer realm=\"keyward\""),
        (Some("Authorization: Bearer kwd_x"), 401, "invalid_key", "error=\"invalid_token\""),
        (Some("Authorization: Basic b3duZXI6eA=="), 401, "invalid_key", "error=\"invalid_token\""),
        (Some(&*bearer(&stage.less)), 403, "insufficient_scope", "scope=\"workspace:read\""),
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let answer = stage.refused(&text(method, "/", credential.as_slice(), "some text"));
            assert_eq!(answer.expect(status)["code"], code, "{method} {credential:?}");
            let header = answer.header("www-authenticate").unwrap_or_default();
            assert!(header.contains(authenticate), "{method} {credential:?}: {header}");
        }
    }
}

fn the_application_learns_the_user(stage: &mut Stage) {
    let key = &stage.good.key;
    for credentials in [
        vec![format!("Authorization: Bearer {key}")],
        vec![format!("authorization: bearer {key}")],
        vec![format!("Keyward-Session-Token: {key}")],
        vec![format!("coder-SESSION-token: {key}")],
        CREDENTIALS
            .iter()
            .map(|name| format!("{name}: {}{key}", if *name == "Authorization" { "Bearer " } else { "" }))
            .collect(),
    ] {
        let mut headers: Vec<&str> = credentials.iter().map(String::as_str).collect();
        headers.push("Cookie: app=1; other=2");
        let answer = stage.call(&text("GET", "/some/path?and=query", &headers, ""));
        let seen = answer.expect(200);
        stage.assert_identifies(&seen, &stage.good);
        assert!(!answer.text.contains(key), "{seen}");
        for name in CREDENTIALS {
            assert!(values(&seen, name).is_empty(), "{seen}");
        }
        assert_eq!(values(&seen, "Cookie"), ["app=1; other=2"]);
        assert_eq!(values(&seen, "Host"), ["app.example"]);
        assert_eq!(seen["path"], "/some/path?and=query");
    }
}

fn two_keys_are_refused(stage: &mut Stage) {
    let (good, narrow) = (bearer(&stage.good), bearer(&stage.narrow));
    let own = |key: &Key| format!("Keyward-Session-Token: {}", key.key);
    for two in [
        [good.clone(), narrow.clone()],
        [good.clone(), bearer(&stage.less)],
        [bearer(&stage.less), good.clone()],
        [good, own(&stage.narrow)],
        [own(&stage.good), own(&stage.narrow)],
    ] {
        let answer = stage.refused(&text("GET", "/", &two, ""));
        assert!(answer.status >= 400, "{} {}", answer.status, answer.text);
    }
}

fn the_client_chooses_no_scope(stage: &mut Stage) {
    let (good, narrow, less) = (bearer(&stage.good), bearer(&stage.narrow), bearer(&stage.less));
    for path in ["/?scope=template:read", "/?a&scope=nonsense", "/?a&resource=template:t1", "/authz?token=x"] {
        let seen = stage.call(&text("GET", path, &[&good], "")).expect(200);
        assert_eq!(seen["path"], path);
    }
    // The allow list of this key has only w1.
    stage.call(&text("GET", "/?a&resource=workspace:w2", &[&narrow], "")).expect(200);
    for path in ["/?a&scope=template:read", "/authz?scope=template:read", "/authz", "/?", "/%3fscope=template:read"] {
        let answer = stage.refused(&text("GET", path, &[&less], ""));
        assert_eq!(answer.expect(403)["code"], "insufficient_scope", "{path}");
    }
    for header in [
        "X-Forwarded-Uri: /authz?scope=template:read",
        "X-Original-URI: /authz?scope=template:read",
        "X-Original-URL: /authz",
        "X-Rewrite-URL: /authz",
        "X-Envoy-Original-Path: /authz",
    ] {
        let answer = stage.refused(&text("GET", "/", &[&less, header], ""));
        assert_eq!(answer.expect(403)["code"], "insufficient_scope", "{header}");
    }
}

fn forged_headers_do_not_get_through(stage: &mut Stage) {
    let good = bearer(&stage.good);
    let forged = forged();
    let all: Vec<&str> = forged.iter().map(String::as_str).chain([&*good]).collect();
    let answer = stage.call(&text("GET", "/", &all, ""));
    stage.assert_identifies(&answer.expect(200), &stage.good);
    assert!(!answer.text.contains(FORGED), "{}", answer.text);
    assert_eq!(stage.refused(&text("GET", "/", &forged, "")).status, 401);

    // Many applications take these for the same header.
    for name in IDENTITY {
        for separator in ["_", ".", "!", "~", "+"] {
            let last = name.rfind('-').unwrap();
            let one = format!("{}{separator}{}", &name[..last], &name[last + 1..]);
            for similar in [name.replace('-', separator), name.replacen('-', separator, 1), one] {
                let answer = stage.call(&text("GET", "/", &[&good, &format!("{similar}: {FORGED}")], ""));
                assert!(answer.status == 400 || answer.status == 200, "{similar}: {}", answer.text);
                assert!(!answer.text.contains(FORGED), "{similar}: {}", answer.text);
            }
        }
    }
}

fn forged_headers_without_others(stage: &mut Stage) {
    // Accepts every request, and does not say whose.
    let silent =
        Responder::start(|_, client| client.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let proxy = Proxy::start(stage.program, &stage.file, silent.address, stage.application.address);
    let answer = proxy.call(&text("POST", "/x?scope=a&resource=b", &forged(), "some text")).unwrap();
    let seen = answer.expect(200);
    assert!(!answer.text.contains(FORGED), "{seen}");
    for name in IDENTITY {
        assert!(values(&seen, name).iter().all(|value| value.is_empty()), "{seen}");
    }
    assert_eq!(proxy.call(&upgrade(NONE, &WEBSOCKET)).unwrap().status, 101);
    let asked = silent.seen();
    assert!(!asked.is_empty());
    for request in asked {
        assert_eq!((&request["path"], &request["length"]), (&json!("/authz?scope=workspace:read"), &json!(0)));
        assert!(values(&request, "Upgrade").is_empty(), "{request}");
    }
}

fn connection_removes_nothing(stage: &mut Stage) {
    let good = bearer(&stage.good);
    for named in ["Keyward-User", "close, keyward-key-id", "keep-alive, Keyward-User-Id, KEYWARD-SCOPES"] {
        let message = format!("GET / HTTP/1.1\r\nHost: app.example\r\n{good}\r\nConnection: {named}\r\n\r\n");
        let answer = stage.call(&message);
        if answer.status != 400 {
            stage.assert_identifies(&answer.expect(200), &stage.good);
        }
    }
}

fn the_log_has_the_clients_address(stage: &mut Stage) {
    let (good, less) = (bearer(&stage.good), bearer(&stage.less));
    let mut count = 0;
    // The server trusts only 127.0.0.1. Linux gives a machine all addresses from 127.0.0.0 on.
    for source in ["127.0.0.1", "127.0.0.2"] {
        for forged in [
            &[][..],
            &["X-Forwarded-For: 203.0.113.9"],
            &["X-Forwarded-For: 203.0.113.9", "x-forwarded-for: 203.0.113.8, 127.0.0.1"],
            &["X-Forwarded-For: 127.0.0.1"],
            &["Forwarded: for=203.0.113.9", "X-Real-IP: 203.0.113.9"],
        ] {
            for (credential, status) in [(&good, "200"), (&less, "403")] {
                count += 1;
                let trace = format!("{count:032x}");
                let parent = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01");
                let headers: Vec<&str> = forged.iter().copied().chain([&**credential, &*parent]).collect();
                let first = status_from(source, stage.proxy.address, &text("GET", "/", &headers, "")).unwrap();
                assert!(first.contains(status), "{first}");
                for line in stage.log_of(&trace) {
                    assert_eq!(line["ip"], source, "{forged:?}: {line}");
                }
            }
        }
    }
}

fn methods_and_bodies_arrive(stage: &mut Stage) {
    let good = bearer(&stage.good);
    let body = "x".repeat(100_000);
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let seen = stage.call(&text(method, "/", &[&good], &body)).expect(200);
        assert_eq!((&seen["method"], &seen["length"]), (&json!(method), &json!(body.len())));
    }
    assert_eq!(stage.call(&text("OPTIONS", "/", &[&good], "")).expect(200)["method"], "OPTIONS");
}

fn websockets_are_checked(stage: &mut Stage) {
    let (good, less) = (bearer(&stage.good), bearer(&stage.less));
    let forged = forged();
    let headers: Vec<&str> = forged.iter().map(String::as_str).chain([&*good]).collect();
    let mut wire = Wire::connect(stage.proxy.address).unwrap();
    let answer = wire.call(&upgrade(&headers, &WEBSOCKET)).unwrap();
    assert_eq!(answer.status, 101, "{}", answer.text);
    let seen = wire.line().unwrap();
    assert!(!seen.contains(FORGED) && !seen.contains(&stage.good.key), "{seen}");
    stage.assert_identifies(&serde_json::from_str(&seen).unwrap(), &stage.good);
    wire.send_line("ping").unwrap();
    assert_eq!(wire.line().unwrap(), "ping");

    for (headers, status, code) in [(NONE, 401, "unauthenticated"), (&[&*less], 403, "insufficient_scope")] {
        let answer = stage.refused(&upgrade(headers, &WEBSOCKET));
        assert_eq!(answer.expect(status)["code"], code);
    }
}

fn no_tunnels(stage: &mut Stage) {
    let good = bearer(&stage.good);
    for protocol in ["h2c", "h2c, websocket", "websocket, h2c", "H2C"] {
        let asked = format!("Upgrade: {protocol}");
        let mut headers = WEBSOCKET;
        headers[1] = &asked;
        let answer = stage.call(&upgrade(&[&good], &headers));
        assert_ne!(answer.status, 101, "{protocol}");
    }

    // The application accepts this CONNECT. What follows it must not reach the application.
    let mut stream = TcpStream::connect(stage.proxy.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let connect = format!("CONNECT app.example:80 HTTP/1.1\r\nHost: app.example\r\n{good}\r\n\r\n");
    stream.write_all(connect.as_bytes()).unwrap();
    stream.read_exact(&mut [0; 12]).unwrap();
    // The proxy may have closed the connection, which is right.
    let _sent = stream.write_all(text("GET", "/tunnel", &forged(), "").as_bytes());
    let mut rest = Vec::new();
    let _read = stream.read_to_end(&mut rest);
    let rest = String::from_utf8_lossy(&rest);
    assert!(!rest.contains("/tunnel"), "{rest}");
}

fn an_expired_key_is_refused(stage: &mut Stage) {
    let key = stage.create(&json!({ "scopes": ["workspace:read"] }));
    let message = format!("GET / HTTP/1.1\r\nHost: app.example\r\n{}\r\n\r\n", bearer(&key));
    let mut wire = Wire::connect(stage.proxy.address).unwrap();
    wire.call(&message).unwrap().expect(200);
    let expire = format!("/api/v2/users/me/keys/{}/expire", key.id);
    stage.keyward("PUT", &expire, "").expect(204);
    assert_eq!(wire.call(&message).unwrap().expect(401)["code"], "key_expired");
    assert_eq!(stage.refused(&message).expect(401)["code"], "key_expired");
    assert_eq!(stage.refused(&upgrade(&[&bearer(&key)], &WEBSOCKET)).expect(401)["code"], "key_expired");
}

fn nothing_gets_through_without_keyward(stage: &mut Stage) {
    let good = bearer(&stage.good);
    stage.call(&text("GET", "/", &[&good], "")).expect(200);
    if let Some(server) = stage.server.take() {
        server.kill();
    }
    for message in [text("GET", "/", &[&good], ""), text("GET", "/", NONE, ""), upgrade(&[&good], &WEBSOCKET)] {
        let answer = stage.refused(&message);
        assert!(answer.status == 403 || answer.status >= 500, "{} {}", answer.status, answer.text);
    }
}

/// The values of a header that the application got.
fn values<'a>(seen: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = seen["headers"].as_array().into_iter().flatten();
    let named = headers.filter(|header| header[0].as_str().is_some_and(|own| own.eq_ignore_ascii_case(name)));
    named.filter_map(|header| header[1].as_str()).collect()
}

/// The text of a request after which the client closes the connection.
fn text(method: &str, path: &str, headers: &[impl AsRef<str>], body: &str) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n");
    for header in headers {
        text.push_str(header.as_ref());
        text.push_str("\r\n");
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    format!("{text}\r\n{body}")
}

/// The text of a request to upgrade a connection.
fn upgrade(headers: &[&str], upgrade: &[&str]) -> String {
    format!("GET /socket HTTP/1.1\r\nHost: app.example\r\n{}\r\n\r\n", [headers, upgrade].concat().join("\r\n"))
}

fn bearer(key: &Key) -> String {
    format!("Authorization: Bearer {}", key.key)
}

/// Each header of the user and the key, twice and in different case.
fn forged() -> Vec<String> {
    let names = IDENTITY.iter().flat_map(|name| [(*name).to_owned(), name.to_uppercase(), name.replace('e', "E")]);
    names.flat_map(|name| [format!("{name}: {FORGED}"), format!("{name}: {FORGED}")]).collect()
}

/// Sends a request from an address, and returns the first line of the response.
fn status_from(source: &str, to: SocketAddr, message: &str) -> io::Result<String> {
    let source = SocketAddr::new(source.parse().map_err(io::Error::other)?, 0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(source)?;
        socket.connect(to).await?.into_std()
    })?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(message.as_bytes())?;
    let mut first = String::new();
    stream.read_line(&mut first)?;
    Ok(first)
}
