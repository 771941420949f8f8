//! A web service on actix-web that protects its routes with Keyward's keys.
//!
//! ```sh
//! KEYWARD_URL=http://127.0.0.1:7080 KEYWARD_TOKEN=<a verifier's key> \
//!   cargo run -p keyward-sdk --features actix --example actix_service -- --listen 127.0.0.1:8080
//! ```

#![expect(clippy::print_stdout, reason = "it prints its address")]

use std::error::Error;

use actix_web::dev::ServiceRequest;
use actix_web::{App, HttpResponse, HttpServer, Responder, rt, web};
use keyward_sdk::verify::actix::Protect;
use keyward_sdk::verify::{Need, Verified, Verifier, VerifierHandle};
use keyward_sdk::{Client, SecretString};

fn main() -> Result<(), Box<dyn Error>> {
    rt::System::new().block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let token = SecretString::from(variable("KEYWARD_TOKEN")?);
    let client = Client::builder(variable("KEYWARD_URL")?).token(token).user_agent("actix-example").build()?;
    // One verifier for the process, so that all workers share its cache.
    let keys = VerifierHandle::from(Verifier::start(&client, "actix-example"));

    let server = HttpServer::new(move || {
        let protect = Protect::new(&keys).realm("workspaces");
        let view = protect.clone().need_of(|request| the_workspace("workspace:read", request));
        let delete = protect.clone().need_of(|request| the_workspace("workspace:delete", request));
        let workspace = web::resource("/workspaces/{id}")
            .route(web::get().to(view_workspace).wrap(view))
            .route(web::delete().to(delete_workspace).wrap(delete));
        App::new()
            .app_data(web::Data::new(keys.clone()))
            .service(workspace)
            .route("/whoami", web::get().to(whoami).wrap(protect))
            .route("/healthz", web::get().to(HttpResponse::Ok))
            .route("/readyz", web::get().to(readyz))
    })
    .workers(2)
    .bind(listen()?)?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    // Ends at SIGTERM or Ctrl-C, after the running requests are answered.
    server.run().await?;
    Ok(())
}

/// Requires `scope` on the workspace in the path.
fn the_workspace(scope: &str, request: &ServiceRequest) -> Need {
    let id = request.match_info().get("id").unwrap_or_default();
    Need::scope(scope).on(&format!("workspace:{id}"))
}

async fn view_workspace(id: web::Path<String>, key: Verified) -> impl Responder {
    format!("workspace {id}, for {}\n", key.username())
}

async fn delete_workspace(id: web::Path<String>, key: Verified) -> impl Responder {
    format!("workspace {id} deleted, for {}\n", key.username())
}

async fn whoami(key: Verified) -> impl Responder {
    format!("{} {}\n", key.username(), key.key_id())
}

/// Without the server no key can be verified, so a load balancer should use other instances.
async fn readyz(keys: web::Data<VerifierHandle>) -> HttpResponse {
    if keys.is_connected() { HttpResponse::Ok().finish() } else { HttpResponse::ServiceUnavailable().finish() }
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
