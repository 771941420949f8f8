//! HTTP load over keep-alive connections, light enough that the server is the bottleneck.
//!
//! Each connection repeats the same request as soon as it has a response. It checks only the status and
//! the length of responses.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use actix_web::rt::net::TcpStream;

/// The result of a load.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Responses per second.
    pub rate: f64,
    /// Median response time.
    pub median: Duration,
    /// 99th percentile of the response time.
    pub p99: Duration,
}

/// Sends the request over this many connections for this long. Must be called on an actix runtime.
pub async fn load(address: SocketAddr, request: &[u8], connections: usize, length: Duration) -> Load {
    let answer = Answer::learn(address, request).await;
    let end = Instant::now() + length;
    let tasks: Vec<_> = (0..connections)
        .map(|_| actix_web::rt::spawn(repeat(address, request.to_vec(), answer.clone(), end)))
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("a connection"));
    }
    times.sort_unstable();
    let at = |part: f64| Duration::from_nanos(times[((times.len() - 1) as f64 * part) as usize]);
    Load { rate: times.len() as f64 / length.as_secs_f64(), median: at(0.5), p99: at(0.99) }
}

/// The expected response.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The whole response.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// Sends the request once and takes the response as the expected one.
    pub async fn learn(address: SocketAddr, request: &[u8]) -> Self {
        let mut stream = connect(address).await;
        send(&mut stream, request).await;
        let mut bytes = Vec::new();
        loop {
            receive(&mut stream, &mut bytes).await;
            if let Some(end) = end_of(&bytes)
                && bytes.len() >= end
            {
                return Self { bytes };
            }
        }
    }

    /// The status line up to the status, such as `HTTP/1.1 200`.
    fn status(&self) -> &[u8] {
        &self.bytes[..12]
    }
}

/// The length of the response, once its head has arrived.
fn end_of(bytes: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(bytes).expect("text");
    let (head, _) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().expect("a length"))
    });
    Some(head.len() + 4 + length.expect("a Content-Length"))
}

/// Returns the response times in nanoseconds.
async fn repeat(address: SocketAddr, request: Vec<u8>, expected: Answer, end: Instant) -> Vec<u64> {
    let mut stream = connect(address).await;
    let (mut times, mut answer) = (Vec::new(), Vec::new());
    let mut sent = Instant::now();
    while sent < end {
        answer.clear();
        send(&mut stream, &request).await;
        while end_of(&answer).is_none_or(|end| answer.len() < end) {
            receive(&mut stream, &mut answer).await;
        }
        assert_eq!(&answer[..12], expected.status(), "{}", String::from_utf8_lossy(&answer));
        let now = Instant::now();
        times.push(u64::try_from(now.duration_since(sent).as_nanos()).expect("a short time"));
        sent = now;
    }
    times
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    stream
}

async fn send(stream: &mut TcpStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                stream.writable().await.expect("a connection");
            }
            Err(error) => panic!("cannot send: {error}"),
        }
    }
}

async fn receive(stream: &mut TcpStream, into: &mut Vec<u8>) {
    let mut chunk = [0_u8; 4_096];
    loop {
        stream.readable().await.expect("a connection");
        match stream.try_read(&mut chunk) {
            Ok(0) => panic!("the connection was closed"),
            Ok(count) => return into.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("cannot receive: {error}"),
        }
    }
}
