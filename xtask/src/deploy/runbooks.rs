//! The runbooks of the alerts: each alert names one, and it exists.

/// The annotation of an alert, as a path in the repository with a heading: `docs/page.md#the-heading`.
const ANNOTATION: &str = "runbook: ";

/// Faults in the alert rules, as messages. `page` reads a page.
pub(super) fn faults(rules: &str, page: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for alert in rules.split("- alert: ").skip(1) {
        let name = alert.lines().next().unwrap_or_default().trim();
        let runbook = alert.lines().find_map(|line| line.trim().strip_prefix(ANNOTATION));
        let Some(runbook) = runbook.map(|text| text.trim_matches('"')) else {
            found.push(format!("{name} has no runbook"));
            continue;
        };
        let (path, heading) = runbook.split_once('#').map_or((runbook, None), |(path, anchor)| (path, Some(anchor)));
        match page(path) {
            None => found.push(format!("{name} names the runbook {path}, which cannot be read")),
            Some(text) => {
                if let Some(heading) = heading.filter(|heading| !anchors(&text).any(|anchor| anchor == *heading)) {
                    found.push(format!("{name} names the runbook {path}, which has no heading \"#{heading}\""));
                }
            }
        }
    }
    found
}

/// The anchors of the headings in a Markdown text, as GitHub makes them.
fn anchors(markdown: &str) -> impl Iterator<Item = String> {
    let headings = markdown.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rules: &str) -> Vec<String> {
        faults(rules, |path| (path == "docs/page.md").then(|| "# Page\n\n## A server's clock, 1\n".to_owned()))
    }

    #[test]
    fn a_runbook_with_its_heading_exists() {
        assert_eq!(
            of("- alert: A\n  runbook: docs/page.md#a-servers-clock-1\n- alert: B\n  runbook: docs/page.md\n").len(),
            0
        );
    }

    #[test]
    fn a_missing_runbook_page_or_heading_is_a_fault() {
        let found = of(
            "- alert: A\n  for: 1m\n- alert: B\n  runbook: docs/none.md\n- alert: C\n  runbook: docs/page.md#none\n",
        );
        assert_eq!(
            found,
            [
                "A has no runbook",
                "B names the runbook docs/none.md, which cannot be read",
                "C names the runbook docs/page.md, which has no heading \"#none\"",
            ]
        );
    }
}
