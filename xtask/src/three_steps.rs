//! The three steps of the README that lead from a path to the code of its behaviour, checked for every
//! endpoint: the endpoint's name, its handler, its use case.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files in a folder and the folders in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Step 1: the name and the path of each endpoint in `crates/api/src/`.
fn endpoints() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in files(&root().join("crates/api/src")) {
        let text = fs::read_to_string(file).unwrap();
        for block in text.split("\nendpoint! {").skip(1) {
            let line = block.lines().find(|line| line.contains(" = ")).unwrap();
            let (name, rest) = line.trim().split_once(" = ").unwrap();
            found.push((name.to_owned(), rest.split('"').nth(1).unwrap().to_owned()));
        }
    }
    found
}

/// Step 2: the handler that `crates/server/src/routes.rs` names, as `keys::expire::expire`.
fn handler(routes: &str, endpoint: &str) -> String {
    let opening = format!("on::<{endpoint}, _, _>(");
    let found: Vec<&str> = routes.split(&opening).skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert_eq!(found.len(), 1, "routes.rs names {endpoint} {} times", found.len());
    found[0].to_owned()
}

#[test]
fn three_steps_lead_from_each_path_to_its_use_case() {
    let routes = read("crates/server/src/routes.rs");
    let endpoints = endpoints();
    assert!(endpoints.len() > 25, "only {} endpoints are found", endpoints.len());
    for (endpoint, path) in endpoints {
        assert!(path.starts_with('/'), "{endpoint} has the path {path}");
        let handler = handler(&routes, &endpoint);
        let (module, function) = handler.rsplit_once("::").unwrap();
        let file = format!("crates/server/src/{}.rs", module.replace("::", "/"));
        let code = read(&file);
        assert!(code.contains(&format!("async fn {function}(call: Call<{endpoint}>)")), "{file} has no {function}");

        // Step 3: the file says at its top where its use cases are.
        let header: String = code.lines().take_while(|line| line.starts_with("//!")).collect();
        if code.contains("call.service()") {
            let named: Vec<&str> = header.split('`').filter(|text| text.starts_with("crates/service/src/")).collect();
            assert!(!named.is_empty(), "{file} does not name the file of its use cases");
            for use_cases in named {
                assert!(root().join(use_cases).is_file(), "{file} names {use_cases}, which is not there");
            }
        }
    }
}
