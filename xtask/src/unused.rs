//! `cargo xtask unused`: checks that every declared dependency is used.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::outcome::{Failure, Outcome, faults, no_arguments};

/// Dependencies that no source file names: (folder, dependency, reason).
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("crates/storage", "libsqlite3-sys", "its feature `bundled` builds SQLite, whose version we rely on"),
    ("crates/storage", "openssl-sys", "its feature `vendored` builds the OpenSSL that libpq needs"),
    ("crates/storage", "pq-sys", "its feature `bundled` builds libpq, so that none has to be installed"),
];

/// Where the sources of a crate are.
const SOURCES: &[&str] = &["src", "tests", "examples", "benches", "build.rs"];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments("unused", arguments)?;
    let mut found = Vec::new();
    let mut declared = BTreeSet::new();
    for folder in crates()? {
        let named = dependencies(&read(&folder.join("Cargo.toml"))?);
        let mut sources = Vec::new();
        for place in SOURCES {
            collect(&folder.join(place), &mut sources)?;
        }
        let unused = named.iter().filter(|name| !is_excepted(&folder, name) && !is_used(&sources, name));
        found.extend(
            unused.map(|name| format!("{}/Cargo.toml declares {name}, but no source file uses it", folder.display())),
        );
        let idle = EXCEPTIONS.iter().filter(|(place, name, _)| folder == Path::new(place) && !named.contains(*name));
        found.extend(idle.map(|(place, name, _)| {
            format!("xtask/src/unused.rs has an exception for {name}, but {place} does not declare it")
        }));
        declared.extend(named);
    }
    let shared = dependencies(&read(Path::new("Cargo.toml"))?);
    let idle = shared.iter().filter(|name| !declared.contains(*name));
    found.extend(idle.map(|name| format!("Cargo.toml declares {name} for the workspace, but no crate uses it")));
    faults("unused", &found)
}

/// The folders of the workspace's members, sorted.
fn crates() -> Result<Vec<PathBuf>, Failure> {
    let mut folders = vec![PathBuf::from("xtask")];
    for entry in fs::read_dir("crates").map_err(Failure::io("list crates"))? {
        folders.push(entry.map_err(Failure::io("list crates"))?.path());
    }
    folders.sort();
    Ok(folders)
}

fn is_excepted(folder: &Path, name: &str) -> bool {
    EXCEPTIONS.iter().any(|(place, dependency, _)| folder == Path::new(place) && *dependency == name)
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(Failure::io(format_args!("read {}", path.display())))
}

/// Adds the text of every `.rs` file at or below this path, if it exists.
fn collect(path: &Path, sources: &mut Vec<String>) -> Outcome {
    if path.is_dir() {
        let doing = || format!("list {}", path.display());
        for entry in fs::read_dir(path).map_err(Failure::io(doing()))? {
            collect(&entry.map_err(Failure::io(doing()))?.path(), sources)?;
        }
    } else if path.is_file() && path.extension().is_some_and(|end| end == "rs") {
        sources.push(read(path)?);
    }
    Ok(())
}

/// The names in all dependency tables of a manifest. It parses only as much TOML as manifests need:
/// each entry starts on a new line.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut in_table = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let (parent, last) = header.rsplit_once('.').unwrap_or(("", header));
            in_table = is_dependency_table(last);
            // `[dependencies.tokio]`: the table describes one dependency.
            if is_dependency_table(parent.rsplit('.').next().unwrap_or(parent)) {
                names.insert(last.to_owned());
            }
        } else if in_table && line.contains('=') {
            let key: String = line.chars().take_while(|&c| is_identifier(c) || c == '-').collect();
            if !key.is_empty() {
                names.insert(key);
            }
        }
    }
    names
}

fn is_dependency_table(name: &str) -> bool {
    matches!(name, "dependencies" | "dev-dependencies" | "build-dependencies")
}

fn is_used(sources: &[String], dependency: &str) -> bool {
    let name = dependency.replace('-', "_");
    sources.iter().any(|source| names_crate(source, &name))
}

/// Whether a source names this crate: `name::…`, `use name;` or `use name as …`. The bare word does not
/// count: `time`, `bytes` and `csv` are also common words.
fn names_crate(source: &str, name: &str) -> bool {
    source.match_indices(name).any(|(at, _)| {
        let (before, rest) = source.split_at(at);
        let Some(after) = rest.strip_prefix(name) else { return false };
        let within_word = before.ends_with(is_identifier) || after.starts_with(is_identifier);
        // `std::time::Instant` is not the crate `time`; `::time::Date` is.
        let within_path =
            before.strip_suffix("::").is_some_and(|path| path.ends_with(|c| is_identifier(c) || c == '>'));
        let imported = before.strip_suffix(' ').is_some_and(|text| text.ends_with("use") || text.ends_with("crate"));
        !within_word && !within_path && (imported || after.starts_with("::"))
    })
}

fn is_identifier(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_from_every_kind_of_table() {
        let manifest = "[package]\nname = \"x\"\n\n[dependencies]\nserde.workspace = true\ntime = \"0.3\"\n\
                        # none = \"1\"\ntokio = { workspace = true, features = [\n    \"rt\",\n] }\n\
                        [dependencies.diesel]\nfeatures = [\"sqlite\"]\n\
                        [target.'cfg(unix)'.dependencies]\nrustix = \"1\"\n[dev-dependencies]\ntempfile = \"3\"\n\
                        [build-dependencies]\ncc = \"1\"\n[features]\ndefault = []\n";
        let names: Vec<String> = dependencies(manifest).into_iter().collect();
        assert_eq!(names, ["cc", "diesel", "rustix", "serde", "tempfile", "time", "tokio"]);
    }

    #[test]
    fn a_crate_is_used_by_its_path() {
        for source in ["use time::Date;", "time::macros::date!(x)", "use time;", "pub use time as t;", "(::time::Date)"]
        {
            assert!(names_crate(source, "time"), "{source}");
        }
        for source in
            ["std::time::Instant", "let time = 1;", "uptime::x()", "time_x::y()", "// the time: now", "<T>::time::X"]
        {
            assert!(!names_crate(source, "time"), "{source}");
        }
    }

    #[test]
    fn hyphens_are_underscores_in_sources() {
        assert!(is_used(&["use futures_core::Stream;".to_owned()], "futures-core"));
        assert!(!is_used(&["// futures-core::".to_owned()], "futures-core"));
    }
}
