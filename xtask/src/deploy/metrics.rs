//! The names of metrics: those that a server serves, and those that a file names.

use std::collections::BTreeSet;

/// All names of Keyward's metrics begin like this.
const PREFIX: &str = "keyward_";

/// The names of the samples in a page of metrics.
pub(super) fn served(page: &str) -> BTreeSet<&str> {
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| line.split(['{', ' ']).next()).filter(|name| !name.is_empty()).collect()
}

/// The names of metrics in a text, such as an expression.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':')));
    words.filter(|word| word.starts_with(PREFIX)).collect()
}

/// The metrics that a file names and a server does not serve, as messages.
pub(super) fn faults(file: &str, text: &str, served: &BTreeSet<&str>) -> Vec<String> {
    let named = named(text);
    if named.is_empty() {
        return vec![format!("{file} names no metric that begins with \"{PREFIX}\"")];
    }
    let unknown = named.into_iter().filter(|name| !served.contains(name));
    unknown
        .map(|name| format!("{file} names the metric \"{name}\", which a server does not serve; correct the name"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str =
        "# HELP keyward_a Words.\n# TYPE keyward_a counter\nkeyward_a_total{b=\"c\"} 1\nkeyward_d 2\n# EOF\n";

    #[test]
    fn a_page_serves_its_samples() {
        assert_eq!(served(PAGE), BTreeSet::from(["keyward_a_total", "keyward_d"]));
    }

    #[test]
    fn names_are_found_in_expressions() {
        let text = r#""expr": "sum by (le) (rate(keyward_a_total{job=\"keyward\"}[5m])) / keyward_d > 0""#;
        assert_eq!(named(text), BTreeSet::from(["keyward_a_total", "keyward_d"]));
    }

    #[test]
    fn a_metric_that_is_not_served_is_a_fault() {
        assert_eq!(faults("file", "keyward_a_total - keyward_d", &served(PAGE)), Vec::<String>::new());
        let found = faults("file", "rate(keyward_a[5m])", &served(PAGE));
        let message = "file names the metric \"keyward_a\", which a server does not serve; correct the name";
        assert_eq!(found, [message]);
    }

    #[test]
    fn a_file_without_metrics_is_a_fault() {
        assert_eq!(faults("file", "up == 0", &served(PAGE)), ["file names no metric that begins with \"keyward_\""]);
    }
}
