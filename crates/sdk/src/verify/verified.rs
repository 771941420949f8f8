//! A key that was accepted, as the service gets it into its hands.

use std::fmt;

use keyward_domain::Timestamp;
use uuid::Uuid;

use keyward_verdict::Need;

use super::denied::Denied;
use super::facts::Facts;

/// A key that is good for what it was needed for: whose it is, and what else it may do.
///
/// A handle of a few words, as cheap to clone as an `Arc`. It says how the key was found; for a later request ask
/// the verifier again.
#[derive(Clone)]
pub struct Verified {
    facts: Facts,
}

impl Verified {
    pub(super) fn new(facts: Facts) -> Self {
        Self { facts }
    }

    /// The key's id, such as `kwd_a1B2c3D4e5`: safe to log.
    #[must_use]
    pub fn key_id(&self) -> &str {
        // Made of a text, so that it is one.
        std::str::from_utf8(&self.facts.id).unwrap_or_default()
    }

    /// Its user's id, which stays the same when they are renamed.
    #[must_use]
    pub fn user_id(&self) -> Uuid {
        self.facts.holder.user_id
    }

    /// Its user's name.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.facts.holder.username
    }

    /// Its scopes, as it was given them. To ask whether it may do something, use
    /// [`allows`](Self::allows): a scope can stand for others.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.facts.holder.access.scopes
    }

    /// When it is over.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.facts.expires_at
    }

    /// May the key do this too? For what is known only in the middle of a request: which things of
    /// a list to show, what a body asks for.
    #[must_use]
    pub fn allows(&self, need: &Need) -> bool {
        self.require(need).is_ok()
    }

    /// The same, with the reason.
    ///
    /// # Errors
    /// [`Denied::InsufficientScope`], [`Denied::ResourceNotAllowed`], or [`Denied::UnreadableNeed`].
    pub fn require(&self, need: &Need) -> Result<(), Denied> {
        Denied::unless_valid(self.facts.holder.access.grant().covers(need))
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("key_id", &self.key_id())
            .field("username", &self.username())
            .finish_non_exhaustive()
    }
}
