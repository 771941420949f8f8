//! The documented configurations of reverse proxies, in the real programs: each asks a real server about
//! the requests to an application.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keyward_test_support::{Backend, ServerProcess, TIMEOUT, TestDatabase, Wire, WireAnswer, request};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::PROGRAM;

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

/// A proxy between clients and an application, and a server that it asks.
struct Stage {
    program: Program,
    file: PathBuf,
    proxy: Proxy,
    application: Responder,
    server: Option<ServerProcess>,
    address: SocketAddr,
    log: PathBuf,
    session: String,
    /// A key that the proxy accepts.
    good: Key,
    /// A key that the proxy accepts, with an allow list.
    narrow: Key,
    /// A key without the scope.
    less: Key,
    _database: TestDatabase,
}

#[derive(Debug)]
struct Key {
    id: String,
    user_id: String,
    key: String,
}

impl Stage {
    fn new(program: Program, file: PathBuf) -> Option<Self> {
        let database = TestDatabase::create(Backend::Sqlite)?;
        let log = database.directory().join("log");
        let mut command = ServerProcess::command(Path::new(PROGRAM), database.url(), database.directory());
        command.args(["--trusted-proxies", "127.0.0.1", "--log-format", "json"]).stderr(File::create(&log).unwrap());
        let server = ServerProcess::run(&mut command);
        let (session, address) = (server.first_session(), server.address());
        let application = Responder::start(answer_as_application);
        let create = |body: &Value| create(address, &session, body);
        Some(Self {
            proxy: Proxy::start(program, &file, address, application.address),
            good: create(&json!({ "scopes": ["workspace:read"] })),
            narrow: create(&json!({ "scopes": ["workspace:read"], "allow_list": ["workspace:w1"] })),
            less: create(&json!({ "scopes": ["template:read"] })),
            program,
            file,
            application,
            server: Some(server),
            address,
            log,
            session,
            _database: database,
        })
    }

    /// Sends a request through the proxy.
    #[track_caller]
    fn call(&self, message: &str) -> WireAnswer {
        self.proxy.call(message).unwrap()
    }

    /// Sends a request that must not reach the application.
    #[track_caller]
    fn refused(&self, message: &str) -> WireAnswer {
        let before = self.application.seen().len();
        let answer = self.call(message);
        assert_eq!(self.application.seen().len(), before, "it reached the application: {message}");
        answer
    }

    /// Sends a request to the server itself.
    fn keyward(&self, method: &str, path: &str, body: &str) -> WireAnswer {
        Wire::connect(self.address).unwrap().call(&request(method, path, &self.session, body)).unwrap()
    }

    fn create(&self, body: &Value) -> Key {
        create(self.address, &self.session, body)
    }

    /// Asserts that the application got the key's user in each header once.
    #[track_caller]
    fn assert_identifies(&self, seen: &Value, key: &Key) {
        for (name, value) in IDENTITY.into_iter().zip(["owner", &key.user_id, &key.id, "workspace:read"]) {
            assert_eq!(values(seen, name), [value], "{name}: {seen}");
        }
    }

    /// The lines of the request log with a trace id. Waits for the first.
    fn log_of(&self, trace: &str) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let log = fs::read_to_string(&self.log).unwrap();
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let lines: Vec<Value> = lines.filter(|line| line["trace_id"] == trace).collect();
            if !lines.is_empty() {
                return lines;
            }
            assert!(began.elapsed() < TIMEOUT, "{trace} is not logged: {log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn create(address: SocketAddr, session: &str, body: &Value) -> Key {
    let message = request("POST", "/api/v2/users/me/keys/tokens", session, &body.to_string());
    let created = Wire::connect(address).unwrap().call(&message).unwrap().expect(201);
    let text = |field: &str| created[field].as_str().unwrap().to_owned();
    Key { id: text("id"), user_id: text("user_id"), key: text("key") }
}

#[derive(Clone, Copy, Debug)]
enum Program {
    Nginx,
    Haproxy,
    Envoy,
    Traefik,
    Caddy,
}

impl Program {
    /// The program's file: the one that `KEYWARD_TEST_ENVOY`, for example, names; or one in
    /// `target/proxies`, which `.ci/run` fills; or an installed one. With `CI=true` it must be there.
    fn file(self) -> Option<PathBuf> {
        let name = format!("{self:?}").to_lowercase();
        let variable = format!("KEYWARD_TEST_{}", name.to_uppercase());
        if let Some(file) = std::env::var_os(&variable) {
            return Some(file.into());
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/proxies/bin");
        // Users other than root may not have Debian's folder of servers in PATH.
        let folders = [own].into_iter().chain(std::env::split_paths(&path)).chain(["/usr/sbin".into()]);
        let found = folders.map(|folder| folder.join(&name)).find(|file| file.is_file());
        if found.is_none() {
            let name = name.to_uppercase();
            let message = format!("{name} IS NOT INSTALLED, SO ITS TEST IS SKIPPED; INSTALL IT OR SET {variable}");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
            let _written = writeln!(io::stderr(), "!!! {message} !!!");
        }
        found
    }

    /// Writes the documented configuration with other ports into a folder, and returns the command.
    fn command(self, file: &Path, folder: &Path, ports: &Ports) -> Command {
        let path = folder.display();
        let write = |name: &str, text: &str| {
            let file = folder.join(name);
            fs::write(&file, text).unwrap();
            file
        };
        let mut command = Command::new(file);
        match self {
            Self::Nginx => {
                // nginx's temporary files. The packaged nginx keeps them in folders that need root.
                let own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|name| format!("    {name}_temp_path {path}/{name};\n"))
                    .concat();
                let text = ports
                    .insert(include_str!("../../../../docs/proxies/nginx.conf"))
                    .replace("http {\n", &format!("http {{\n    access_log off;\n{own}"));
                let first = format!("daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log stderr;\n");
                command.arg("-c").arg(write("nginx.conf", &format!("{first}{text}")));
            }
            Self::Haproxy => {
                write("keyward.lua", include_str!("../../../../docs/proxies/keyward.lua"));
                let text = ports.insert(include_str!("../../../../docs/proxies/haproxy.cfg"));
                let text = text.replace("/etc/haproxy/", &format!("{path}/"));
                command.args(["-db", "-f"]).arg(write("haproxy.cfg", &text));
            }
            Self::Envoy => {
                let text = ports.insert(include_str!("../../../../docs/proxies/envoy.yaml"));
                command.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning", "-c"]);
                command.arg(write("envoy.yaml", &text));
            }
            Self::Traefik => {
                let text = ports.insert(include_str!("../../../../docs/proxies/traefik-dynamic.yaml"));
                write("traefik-dynamic.yaml", &text);
                // The comment at the beginning documents the flags.
                let flags = text.lines().filter_map(|line| line.strip_prefix("#     "));
                command.args(flags.flat_map(str::split_whitespace).filter(|word| word.starts_with("--")));
                command.arg("--global.checkNewVersion=false");
            }
            Self::Caddy => {
                let text = ports.insert(include_str!("../../../../docs/proxies/Caddyfile"));
                let file = write("Caddyfile", &format!("{{\n\tadmin off\n}}\n{text}"));
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
                command.env("XDG_CONFIG_HOME", folder).env("XDG_DATA_HOME", folder);
            }
        }
        command
    }
}

struct Ports {
    keyward: u16,
    application: u16,
    proxy: u16,
}

impl Ports {
    /// Replaces the documented ports.
    fn insert(&self, documented: &str) -> String {
        let mut text = documented.to_owned();
        for (old, new) in [("7080", self.keyward), ("8080", self.application), ("8000", self.proxy)] {
            assert!(text.contains(&format!(":{old}")) || text.contains(&format!(": {old}")), "port {old}: {text}");
            // Envoy's configuration has a space before a port.
            text = text.replace(&format!(":{old}"), &format!(":{new}"));
            text = text.replace(&format!(": {old}"), &format!(": {new}"));
        }
        text
    }
}

/// A running proxy. Killed when dropped.
#[derive(Debug)]
struct Proxy {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Proxy {
    fn start(program: Program, file: &Path, keyward: SocketAddr, application: SocketAddr) -> Self {
        let folder = TempDir::with_prefix("keyward-proxy-").unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let ports = Ports { keyward: keyward.port(), application: application.port(), proxy: address.port() };
        let mut command = program.command(file, folder.path(), &ports);
        let path = folder.path().join("log");
        let log = File::create(&path).unwrap();
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let mut proxy = Self { child, address, _folder: folder };
        let began = Instant::now();
        // Traefik answers 404 until it has read its configuration.
        while !proxy.call(&text("GET", "/", NONE, "")).is_ok_and(|answer| answer.status != 404) {
            let runs = proxy.child.try_wait().unwrap().is_none() && began.elapsed() < TIMEOUT;
            assert!(runs, "{program:?} does not start: {}", fs::read_to_string(&path).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
        proxy
    }

    fn call(&self, message: &str) -> io::Result<WireAnswer> {
        Wire::connect(self.address)?.call(message)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The process may have ended already.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// An HTTP server that keeps each request as JSON, and then answers it. It ends with the process.
struct Responder {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Responder {
    fn start(answer: fn(&Value, &mut BufReader<TcpStream>) -> io::Result<()>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let responder = Self { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let seen = Arc::clone(&responder.seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                // An error means that the proxy closed the connection, which does not matter here.
                std::thread::spawn(move || -> io::Result<()> {
                    let mut client = BufReader::new(stream);
                    while let Some(request) = read_request(&mut client)? {
                        seen.lock().unwrap().push(request.clone());
                        answer(&request, &mut client)?;
                    }
                    Ok(())
                });
            }
        });
        responder
    }

    fn seen(&self) -> Vec<Value> {
        self.seen.lock().unwrap().clone()
    }
}

/// `None` once the connection is closed.
fn read_request(client: &mut BufReader<TcpStream>) -> io::Result<Option<Value>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if client.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut words = lines.first().map(|line| line.split(' ')).into_iter().flatten();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
    let headers: Vec<(&str, &str)> = headers.map(|(name, value)| (name, value.trim())).collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.map_or(Ok(0), |(_, length)| length.parse()).map_err(io::Error::other)?];
    client.read_exact(&mut body)?;
    Ok(Some(json!({ "method": method, "path": path, "headers": headers, "length": body.len() })))
}

/// An application that answers with the request, and agrees to every upgrade.
fn answer_as_application(request: &Value, client: &mut BufReader<TcpStream>) -> io::Result<()> {
    let Some(protocol) = values(request, "Upgrade").first().copied() else {
        let body = request.to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
        return client.get_mut().write_all(format!("{head}\r\n\r\n{body}").as_bytes());
    };
    let head = format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}");
    let accept = format!("Sec-WebSocket-Accept: {WEBSOCKET_ACCEPT}");
    client.get_mut().write_all(format!("{head}\r\n{accept}\r\n\r\n{request}\n").as_bytes())?;
    let mut line = String::new();
    while client.read_line(&mut line)? > 0 {
        client.get_mut().write_all(line.as_bytes())?;
        line.clear();
    }
    Ok(())
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
