//! Metrics for Prometheus.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use actix_web::http::Method;
use actix_web::web;
use keyward_api::ErrorCode;
use keyward_service::{Retired, Service};
use keyward_verdict::Verdict;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::app::App;

/// The labels of a request. `route` is a pattern, never a path, so that labels contain no ids or names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: &'static str,
    route: &'static str,
}

/// The metrics of a server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    verifications: Family<Verification, Counter>,
    logins: Family<Outcome, Counter>,
    barriers: Family<Outcome, Histogram, fn() -> Histogram>,
    pool_wait: Histogram,
    cache_hits: Counter,
    cache_misses: Counter,
    cache_size: Gauge,
    verifiers: Gauge,
    lease_valid: Gauge,
    audit_entries: Counter,
    audit_sealing: Gauge,
    audit_leaves: Gauge,
    process: Process,
    db_up: Gauge,
    clock_step: Gauge<f64, AtomicU64>,
    clock_skew: Gauge<f64, AtomicU64>,
    retention_removed: Family<Removed, Counter>,
    retention_held: Gauge,
}

/// A presented key that was judged: where, and the code of the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Verification {
    door: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Figures of the process, from `/proc`. They stay 0 on a platform without it.
#[derive(Debug, Default)]
struct Process {
    cpu_seconds: Counter<f64, AtomicU64>,
    resident_memory: Gauge,
    open_files: Gauge,
}

/// Outcomes of a wait for verifiers: all confirmed, or the leases of some had to run out.
const CONFIRMED: &str = "confirmed";
const LAPSED: &str = "lapsed";

/// What retention removed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Removed {
    records: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::default();
        // The buckets go from 0.25 ms to about 8 s.
        let durations: Family<Route, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.000_25, 2.0, 16)));
        let mut registry = Registry::with_prefix("keyward");
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register("http_request_duration_seconds", "Time to answer a request", durations.clone());
        let (db_up, retention_held) = (Gauge::default(), Gauge::default());
        let (clock_step, clock_skew) = (Gauge::default(), Gauge::default());
        let retention_removed = Family::default();
        registry.register("db_up", "Whether the database answers: 1 or 0", db_up.clone());
        registry.register(
            "clock_step_seconds",
            "By how much the wall clock is ahead of the server's time, while a step of it is held",
            clock_step.clone(),
        );
        registry.register(
            "clock_skew_seconds",
            "By how much the database's clock is ahead of the server's time",
            clock_skew.clone(),
        );
        registry.register("retention_removed", "Records removed by retention", retention_removed.clone());
        registry.register(
            "retention_held",
            "Keys that retention does not remove before an operator confirms it",
            retention_held.clone(),
        );
        let verifications = Family::<Verification, Counter>::default();
        let logins = Family::<Outcome, Counter>::default();
        // The buckets go from 0.25 ms to about 8 s.
        let barriers: Family<Outcome, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.000_25, 2.0, 16)));
        let pool_wait = Histogram::new(exponential_buckets(0.000_01, 4.0, 12));
        let (cache_hits, cache_misses, audit_entries) = (Counter::default(), Counter::default(), Counter::default());
        let (cache_size, verifiers, lease_valid) = (Gauge::default(), Gauge::default(), Gauge::default());
        let process = Process::default();
        registry.register("verify", "Presented keys that were judged", verifications.clone());
        registry.register("login", "Logins", logins.clone());
        registry.register("barrier_seconds", "Time a change waited for embedded verifiers", barriers.clone());
        registry.register("db_pool_wait_seconds", "Time a use case waited for a connection", pool_wait.clone());
        registry.register("cache_hits", "Uses of a key that the cache answered", cache_hits.clone());
        registry.register("cache_misses", "Uses of a key that needed the database", cache_misses.clone());
        registry.register("cache_size", "Cached keys", cache_size.clone());
        registry.register("verifiers", "Connected embedded verifiers", verifiers.clone());
        registry.register(
            "lease_valid",
            "Whether the server may grant leases to its verifiers, or has none: 1 or 0",
            lease_valid.clone(),
        );
        registry.register("audit_entries", "Audit entries written", audit_entries.clone());
        let (audit_sealing, audit_leaves) = (Gauge::default(), Gauge::default());
        audit_sealing.set(1);
        registry.register("audit_sealing", "Whether the server can seal the audit log: 1 or 0", audit_sealing.clone());
        registry.register("audit_leaves", "Audit entries that are sealed", audit_leaves.clone());
        registry.register("build", "The program", Info::new([("version", crate::VERSION)]));
        let bare = registry.sub_registry_with_prefix("process");
        bare.register("cpu_seconds", "Processor time", process.cpu_seconds.clone());
        bare.register("resident_memory_bytes", "Resident memory", process.resident_memory.clone());
        bare.register("open_fds", "Open file descriptors", process.open_files.clone());
        let started = Gauge::<f64, AtomicU64>::default();
        started.set(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64());
        bare.register("start_time_seconds", "When the process started, since 1970", started);
        // A rate is right from the first count on only if the counter was there before.
        for door in ["authz", "verify", "introspect"] {
            let _at_zero = verifications.get_or_create(&Verification { door, outcome: Verdict::Valid.code() });
        }
        for outcome in ["success", ErrorCode::IncorrectCredentials.as_str()] {
            let _at_zero = logins.get_or_create(&Outcome { outcome });
        }
        for outcome in [CONFIRMED, LAPSED] {
            let _at_zero = barriers.get_or_create(&Outcome { outcome });
        }
        for records in ["keys", "audit_entries"] {
            let _at_zero = retention_removed.get_or_create(&Removed { records });
        }
        Self {
            registry,
            requests,
            durations,
            verifications,
            logins,
            barriers,
            pool_wait,
            cache_hits,
            cache_misses,
            cache_size,
            verifiers,
            lease_valid,
            audit_entries,
            audit_sealing,
            audit_leaves,
            process,
            db_up,
            clock_step,
            clock_skew,
            retention_removed,
            retention_held,
        }
    }
}

impl Metrics {
    /// Sets how many audit entries are sealed; none if the server cannot seal the log.
    pub(crate) fn set_sealed(&self, leaves: Option<u64>) {
        self.audit_sealing.set(i64::from(leaves.is_some()));
        if let Some(leaves) = leaves {
            self.audit_leaves.set(i64::try_from(leaves).unwrap_or(i64::MAX));
        }
    }

    /// Encodes all metrics in the OpenMetrics text format.
    pub(crate) fn encode(&self, service: &Service) -> Result<String, std::fmt::Error> {
        self.db_up.set(i64::from(service.is_database_up()));
        self.clock_step.set(service.clock_step_seconds());
        self.clock_skew.set(service.clock_skew_seconds());
        let stats = service.stats();
        self.cache_hits.inner().store(stats.cache_hits, Ordering::Relaxed);
        self.cache_misses.inner().store(stats.cache_misses, Ordering::Relaxed);
        self.audit_entries.inner().store(stats.audit_entries, Ordering::Relaxed);
        self.cache_size.set(count(stats.cached_keys));
        self.verifiers.set(count(stats.verifiers));
        self.lease_valid.set(i64::from(stats.lease_is_valid));
        self.process.read();
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Observes the service: barriers, and waits for the database.
    pub(crate) fn observe(&self, service: &Service) {
        let barriers = self.barriers.clone();
        service.on_barrier(move |barrier| {
            let outcome = if barrier.lapsed == 0 { CONFIRMED } else { LAPSED };
            barriers.get_or_create(&Outcome { outcome }).observe(barrier.waited.as_secs_f64());
        });
        let pool_wait = self.pool_wait.clone();
        service.on_database_wait(move |waited| pool_wait.observe(waited.as_secs_f64()));
    }

    /// Counts a presented key that was judged at this door.
    pub(crate) fn count_verification(&self, door: &'static str, outcome: &'static str) {
        self.verifications.get_or_create(&Verification { door, outcome }).inc();
    }

    /// Counts a login.
    pub(crate) fn count_login(&self, outcome: &'static str) {
        self.logins.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts what a pass of retention did.
    pub(crate) fn count_retention(&self, retired: &Retired) {
        for (records, count) in [("keys", retired.keys), ("audit_entries", retired.entries)] {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            self.retention_removed.get_or_create(&Removed { records }).inc_by(count);
        }
        self.retention_held.set(retired.held.map_or(0, |held| held.count));
    }
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Process {
    /// Reads the figures. What cannot be read keeps its value.
    fn read(&self) {
        // Fields 14 and 15 of the line, counted after the name in parentheses.
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11);
        let mut ticks = || fields.next().and_then(|field| field.parse::<u32>().ok()).unwrap_or(0);
        let seconds = (f64::from(ticks()) + f64::from(ticks())) / TICKS_PER_SECOND;
        self.cpu_seconds.inner().store(seconds.to_bits(), Ordering::Relaxed);
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        if let Some(pages) = statm.split(' ').nth(1).and_then(|pages| pages.parse::<i64>().ok()) {
            self.resident_memory.set(pages * PAGE_BYTES);
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            self.open_files.set(count(files.count()));
        }
    }
}

/// The units of `/proc` on Linux: its processor time is always in hundredths of a second, and pages have
/// 4 KiB on the usual platforms.
const TICKS_PER_SECOND: f64 = 100.0;
const PAGE_BYTES: i64 = 4_096;

/// The name of a method for labels and the log. A client can send any word; only known methods are named.
pub(crate) fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// A cache of counters for one thread, so that a counter that it has used before needs no lock.
#[derive(Debug)]
pub(crate) struct Counters {
    app: web::Data<App>,
    used: RefCell<Vec<(Request, Counter, Histogram)>>,
}

impl Counters {
    pub(crate) fn new(app: web::Data<App>) -> Self {
        Self { app, used: RefCell::default() }
    }

    /// Counts a response.
    pub(crate) fn count(&self, method: &'static str, route: &'static str, status: u16, took: Duration) {
        let labels = Request { method, route, status };
        let mut used = self.used.borrow_mut();
        if let Some((_, answers, durations)) = used.iter().find(|(of, ..)| *of == labels) {
            answers.inc();
            durations.observe(took.as_secs_f64());
            return;
        }
        let metrics = &self.app.metrics;
        let answers = metrics.requests.get_or_create(&labels).clone();
        let durations = metrics.durations.get_or_create(&Route { method, route }).clone();
        answers.inc();
        durations.observe(took.as_secs_f64());
        used.push((labels, answers, durations));
    }
}
