//! Public information about the server.
//!
//! Use cases: `crates/service/src/lib.rs`.

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

/// `GET /readyz`: the database answers, and its schema is the one that this program needs.
pub(crate) async fn readyz(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    if app.service.is_ready().await? {
        Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n"))
    } else {
        Err(Problem::new(ErrorCode::Unavailable, "The database's schema is older than this program.")
            .hint("Restart the server: it migrates the schema when it starts.")
            .header(actix_web::http::header::RETRY_AFTER, "1"))
    }
}

/// `GET /metrics`: the metrics, for Prometheus.
pub(crate) async fn metrics(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    let text = app
        .metrics
        .encode()
        .map_err(|error| Problem::new(ErrorCode::Internal, "The metrics cannot be encoded.").cause(error))?;
    Ok(HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(text))
}
