//! A web service on axum that protects its routes with Keyward's keys.
//!
//! ```sh
//! KEYWARD_URL=http://127.0.0.1:7080 KEYWARD_TOKEN=<a verifier's key> \
//!   cargo run -p keyward-sdk --features tower --example axum_service -- --listen 127.0.0.1:8080
//! ```

#![expect(clippy::print_stdout, reason = "it prints its address")]

use std::error::Error;

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{Router, delete, get};
use keyward_sdk::verify::tower::ProtectLayer;
use keyward_sdk::verify::{Need, Verified, Verifier, VerifierHandle};
use keyward_sdk::{Client, SecretString};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let token = SecretString::from(variable("KEYWARD_TOKEN")?);
    let client = Client::builder(variable("KEYWARD_URL")?).token(token).user_agent("axum-example").build()?;
    let keys = VerifierHandle::from(Verifier::start(&client, "axum-example"));

    let mut terminated = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(listen()?).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // Ends after the running requests are answered.
    let stop = async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    axum::serve(listener, routes(keys)).with_graceful_shutdown(stop).await?;
    Ok(())
}

fn routes(keys: VerifierHandle) -> Router {
    let protect = ProtectLayer::new(&keys).realm("workspaces");
    let view = protect.clone().need_of(|request| the_workspace("workspace:read", request));
    let remove = protect.clone().need_of(|request| the_workspace("workspace:delete", request));
    // Layers the routes but not the fallback, so that an unsupported method still gets 405.
    let workspace = get(view_workspace).route_layer(view).merge(delete(delete_workspace).route_layer(remove));
    Router::new()
        .route("/workspaces/{id}", workspace)
        .route("/whoami", get(whoami).route_layer(protect))
        .route("/healthz", get(|| async { StatusCode::OK }))
        .route("/readyz", get(readyz))
        .with_state(keys)
}

/// Requires `scope` on the workspace in the path.
fn the_workspace(scope: &str, request: &Parts) -> Need {
    let id = request.uri.path().rsplit('/').next().unwrap_or_default();
    Need::scope(scope).on(&format!("workspace:{id}"))
}

async fn view_workspace(Path(id): Path<String>, Extension(key): Extension<Verified>) -> String {
    format!("workspace {id}, for {}\n", key.username())
}

async fn delete_workspace(Path(id): Path<String>, Extension(key): Extension<Verified>) -> String {
    format!("workspace {id} deleted, for {}\n", key.username())
}

async fn whoami(Extension(key): Extension<Verified>) -> String {
    format!("{} {}\n", key.username(), key.key_id())
}

/// Without the server no key can be verified, so a load balancer should use other instances.
async fn readyz(State(keys): State<VerifierHandle>) -> StatusCode {
    if keys.is_connected() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// The value of `--listen ADDRESS`, or of `LISTEN`, or 127.0.0.1:8080. Port 0 picks a free port.
fn listen() -> Result<String, String> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--listen"), Some(address)) => Ok(address),
        (None, _) => Ok(variable("LISTEN").unwrap_or_else(|_unset| "127.0.0.1:8080".to_owned())),
        (Some(other), _) => Err(format!("unknown argument \"{other}\"; use --listen <address>")),
    }
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|error| format!("{name}: {error}"))
}
