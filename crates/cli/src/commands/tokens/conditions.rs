//! The conditions of `tokens list` and `tokens expire`.

use std::net::IpAddr;

use clap::ValueEnum;
use keyward_sdk::{KeyId, KeySelector};

use crate::when::When;

/// Conditions on keys. A key must meet all that are given.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Conditions (all must hold)")]
pub(super) struct Conditions {
    /// Status of the key
    #[arg(long, value_enum)]
    pub(super) status: Option<Status>,

    /// Part of the token's name, in any case
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,

    /// A scope that the key's scopes grant, such as workspace:read
    #[arg(long)]
    scope: Option<String>,

    /// Created at or after this date, time or age, such as 2026-11-01 or 7d (7 days ago)
    #[arg(long, value_name = "WHEN")]
    created_after: Option<When>,

    /// Created before this date, time or age
    #[arg(long, value_name = "WHEN")]
    created_before: Option<When>,

    /// Expires at or after this date, time, or time from now, such as +7d
    #[arg(long, value_name = "WHEN")]
    expires_after: Option<When>,

    /// Expires before this date, time, or time from now
    #[arg(long, value_name = "WHEN")]
    expires_before: Option<When>,

    /// Last used at or after this date, time or age
    #[arg(long, value_name = "WHEN")]
    used_after: Option<When>,

    /// Last used before this date, time or age, or never
    #[arg(long, value_name = "WHEN")]
    used_before: Option<When>,

    /// Never used
    #[arg(long)]
    never_used: bool,

    /// Last used from this address or network, such as 192.0.2.0/24
    #[arg(long, value_name = "CIDR", value_parser = network)]
    last_used_ip: Option<String>,

    /// Created by the key with this ID
    #[arg(long, value_name = "ID", value_parser = key_id)]
    minted_by: Option<String>,

    /// Reason for which the key was ended
    #[arg(long, value_enum, value_name = "REASON")]
    end_reason: Option<Reason>,
}

/// The status of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Status {
    /// The key works.
    Live,
    /// The key has expired, or was ended.
    Expired,
    /// A lock refuses the key.
    Locked,
}

/// The reason for ending a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::commands) enum Reason {
    /// No reason given.
    Unspecified,
    /// Its secret is, or may be, known to others.
    Compromised,
    /// Another key has replaced it.
    Superseded,
    /// It is no longer needed.
    Retired,
    /// A rule demands it.
    Policy,
}

impl Conditions {
    /// Whether no condition is given.
    pub(super) fn is_empty(&self) -> bool {
        self.selector() == KeySelector::default()
    }

    /// The conditions in the form that the server takes.
    pub(super) fn selector(&self) -> KeySelector {
        let wire = |when: Option<When>| when.map(When::wire);
        let mut selector = KeySelector::default();
        selector.status = self.status.map(|status| {
            match status {
                Status::Live => "live",
                Status::Expired => "expired",
                Status::Locked => "locked",
            }
            .to_owned()
        });
        selector.name.clone_from(&self.name);
        selector.scope.clone_from(&self.scope);
        selector.created_after = wire(self.created_after);
        selector.created_before = wire(self.created_before);
        selector.expires_after = wire(self.expires_after);
        selector.expires_before = wire(self.expires_before);
        selector.last_used_after = wire(self.used_after);
        selector.last_used_before = wire(self.used_before);
        selector.never_used = self.never_used.then_some(true);
        selector.last_used_ip.clone_from(&self.last_used_ip);
        selector.minted_by.clone_from(&self.minted_by);
        selector.end_reason = self.end_reason.map(Reason::wire);
        selector
    }
}

impl Reason {
    /// The form that the server takes.
    pub(in crate::commands) fn wire(self) -> String {
        match self {
            Self::Unspecified => "unspecified",
            Self::Compromised => "compromised",
            Self::Superseded => "superseded",
            Self::Retired => "retired",
            Self::Policy => "policy",
        }
        .to_owned()
    }
}

/// The ID of a key. Of a pasted key, only the ID is kept.
pub(in crate::commands) fn key_id(text: &str) -> Result<String, &'static str> {
    KeyId::leading(text.trim()).map(|id| id.to_string()).ok_or("want the ID of a key, such as kwd_a1B2c3D4e5")
}

/// An address or a network.
fn network(text: &str) -> Result<String, &'static str> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, length.parse::<u8>().ok()),
        None => (text, Some(0)),
    };
    let is_valid = match (address.parse(), length) {
        (Ok(IpAddr::V4(_)), Some(length)) => length <= 32,
        (Ok(IpAddr::V6(_)), Some(length)) => length <= 128,
        (Err(_), _) | (_, None) => false,
    };
    if is_valid { Ok(text.to_owned()) } else { Err("want an address or a network, such as 192.0.2.0/24") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_ids_are_checked() {
        for text in ["192.0.2.7", "192.0.2.0/24", "::1", "2001:db8::/32"] {
            assert_eq!(network(text), Ok(text.to_owned()));
        }
        for text in ["", "192.0.2", "192.0.2.0/33", "192.0.2.0/", "::1/129", "example.com"] {
            assert!(network(text).is_err(), "{text}");
        }
        assert_eq!(key_id("kwd_a1B2c3D4e5-0123456789abcdefghijklmnopqr"), Ok("kwd_a1B2c3D4e5".to_owned()));
        assert!(key_id("ci").is_err());
    }
}
