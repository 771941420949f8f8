//! The route table: every endpoint and its handler, on one page.
//!
//! Paths come from the endpoint descriptions. If two patterns match a path, the first one in this table
//! wins, so fixed words come before `{…}`.

use actix_web::web::{self, ServiceConfig};
use actix_web::{Handler, HttpRequest, Responder, Route};
use keyward_api::audit::{
    ListAudit, ListAuditLeaves, ListUnsealedAudit, ProveAuditEntry, ViewAuditCheckpoint, ViewAuditTree,
};
use keyward_api::incidents::{ExpireKeys, ListIncidents, ViewIncident};
use keyward_api::keys::{
    CreateSessionKey, CreateToken, DeleteKey, ExpireKey, IdentifyKey, ListKeys, ListTokens, ViewKey, ViewKeyActivity,
    ViewTokenByName, ViewTokenConfig,
};
use keyward_api::locks::{AddLock, ListLocks, RemoveLock};
use keyward_api::receipts::{ViewIncidentReceipt, ViewKeyReceipt};
use keyward_api::system::{ListScopes, ViewBuildInfo, ViewOpenApi};
use keyward_api::users::{
    ActivateUser, CreateFirstUser, CreateUser, DeleteUser, EditRoles, ListUsers, Login, Logout, SetPassword,
    SuspendUser, ViewFirstUser, ViewRoles, ViewUser,
};
use keyward_api::verifiers::{ListVerifiers, LookUpKey, PollVerifier};
use keyward_api::verify::{Introspect, Revoke, VerifyKey, VerifyKeys};
use keyward_api::{Endpoint, Method};

use crate::http::{self, Call};
use crate::{audit, keys, system, users, verify};

/// Registers every route. The busiest routes come first, because the router searches the table from
/// the top.
pub fn configure(config: &mut ServiceConfig) {
    config
        .route("/authz", web::to(verify::authz::authz))
        .service(web::resource("/healthz").route(web::get().to(system::healthz)).route(web::head().to(system::healthz)))
        .service(web::resource("/readyz").route(web::get().to(system::readyz)).route(web::head().to(system::readyz)))
        .service(web::resource("/metrics").route(web::get().to(system::metrics)))
        .default_service(web::to(http::route_not_found));
    let patterns = Table { config, patterns: vec!["/authz", "/healthz", "/readyz", "/metrics"] }
        .path([on::<VerifyKey, _, _>(verify::keys::one)])
        .path([on::<VerifyKeys, _, _>(verify::keys::batch)])
        .path([on::<PollVerifier, _, _>(verify::embedded::poll)])
        .path([on::<LookUpKey, _, _>(verify::embedded::look_up)])
        .path([on::<ListVerifiers, _, _>(verify::embedded::list)])
        .path([on::<Introspect, _, _>(verify::oauth::introspect)])
        .path([on::<Revoke, _, _>(verify::oauth::revoke)])
        .path([on::<ViewFirstUser, _, _>(users::first::view), on::<CreateFirstUser, _, _>(users::first::create)])
        .path([on::<Login, _, _>(users::login::log_in)])
        .path([on::<Logout, _, _>(users::login::log_out)])
        .path([on::<ListUsers, _, _>(users::list::list), on::<CreateUser, _, _>(users::create::create)])
        .path([on::<ViewUser, _, _>(users::view::view), on::<DeleteUser, _, _>(users::change::delete)])
        .path([on::<ViewRoles, _, _>(users::view::roles), on::<EditRoles, _, _>(users::change::edit_roles)])
        .path([on::<SuspendUser, _, _>(users::change::suspend)])
        .path([on::<ActivateUser, _, _>(users::change::activate)])
        .path([on::<SetPassword, _, _>(users::change::set_password)])
        .path([on::<ListKeys, _, _>(keys::list::keys), on::<CreateSessionKey, _, _>(keys::create::session)])
        .path([on::<ListTokens, _, _>(keys::list::tokens), on::<CreateToken, _, _>(keys::create::token)])
        .path([on::<ViewTokenConfig, _, _>(keys::view::token_config)])
        .path([on::<ViewTokenByName, _, _>(keys::view::by_name)])
        .path([on::<ViewKey, _, _>(keys::view::by_id), on::<DeleteKey, _, _>(keys::delete::delete)])
        .path([on::<ViewKeyActivity, _, _>(keys::activity::activity)])
        .path([on::<ViewKeyReceipt, _, _>(keys::receipts::of_key)])
        .path([on::<ExpireKey, _, _>(keys::expire::expire)])
        .path([on::<IdentifyKey, _, _>(keys::identify::identify)])
        .path([on::<ExpireKeys, _, _>(keys::expire_many::expire)])
        .path([on::<ListIncidents, _, _>(keys::incidents::list)])
        .path([on::<ViewIncident, _, _>(keys::incidents::view)])
        .path([on::<ViewIncidentReceipt, _, _>(keys::receipts::of_incident)])
        .path([on::<ListLocks, _, _>(keys::locks::list), on::<AddLock, _, _>(keys::locks::add)])
        .path([on::<RemoveLock, _, _>(keys::locks::remove)])
        .path([on::<ListAudit, _, _>(audit::list::list)])
        .path([on::<ViewAuditCheckpoint, _, _>(audit::proofs::checkpoint)])
        .path([on::<ViewAuditTree, _, _>(audit::proofs::tree)])
        .path([on::<ListAuditLeaves, _, _>(audit::proofs::leaves)])
        .path([on::<ListUnsealedAudit, _, _>(audit::proofs::unsealed)])
        .path([on::<ProveAuditEntry, _, _>(audit::proofs::prove)])
        .path([on::<ViewBuildInfo, _, _>(system::build_info)])
        .path([on::<ListScopes, _, _>(system::scopes)])
        .path([on::<ViewOpenApi, _, _>(system::openapi)])
        .patterns;
    // Last, because a variable pattern costs time on each request that is compared with it.
    config.route("/authz/{path}*", web::to(verify::authz::authz)).app_data(Patterns(patterns));
}

/// The patterns of all routes.
struct Patterns(Vec<&'static str>);

/// The pattern of the route that a request matches, for the metrics; `none` if no route matches.
pub(crate) fn pattern_of(request: &HttpRequest) -> &'static str {
    let matched = request.match_pattern();
    let known = request.app_data::<Patterns>().and_then(|known| {
        known.0.iter().find(|pattern| matched.as_deref().is_some_and(|matched| matched == **pattern))
    });
    known.copied().unwrap_or("none")
}

/// A method of a path, and its handler.
struct On {
    path: &'static str,
    route: Route,
    /// For GET, the same for HEAD: the framework sends the answer without its body.
    head: Option<Route>,
}

/// Binds the endpoint `E` to a handler that takes a [`Call`] of it. `Call<E>` enforces the access that
/// `E` declares, so every registered handler is protected.
fn on<E, F, O>(handler: F) -> On
where
    E: Endpoint + 'static,
    F: Handler<(Call<E>,), Output = O>,
    O: Responder + 'static,
{
    let head = (E::METHOD == Method::Get).then(|| web::head().to(handler.clone()));
    let route = match E::METHOD {
        Method::Get => web::get(),
        Method::Post => web::post(),
        Method::Put => web::put(),
        Method::Delete => web::delete(),
    };
    On { path: E::PATH, route: route.to(handler), head }
}

struct Table<'a> {
    config: &'a mut ServiceConfig,
    patterns: Vec<&'static str>,
}

impl Table<'_> {
    /// Registers all methods of one path. Any other method gets a 405 that lists the supported ones.
    fn path<const N: usize>(mut self, methods: [On; N]) -> Self {
        let path = methods.first().map_or("", |on| on.path);
        let resource = methods.into_iter().fold(web::resource(path), |resource, on| {
            let resource = resource.route(on.route);
            match on.head {
                Some(head) => resource.route(head),
                None => resource,
            }
        });
        self.config.service(resource);
        self.patterns.push(path);
        self
    }
}
