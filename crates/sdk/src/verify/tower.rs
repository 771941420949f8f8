//! For services on tower, such as axum's: a layer that verifies the key of each request and stores it
//! in the request's extensions. Feature `tower`.
//!
//! ```
//! use axum::extract::{Extension, Path};
//! use axum::http::request::Parts;
//! use axum::routing::{Router, get};
//! use keyward_sdk::verify::tower::ProtectLayer;
//! use keyward_sdk::verify::{Need, Verified, Verifier};
//!
//! async fn view(Path(id): Path<String>, Extension(key): Extension<Verified>) -> String {
//!     format!("workspace {id}, for {}", key.username())
//! }
//!
//! fn the_workspace(request: &Parts) -> Need {
//!     let id = request.uri.path().rsplit('/').next().unwrap_or_default();
//!     Need::scope("workspace:read").on(&format!("workspace:{id}"))
//! }
//!
//! # #[expect(dead_code)]
//! # fn routes(client: keyward_sdk::Client) -> Router {
//! let protect = ProtectLayer::new(Verifier::start(&client, "orders"));
//! Router::new().route("/workspaces/{id}", get(view).route_layer(protect.need_of(the_workspace)))
//! # }
//! ```

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use keyward_verdict::Need;

use super::handle::VerifierHandle;
use super::web::{Gate, NeedOf, Refusal, bearer};

/// Layer that lets a request through if its key is accepted, and stores the key in the request's
/// extensions as [`Verified`](super::Verified). If it refuses a request, it stores the [`Refusal`] in
/// the response's extensions, for logging.
#[derive(Clone, Debug)]
pub struct ProtectLayer {
    gate: Gate,
    need: NeedOf<Parts>,
}

impl ProtectLayer {
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
    ///
    /// The path is as it was sent. An allow list cannot contain an ID with escapes (`%20`), so such a
    /// request is refused.
    #[must_use]
    pub fn need_of(mut self, need: impl Fn(&Parts) -> Need + Send + Sync + 'static) -> Self {
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

impl<S> Layer<S> for ProtectLayer {
    type Service = Protected<S>;

    fn layer(&self, inner: S) -> Protected<S> {
        Protected { inner, layer: self.clone() }
    }
}

/// A service wrapped by a [`ProtectLayer`].
#[derive(Clone, Debug)]
pub struct Protected<S> {
    inner: S,
    layer: ProtectLayer,
}

impl<S, B, R> Service<Request<B>> for Protected<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let need = self.layer.need.request(&parts);
        let presented = bearer(parts.headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes));
        let judged = self.layer.gate.admit(presented, need);
        // Calls the service that was polled ready, and keeps its clone for the next request.
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            match judged.await {
                Ok(verified) => {
                    let mut request = Request::from_parts(parts, body);
                    request.extensions_mut().insert(verified);
                    ready.call(request).await
                }
                Err(refusal) => Ok(refusal.into_response()),
            }
        })
    }
}

impl Refusal {
    /// The response, with the refusal in its extensions.
    #[must_use]
    pub fn into_response<B: From<String>>(self) -> Response<B> {
        let mut response = Response::new(B::from(self.body()));
        *response.status_mut() = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers() {
            // All values are printable ASCII, so this never fails.
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        response.extensions_mut().insert(self);
        response
    }
}
