//! Shared by the middleware of all web frameworks: reads the key of a request and builds the response
//! if the key is not accepted.

mod credential;
mod refusal;

pub(super) use credential::{CredentialError, bearer};
pub use refusal::Refusal;

use std::sync::Arc;

use keyward_verdict::Need;

use super::handle::VerifierHandle;
use super::verified::Verified;
use crate::secret::SecretString;

/// The default realm in `WWW-Authenticate`.
const REALM: &str = "keyward";

/// Lets a request through if its key is accepted.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    verifier: VerifierHandle,
    realm: Arc<str>,
}

impl Gate {
    pub(super) fn new(verifier: VerifierHandle) -> Self {
        Self { verifier, realm: REALM.into() }
    }

    pub(super) fn set_realm(&mut self, realm: &str) {
        self.realm = realm.into();
    }

    /// Verifies the key of a request. The error is the response to send.
    ///
    /// The future borrows nothing from the request, so it is `Send` even if the request is not.
    pub(super) fn admit(
        &self,
        presented: Result<SecretString, CredentialError>,
        need: Arc<Need>,
    ) -> impl Future<Output = Result<Verified, Refusal>> + Send + use<> {
        let Self { verifier, realm } = self.clone();
        async move {
            let token = presented.map_err(|error| Refusal::of_credential(error, &realm))?;
            let judged = verifier.verify(token.expose(), &need).await;
            judged.map_err(|denied| Refusal::of_denied(denied, &need, &realm))
        }
    }
}

/// What a route requires of a key: a fixed need, or a function of the request.
pub(super) enum NeedOf<R: ?Sized> {
    Fixed(Arc<Need>),
    PerRequest(Arc<dyn Fn(&R) -> Need + Send + Sync>),
}

impl<R: ?Sized> NeedOf<R> {
    pub(super) fn request(&self, request: &R) -> Arc<Need> {
        match self {
            Self::Fixed(need) => Arc::clone(need),
            Self::PerRequest(of) => Arc::new(of(request)),
        }
    }
}

impl<R: ?Sized> Default for NeedOf<R> {
    fn default() -> Self {
        Self::Fixed(Arc::default())
    }
}

// Implemented by hand: a derived `Clone` would require `R: Clone`.
impl<R: ?Sized> Clone for NeedOf<R> {
    fn clone(&self) -> Self {
        match self {
            Self::Fixed(need) => Self::Fixed(Arc::clone(need)),
            Self::PerRequest(of) => Self::PerRequest(Arc::clone(of)),
        }
    }
}

impl<R: ?Sized> std::fmt::Debug for NeedOf<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(need) => need.fmt(f),
            Self::PerRequest(_) => f.write_str("a need per request"),
        }
    }
}
