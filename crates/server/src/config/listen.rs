//! Settings of where the server listens, and behind which proxies.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

/// Settings of where the server listens, and behind which proxies.
#[derive(Clone, Debug, clap::Args)]
pub struct ListenSettings {
    /// Address to listen on; port 0 picks a free port
    #[arg(
        long,
        env = "KEYWARD_LISTEN",
        value_name = "ADDRESS:PORT",
        value_parser = address,
        default_value = "127.0.0.1:7080",
        global = true
    )]
    pub listen: SocketAddr,

    /// Proxies (IP or CIDR) whose X-Forwarded-For is trusted, separated by commas
    #[arg(
        long,
        env = "KEYWARD_TRUSTED_PROXIES",
        value_name = "CIDR,…",
        default_value = "",
        hide_default_value = true,
        global = true
    )]
    pub trusted_proxies: ProxyList,
}

/// Networks, separated by commas; a single address is a network of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyList(pub Vec<IpNet>);

/// A text that is no list of networks.
#[derive(Clone, Debug, thiserror::Error)]
#[error("\"{0}\" is not an IP address or a network; write it as in 10.0.0.0/8,192.168.1.1")]
pub struct InvalidProxies(String);

impl FromStr for ProxyList {
    type Err = InvalidProxies;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let network = |part: &str| {
            let part = part.trim();
            let one = || part.parse::<IpAddr>().map(IpNet::from);
            part.parse::<IpNet>().or_else(|_| one()).map_err(|_malformed| InvalidProxies(part.to_owned()))
        };
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        text.split(',').map(network).collect::<Result<_, _>>().map(Self)
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_malformed| {
        format!("\"{text}\" is not an IP address and a port; write it as in 127.0.0.1:7080 or [::1]:7080")
    })
}
