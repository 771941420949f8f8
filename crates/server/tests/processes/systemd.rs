//! A server tells systemd that it is ready, that it lives, and that it stops.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use keyward_test_support::{Backend, ServerProcess, TIMEOUT, TestDatabase};

use crate::PROGRAM;

#[test]
fn systemd_is_told_of_start_life_and_stop() {
    let database = TestDatabase::create(Backend::Sqlite).unwrap();
    let path = database.directory().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(TIMEOUT)).unwrap();
    let told = || {
        let mut buffer = [0; 256];
        let length = systemd.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    let watchdog = Duration::from_millis(600);
    let mut command = ServerProcess::command(Path::new(PROGRAM), database.url(), database.directory());
    command.args(["--log-filter", "warn"]).env("NOTIFY_SOCKET", &path);
    command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
    let server = ServerProcess::run(&mut command);
    assert_eq!(told(), "READY=1");
    assert_eq!(told(), "WATCHDOG=1");
    assert_eq!(told(), "WATCHDOG=1");
    server.tell_to_stop();
    let mut last = told();
    while last == "WATCHDOG=1" {
        last = told();
    }
    assert_eq!(last, "STOPPING=1");
    assert!(server.ended().success());
}
