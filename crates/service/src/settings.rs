//! What an operator can set about the life of keys.

use std::time::Duration;

use keyward_domain::{Lifetime, User};

/// How far the wall clock may stand behind the newest audit entry when a server starts.
pub(crate) const CLOCK_TOLERANCE: Lifetime = Lifetime::minutes(1);

/// Lifetimes and limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a token lives whose maker did not say.
    pub default_token_lifetime: Lifetime,
    /// The longest a token of anyone but an owner may live.
    pub max_token_lifetime: Lifetime,
    /// The longest a token of an owner may live.
    pub max_admin_token_lifetime: Lifetime,
    /// How long a session lives, and by how much it slides.
    pub session_duration: Lifetime,
    /// How long after its login a session can live by sliding.
    pub session_max_lifetime: Lifetime,
    /// Sessions slide while they are used.
    pub sessions_slide: bool,
    /// For how long an embedded verifier may use what it remembers after it last asked.
    pub verifier_lease: Duration,
    /// Keys that expired longer ago than this are removed; zero keeps them.
    pub api_keys_retention: Lifetime,
    /// Audit entries older than this are removed; zero keeps them.
    pub audit_logs_retention: Lifetime,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_token_lifetime: Lifetime::days(7),
            max_token_lifetime: Lifetime::days(366),
            max_admin_token_lifetime: Lifetime::days(7),
            session_duration: Lifetime::hours(24),
            session_max_lifetime: Lifetime::days(30),
            sessions_slide: true,
            verifier_lease: Duration::from_secs(1),
            api_keys_retention: Lifetime::days(90),
            audit_logs_retention: Lifetime::default(),
        }
    }
}

impl Settings {
    /// The longest lifetime for tokens of this user.
    #[must_use]
    pub fn max_lifetime_for(&self, user: &User) -> Lifetime {
        if user.is_owner() { self.max_admin_token_lifetime } else { self.max_token_lifetime }
    }

    /// The name of the flag that sets it.
    #[must_use]
    pub fn max_lifetime_flag(user: &User) -> &'static str {
        if user.is_owner() { "--max-admin-token-lifetime" } else { "--max-token-lifetime" }
    }
}
