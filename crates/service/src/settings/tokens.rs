//! Settings of tokens.

use clap::Args;
use keyward_domain::Lifetime;

/// Settings of tokens.
#[derive(Clone, Debug, Args)]
pub struct TokenSettings {
    /// Lifetime of a token created without one
    #[arg(
        long,
        env = "KEYWARD_DEFAULT_TOKEN_LIFETIME",
        value_name = "DURATION",
        default_value = "7d",
        allow_hyphen_values = true,
        global = true
    )]
    pub default_token_lifetime: Lifetime,

    /// Maximum token lifetime, except for owners
    #[arg(
        long,
        env = "KEYWARD_MAX_TOKEN_LIFETIME",
        value_name = "DURATION",
        default_value = "366d",
        allow_hyphen_values = true,
        global = true
    )]
    pub max_token_lifetime: Lifetime,

    /// Maximum token lifetime for owners
    #[arg(
        long,
        env = "KEYWARD_MAX_ADMIN_TOKEN_LIFETIME",
        value_name = "DURATION",
        default_value = "7d",
        allow_hyphen_values = true,
        global = true
    )]
    pub max_admin_token_lifetime: Lifetime,
}
