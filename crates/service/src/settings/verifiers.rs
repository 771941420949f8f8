//! Settings of embedded verifiers.

use std::time::Duration;

use clap::Args;
use keyward_domain::Lifetime;
use keyward_domain::lifetime::InvalidLifetime;

/// Settings of embedded verifiers.
#[derive(Clone, Debug, Args)]
pub struct VerifierSettings {
    /// How long after its last poll an embedded verifier may use its cache
    #[arg(
        long,
        env = "KEYWARD_VERIFIER_LEASE",
        value_name = "DURATION",
        value_parser = lease,
        default_value = "1s",
        allow_hyphen_values = true,
        global = true
    )]
    pub verifier_lease: Duration,
}

fn lease(text: &str) -> Result<Duration, InvalidLifetime> {
    let lifetime: Lifetime = text.parse()?;
    // A lifetime is never negative.
    Ok(Duration::from_nanos(lifetime.as_nanos().unsigned_abs()))
}
