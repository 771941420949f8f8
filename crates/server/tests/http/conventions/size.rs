//! Limits on the size and the duration of requests.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use keyward_test_support::{Backend, PASSWORD, TestApp, on_both};
use serde_json::json;

use crate::support::{MY_TOKENS, create};

fn connect(app: &TestApp) -> TcpStream {
    let stream = TcpStream::connect(app.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Status and body of everything that arrives until the connection ends.
fn answer(mut stream: TcpStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    (status, text)
}

on_both! {
    a_body_may_have_64_kib,
    a_login_may_have_4_kib,
    a_client_that_is_still_sending_slowly_reads_the_413,
    a_client_that_sends_without_end_reads_the_431,
    a_request_that_does_not_arrive_is_told_so_in_time,
    the_server_goes_on_when_a_client_leaves_in_the_middle,
    another_protocol_is_not_waited_for,
}

/// A proxy that passes the headers of a WebSocket on, a client that takes the server for a proxy, and one
/// that asks whether it may send too much.
async fn another_protocol_is_not_waited_for(app: TestApp) {
    let key = &app.owner.session;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    for (head, status) in [
        (format!("GET /authz HTTP/1.1\r\nAuthorization: Bearer {key}\r\n{upgrade}"), 200),
        (format!("GET /api/v2/users/me HTTP/1.1\r\nAuthorization: Bearer {key}\r\n{upgrade}"), 200),
        (format!("GET /authz HTTP/1.1\r\n{upgrade}"), 401),
        (format!("GET /nowhere HTTP/1.1\r\n{upgrade}"), 404),
        ("CONNECT 127.0.0.1:22 HTTP/1.1\r\n".to_owned(), 405),
        ("CONNECT /api/v2/users/me HTTP/1.1\r\n".to_owned(), 405),
        ("POST /api/v2/users/login HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9000000\r\n".to_owned(), 413),
    ] {
        let began = Instant::now();
        let mut stream = connect(&app);
        stream.write_all(format!("{head}Host: keyward\r\n\r\n").as_bytes()).unwrap();
        let (_, text) = answer(stream);
        let last = text.rsplit("HTTP/1.1 ").next().unwrap();
        assert_eq!(last.get(..3), Some(status.to_string().as_str()), "{head}: {text}");
        assert!(began.elapsed() < Duration::from_secs(5), "{head}: {:?}", began.elapsed());
    }
}

async fn a_body_may_have_64_kib(app: TestApp) {
    let fill = |length: usize| {
        let empty = json!({ "padding": "" }).to_string().len();
        json!({ "padding": "x".repeat(length - empty) })
    };
    create(&app.owner.http, &fill(64 * 1024)).await.expect(201);
    create(&app.owner.http, &fill(64 * 1024 + 1)).await.refused(413, "payload_too_large");
    // The size is checked before the credential, and even if the endpoint ignores the body.
    create(&app.anonymous(), &fill(64 * 1024 + 1)).await.refused(413, "payload_too_large");
    app.owner
        .http
        .json("PUT", "/api/v2/users/nobody/keys/x/expire", &fill(70_000))
        .await
        .refused(413, "payload_too_large");
    app.owner.http.post("/api/v2/nothing", &fill(70_000)).await.refused(413, "payload_too_large");
    create(&app.owner.http, &fill(5_000_000)).await.refused(413, "payload_too_large");
}

async fn a_login_may_have_4_kib(app: TestApp) {
    let fill = |length: usize| {
        let body = |padding: String| json!({ "email": "owner", "password": PASSWORD, "padding": padding });
        body("x".repeat(length - body(String::new()).to_string().len()))
    };
    let path = "/api/v2/users/login";
    app.anonymous().post(path, &fill(4 * 1024)).await.expect(201);
    app.anonymous().post(path, &fill(4 * 1024 + 1)).await.refused(413, "payload_too_large");
}

async fn a_client_that_is_still_sending_slowly_reads_the_413(app: TestApp) {
    let size = 200 * 1024;
    for framing in [format!("Content-Length: {size}"), "Transfer-Encoding: chunked".to_owned()] {
        let mut stream = connect(&app);
        let head = format!(
            "POST {MY_TOKENS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Type: application/json\r\n{framing}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let chunked = framing.starts_with("Transfer");
        for _ in 0..50 {
            let part = "x".repeat(size / 50);
            let framed = if chunked { format!("{:x}\r\n{part}\r\n", part.len()) } else { part };
            stream.write_all(framed.as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        if chunked {
            stream.write_all(b"0\r\n\r\n").unwrap();
        }
        let (status, text) = answer(stream);
        assert_eq!(status, 413);
        assert!(text.contains("payload_too_large"), "{text}");
    }
}

async fn a_client_that_sends_without_end_reads_the_431(app: TestApp) {
    let mut stream = connect(&app);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ").unwrap();
    // Writing may fail after the response was sent; the response must still be readable.
    let mut reader = stream.try_clone().unwrap();
    for _ in 0..300 {
        if stream.write_all(&[b'x'; 1_024]).is_err() {
            break;
        }
    }
    let mut first = [0_u8; 12];
    reader.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 431");
}

async fn a_request_that_does_not_arrive_is_told_so_in_time(app: TestApp) {
    // Needs no database and takes ten seconds, so one database is enough.
    if app.database.backend != Backend::Sqlite {
        return;
    }
    let began = Instant::now();
    let (mut head, mut body) = (connect(&app), connect(&app));
    head.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n").unwrap();
    let start = format!("POST {MY_TOKENS} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{");
    body.write_all(start.as_bytes()).unwrap();
    let (status, text) = answer(body);
    assert_eq!(status, 408);
    assert!(text.contains("request_timeout") && text.to_lowercase().contains("keyward-request-id: "), "{text}");
    assert_eq!(answer(head).0, 408);
    assert!((9..15).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

async fn the_server_goes_on_when_a_client_leaves_in_the_middle(app: TestApp) {
    let mut stream = connect(&app);
    let head = format!("POST {MY_TOKENS} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // The client disconnects in the middle of the body.
    drop(stream);
    app.anonymous().get("/healthz").await.expect(200);
    create(&app.owner.http, &json!({})).await.expect(201);
}
