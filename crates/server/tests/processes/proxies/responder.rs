//! The application behind the proxy: it answers with what it has received.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{WEBSOCKET_ACCEPT, values};

/// An HTTP server that keeps each request as JSON, and then answers it. It ends with the process.
pub(super) struct Responder {
    pub(super) address: SocketAddr,
    pub(super) seen: Arc<Mutex<Vec<Value>>>,
}

impl Responder {
    pub(super) fn start(answer: fn(&Value, &mut BufReader<TcpStream>) -> io::Result<()>) -> Self {
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

    pub(super) fn seen(&self) -> Vec<Value> {
        self.seen.lock().unwrap().clone()
    }
}

/// `None` once the connection is closed.
pub(super) fn read_request(client: &mut BufReader<TcpStream>) -> io::Result<Option<Value>> {
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
pub(super) fn answer_as_application(request: &Value, client: &mut BufReader<TcpStream>) -> io::Result<()> {
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
