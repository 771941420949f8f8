//! The settings of the use cases, one struct for each section.
//!
//! Each setting is defined in one place: a field of its section, with its help text, flag, variable
//! and default. The server's command line and configuration file are generated from these fields.

mod retention;
mod sessions;
mod tokens;
mod verifiers;

pub use retention::RetentionSettings;
pub use sessions::SessionSettings;
pub use tokens::TokenSettings;
pub use verifiers::VerifierSettings;

use clap::builder::Resettable;
use clap::{Args, Command};
use keyward_domain::{Lifetime, User};

/// How far the wall clock may be behind the newest audit entry when a server starts.
pub(crate) const CLOCK_TOLERANCE: Lifetime = Lifetime::minutes(1);

/// All settings of the use cases.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// Settings of tokens.
    #[command(flatten)]
    pub tokens: TokenSettings,
    /// Settings of sessions.
    #[command(flatten)]
    pub sessions: SessionSettings,
    /// Settings of embedded verifiers.
    #[command(flatten)]
    pub verifiers: VerifierSettings,
    /// Settings of retention.
    #[command(flatten)]
    pub retention: RetentionSettings,
}

impl Default for Settings {
    /// The defaults of the flags, without the environment.
    #[expect(clippy::expect_used, reason = "the defaults are constants, and a test parses them")]
    fn default() -> Self {
        use clap::FromArgMatches as _;
        let command = Self::augment_args(Command::new("defaults")).mut_args(|arg| arg.env(Resettable::Reset));
        let matches = command.try_get_matches_from(["defaults"]).expect("the defaults are valid");
        Self::from_arg_matches(&matches).expect("every setting has a default")
    }
}

impl Settings {
    /// The maximum lifetime of this user's tokens.
    #[must_use]
    pub fn max_lifetime_for(&self, user: &User) -> Lifetime {
        if user.is_owner() { self.tokens.max_admin_token_lifetime } else { self.tokens.max_token_lifetime }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_match_the_documentation() {
        let Settings { tokens, sessions, verifiers, retention } = Settings::default();
        let texts = [
            tokens.default_token_lifetime,
            tokens.max_token_lifetime,
            tokens.max_admin_token_lifetime,
            sessions.session_duration,
            sessions.session_max_lifetime,
            retention.api_keys_retention,
        ];
        assert_eq!(texts.map(|lifetime| lifetime.to_string()), ["7d", "366d", "7d", "1d", "30d", "90d"]);
        assert!(!sessions.disable_session_expiry_refresh && retention.audit_logs_retention.is_zero());
        assert_eq!(verifiers.verifier_lease.as_millis(), 1_000);
    }
}
