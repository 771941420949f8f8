//! The server with 1 000 000 keys: time to the first response and memory at rest.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic, and prints its results")]

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use keyward_rig::bench::{Goal, Memory, Report, Seeded, Size, databases, mebibytes, median, release_server, spaced};
use keyward_test_support::{Http, PASSWORD, ServerProcess, TestApp, TestDatabase};
use serde_json::json;

/// Maximum time from the start of the process to the first response, in seconds.
const START: f64 = 0.5;

/// Maximum memory at rest, in MiB.
const AT_REST: f64 = 40.0;

/// Idle time before the memory is measured.
const REST: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let Some(size) = Size::from_args() else { return ExitCode::from(2) };
    let server = release_server();
    let mut report = Report::default();
    actix_web::rt::System::new().block_on(async {
        for (name, database) in databases() {
            println!("\n{name}: making {} keys", spaced(size.many));
            let app = TestApp::start(database).await;
            let _seeded = Seeded::new(&app, "many", size.many).await;
            let database = app.stop().await;
            start(name, &database, size, &server, &mut report).await;
            memory(name, &database, &server, &mut report).await;
        }
    });
    report.print();
    ExitCode::SUCCESS
}

/// Measures the time from the start of the process to its first response.
async fn start(name: &str, database: &TestDatabase, size: Size, server: &Path, report: &mut Report) {
    let mut times = Vec::new();
    for _ in 0..size.rounds.min(9) {
        let begin = Instant::now();
        let process = ServerProcess::start(server, database.url(), database.directory());
        Http::new(&process.url, None).get("/readyz").await.expect(200);
        times.push(begin.elapsed());
    }
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    let figures = format!("{:.3} to {:.3} s, {} starts", least.as_secs_f64(), most.as_secs_f64(), times.len());
    let what = format!("from start to the first answer, beside {} keys", spaced(size.many));
    report.figure(name, &what, &figures, median(&times).as_secs_f64(), Goal::Seconds(START));
}

/// Measures the memory at rest after the start and after logins.
async fn memory(name: &str, database: &TestDatabase, server: &Path, report: &mut Report) {
    let process = ServerProcess::start(server, database.url(), database.directory());
    let http = Http::new(&process.url, None);
    http.get("/readyz").await.expect(200);
    at_rest(name, "memory at rest after the start", &process, report);
    for _ in 0..20 {
        let body = json!({ "email": "owner", "password": PASSWORD });
        http.post("/api/v2/users/login", &body).await.expect(201);
    }
    at_rest(name, "memory at rest after 20 logins", &process, report);
}

fn at_rest(name: &str, what: &str, process: &ServerProcess, report: &mut Report) {
    std::thread::sleep(REST);
    let memory = Memory::of(process);
    let figures = format!("{:.1} MiB at most before", mebibytes(memory.peak));
    report.figure(name, what, &figures, mebibytes(memory.now), Goal::Mebibytes(AT_REST));
}
