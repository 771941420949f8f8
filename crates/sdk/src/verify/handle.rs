//! What a service verifies keys with: a real verifier or, in tests, a mock.

use keyward_verdict::Need;

use super::denied::Denied;
#[cfg(feature = "mock")]
use super::mock::MockVerifier;
use super::verified::Verified;
use super::verifier::Verifier;

/// Verifies keys with a [`Verifier`] or, in tests, a mock (feature `mock`). Cloning is cheap.
///
#[cfg_attr(feature = "mock", doc = "```")]
#[cfg_attr(not(feature = "mock"), doc = "```ignore")]
/// use keyward_sdk::verify::{Denied, MockKey, Need, VerifierHandle};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// /// The code under test.
/// async fn may_read(keys: &VerifierHandle, presented: &str) -> bool {
///     keys.verify(presented, &Need::scope("workspace:read").on("workspace:w1")).await.is_ok()
/// }
///
/// let mock = VerifierHandle::mock();
/// mock.add(MockKey::new("test-key").user("ada").scope("workspace:read").allow("workspace:w1"))?;
/// let keys = VerifierHandle::from(&mock);
/// assert!(may_read(&keys, "test-key").await);
/// assert!(!may_read(&keys, "another").await);
///
/// mock.expire("test-key");
/// let ended = keys.verify("test-key", &Need::nothing()).await;
/// assert!(matches!(ended, Err(Denied::Expired(_))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct VerifierHandle(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Real(Verifier),
    #[cfg(feature = "mock")]
    Mock(MockVerifier),
}

impl VerifierHandle {
    /// A mock for tests. It needs no server; tests add the keys that it knows.
    #[cfg(feature = "mock")]
    #[must_use]
    pub fn mock() -> MockVerifier {
        MockVerifier::default()
    }

    /// Verifies a presented key and checks that it satisfies `need`.
    ///
    /// # Errors
    /// [`Denied`] says why the key is rejected.
    pub async fn verify(&self, token: &str, need: &Need) -> Result<Verified, Denied> {
        match &self.0 {
            Kind::Real(verifier) => verifier.verify(token, need).await,
            #[cfg(feature = "mock")]
            Kind::Mock(mock) => mock.verify(token, need),
        }
    }

    /// Whether it is connected, for a readiness probe. See [`Verifier::is_connected`].
    #[must_use]
    pub fn is_connected(&self) -> bool {
        match &self.0 {
            Kind::Real(verifier) => verifier.is_connected(),
            #[cfg(feature = "mock")]
            Kind::Mock(mock) => mock.is_available(),
        }
    }
}

impl From<Verifier> for VerifierHandle {
    fn from(verifier: Verifier) -> Self {
        Self(Kind::Real(verifier))
    }
}

impl From<&Verifier> for VerifierHandle {
    fn from(verifier: &Verifier) -> Self {
        verifier.clone().into()
    }
}

#[cfg(feature = "mock")]
impl From<MockVerifier> for VerifierHandle {
    fn from(mock: MockVerifier) -> Self {
        Self(Kind::Mock(mock))
    }
}

#[cfg(feature = "mock")]
impl From<&MockVerifier> for VerifierHandle {
    fn from(mock: &MockVerifier) -> Self {
        mock.clone().into()
    }
}

impl From<&VerifierHandle> for VerifierHandle {
    fn from(handle: &VerifierHandle) -> Self {
        handle.clone()
    }
}
