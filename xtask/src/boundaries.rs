//! `cargo xtask boundaries`: checks which crates may depend on which. docs/architecture.md gives the
//! reasons.

use std::collections::BTreeSet;
use std::fs;

use crate::outcome::{Failure, Outcome, faults, no_arguments};
use crate::sh;

/// Which dependencies a rule covers. Only normal ones: tests may use any crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The dependencies in the package's own manifest.
    Direct,
    /// Direct and transitive dependencies.
    Tree,
}

/// The dependencies that one package must not have, and some that it must have.
struct Rule {
    package: &'static str,
    reach: Reach,
    /// Feature flags for `cargo tree`: all features, except for packages with a feature that is meant
    /// to add a forbidden crate.
    features: &'static [&'static str],
    /// Package names. Each also covers its family: `diesel` covers `diesel_migrations`.
    forbidden: &'static [&'static str],
    /// Dependencies that must be found. With a misspelt package or empty output of `cargo tree`, the
    /// check would find nothing forbidden and pass.
    required: &'static [&'static str],
}

/// All features, because a feature may add a forbidden crate.
const ALL: &[&str] = &["--all-features"];

/// Server and service use `Reach::Direct`, because they depend on storage indirectly; the others use
/// `Reach::Tree`.
const RULES: &[Rule] = &[
    Rule {
        package: "keyward-domain",
        reach: Reach::Tree,
        features: ALL,
        forbidden: &["tokio", "diesel", "actix", "reqwest"],
        required: &["sha2"],
    },
    Rule {
        package: "keyward-api",
        reach: Reach::Tree,
        features: ALL,
        forbidden: &["tokio", "diesel", "actix", "reqwest", "keyward-storage"],
        required: &["keyward-domain"],
    },
    Rule {
        package: "keyward-transparency",
        reach: Reach::Tree,
        features: ALL,
        forbidden: &[
            "tokio",
            "diesel",
            "actix",
            "reqwest",
            "keyward-domain",
            "keyward-api",
            "keyward-verdict",
            "keyward-storage",
            "keyward-service",
            "keyward-server",
            "keyward-sdk",
            "keyward-cli",
        ],
        required: &["sha2", "ct-merkle"],
    },
    Rule {
        package: "keyward-verdict",
        reach: Reach::Tree,
        features: ALL,
        forbidden: &["tokio", "diesel", "actix", "reqwest", "keyward-api", "keyward-storage"],
        required: &["keyward-domain", "hashbrown"],
    },
    Rule {
        package: "keyward-storage",
        reach: Reach::Tree,
        features: ALL,
        forbidden: &["actix", "reqwest", "keyward-api", "keyward-verdict"],
        required: &["diesel", "keyward-domain"],
    },
    Rule {
        package: "keyward-service",
        reach: Reach::Direct,
        features: ALL,
        forbidden: &["actix", "reqwest", "keyward-api", "keyward-sdk"],
        required: &["keyward-storage", "keyward-domain", "keyward-verdict"],
    },
    Rule {
        package: "keyward-server",
        reach: Reach::Direct,
        features: ALL,
        forbidden: &[
            "diesel",
            "keyward-storage",
            "keyward-sdk",
            "keyward-cli",
            "keyward-rig",
            "keyward-test-database",
            "keyward-test-support",
        ],
        required: &["keyward-service", "keyward-api"],
    },
    Rule {
        package: "keyward-sdk",
        reach: Reach::Tree,
        // Without the feature `actix`, which services on actix-web use. No other feature may add actix.
        features: &["--features", "tower"],
        forbidden: &["keyward-storage", "keyward-service", "keyward-server", "diesel", "actix"],
        required: &["reqwest", "keyward-api", "keyward-verdict", "keyward-transparency"],
    },
    Rule {
        package: "keyward-cli",
        reach: Reach::Tree,
        features: ALL,
        forbidden: &["keyward-storage", "keyward-service", "keyward-server", "diesel", "actix"],
        required: &["keyward-sdk", "clap"],
    },
];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments("boundaries", arguments)?;
    let lock = fs::read_to_string("Cargo.lock").map_err(Failure::io("read Cargo.lock"))?;
    let locked = locked(&lock);
    let mut found = Vec::new();
    for rule in RULES {
        found.extend(rule.misspelt(&locked));
        found.extend(rule.faults(&seen(&sh::output(&mut sh::cargo(rule.cargo_arguments()))?)));
    }
    faults("boundaries", &found)
}

impl Rule {
    /// Arguments for cargo. All targets, because one of them may add a forbidden crate.
    fn cargo_arguments(&self) -> Vec<&'static str> {
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
            Reach::Direct => format!("{package} must not depend on {name}, but its manifest names it"),
            Reach::Tree => format!(
                "{package} must not depend on {name}; `cargo tree -e normal -p {package} -i {name}` shows the path"
            ),
        });
        let missing = self.required.iter().filter(|name| !seen.contains(*name));
        let missing = missing.map(|name| {
            format!("{package} does not depend on {name}, although it must; check the names in xtask/src/boundaries.rs")
        });
        forbidden.chain(missing).collect()
    }

    /// Forbidden names that Cargo.lock does not contain. A misspelt name would never be found.
    fn misspelt(&self, locked: &BTreeSet<&str>) -> Vec<String> {
        let unknown = self.forbidden.iter().filter(|head| !locked.iter().any(|name| is_of_family(name, head)));
        unknown
            .map(|head| {
                format!(
                    "{} must not depend on {head}, but Cargo.lock contains no such package; check the spelling",
                    self.package
                )
            })
            .collect()
    }
}

fn is_of_family(name: &str, head: &str) -> bool {
    name.strip_prefix(head).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

/// The package names in the output of `cargo tree`, without the first, which is the package itself.
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

    fn faults_of(forbidden: &'static [&'static str], required: &'static [&'static str]) -> Vec<String> {
        Rule { package: "keyward-sdk", reach: Reach::Tree, features: ALL, forbidden, required }.faults(&seen(TREE))
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
        assert!(faults[0].starts_with("keyward-sdk does not depend on reqwst"), "{}", faults[0]);
    }

    #[test]
    fn the_package_itself_is_no_dependency_of_it() {
        assert_eq!(faults_of(&[], &["keyward-sdk"]).len(), 1);
    }

    #[test]
    fn a_misspelt_forbidden_name_fails() {
        let locked = locked("[[package]]\nname = \"diesel\"\nversion = \"2.3.0\"\n");
        let rule =
            |forbidden| Rule { package: "keyward-api", reach: Reach::Tree, features: ALL, forbidden, required: &[] };
        assert_eq!(rule(&["diesel"]).misspelt(&locked), Vec::<String>::new());
        assert_eq!(rule(&["deisel"]).misspelt(&locked).len(), 1);
    }

    #[test]
    fn every_crate_has_a_rule_but_those_for_tests() {
        let crates = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates")).unwrap();
        for entry in crates {
            let package = format!("keyward-{}", entry.unwrap().file_name().into_string().unwrap());
            let has_rule = RULES.iter().any(|rule| rule.package == package);
            let for_tests = ["keyward-rig", "keyward-test-database", "keyward-test-support"];
            assert_eq!(has_rule, !for_tests.contains(&package.as_str()), "{package}");
        }
    }
}
