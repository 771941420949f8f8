//! A server on a free port that gives prepared answers, one per connection, and records requests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use keyward_sdk::{Client, ClientBuilder};

/// A credential of valid length.
pub(crate) const TOKEN: &str = "kwd_a1B2c3D4e5-0123456789012345678901abcdef";

/// A running server. It ends with the test's process.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

/// A recorded request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Method and target.
    pub(crate) line: String,
    headers: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value.trim()))
    }
}

/// What to do with a connection.
pub(crate) enum Answer {
    /// Send this text.
    Send(String),
    /// Read the request and close the connection.
    HangUp,
}

impl Server {
    /// Gives these answers in turn, then closes every further connection without an answer.
    pub(crate) fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut answers = answers.into_iter().collect::<Vec<_>>().into_iter();
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), answers.next().unwrap_or(Answer::HangUp), &log);
            }
        });
        Self { url, seen }
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        Client::builder(&self.url)
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().token(TOKEN).build().unwrap()
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// The request, if there was exactly one.
    pub(crate) fn only_request(&self) -> Request {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }
}

/// An answer with this status, these headers (each ends with CRLF) and this body.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Send(format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"))
}

pub(crate) fn ok(body: &str) -> Answer {
    answer(200, "", body)
}

pub(crate) fn no_content() -> Answer {
    Answer::Send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_owned())
}

/// Status 503, with a retry allowed at once.
pub(crate) fn unavailable() -> Answer {
    answer(503, "Retry-After: 0\r\n", r#"{"message":"Later.","code":"unavailable"}"#)
}

/// A token, as lists contain it.
pub(crate) fn token(id: &str) -> String {
    let nobody = "00000000-0000-0000-0000-000000000000";
    let epoch = "1970-01-01T00:00:00Z";
    format!(
        r#"{{"id":"{id}","user_id":"{nobody}","last_used":"{epoch}","expires_at":"{epoch}","created_at":"{epoch}",
        "updated_at":"{epoch}","login_type":"token","scope":"all","scopes":["*:*"],"token_name":"ci",
        "lifetime_seconds":3600,"allow_list":["*:*"],"username":"ada"}}"#
    )
}

fn serve(mut stream: TcpStream, answer: Answer, log: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut headers = String::new();
    while !headers.ends_with("\r\n\r\n") && headers != "\r\n" {
        assert_ne!(reader.read_line(&mut headers).unwrap(), 0, "cut short: {headers}");
    }
    let mut request =
        Request { line: line.trim_end().trim_end_matches(" HTTP/1.1").to_owned(), headers, body: String::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    request.body = String::from_utf8(body).unwrap();
    log.lock().unwrap().push(request);
    if let Answer::Send(text) = answer {
        stream.write_all(text.as_bytes()).unwrap();
    }
}
