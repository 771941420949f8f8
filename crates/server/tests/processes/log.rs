//! The request log of a real server, on stderr.

use std::fs::File;
use std::path::Path;

use keyward_test_support::{Backend, ServerProcess, TestDatabase, Wire, request};
use serde_json::{Value, json};

use crate::PROGRAM;

#[test]
fn each_request_leaves_one_line_that_holds_no_secret() {
    let database = TestDatabase::create(Backend::Sqlite).unwrap();
    let path = database.directory().join("log");
    let mut command = ServerProcess::command(Path::new(PROGRAM), database.url(), database.directory());
    let server = ServerProcess::run(command.args(["--log-format", "json"]).stderr(File::create(&path).unwrap()));
    let session = server.first_session();
    let call = |method: &str, path: &str, key: &str, body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let trace = "X-Request-Id: job-7\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
        let text = request(method, path, key, &body).replacen("Host:", &format!("{trace}Host:"), 1);
        Wire::connect(server.address()).unwrap().call(&text).unwrap()
    };
    let token = call("POST", "/api/v2/users/me/keys/tokens", &session, &json!({})).expect(201);
    let (id, key) = (token["id"].as_str().unwrap(), token["key"].as_str().unwrap());
    call("PUT", &format!("/api/v2/users/me/keys/{id}/expire"), &session, &Value::Null);
    let refused = call("GET", &format!("/api/v2/users/me?x={key}"), key, &Value::Null);
    let refused = refused.expect(401)["request_id"].as_str().unwrap().to_owned();
    call("GET", "/api/v2/users/me", "kwd_0123456789-0123456789", &Value::Null).expect(401);
    call("GET", "/healthz", "", &Value::Null);
    server.tell_to_stop();
    assert!(server.ended().success());

    let log = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests: Vec<&Value> = lines.iter().filter(|line| line["target"] == "keyward_server::request").collect();
    assert_eq!(requests.len(), 6, "{log}");
    let line = requests.iter().find(|line| line["request_id"] == refused.as_str()).unwrap();
    assert_eq!((&line["method"], &line["route"]), (&json!("GET"), &json!("/api/v2/users/{user}")));
    assert_eq!((&line["status"], &line["code"], &line["key_id"]), (&json!(401), &json!("key_expired"), &json!(id)));
    assert_eq!((&line["ip"], &line["client_request_id"]), (&json!("127.0.0.1"), &json!("job-7")));
    assert_eq!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(line["user_id"], token["user_id"]);
    assert!(line["duration_ms"].as_f64().unwrap() > 0.0 && line["bytes"].as_u64().unwrap() > 100, "{line}");
    let unknown = requests.last().unwrap();
    assert_eq!((&unknown["code"], &unknown["key_id"]), (&json!("invalid_key"), &Value::Null));
    for secret in [key, &session, &key[15..], &session[15..], "kwd_0123456789"] {
        assert!(!log.contains(secret), "{secret}");
    }
}
