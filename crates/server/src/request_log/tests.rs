use actix_web::http::header::{HeaderName, HeaderValue};
use keyward_domain::{KeyKind, PlainKey, UserId};

use super::*;

fn written(format: LogFormat, holder: Option<&Holder>, headers: &HeaderMap) -> String {
    let mut text = Vec::new();
    let line = Line {
        now: "2026-01-31T12:00:00.000042Z".parse().unwrap(),
        request_id: Uuid::nil(),
        method: "PUT",
        route: "/api/v2/users/{user}/keys/{keyid}/expire",
        status: 401,
        code: Some("key_expired"),
        took: Duration::from_micros(1_042),
        ip: "192.0.2.1".parse().ok(),
        holder,
        bytes: Some(7),
        headers,
    };
    Fields { text: &mut text, format }.line(&line).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn a_line_is_json_with_every_field_or_text() {
    let key = PlainKey::generate(KeyKind::Token).unwrap().id().clone();
    let holder = Holder { user: UserId::random(), key: key.clone() };
    let mut headers = HeaderMap::new();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    headers.insert(HeaderName::from_static("traceparent"), HeaderValue::from_static(trace));
    headers.insert(HeaderName::from_static("x-request-id"), HeaderValue::from_static("a.b-c_1"));
    let line: serde_json::Value = serde_json::from_str(&written(LogFormat::Json, Some(&holder), &headers)).unwrap();
    assert_eq!(line["key_id"], key.as_str());
    assert_eq!((line["duration_ms"].as_f64(), line["bytes"].as_u64()), (Some(1.042), Some(7)));
    assert_eq!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((&line["client_request_id"], &line["code"]), (&"a.b-c_1".into(), &"key_expired".into()));
    let text = written(LogFormat::Text, None, &HeaderMap::new());
    assert!(
        text.starts_with("2026-01-31T12:00:00.000042Z  INFO keyward_server::request: request answered request_id=")
    );
    assert!(text.ends_with(" code=key_expired duration_ms=1.042 ip=192.0.2.1 bytes=7\n"), "{text}");
}

#[test]
fn what_a_client_sends_is_logged_only_in_its_form() {
    for (name, value) in [
        ("x-request-id", "with space"),
        ("x-request-id", "\"quoted\""),
        ("x-request-id", ""),
        ("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
        ("traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
        ("traceparent", "nonsense"),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        let text = written(LogFormat::Text, None, &headers);
        assert!(!text.contains("client_request_id") && !text.contains("trace_id"), "{text}");
    }
    let long = "a".repeat(65);
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static("x-request-id"), HeaderValue::from_str(&long).unwrap());
    assert_eq!(client_request_id(&headers), None);
}
