//! What every request can reach.

use std::net::IpAddr;

use ipnet::IpNet;
use keyward_service::Service;

use crate::metrics::Metrics;
use crate::verify::RateLimit;

/// The state of a running server, shared by all its threads.
#[derive(Debug)]
pub struct App {
    /// The use cases.
    pub service: Service,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// What the server printed at its start, to create the first user from elsewhere.
    pub setup_code: String,
    /// How often keys may be revoked by who holds them.
    pub(crate) revocations: RateLimit,
    /// What is counted.
    pub metrics: Metrics,
}

impl App {
    /// Is it a proxy whose word we take?
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }
}
