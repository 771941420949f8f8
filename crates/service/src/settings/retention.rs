//! Settings of retention.

use clap::Args;
use keyward_domain::Lifetime;
use keyward_domain::lifetime::InvalidLifetime;

/// Settings of retention.
#[derive(Clone, Debug, Args)]
pub struct RetentionSettings {
    /// Remove keys this long after they expire; 0 keeps them
    #[arg(
        long,
        env = "KEYWARD_API_KEYS_RETENTION",
        value_name = "DURATION",
        value_parser = or_zero,
        default_value = "90d",
        allow_hyphen_values = true,
        global = true
    )]
    pub api_keys_retention: Lifetime,

    /// Remove audit entries older than this; 0 keeps them
    #[arg(
        long,
        env = "KEYWARD_AUDIT_LOGS_RETENTION",
        value_name = "DURATION",
        value_parser = or_zero,
        default_value = "0",
        allow_hyphen_values = true,
        global = true
    )]
    pub audit_logs_retention: Lifetime,
}

/// A duration, or `0` for never.
fn or_zero(text: &str) -> Result<Lifetime, InvalidLifetime> {
    if text == "0" { Ok(Lifetime::default()) } else { text.parse() }
}
