//! What the middleware of every web framework has in common: what a request presents, and how it
//! is answered when that is not enough.

mod credential;
mod refusal;

pub(super) use credential::{Wrong, bearer};
pub use refusal::Refusal;

use std::sync::Arc;

use keyward_verdict::Need;

use super::handle::VerifierHandle;
use super::verified::Verified;
use crate::secret::SecretString;

/// The realm in `WWW-Authenticate`, unless it is said.
const REALM: &str = "keyward";

/// Lets requests through by the key that they present.
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

    /// The key that a request presents, judged; or how to answer.
    ///
    /// The future holds nothing of the request, so that it can be sent between threads whatever the
    /// request is made of.
    pub(super) fn admit(
        &self,
        presented: Result<SecretString, Wrong>,
        need: Arc<Need>,
    ) -> impl Future<Output = Result<Verified, Refusal>> + Send + use<> {
        let Self { verifier, realm } = self.clone();
        async move {
            let token = presented.map_err(|wrong| Refusal::of_credential(wrong, &realm))?;
            let judged = verifier.verify(token.expose(), &need).await;
            judged.map_err(|denied| Refusal::of_denied(denied, &need, &realm))
        }
    }
}

/// What a route needs: always the same, or what a function says of each request.
pub(super) enum NeedOf<R: ?Sized> {
    Always(Arc<Need>),
    Each(Arc<dyn Fn(&R) -> Need + Send + Sync>),
}

impl<R: ?Sized> NeedOf<R> {
    pub(super) fn request(&self, request: &R) -> Arc<Need> {
        match self {
            Self::Always(need) => Arc::clone(need),
            Self::Each(of) => Arc::new(of(request)),
        }
    }
}

impl<R: ?Sized> Default for NeedOf<R> {
    fn default() -> Self {
        Self::Always(Arc::default())
    }
}

// By hand: derived, it would want a request that can be cloned.
impl<R: ?Sized> Clone for NeedOf<R> {
    fn clone(&self) -> Self {
        match self {
            Self::Always(need) => Self::Always(Arc::clone(need)),
            Self::Each(of) => Self::Each(Arc::clone(of)),
        }
    }
}

impl<R: ?Sized> std::fmt::Debug for NeedOf<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Always(need) => need.fmt(f),
            Self::Each(_) => f.write_str("a need of each request"),
        }
    }
}
