//! For services on tower, such as axum's: a layer that lets requests through by their key, and puts
//! the key that was let in among the request's extensions. Feature `tower`.
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

/// Lets requests through by the key that they present, and puts it among their extensions as
/// [`Verified`](super::Verified). When a request is refused, the [`Refusal`] is among the
/// extensions of the response, for a log.
#[derive(Clone, Debug)]
pub struct ProtectLayer {
    gate: Gate,
    need: NeedOf<Parts>,
}

impl ProtectLayer {
    /// Wants a key that is good, whatever it may do.
    #[must_use]
    pub fn new(verifier: impl Into<VerifierHandle>) -> Self {
        Self { gate: Gate::new(verifier.into()), need: NeedOf::default() }
    }

    /// Wants this of the key.
    #[must_use]
    pub fn need(mut self, need: Need) -> Self {
        self.need = NeedOf::Always(Arc::new(need));
        self
    }

    /// Wants of the key what this says of each request.
    ///
    /// The path is as it was sent. An id with escapes (`%20`) in it is none that an allow list can
    /// name, and is refused.
    #[must_use]
    pub fn need_of(mut self, need: impl Fn(&Parts) -> Need + Send + Sync + 'static) -> Self {
        self.need = NeedOf::Each(Arc::new(need));
        self
    }

    /// What the service calls itself in `WWW-Authenticate`; `keyward` unless given.
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

/// A service behind a [`ProtectLayer`].
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
        // The one that was found ready is called; its clone waits for the next request.
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
    /// The answer, with the refusal itself among its extensions.
    #[must_use]
    pub fn into_response<B: From<String>>(self) -> Response<B> {
        let mut response = Response::new(B::from(self.body()));
        *response.status_mut() = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers() {
            // All of them are of printable ASCII, so that none is left out.
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        response.extensions_mut().insert(self);
        response
    }
}
