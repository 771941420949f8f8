//! The request log: one line for each request on stderr, after its answer.
//!
//! A request only appends its line to a buffer, so that it does not wait for stderr. A thread writes the
//! buffer every few milliseconds, and a server that stops writes what is left.

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName};
use keyward_domain::Timestamp;
use keyward_service::Holder;
use uuid::Uuid;

use crate::config::LogFormat;

/// The target of the lines, for the log filter.
pub(crate) const TARGET: &str = "keyward_server::request";

/// How long lines are collected before they are written.
const COLLECT: Duration = Duration::from_millis(20);

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The largest buffer, in bytes. If stderr does not take the lines in time, further ones are lost, and
/// their number is logged.
const MOST: usize = 4 * 1024 * 1024;

/// Routes that monitoring calls all the time. They are logged at the level debug.
const QUIET: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

static CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// The request log of a server.
#[derive(Clone, Debug)]
pub struct RequestLog {
    shared: Option<Arc<Shared>>,
}

#[derive(Debug)]
struct Shared {
    format: LogFormat,
    quiet_too: bool,
    buffer: Mutex<Buffer>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Buffer {
    lines: Vec<u8>,
    lost: u64,
}

/// What a line says of a request.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub now: Timestamp,
    pub request_id: Uuid,
    pub method: &'static str,
    /// The pattern, not the path: a client may send a whole key by mistake where its id belongs.
    pub route: &'static str,
    pub status: u16,
    /// The code of an error.
    pub code: Option<&'static str>,
    pub took: Duration,
    pub ip: Option<std::net::IpAddr>,
    pub holder: Option<&'a Holder>,
    /// The length of the body; none if it is not known yet.
    pub bytes: Option<u64>,
    pub headers: &'a HeaderMap,
}

impl RequestLog {
    /// No log, for a program that embeds the server and for tests.
    #[must_use]
    pub fn off() -> Self {
        Self { shared: None }
    }

    /// Starts the log, if the filter of [`tracing`] lets its lines through.
    #[must_use]
    pub(crate) fn start(format: LogFormat) -> Self {
        if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
            return Self::off();
        }
        let quiet_too = tracing::enabled!(target: TARGET, tracing::Level::DEBUG);
        let shared = Arc::new(Shared { format, quiet_too, buffer: Mutex::default(), filled: Condvar::new() });
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            loop {
                drop(own.filled.wait_while(own.buffer(), |buffer| buffer.lines.is_empty()));
                thread::sleep(COLLECT);
                own.write();
            }
        });
        Self { shared: Some(shared) }
    }

    /// Whether requests of this route are logged.
    pub(crate) fn takes(&self, route: &str) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.quiet_too || !QUIET.contains(&route))
    }

    /// Adds the line of a request.
    pub(crate) fn add(&self, line: &Line<'_>) {
        thread_local! {
            static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let Some(shared) = &self.shared else { return };
        TEXT.with_borrow_mut(|text| {
            text.clear();
            let mut fields = Fields { text, format: shared.format };
            // Writing to memory does not fail.
            let _written = fields.line(line);
            shared.append(text);
        });
    }

    /// Writes the lines that wait.
    pub(crate) fn flush(&self) {
        if let Some(shared) = &self.shared {
            shared.write();
        }
    }
}

impl Shared {
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        // No code panics while it holds the lock.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, line: &[u8]) {
        let mut buffer = self.buffer();
        if buffer.lines.len() + line.len() > MOST {
            buffer.lost += 1;
            return;
        }
        let was_empty = buffer.lines.is_empty();
        buffer.lines.extend_from_slice(line);
        drop(buffer);
        if was_empty {
            self.filled.notify_one();
        }
    }

    fn write(&self) {
        let Buffer { lines, lost } = std::mem::take(&mut *self.buffer());
        // If stderr is closed, there is nowhere to say so.
        let _written = io::stderr().write_all(&lines);
        if lost > 0 {
            tracing::error!(lost, "stderr did not take the request log in time; lines are lost");
        }
    }
}

/// Writes the fields of a line, as text or as JSON.
struct Fields<'a> {
    text: &'a mut Vec<u8>,
    format: LogFormat,
}

impl Fields<'_> {
    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        let level = if QUIET.contains(&line.route) { "DEBUG" } else { "INFO" };
        match self.format {
            LogFormat::Json => {
                self.text.extend_from_slice(b"{\"timestamp\":\"");
                self.instant(line.now)?;
                self.text.push(b'"');
                self.word("level", level);
                self.word("message", "request answered");
            }
            LogFormat::Text => {
                self.instant(line.now)?;
                write!(self.text, " {level:>5} {TARGET}: request answered")?;
            }
        }
        let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
        self.word("request_id", line.request_id.hyphenated().encode_lower(&mut id));
        self.word("method", line.method);
        self.word("route", line.route);
        self.number("status", line.status);
        if let Some(code) = line.code {
            self.word("code", code);
        }
        let micros = u64::try_from(line.took.as_micros()).unwrap_or(u64::MAX);
        self.number("duration_ms", micros / 1_000);
        self.text.push(b'.');
        self.digits::<3>(micros % 1_000);
        if let Some(ip) = line.ip {
            self.start("ip", true);
            write!(self.text, "{ip}")?;
            self.end(true);
        }
        if let Some(holder) = line.holder {
            self.word("user_id", holder.user.as_uuid().hyphenated().encode_lower(&mut id));
            self.word("key_id", holder.key.as_str());
        }
        if let Some(bytes) = line.bytes {
            self.number("bytes", bytes);
        }
        if let Some(sent) = client_request_id(line.headers) {
            self.word("client_request_id", sent);
        }
        if let Some(trace) = trace_id(line.headers) {
            self.word("trace_id", trace);
        }
        match self.format {
            LogFormat::Json => writeln!(self.text, ",\"target\":\"{TARGET}\"}}"),
            LogFormat::Text => writeln!(self.text),
        }
    }

    /// Writes an instant. The text of its second is kept for the next line.
    fn instant(&mut self, instant: Timestamp) -> io::Result<()> {
        thread_local! {
            static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
        }
        let micros = instant.as_micros();
        let fraction = micros.rem_euclid(MICROS_PER_SECOND);
        let second = Timestamp::from_micros(micros - fraction).unwrap_or(instant);
        SECOND.with_borrow_mut(|(kept, text)| {
            if *kept != second.as_micros() {
                *kept = second.as_micros();
                *text = second.to_string();
            }
            self.text.extend_from_slice(text.trim_end_matches('Z').as_bytes());
        });
        self.text.push(b'.');
        self.digits::<6>(fraction.unsigned_abs());
        self.text.push(b'Z');
        Ok(())
    }

    /// Writes the last `N` decimal digits of a number, with leading zeros.
    fn digits<const N: usize>(&mut self, mut number: u64) {
        let mut digits = [b'0'; N];
        for digit in digits.iter_mut().rev() {
            // A remainder by ten fits.
            *digit += (number % 10) as u8;
            number /= 10;
        }
        self.text.extend_from_slice(&digits);
    }

    fn start(&mut self, name: &str, quoted: bool) {
        match self.format {
            LogFormat::Json => {
                self.text.extend_from_slice(b",\"");
                self.text.extend_from_slice(name.as_bytes());
                self.text.extend_from_slice(if quoted { b"\":\"" } else { b"\":" });
            }
            LogFormat::Text => {
                self.text.push(b' ');
                self.text.extend_from_slice(name.as_bytes());
                self.text.push(b'=');
            }
        }
    }

    fn end(&mut self, quoted: bool) {
        if quoted && self.format == LogFormat::Json {
            self.text.push(b'"');
        }
    }

    /// A value that needs no escaping.
    fn word(&mut self, name: &str, value: &str) {
        self.start(name, true);
        self.text.extend_from_slice(value.as_bytes());
        self.end(true);
    }

    fn number(&mut self, name: &str, value: impl itoa::Integer) {
        self.start(name, false);
        self.text.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
}

/// The client's own id of the request: up to 64 of `[A-Za-z0-9._-]`. Anything else is left out.
fn client_request_id(headers: &HeaderMap) -> Option<&str> {
    let sent = headers.get(&CLIENT_REQUEST_ID)?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    ((1..=64).contains(&sent.len()) && sent.bytes().all(plain)).then_some(sent)
}

/// The trace id of a `traceparent` header (W3C Trace Context): `00-<32 hex>-<16 hex>-<2 hex>`.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let sent = headers.get(&TRACE_PARENT)?.to_str().ok()?;
    let mut parts = sent.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let parent = parts.next()?;
    let known = version.len() == 2 && version != "ff" && trace.len() == 32 && parent.len() == 16;
    (known && [version, trace, parent].into_iter().all(is_hex) && trace.bytes().any(|byte| byte != b'0'))
        .then_some(trace)
}

#[cfg(test)]
mod tests;
