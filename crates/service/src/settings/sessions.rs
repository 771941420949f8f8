//! Settings of sessions.

use clap::{ArgAction, Args};
use keyward_domain::Lifetime;

/// Settings of sessions.
#[derive(Clone, Debug, Args)]
pub struct SessionSettings {
    /// Session lifetime; use extends the session by this much
    #[arg(
        long,
        env = "KEYWARD_SESSION_DURATION",
        value_name = "DURATION",
        default_value = "1d",
        allow_hyphen_values = true,
        global = true
    )]
    pub session_duration: Lifetime,

    /// Maximum session age, counted from login
    #[arg(
        long,
        env = "KEYWARD_SESSION_MAX_LIFETIME",
        value_name = "DURATION",
        default_value = "30d",
        allow_hyphen_values = true,
        global = true
    )]
    pub session_max_lifetime: Lifetime,

    /// Do not extend sessions when they are used
    #[arg(
        long,
        env = "KEYWARD_DISABLE_SESSION_EXPIRY_REFRESH",
        value_name = "BOOL",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        global = true
    )]
    pub disable_session_expiry_refresh: bool,
}
