//! For services on actix-web: a middleware that verifies the key of each request, and an extractor of
//! the verified key. Feature `actix`.
//!
//! ```
//! use actix_web::dev::ServiceRequest;
//! use actix_web::{App, HttpServer, web};
//! use keyward_sdk::verify::actix::Protect;
//! use keyward_sdk::verify::{Need, Verified, Verifier};
//!
//! async fn view(id: web::Path<String>, key: Verified) -> String {
//!     format!("workspace {id}, for {}", key.username())
//! }
//!
//! fn the_workspace(request: &ServiceRequest) -> Need {
//!     let id = request.match_info().get("id").unwrap_or_default();
//!     Need::scope("workspace:read").on(&format!("workspace:{id}"))
//! }
//!
//! # #[expect(dead_code)]
//! # async fn serve(client: keyward_sdk::Client) -> std::io::Result<()> {
//! let protect = Protect::new(Verifier::start(&client, "orders"));
//! HttpServer::new(move || {
//!     let view = web::get().to(view).wrap(protect.clone().need_of(the_workspace));
//!     App::new().route("/workspaces/{id}", view)
//! })
//! .bind("127.0.0.1:8080")?
//! .run()
//! .await
//! # }
//! ```

use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse, ResponseError};

use keyward_verdict::Need;

use super::handle::VerifierHandle;
use super::verified::Verified;
use super::web::{Gate, NeedOf, Refusal, bearer};

/// Middleware that lets a request through if its key is accepted, and gives the key to the handler as
/// [`Verified`]. It wraps a route, a scope or a whole app.
#[derive(Clone, Debug)]
pub struct Protect {
    gate: Gate,
    need: NeedOf<ServiceRequest>,
}

impl Protect {
    /// Requires a valid key, whatever its scopes.
    #[must_use]
    pub fn new(verifier: impl Into<VerifierHandle>) -> Self {
        Self { gate: Gate::new(verifier.into()), need: NeedOf::default() }
    }

    /// Requires that the key satisfies `need`.
    #[must_use]
    pub fn need(mut self, need: Need) -> Self {
        self.need = NeedOf::Fixed(Arc::new(need));
        self
    }

    /// Requires that the key satisfies the need that `need` returns for each request.
    #[must_use]
    pub fn need_of(mut self, need: impl Fn(&ServiceRequest) -> Need + Send + Sync + 'static) -> Self {
        self.need = NeedOf::PerRequest(Arc::new(need));
        self
    }

    /// The realm in `WWW-Authenticate`; `keyward` by default.
    #[must_use]
    pub fn realm(mut self, realm: &str) -> Self {
        self.gate.set_realm(realm);
        self
    }
}

impl<S, B> Transform<S, ServiceRequest> for Protect
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = Protected<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Protected { service: Rc::new(service), protect: self.clone() }))
    }
}

/// A service wrapped by [`Protect`].
#[derive(Debug)]
pub struct Protected<S> {
    service: Rc<S>,
    protect: Protect,
}

impl<S, B> Service<ServiceRequest> for Protected<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let need = self.protect.need.request(&request);
        let presented = bearer(request.headers().get_all(AUTHORIZATION).map(|value| value.as_bytes()));
        let judged = self.protect.gate.admit(presented, need);
        let service = Rc::clone(&self.service);
        Box::pin(async move {
            match judged.await {
                Ok(verified) => {
                    request.extensions_mut().insert(verified);
                    service.call(request).await.map(ServiceResponse::map_into_left_body)
                }
                Err(refusal) => Ok(request.error_response(refusal).map_into_right_body()),
            }
        })
    }
}

/// Extracts the key that [`Protect`] verified.
impl FromRequest for Verified {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or_else(Refusal::unprotected))
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        for header in self.headers() {
            answer.insert_header(header);
        }
        answer.body(self.body())
    }
}
