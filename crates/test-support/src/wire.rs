//! HTTP/1.1 on a plain connection, for tests that control when a request is sent and how the connection
//! ends.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::proxy::reset_on_close;

/// Longer than anything should take, so that a hanging test fails.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A keep-alive connection.
#[derive(Debug)]
pub struct Wire {
    stream: BufReader<TcpStream>,
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// If nothing listens there.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a request without changing it.
    ///
    /// # Errors
    /// If the connection is closed.
    pub fn send(&mut self, request: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(request.as_bytes())
    }

    /// Reads a complete response.
    ///
    /// # Errors
    /// If the connection ends early or the data is not HTTP.
    pub fn answer(&mut self) -> io::Result<WireAnswer> {
        let first = self.line()?;
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, first.clone());
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
        let mut answer = WireAnswer { status, headers: Vec::new(), text: String::new() };
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            answer.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = answer.header("content-length").map_or(Ok(0), str::parse);
        let mut body = vec![0; length.map_err(io::Error::other)?];
        self.stream.read_exact(&mut body)?;
        answer.text = String::from_utf8(body).map_err(io::Error::other)?;
        Ok(answer)
    }

    /// Sends a request and reads the response.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn call(&mut self, request: &str) -> io::Result<WireAnswer> {
        self.send(request)?;
        self.answer()
    }

    /// Sends a line.
    ///
    /// # Errors
    /// If the connection is closed.
    pub fn send_line(&mut self, line: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(format!("{line}\n").as_bytes())
    }

    /// Reads a line, without its end.
    ///
    /// # Errors
    /// If the connection ends early.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Whether there is unread data.
    ///
    /// # Errors
    /// If the connection is broken.
    pub fn has_unread_data(&self) -> io::Result<bool> {
        self.stream.get_ref().set_nonblocking(true)?;
        let looked = self.stream.get_ref().peek(&mut [0]);
        self.stream.get_ref().set_nonblocking(false)?;
        match looked {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Resets the connection (RST), even during a request.
    pub fn reset(self) {
        reset_on_close(self.stream.get_ref());
    }
}

/// A complete response.
#[derive(Clone, Debug)]
pub struct WireAnswer {
    /// The status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body.
    pub text: String,
}

impl WireAnswer {
    /// A header by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Asserts the status and returns the body as JSON.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { serde_json::from_str(&self.text).expect("JSON") }
    }
}

/// The text of a request with a key and a JSON body. Either may be empty.
#[must_use]
pub fn request(method: &str, path: &str, key: &str, body: &str) -> String {
    let credential = if key.is_empty() { String::new() } else { format!("Authorization: Bearer {key}\r\n") };
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: keyward\r\n{credential}Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}
