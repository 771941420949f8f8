//! `cargo xtask deploy`: checks the files in `deploy/` with the programs that will read them, and against
//! the metrics that a server serves.
//!
//! A dashboard or an alert that names a metric wrongly shows nothing and never fires, and nobody notices.

mod metrics;
mod runbooks;
mod server;
mod tools;

use std::fs;

use crate::outcome::{Failure, Outcome, faults, no_arguments};

use server::Server;
use tools::{Python, Tool};

const DASHBOARD: &str = "deploy/grafana/keyward.json";
const ALERTS: &str = "deploy/prometheus/alerts.yml";
const ALERT_TESTS: &str = "deploy/prometheus/alerts_test.yml";
const UNIT: &str = "deploy/systemd/keyward.service";

/// The highest exposure of the unit that `systemd-analyze security` may find, times ten.
const MOST_EXPOSURE: u32 = 20;

const PROMTOOL: Tool = Tool { program: "promtool", package: "prometheus" };
const SYSTEMD_ANALYZE: Tool = Tool { program: "systemd-analyze", package: "systemd" };

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments("deploy", arguments)?;
    let promtool = PROMTOOL.find()?;
    let python = Python::find()?;
    check_texts()?;
    if promtool {
        tools::run(PROMTOOL.program, &["check", "rules", ALERTS])?;
        tools::run(PROMTOOL.program, &["test", "rules", ALERT_TESTS])?;
    }
    if let Some(python) = &python {
        let rules = python.run(EXPRESSIONS, &read(DASHBOARD)?, DASHBOARD)?;
        if promtool {
            check_expressions(&rules)?;
        }
    }
    if SYSTEMD_ANALYZE.find()? {
        check_unit()?;
    }
    let page = Server::start()?.metrics()?;
    if let Some(python) = &python {
        python.run(PARSE, &page, "the page /metrics")?;
    }
    check_metrics(&page)
}

/// What needs no program: each alert has a runbook, and the runbook exists.
fn check_texts() -> Outcome {
    faults(ALERTS, &runbooks::faults(&read(ALERTS)?, |page| fs::read_to_string(page).ok()))
}

/// Rates the sandbox of the unit. A misspelt directive is only a warning for systemd, which then runs the
/// server without that protection.
fn check_unit() -> Outcome {
    let threshold = format!("--threshold={MOST_EXPOSURE}");
    let arguments = ["security", "--no-pager", "--offline=true", &threshold, UNIT];
    let warnings = tools::run(SYSTEMD_ANALYZE.program, &arguments)?;
    let warnings: Vec<String> = warnings.lines().map(str::to_owned).collect();
    faults(UNIT, &warnings)
}

/// Checks that the dashboard's expressions are PromQL. `rules` has one recording rule for each, because
/// promtool reads rules and no dashboards.
fn check_expressions(rules: &str) -> Outcome {
    let file = std::env::temp_dir().join(format!("keyward-dashboard-{}.json", std::process::id()));
    fs::write(&file, rules).map_err(Failure::io(format_args!("write {}", file.display())))?;
    let checked = tools::run(PROMTOOL.program, &["check", "rules", &file.to_string_lossy()]);
    fs::remove_file(&file).map_err(Failure::io(format_args!("remove {}", file.display())))?;
    match checked {
        Ok(_) => Ok(()),
        Err(failure) => Err(Failure::Failed(format!("{failure}; the rules are the expressions in {DASHBOARD}"))),
    }
}

/// Checks that the page has each metric that the dashboard, the alerts or their tests name.
fn check_metrics(page: &str) -> Outcome {
    let served = metrics::served(page);
    let mut found = Vec::new();
    for file in [DASHBOARD, ALERTS, ALERT_TESTS] {
        found.extend(metrics::faults(file, &read(file)?, &served));
    }
    faults("deploy", &found)
}

fn read(file: &str) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(Failure::io(format_args!("read {file}")))
}

/// Reads the page with the parser of Prometheus' own client library. `promtool check metrics` does not
/// read OpenMetrics.
const PARSE: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
if not list(text_string_to_metric_families(sys.stdin.read())):
    sys.exit('the page has no metrics')
";

/// Reads the dashboard as JSON, and prints its expressions as rules. Grafana puts a duration in the place of
/// `$__rate_interval`.
const EXPRESSIONS: &str = "
import json, sys
targets = [target for panel in json.load(sys.stdin)['panels'] for target in panel.get('targets', [])]
expressions = [target['expr'].replace('$__rate_interval', '5m') for target in targets]
rules = [{'record': f'expression_{at}', 'expr': text} for at, text in enumerate(expressions)]
json.dump({'groups': [{'name': 'dashboard', 'rules': rules}]}, sys.stdout)
";
