//! Public information about the server.
//!
//! Use cases: `crates/service/src/lib.rs`.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use keyward_api::ErrorCode;
use keyward_api::system::{BuildInfo, ListScopes, ScopeCatalogue, ScopeInfo, ViewBuildInfo, ViewOpenApi};

use crate::LINEAGE_VERSION;
use crate::app::App;
use crate::http::{Call, Problem};

/// `GET /api/v2/buildinfo`
pub(crate) async fn build_info(call: Call<ViewBuildInfo>) -> Result<HttpResponse, Problem> {
    call.answer(&BuildInfo::new(LINEAGE_VERSION.to_owned()))
}

/// `GET /api/v2/auth/scopes`
pub(crate) async fn scopes(call: Call<ListScopes>) -> Result<HttpResponse, Problem> {
    let scopes = call.service().catalogue().describe().iter().cloned();
    let scopes = scopes.map(|scope| ScopeInfo { name: scope.name, description: scope.description });
    call.answer(&ScopeCatalogue::new(scopes.collect()))
}

/// `GET /api/v2/openapi.json`
pub(crate) async fn openapi(call: Call<ViewOpenApi>) -> Result<HttpResponse, Problem> {
    let document = serde_json::to_value(keyward_api::openapi()).map_err(|error| {
        Problem::new(ErrorCode::Internal, "The OpenAPI document cannot be serialised.").cause(error)
    })?;
    call.answer(&document)
}

/// `GET /healthz`: the process is up. This does not query the database.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// How long the database may take to answer `/readyz`; 2 s are promised for the whole request.
const READY_WITHIN: Duration = Duration::from_millis(1_500);

/// The answer of `/readyz`, in parts.
#[derive(Debug, serde::Serialize)]
struct Readiness {
    /// `ok`, or `unavailable` if the database does not answer in time.
    database: &'static str,
    /// `ok`, `pending` if the schema is older than this program, or `unknown` if the database does not
    /// answer.
    migrations: &'static str,
    /// The [`ClockState`](keyward_domain::ClockState).
    clock: &'static str,
    /// Whether embedded verifiers get leases: `ok`, or `unavailable` if the database does not answer.
    lease: &'static str,
}

/// `GET /readyz`: the database answers, and its schema is the one that this program needs.
pub(crate) async fn readyz(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    let answered = tokio::time::timeout(READY_WITHIN, app.service.is_ready()).await;
    let (database, migrations, lease) = match &answered {
        Ok(Ok(true)) => ("ok", "ok", "ok"),
        Ok(Ok(false)) => ("ok", "pending", "ok"),
        Ok(Err(_)) | Err(_) => ("unavailable", "unknown", "unavailable"),
    };
    let parts = Readiness { database, migrations, clock: app.service.clock_state().as_str(), lease };
    let problem = match answered {
        Ok(Ok(true)) => return Ok(HttpResponse::Ok().json(parts)),
        Ok(Ok(false)) => Problem::new(ErrorCode::Unavailable, "The database's schema is older than this program.")
            .hint("Restart the server: it migrates the schema when it starts.")
            .header(header::RETRY_AFTER, "1"),
        Ok(Err(error)) => error.into(),
        Err(elapsed) => Problem::unavailable(elapsed),
    };
    Err(problem.extend(serde_json::json!(parts)))
}

/// `GET /metrics`: the metrics, for Prometheus.
pub(crate) async fn metrics(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    let text = app
        .metrics
        .encode(&app.service)
        .map_err(|error| Problem::new(ErrorCode::Internal, "The metrics cannot be encoded.").cause(error))?;
    Ok(HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(text))
}
