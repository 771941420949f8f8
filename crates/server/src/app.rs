//! The state that all requests share.

use std::net::IpAddr;

use ipnet::IpNet;
use keyward_service::{Service, SetupCode};

use crate::audit::sealing::Sealing;
use crate::metrics::Metrics;
use crate::request_log::RequestLog;
use crate::verify::RateLimit;

/// The state of a running server, shared by all its threads.
#[derive(Debug)]
pub struct App {
    /// The use cases.
    pub service: Service,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// The code that the server prints at start, if there is no user. It lets another machine create the
    /// first user, until another server of the database starts.
    pub setup_code: Option<SetupCode>,
    /// The rate limit on `/oauth2/revoke`.
    pub(crate) revocations: RateLimit,
    /// The metrics.
    pub metrics: Metrics,
    /// The request log.
    pub request_log: RequestLog,
    /// How this server seals the audit log.
    pub sealing: Sealing,
}

impl App {
    /// Whether the address belongs to a trusted proxy.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }
}
