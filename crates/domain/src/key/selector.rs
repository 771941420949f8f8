//! Conditions on keys, for lists and for ending many keys at once.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{ApiKey, EndReason, KeyId, KeyKind};
use crate::clock::Timestamp;
use crate::scope::{Catalogue, Scope};
use crate::user::UserId;

/// Conditions on keys. A key must meet all that are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySelector {
    /// The owner.
    pub user: Option<UserId>,
    /// Whether the key works.
    pub status: Option<KeyState>,
    /// The kind.
    pub kind: Option<KeyKind>,
    /// A part of the name. The case of letters does not matter.
    pub name: Option<String>,
    /// A scope that the key's scopes grant.
    pub scope: Option<Scope>,
    /// When the key was created.
    pub created: Period,
    /// When the key expires or has expired.
    pub expires: Period,
    /// When the key was used last. A key that was never used counts as used in 1970, as lists show it.
    pub last_used: Period,
    /// Whether the key was never used.
    pub never_used: Option<bool>,
    /// The network of the address that used the key last.
    pub last_used_ip: Option<IpNet>,
    /// The key that created the key.
    pub minted_by: Option<KeyId>,
    /// Why the key was ended by hand.
    pub end_reason: Option<EndReason>,
    /// The key's id is one of these.
    pub ids: Option<BTreeSet<KeyId>>,
}

/// Whether a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It has neither expired nor been ended. Its owner may be suspended.
    Live,
    /// It has expired, or was ended.
    Expired,
    /// It is live, and a lock refuses it.
    Locked,
}

/// A half-open period: from `after`, which belongs to it, up to `before`, which does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// The start; none for the beginning of time.
    pub after: Option<Timestamp>,
    /// The end; none for the end of time.
    pub before: Option<Timestamp>,
}

impl Period {
    /// Whether the instant is in the period.
    #[must_use]
    pub fn contains(&self, instant: Timestamp) -> bool {
        self.after.is_none_or(|after| instant >= after) && self.before.is_none_or(|before| instant < before)
    }
}

impl KeySelector {
    /// Whether no condition is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the key meets the conditions that no index of a database can answer: the name, the scope
    /// and the network. The query answers the others.
    #[must_use]
    pub fn matches_rest(&self, key: &ApiKey, catalogue: &Catalogue) -> bool {
        let name = |part: &String| key.name_text().to_lowercase().contains(part);
        let network = |network: &IpNet| key.last_used_ip.is_some_and(|ip| network.contains(&ip));
        self.name.as_ref().is_none_or(name)
            && self.scope.as_ref().is_none_or(|scope| catalogue.grants(&key.scopes, scope))
            && self.last_used_ip.as_ref().is_none_or(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lifetime;
    use crate::key::{LoginType, TokenName, tests::key};

    #[test]
    fn a_key_meets_all_conditions_or_does_not_match() {
        let catalogue = Catalogue::built_in();
        let mut key = key(LoginType::Token, 0, Lifetime::hours(1));
        key.name = Some(TokenName::from_stored("Deploy-CI".to_owned()));
        key.scopes = catalogue.parse_scopes(["workspace:*"]).unwrap();
        key.last_used_ip = "192.0.2.7".parse().ok();
        let selector = |name: Option<&str>, scope: Option<&str>, network: Option<&str>| KeySelector {
            name: name.map(str::to_owned),
            scope: scope.map(|scope| catalogue.parse_scope(scope).unwrap()),
            last_used_ip: network.map(|network| network.parse().unwrap()),
            ..KeySelector::default()
        };
        for (name, scope, network, expected) in [
            (None, None, None, true),
            (Some("deploy"), None, None, true),
            (Some("staging"), None, None, false),
            (None, Some("workspace:read"), None, true),
            (None, Some("template:read"), None, false),
            (None, None, Some("192.0.2.0/24"), true),
            (None, None, Some("198.51.100.0/24"), false),
            (Some("ci"), Some("workspace:read"), Some("192.0.2.7/32"), true),
            (Some("ci"), Some("workspace:read"), Some("2001:db8::/32"), false),
        ] {
            assert_eq!(selector(name, scope, network).matches_rest(&key, &catalogue), expected, "{name:?} {scope:?}");
        }
        key.last_used_ip = None;
        assert!(!selector(None, None, Some("0.0.0.0/0")).matches_rest(&key, &catalogue), "never used");
    }

    #[test]
    fn a_period_is_half_open() {
        let at = |secs: i64| Timestamp::from_micros(secs * 1_000_000).unwrap();
        let period = Period { after: Some(at(1)), before: Some(at(3)) };
        assert_eq!([0, 1, 2, 3].map(|secs| period.contains(at(secs))), [false, true, true, false]);
        assert!(Period::default().contains(at(0)));
    }
}
