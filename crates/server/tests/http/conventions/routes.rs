//! Unknown paths and methods are answered before the credential is checked.

use keyward_test_support::{TestApp, on_both};
use serde_json::Value;

on_both! {
    an_unknown_route_is_told_to_anyone,
    every_path_takes_its_methods_and_names_them,
    the_description_is_the_one_that_is_published,
    head_is_get_without_a_body,
}

async fn head_is_get_without_a_body(app: TestApp) {
    for path in ["/api/v2/users/me", "/api/v2/users/me/keys", "/api/v2/audit", "/api/v2/buildinfo", "/healthz"] {
        let get = app.owner.http.get(path).await.expect(200);
        let head = app.owner.http.send("HEAD", path).await.expect(200);
        assert!(head.text.is_empty(), "{path}");
        assert_eq!(head.header("Content-Type"), get.header("Content-Type"), "{path}");
    }
    assert_eq!(app.anonymous().send("HEAD", "/api/v2/users/me").await.status, 401);
}

async fn an_unknown_route_is_told_to_anyone(app: TestApp) {
    for http in [&app.anonymous(), &app.owner.http, &app.with("kwd_wrong")] {
        for path in [
            "/",
            "/api",
            "/api/v2",
            "/api/v2/",
            "/api/v2/nothing",
            "/api/v1/users",
            "/api/v2/users/",
            "/api/v2/users/me/",
            "/api/v2/users/me/keys/a/b/c",
            "/healthz/",
            "/favicon.ico",
        ] {
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
                let refused = http.send(method, path).await.refused(404, "route_not_found");
                assert_eq!(refused.json()["message"], "Route not found.");
            }
        }
    }
}

async fn every_path_takes_its_methods_and_names_them(app: TestApp) {
    let description = app.anonymous().get("/api/v2/openapi.json").await.expect(200).json();
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() > 20);
    for (pattern, item) in paths {
        let mut methods: Vec<String> = item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        if methods.iter().any(|method| method == "GET") {
            methods.push("HEAD".to_owned());
        }
        methods.sort();
        let path = pattern.replace("{user}", "me").replace("{keyid}", "kwd_0000000000").replace("{keyname}", "ci");
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"] {
            let answer = app.anonymous().send(method, &path).await;
            if methods.iter().any(|known| known == method) {
                assert_ne!(answer.status, 405, "{method} {path}");
                continue;
            }
            let refused = answer.refused(405, "method_not_allowed");
            let mut allowed: Vec<String> =
                refused.header("Allow").unwrap().split(',').map(|method| method.trim().to_owned()).collect();
            allowed.sort();
            assert_eq!(allowed, methods, "{path}");
        }
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        let refused = app.anonymous().send("POST", path).await.refused(405, "method_not_allowed");
        assert!(refused.header("Allow").unwrap().contains("GET"));
    }
}

async fn the_description_is_the_one_that_is_published(app: TestApp) {
    let served: Value = app.anonymous().get("/api/v2/openapi.json").await.expect(200).json();
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(served, serde_json::to_value(keyward_api::openapi()).unwrap());
    let expire = &served["paths"]["/api/v2/users/{user}/keys/{keyid}/expire"]["put"];
    assert!(expire["responses"]["204"].is_object(), "{expire}");
}
