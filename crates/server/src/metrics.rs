//! Metrics for Prometheus.

use std::cell::RefCell;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::web;
use keyward_service::{Retired, Service};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
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
    db_up: Gauge,
    clock_step: Gauge<f64, AtomicU64>,
    clock_skew: Gauge<f64, AtomicU64>,
    retention_removed: Family<Removed, Counter>,
    retention_held: Gauge,
}

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
        Self { registry, requests, durations, db_up, clock_step, clock_skew, retention_removed, retention_held }
    }
}

impl Metrics {
    /// Encodes all metrics in the OpenMetrics text format.
    pub(crate) fn encode(&self, service: &Service) -> Result<String, std::fmt::Error> {
        self.db_up.set(i64::from(service.is_database_up()));
        self.clock_step.set(service.clock_step_seconds());
        self.clock_skew.set(service.clock_skew_seconds());
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
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
