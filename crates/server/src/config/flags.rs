//! The flags, each also a variable `KEYWARD_…` and a key of the configuration file.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use keyward_domain::Lifetime;
use keyward_domain::lifetime::InvalidLifetime;

use super::LogFormat;

/// What can be configured. A value that is absent is looked for in the next source.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// The configuration file: TOML, its keys the names of these flags
    #[arg(long, env = "KEYWARD_CONFIG", value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// The address to listen on; port 0 picks a free one [default: 127.0.0.1:7080]
    #[arg(long, env = "KEYWARD_LISTEN", value_name = "ADDRESS:PORT", value_parser = address, global = true)]
    pub listen: Option<SocketAddr>,

    /// The directory for the server's own files [default: the platform's data directory + keyward]
    #[arg(long, env = "KEYWARD_DATA_DIR", value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,

    /// The database: sqlite://PATH or postgres://… [default: keyward.db in the data directory]
    #[arg(long, env = "KEYWARD_DATABASE_URL", value_name = "URL", hide_env_values = true, global = true)]
    pub database_url: Option<String>,

    /// How long a token lives whose maker did not say [default: 7d]
    #[arg(
        long,
        env = "KEYWARD_DEFAULT_TOKEN_LIFETIME",
        value_name = "DURATION",
        allow_hyphen_values = true,
        global = true
    )]
    pub default_token_lifetime: Option<Lifetime>,

    /// The longest lifetime of a token, owners' aside [default: 366d]
    #[arg(
        long,
        env = "KEYWARD_MAX_TOKEN_LIFETIME",
        value_name = "DURATION",
        allow_hyphen_values = true,
        global = true
    )]
    pub max_token_lifetime: Option<Lifetime>,

    /// The longest lifetime of an owner's token [default: 7d]
    #[arg(
        long,
        env = "KEYWARD_MAX_ADMIN_TOKEN_LIFETIME",
        value_name = "DURATION",
        allow_hyphen_values = true,
        global = true
    )]
    pub max_admin_token_lifetime: Option<Lifetime>,

    /// How long a session lives, and by how much it slides while it is used [default: 1d]
    #[arg(long, env = "KEYWARD_SESSION_DURATION", value_name = "DURATION", allow_hyphen_values = true, global = true)]
    pub session_duration: Option<Lifetime>,

    /// How long after its login a session can live by sliding [default: 30d]
    #[arg(
        long,
        env = "KEYWARD_SESSION_MAX_LIFETIME",
        value_name = "DURATION",
        allow_hyphen_values = true,
        global = true
    )]
    pub session_max_lifetime: Option<Lifetime>,

    /// Sessions end after their duration, used or not
    #[arg(
        long,
        env = "KEYWARD_DISABLE_SESSION_EXPIRY_REFRESH",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        global = true
    )]
    pub disable_session_expiry_refresh: Option<bool>,

    /// For how long an embedded verifier may use what it remembers after it last asked [default: 1s]
    #[arg(long, env = "KEYWARD_VERIFIER_LEASE", value_name = "DURATION", allow_hyphen_values = true, global = true)]
    pub verifier_lease: Option<Lifetime>,

    /// Keys that expired longer ago than this are removed; 0 keeps them [default: 90d]
    #[arg(long, env = "KEYWARD_API_KEYS_RETENTION", value_name = "DURATION", allow_hyphen_values = true, value_parser = or_zero, global = true)]
    pub api_keys_retention: Option<Lifetime>,

    /// Audit entries older than this are removed; 0 keeps them [default: 0]
    #[arg(long, env = "KEYWARD_AUDIT_LOGS_RETENTION", value_name = "DURATION", allow_hyphen_values = true, value_parser = or_zero, global = true)]
    pub audit_logs_retention: Option<Lifetime>,

    /// A catalogue of scopes that replaces the built-in one
    #[arg(long, env = "KEYWARD_SCOPES", value_name = "FILE", global = true)]
    pub scopes: Option<PathBuf>,

    /// Addresses and networks whose X-Forwarded-For is believed, separated by commas
    #[arg(long, env = "KEYWARD_TRUSTED_PROXIES", value_name = "CIDR,…", global = true)]
    pub trusted_proxies: Option<ProxyList>,

    /// How the log is written [default: text on a terminal, else json]
    #[arg(long, env = "KEYWARD_LOG_FORMAT", value_name = "FORMAT", global = true)]
    pub log_format: Option<LogFormat>,

    /// What is logged: a level, or target=level pairs [default: info]
    #[arg(long, env = "KEYWARD_LOG_FILTER", value_name = "FILTER", global = true)]
    pub log_filter: Option<String>,
}

/// Networks, separated by commas; a single address is a network of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyList(pub Vec<IpNet>);

/// A text that is no list of networks.
#[derive(Clone, Debug, thiserror::Error)]
#[error("\"{0}\" is not an address or a network: want such as 10.0.0.0/8,192.168.1.1")]
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

/// An address and a port.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_malformed| {
        format!("\"{text}\" is not an address: want an IP address and a port, such as 127.0.0.1:7080 or [::1]:7080")
    })
}

/// A duration, or `0` for never.
pub(super) fn or_zero(text: &str) -> Result<Lifetime, InvalidLifetime> {
    if text == "0" { Ok(Lifetime::default()) } else { text.parse() }
}
