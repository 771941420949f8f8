//! Requests that nobody sends in good faith. `requests.toml` has them and what comes back, and says how it
//! is read. All are sent to one server at the same time.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use keyward_test_support::{Backend, TIMEOUT, TestApp, run};
use serde::Deserialize;
use serde_json::Value;

/// `{{second}}`
const SECOND: &str = "GET /healthz HTTP/1.1\r\nHost: keyward\r\n\r\n";

/// The answers that may have no body: they are made before there is a request.
const MAY_BE_BARE: [&str; 3] = ["400", "408", "431"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    send: String,
    #[serde(default)]
    then: Vec<Step>,
    answer: Vec<String>,
    #[serde(default = "usual_seconds")]
    within_s: u64,
}

/// Bytes that are sent after a pause.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    after_ms: u64,
    send: String,
    /// Whether it is repeated until the connection ends.
    #[serde(default)]
    endless: bool,
}

fn usual_seconds() -> u64 {
    8
}

/// What comes back on a connection: statuses, and then perhaps `closed`.
type Sequence = Vec<String>;

#[test]
fn hostile_requests_are_answered_as_the_table_says() {
    // They end before the database, or ask it for nothing that differs.
    run(Backend::Sqlite, answered_as_the_table_says);
}

async fn answered_as_the_table_says(app: TestApp) {
    let address = app.url.trim_start_matches("http://").parse().unwrap();
    let key = app.owner.session.clone();
    // On other threads, so that the server of the test goes on answering.
    let complaints = tokio::task::spawn_blocking(move || send_all(address, &key)).await.unwrap();
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
    app.anonymous().get("/healthz").await.expect(200);
    app.owner.http.get("/api/v2/users/me").await.expect(200);
    assert!(app.owner.token_ids("").await.is_empty(), "a request has created a token");
}

/// Sends every request of the table, and returns what is wrong with the answers.
fn send_all(address: SocketAddr, key: &str) -> Vec<String> {
    let table: BTreeMap<String, Vec<Case>> = toml::from_str(include_str!("requests.toml")).unwrap();
    let cases = table.iter().flat_map(|(group, cases)| cases.iter().map(move |case| (group, case)));
    thread::scope(|scope| {
        let trials: Vec<_> = cases
            .map(|(group, case)| {
                let trial = scope.spawn(move || case.complaint(address, key));
                (group, case, trial)
            })
            .collect();
        trials
            .into_iter()
            .filter_map(|(group, case, trial)| {
                let complaint = trial.join().unwrap_or_else(|_| Some("its thread panicked".to_owned()))?;
                Some(format!("{group}: {}: {complaint}", case.name))
            })
            .collect()
    })
}

impl Case {
    /// Sends the request and compares what comes back with the table.
    fn complaint(&self, address: SocketAddr, key: &str) -> Option<String> {
        let expected: Vec<Sequence> = self.answer.iter().map(|answer| sequence(answer)).collect();
        let deadline = Instant::now() + Duration::from_secs(self.within_s);
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(TIMEOUT)).unwrap();
        let got = thread::scope(|scope| {
            // An error only means that the server has closed the connection before everything was sent.
            let _sending = scope.spawn(|| self.send(&stream, key));
            let got = receive(&stream, &expected, deadline);
            // Ends the sending, too.
            let _closed = stream.shutdown(Shutdown::Both);
            got
        });
        if expected.contains(&got) {
            return None;
        }
        let last = got.get(got.len().saturating_sub(5)..).unwrap_or_default();
        Some(format!("want {:?}, got {} of which the last are {last:?}", self.answer, got.len()))
    }

    fn send(&self, mut stream: &TcpStream, key: &str) -> io::Result<()> {
        stream.write_all(&expand(&self.send, key))?;
        for step in &self.then {
            let bytes = expand(&step.send, key);
            loop {
                thread::sleep(Duration::from_millis(step.after_ms));
                stream.write_all(&bytes)?;
                if !step.endless {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Reads until one of the expected sequences is there, the connection ends, or the time is over.
fn receive(mut stream: &TcpStream, expected: &[Sequence], deadline: Instant) -> Sequence {
    let (mut got, mut bytes, mut part) = (Sequence::new(), Vec::new(), vec![0; 64 * 1024]);
    while !expected.contains(&got) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            got.push("no end in time".to_owned());
            break;
        }
        stream.set_read_timeout(Some(left)).unwrap();
        match stream.read(&mut part) {
            Ok(count) if count > 0 => {
                bytes.extend_from_slice(&part[..count]);
                while let Some(answer) = take_answer(&mut bytes) {
                    // What comes before the answer itself, such as 100, is no answer.
                    if !answer.starts_with('1') {
                        got.push(answer);
                    }
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(_) | Err(_) => {
                if !bytes.is_empty() {
                    got.push("half an answer".to_owned());
                }
                got.push("closed".to_owned());
                break;
            }
        }
    }
    got
}

/// Takes the first answer out of the bytes, once it is complete: its status, and what is unusual about it.
fn take_answer(bytes: &mut Vec<u8>) -> Option<String> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let length: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    if bytes.len() < end + length {
        return None;
    }
    let answer: Vec<u8> = bytes.drain(..end + length).collect();
    let body = &answer[end..];
    let status = head.split(' ').nth(1).unwrap_or("no status");
    Some(if status < "400" || is_error_body(body, header("keyward-request-id")) {
        status.to_owned()
    } else if body.is_empty() {
        format!("{status}-bare")
    } else {
        format!("{status} with another body")
    })
}

/// Whether it is the error body of the API, and of this request.
fn is_error_body(body: &[u8], request_id: Option<&str>) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body["message"].is_string()
        && body["code"].is_string()
        && body["request_id"].as_str().is_some_and(|id| Some(id) == request_id)
}

/// A sequence of the table.
fn sequence(text: &str) -> Sequence {
    let repeated = |one: &str| {
        let (one, count) = one.split_once('*').map_or((one, 1), |(one, count)| (one, count.parse().unwrap()));
        let may_be = one.strip_suffix("-bare").is_none_or(|status| MAY_BE_BARE.contains(&status));
        assert!(may_be && !one.starts_with('5'), "the table must not allow {one}");
        std::iter::repeat_n(one.to_owned(), count)
    };
    text.split(' ').flat_map(repeated).collect()
}

/// The bytes of a request of the table.
fn expand(text: &str, key: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut length_at = None;
    let mut rest = text;
    while let Some((before, marked)) = rest.split_once("{{") {
        let (marker, after) = marked.split_once("}}").unwrap();
        bytes.extend_from_slice(before.as_bytes());
        match marker.split_once(' ').unwrap_or((marker, "")) {
            ("second", _) => bytes.extend_from_slice(SECOND.as_bytes()),
            ("key", _) => bytes.extend_from_slice(key.as_bytes()),
            ("post", _) => bytes.extend_from_slice(
                format!(
                    "POST /api/v2/users/me/keys/tokens HTTP/1.1\r\nHost: keyward\r\nAuthorization: Bearer {key}\r\n\
                     Content-Type: application/json\r\n"
                )
                .as_bytes(),
            ),
            ("length", _) => length_at = Some(bytes.len()),
            ("repeat", what) => {
                let (quoted, count) = what.rsplit_once(' ').unwrap();
                let what = quoted.strip_prefix('"').and_then(|what| what.strip_suffix('"')).unwrap();
                bytes.extend_from_slice(what.repeat(count.parse().unwrap()).as_bytes());
            }
            ("bytes", hex) => bytes.extend(hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap())),
            _ => panic!("unknown marker {marker}"),
        }
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    if let Some(at) = length_at {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let length = (bytes.len() - head).to_string();
        bytes.splice(at..at, length.into_bytes());
    }
    bytes
}
