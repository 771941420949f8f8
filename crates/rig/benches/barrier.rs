//! Duration of an expire: undisturbed, with a disturbed verifier, and with a killed server.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic, and prints its results")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use keyward_rig::barrier::{CONNECTIONS, Expired, Stage};
use keyward_rig::bench::{Goal, Report, Size, databases, median, release_server};
use keyward_rig::run_as_verifier_if_asked;
use keyward_test_support::{Backend, TestDatabase};

/// Maximum duration of an undisturbed expire, in seconds.
const UNDISTURBED: f64 = 0.1;

/// Maximum duration if the server must wait for a lease of 1 s to run out, in seconds.
const WAITED_OUT: f64 = 1.2;

/// How long a verifier is stopped.
const STOP: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    // The processes of the verifiers run this program too.
    run_as_verifier_if_asked();
    let Some(size) = Size::from_args() else { return ExitCode::from(2) };
    let server = release_server();
    let mut report = Report::default();
    println!(
        "{CONNECTIONS} connections to the server and to each of two verifiers; none may be accepted after the 204"
    );
    for (name, database) in databases() {
        let backend = database.backend;
        one_server(name, &mut Stage::start(&server, &[], database, 1), size, &mut report);
        if backend == Backend::Postgres {
            let database = TestDatabase::create(backend).unwrap();
            two_servers(name, &server, database, size, &mut report);
        }
    }
    report.print();
    ExitCode::SUCCESS
}

fn one_server(name: &str, stage: &mut Stage, size: Size, report: &mut Report) {
    // This is fast, so the count does not depend on the size.
    let undisturbed: Vec<_> = (0..200).map(|_| stage.expire_undisturbed()).collect();
    figure(report, name, "undisturbed", UNDISTURBED, &undisturbed);
    let mut measure = |what: &str, expire: &mut dyn FnMut(u32) -> Expired| {
        figure(report, name, what, WAITED_OUT, &(0..size.turns).map(expire).collect::<Vec<_>>());
    };
    measure("a verifier stopped for 3 s", &mut |_| stage.expire_while_frozen(STOP));
    measure("a verifier cut off", &mut |_| stage.expire_while_cut_off());
    measure("a verifier in a black hole", &mut |_| stage.expire_while_swallowed());
    measure("a verifier's connection reset", &mut |_| stage.expire_and_cut());
    // Kills the server at times spread over twice the duration of an expire.
    let typical = stage.expire_undisturbed().took;
    measure("the server killed", &mut |turn| stage.expire_and_kill(typical * (turn % 20) / 10).0);
    measure("the server killed behind the barrier", &mut |_| stage.expire_and_kill_behind_the_barrier());
    measure("the server stopped", &mut |_| stage.expire_and_stop().0);
}

fn two_servers(name: &str, server: &Path, database: TestDatabase, size: Size, report: &mut Report) {
    let mut stage = Stage::start(server, &[], database, 2);
    let mut measure = |what: &str, expire: &mut dyn FnMut() -> Expired| {
        figure(report, name, what, WAITED_OUT, &(0..size.turns).map(|_| expire()).collect::<Vec<_>>());
    };
    measure("two servers", &mut || stage.expire_undisturbed());
    measure("two servers, a verifier stopped for 3 s", &mut || stage.expire_while_frozen(STOP));
    measure("two servers, a verifier cut off", &mut || stage.expire_while_cut_off());
}

fn figure(report: &mut Report, name: &str, what: &str, limit: f64, all: &[Expired]) {
    let times: Vec<_> = all.iter().map(|expired| expired.took).collect();
    let calls: u64 = all.iter().map(|expired| expired.calls).sum();
    let lapsed: u64 = all.iter().map(|expired| expired.lapsed).sum();
    let slowest = times.iter().max().unwrap().as_secs_f64();
    let figures = format!(
        "{} keys, {calls} calls, {lapsed} lapsed; the median {:.1} ms",
        all.len(),
        median(&times).as_secs_f64() * 1_000.0
    );
    report.figure(name, &format!("the slowest expire, {what}"), &figures, slowest, Goal::Seconds(limit));
}
