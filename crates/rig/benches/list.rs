//! Lists with many expired tokens in the database, at any depth: times, query plans and the server's memory.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark may panic, and prints its results"
)]

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyward_domain::{Catalogue, KeyKind, Timestamp, UserId};
use keyward_rig::bench::{
    Goal, LIVE, Memory, Report, Seeded, Size, databases, mebibytes, median, release_server, spaced, start_with_log,
};
use keyward_service::{Lane, StoreError};
use keyward_storage::Store;
use keyward_storage::keys::{KeyCursor, ListFilter, Owners, explain_list, list};
use keyward_test_support::{Http, TestApp, TestDatabase};

/// Maximum ratio of times that should be equal.
const MAX_RATIO: f64 = 1.5;

/// Maximum growth of the server's memory while it lists everything, in MiB.
const GROWTH: f64 = 64.0;

/// Number of executions on one connection. The first and those around the hundredth are measured.
const EXECUTIONS: usize = 105;
const HUNDREDTH: std::ops::Range<usize> = 95..EXECUTIONS;

/// Every connection has one first execution but many later ones, so only every third round runs the
/// later ones.
const HUNDREDTH_EVERY: usize = 3;

fn main() -> ExitCode {
    let Some(size) = Size::from_args() else { return ExitCode::from(2) };
    let server = release_server();
    let mut report = Report::default();
    actix_web::rt::System::new().block_on(async {
        for (name, database) in databases() {
            let bench = Bench::new(name, database, size).await;
            bench.by_user(&mut report).await;
            bench.by_login_type(&mut report).await;
            bench.depth(&mut report).await;
            bench.plans().await;
            bench.memory(&mut report, &server).await;
        }
    });
    report.print();
    ExitCode::SUCCESS
}

/// Three databases of one kind. The large one has three users.
struct Bench {
    name: &'static str,
    size: Size,
    now: Timestamp,
    /// Users with no, 1 000 and many expired tokens.
    large: TestDatabase,
    users: [Seeded; 3],
    /// One database whose user has no expired tokens, one whose user has 1 000.
    small: [TestDatabase; 2],
}

/// A list query and its database.
#[derive(Clone)]
struct Query<'a> {
    database: &'a TestDatabase,
    filter: ListFilter,
    page: KeyCursor,
}

/// Medians of a query's times.
struct Times {
    first: Duration,
    hundredth: Duration,
}

const FEW: u32 = 1_000;

impl Bench {
    async fn new(name: &'static str, database: TestDatabase, size: Size) -> Self {
        println!("\n{name}: making {} expired tokens", spaced(size.many));
        let backend = database.backend;
        let app = TestApp::start(database).await;
        let users = [
            Seeded::new(&app, "none", 0).await,
            Seeded::new(&app, "few", FEW).await,
            Seeded::new(&app, "many", size.many).await,
        ];
        let now = app.service.now();
        let large = app.stop().await;
        let mut small = Vec::new();
        for expired in [0, FEW] {
            let app = TestApp::start(TestDatabase::create(backend).unwrap()).await;
            Seeded::new(&app, "one", expired).await;
            small.push(app.stop().await);
        }
        let small = small.try_into().expect("two databases");
        Self { name, size, now, large, users, small }
    }

    /// Lists the 50 live tokens of a user with no, 1 000 and many expired ones.
    async fn by_user(&self, report: &mut Report) {
        let queries: Vec<_> = self.users.iter().map(|user| self.query(one(user), false)).collect();
        self.compare(
            report,
            &format!("{LIVE} live of a user, beside 0 / 1 000 / {} expired", spaced(self.size.many)),
            &queries,
        )
        .await;
        let times = self.through_the_store(&queries).await;
        report.times(self.name, "the same, through one store, the median of 200", &times, MAX_RATIO);
    }

    /// Lists 50 live tokens of all users, in databases with no, 1 000 and many expired ones.
    async fn by_login_type(&self, report: &mut Report) {
        let query = self.query(all_users(), false);
        let queries = [
            Query { database: &self.small[0], ..query.clone() },
            Query { database: &self.small[1], ..query.clone() },
            query,
        ];
        self.compare(
            report,
            &format!("{LIVE} live of anyone, beside 0 / 1 000 / {} expired", spaced(self.size.many + FEW)),
            &queries,
        )
        .await;
    }

    /// Lists a page of 50 including expired tokens, at the start and far down.
    async fn depth(&self, report: &mut Report) {
        let depth = self.size.many / 10 * 9;
        let many = &self.users[2];
        let (expires_at, id) = many.row(depth);
        for (whose, owners) in [("a user", one(many)), ("anyone", all_users())] {
            let start = self.query(owners, true);
            let deep = Query { page: KeyCursor { expires_at, id: id.clone() }, ..start.clone() };
            let what =
                format!("a page of {LIVE} of {whose} with the expired, at the start / {} rows down", spaced(depth));
            self.compare(report, &what, &[start, deep]).await;
        }
    }

    fn query(&self, owners: Owners, include_expired: bool) -> Query<'_> {
        let filter = ListFilter { owners, include_expired, now: self.now };
        Query { database: &self.large, filter, page: KeyCursor::first() }
    }

    /// Runs the queries in turn, each on a new connection, repeatedly, so that noise affects all of
    /// them equally.
    async fn compare(&self, report: &mut Report, what: &str, queries: &[Query<'_>]) {
        let mut times: Vec<Vec<Vec<Duration>>> = vec![Vec::new(); queries.len()];
        for round in 0..self.size.rounds {
            let count = if round % HUNDREDTH_EVERY == 0 { EXECUTIONS } else { 1 };
            for turn in 0..queries.len() {
                let index = (turn + round) % queries.len();
                times[index].push(executions(&queries[index], count).await);
            }
        }
        let times: Vec<_> = times.iter().map(|rounds| Times::of(rounds)).collect();
        let pick = |pick: fn(&Times) -> Duration| times.iter().map(pick).collect::<Vec<_>>();
        report.times(self.name, &format!("{what}: first execution"), &pick(|times| times.first), MAX_RATIO);
        report.times(self.name, &format!("{what}: hundredth execution"), &pick(|times| times.hundredth), MAX_RATIO);
    }

    /// Runs them as the server does: each execution is a separate use case on any connection.
    async fn through_the_store(&self, queries: &[Query<'_>]) -> Vec<Duration> {
        let store = Store::open(&self.large.parsed()).unwrap();
        let catalogue = Arc::new(Catalogue::built_in());
        let mut times = vec![Vec::new(); queries.len()];
        for _ in 0..200 {
            for (query, times) in queries.iter().zip(&mut times) {
                let (filter, page, catalogue) = (query.filter, query.page.clone(), Arc::clone(&catalogue));
                let begin = Instant::now();
                let keys =
                    store.read(Lane::Normal, move |conn| list(conn, filter, &catalogue, &page, i64::from(LIVE))).await;
                times.push(begin.elapsed());
                assert_eq!(keys.unwrap().len(), LIVE as usize);
            }
        }
        times.iter().map(|times| median(times)).collect()
    }

    /// Prints the query plans.
    async fn plans(&self) {
        let many = &self.users[2];
        let (expires_at, id) = many.row(self.size.many / 2);
        let sessions = Owners::One(many.id, None);
        let readable = Owners::All { kind: KeyKind::Token, hide_owners_except: Some(many.id) };
        let store = Store::open(&self.large.parsed()).unwrap();
        for (what, owners) in [
            ("the tokens of a user", one(many)),
            ("the keys of a user", sessions),
            ("the tokens of everyone", all_users()),
            ("the tokens of everyone but owners", readable),
        ] {
            let (filter, page) = (self.query(owners, false).filter, KeyCursor { expires_at, id: id.clone() });
            let plan = store.read(Lane::Normal, move |conn| explain_list(conn, filter, &page, i64::from(LIVE))).await;
            let plan: Result<Vec<String>, StoreError> = plan;
            println!("\n{}: plan for {what}:", self.name);
            for line in plan.unwrap() {
                println!("    {line}");
            }
        }
        println!();
    }

    /// Measures the server's memory while it lists everything of the largest user.
    async fn memory(&self, report: &mut Report, server: &std::path::Path) {
        let process = start_with_log(server, &self.large);
        let http = Http::new(&process.url, Some(&self.users[2].person.session));
        let path = "/api/v2/users/me/keys/tokens";
        // The first requests open connections and fill caches, which stay.
        for _ in 0..20 {
            http.get(&format!("{path}?include_expired=true&limit=1000")).await.expect(200);
        }
        let before = Memory::of(&process);
        Memory::forget_peak(&process);
        let begin = Instant::now();
        let mut response = http.request("GET", &format!("{path}?include_expired=true")).send().await.unwrap();
        let mut objects = Objects::default();
        while let Some(chunk) = response.chunk().await.unwrap() {
            objects.read(&chunk);
        }
        let took = begin.elapsed();
        let after = Memory::of(&process);
        assert_eq!((objects.count, objects.depth), (self.size.many + LIVE, 0), "the list is incomplete");
        let growth = after.peak.saturating_sub(before.now);
        let figures = format!(
            "{:.1} MiB before, {:.1} at most, {:.1} after; {:.1} s",
            mebibytes(before.now),
            mebibytes(after.peak),
            mebibytes(after.now),
            took.as_secs_f64(),
        );
        let what = format!("memory growth of the server that lists {}", spaced(objects.count));
        report.figure(self.name, &what, &figures, mebibytes(growth), Goal::Mebibytes(GROWTH));
    }
}

fn one(user: &Seeded) -> Owners {
    Owners::One(user.id, Some(KeyKind::Token))
}

fn all_users() -> Owners {
    Owners::All { kind: KeyKind::Token, hide_owners_except: None }
}

/// The times of one query on a new connection, from the first execution on.
async fn executions(query: &Query<'_>, count: usize) -> Vec<Duration> {
    let store = Store::open(&query.database.parsed()).unwrap();
    let (filter, page) = (query.filter, query.page.clone());
    let work = move |conn: &mut keyward_storage::Conn<'_>| {
        // Loads the tables' metadata with another statement, so that it is not measured.
        let other = ListFilter { owners: Owners::One(UserId::random(), None), ..filter };
        let catalogue = Catalogue::built_in();
        list(conn, other, &catalogue, &page, 1)?;
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let begin = Instant::now();
            let keys = black_box(list(conn, filter, &catalogue, &page, i64::from(LIVE))?);
            times.push(begin.elapsed());
            assert_eq!(keys.len(), LIVE as usize);
        }
        Ok::<_, StoreError>(times)
    };
    store.read(Lane::Normal, work).await.unwrap()
}

impl Times {
    fn of(rounds: &[Vec<Duration>]) -> Self {
        let first: Vec<_> = rounds.iter().map(|times| times[0]).collect();
        let late: Vec<_> = rounds.iter().filter_map(|times| times.get(HUNDREDTH)).map(median).collect();
        Self { first: median(&first), hundredth: median(&late) }
    }
}

/// Counts the objects of a JSON array while it arrives, without keeping it.
#[derive(Default)]
struct Objects {
    count: u32,
    depth: u32,
    quoted: bool,
    escaped: bool,
}

impl Objects {
    fn read(&mut self, chunk: &[u8]) {
        for byte in chunk {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.quoted => self.escaped = true,
                b'"' => self.quoted = !self.quoted,
                _ if self.quoted => {}
                b'[' | b'{' => {
                    self.depth += 1;
                    self.count += u32::from(*byte == b'{' && self.depth == 2);
                }
                b']' | b'}' => self.depth -= 1,
                _ => {}
            }
        }
    }
}
