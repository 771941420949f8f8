//! `cargo xtask boundaries`: who may know whom. The table is below; docs/architecture.md says why.

use std::collections::BTreeSet;
use std::fs;

use crate::outcome::{Failure, Outcome, faults, no_arguments};
use crate::sh;

/// How far a rule looks. Normal dependencies only: tests may know anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The crates that the package names itself.
    Direct,
    /// Everything it is built with.
    Tree,
}

/// What one package must not see, and what it is known to see.
struct Rule {
    package: &'static str,
    reach: Reach,
    /// The package's features to look with. All of them, but for those that exist to let one in.
    features: &'static [&'static str],
    /// Names of packages; each stands for its family too: `diesel` is also `diesel_migrations`.
    forbidden: &'static [&'static str],
    /// Proof that the look-up works at all: with a misspelt package or an empty answer, nothing
    /// forbidden would be found either.
    known: &'static [&'static str],
}

/// A forbidden crate must not hide behind a feature.
const ALL: &[&str] = &["--all-features"];

/// Server and service are judged by what they name, since storage is beneath them; the others by
/// everything they are built with.
const RULES: &[Rule] = &[
    Rule {
        package: "keyward-domain",
        reach: Reach::Tree,
        features: ALL,
        forbidden: &["tokio", "diesel", "actix", "reqwest"],
        known: &["sha2"],
    },
    Rule {
        package: "keyward-api",
        reach: Reach::Tree,
        features: ALL,
        forbidden: &["tokio", "diesel", "actix", "reqwest", "keyward-storage"],
        known: &["keyward-domain"],
    },
    Rule {
        package: "keyward-verdict",
        reach: Reach::Tree,
        features: ALL,
        forbidden: &["tokio", "diesel", "actix", "reqwest", "keyward-api", "keyward-storage"],
        known: &["keyward-domain", "hashbrown"],
    },
    Rule {
        package: "keyward-storage",
        reach: Reach::Tree,
        features: ALL,
        forbidden: &["actix", "reqwest", "keyward-api", "keyward-verdict"],
        known: &["diesel", "keyward-domain"],
    },
    Rule {
        package: "keyward-service",
        reach: Reach::Direct,
        features: ALL,
        forbidden: &["actix", "reqwest", "keyward-api", "keyward-sdk"],
        known: &["keyward-storage", "keyward-domain", "keyward-verdict"],
    },
    Rule {
        package: "keyward-server",
        reach: Reach::Direct,
        features: ALL,
        forbidden: &["diesel", "keyward-storage", "keyward-sdk", "keyward-cli", "keyward-test-support"],
        known: &["keyward-service", "keyward-api"],
    },
    Rule {
        package: "keyward-sdk",
        reach: Reach::Tree,
        // Its feature `actix` is for services that are built on it; nothing else may bring it.
        features: &["--features", "tower"],
        forbidden: &["keyward-storage", "keyward-service", "keyward-server", "diesel", "actix"],
        known: &["reqwest", "keyward-api", "keyward-verdict"],
    },
    Rule {
        package: "keyward-cli",
        reach: Reach::Tree,
        features: ALL,
        forbidden: &["keyward-storage", "keyward-service", "keyward-server", "diesel", "actix"],
        known: &["keyward-sdk", "clap"],
    },
];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments("boundaries", arguments)?;
    let lock = fs::read_to_string("Cargo.lock").map_err(Failure::io("read Cargo.lock"))?;
    let locked = locked(&lock);
    let mut found = Vec::new();
    for rule in RULES {
        found.extend(rule.misspelt(&locked));
        found.extend(rule.faults(&seen(&sh::output(&mut sh::cargo(rule.question()))?)));
    }
    faults("boundaries", &found)
}

impl Rule {
    /// What to ask cargo. For every target: a forbidden crate must not hide in one.
    fn question(&self) -> Vec<&'static str> {
        let tree = ["tree", "-e", "normal", "--target", "all", "-p", self.package];
        let depth: &[&str] = match self.reach {
            Reach::Direct => &["--depth", "1"],
            Reach::Tree => &[],
        };
        [tree.as_slice(), self.features, depth, &["--prefix", "none", "--format", "{p}"]].concat()
    }

    fn faults(&self, seen: &BTreeSet<&str>) -> Vec<String> {
        let package = self.package;
        let forbidden = seen.iter().filter(|name| self.forbidden.iter().any(|head| is_of_family(name, head)));
        let forbidden = forbidden.map(|name| match self.reach {
            Reach::Direct => format!("{package} depends on {name}, which it must not name"),
            Reach::Tree => format!(
                "{package} is built with {name}, which it must not see; `cargo tree -e normal -p {package} -i {name}` shows by which way"
            ),
        });
        let missing = self.known.iter().filter(|name| !seen.contains(*name));
        let missing = missing.map(|name| {
            format!(
                "{package} does not see {name}, which it is known to need: is a name wrong in xtask/src/boundaries.rs?"
            )
        });
        forbidden.chain(missing).collect()
    }

    /// Forbidden names that no package of the workspace has: they would never be found.
    fn misspelt(&self, locked: &BTreeSet<&str>) -> Vec<String> {
        let unknown = self.forbidden.iter().filter(|head| !locked.iter().any(|name| is_of_family(name, head)));
        unknown
            .map(|head| format!("{} must not see {head}, but Cargo.lock has no package of that name", self.package))
            .collect()
    }
}

fn is_of_family(name: &str, head: &str) -> bool {
    name.strip_prefix(head).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

/// The names in an answer of `cargo tree`, but for the package asked about, which comes first.
fn seen(tree: &str) -> BTreeSet<&str> {
    tree.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect()
}

/// The names of all packages in the lock file.
fn locked(lock: &str) -> BTreeSet<&str> {
    lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "keyward-sdk v0.1.0 (/repo/crates/sdk)\nreqwest v0.13.5\ntokio v1.54.1\nbytes v1.12.2\n\
                        tokio v1.54.1 (*)\nserde_derive v1.0.229 (proc-macro)\n";

    fn faults_of(forbidden: &'static [&'static str], known: &'static [&'static str]) -> Vec<String> {
        Rule { package: "keyward-sdk", reach: Reach::Tree, features: ALL, forbidden, known }.faults(&seen(TREE))
    }

    #[test]
    fn what_is_allowed_passes() {
        assert_eq!(faults_of(&["diesel", "actix"], &["reqwest"]), Vec::<String>::new());
    }

    #[test]
    fn a_forbidden_name_fails_with_its_family() {
        assert_eq!(faults_of(&["tokio"], &["reqwest"]).len(), 1);
        assert_eq!(faults_of(&["serde"], &["reqwest"]).len(), 1);
        assert_eq!(faults_of(&["byte"], &["reqwest"]), Vec::<String>::new());
    }

    #[test]
    fn a_misspelt_known_dependency_fails() {
        let faults = faults_of(&["diesel"], &["reqwst"]);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with("keyward-sdk does not see reqwst"), "{}", faults[0]);
    }

    #[test]
    fn the_package_itself_is_no_dependency_of_it() {
        assert_eq!(faults_of(&[], &["keyward-sdk"]).len(), 1);
    }

    #[test]
    fn a_misspelt_forbidden_name_fails() {
        let locked = locked("[[package]]\nname = \"diesel\"\nversion = \"2.3.0\"\n");
        let rule =
            |forbidden| Rule { package: "keyward-api", reach: Reach::Tree, features: ALL, forbidden, known: &[] };
        assert_eq!(rule(&["diesel"]).misspelt(&locked), Vec::<String>::new());
        assert_eq!(rule(&["deisel"]).misspelt(&locked).len(), 1);
    }

    #[test]
    fn every_crate_has_a_rule_but_test_support() {
        let crates = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates")).unwrap();
        for entry in crates {
            let package = format!("keyward-{}", entry.unwrap().file_name().into_string().unwrap());
            let has_rule = RULES.iter().any(|rule| rule.package == package);
            assert_eq!(has_rule, package != "keyward-test-support", "{package}");
        }
    }
}
