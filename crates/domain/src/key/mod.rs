//! The API key: a user's credential with an expiry.

mod ending;
mod id;
mod kind;
#[cfg(feature = "catalogue")]
mod mint;
mod name;
mod random_name;
mod secret;
#[cfg(feature = "catalogue")]
mod selector;

pub use ending::{EndNote, EndReason, Ending, InvalidEndNote};
pub use id::{InvalidKeyId, KeyId, ids_digest};
pub use kind::{KeyKind, LoginType};
#[cfg(feature = "catalogue")]
pub use mint::{ExceedsCaller, MintRequest, within_caller};
pub use name::{InvalidTokenName, TokenName};
pub use random_name::random_name;
pub use secret::{DIGEST_VERSION, Digest, MalformedKey, PlainKey, PresentedKey};
#[cfg(feature = "catalogue")]
pub use selector::{KeySelector, KeyState, Period};

use std::net::IpAddr;

use crate::allow_list::AllowList;
use crate::clock::Timestamp;
use crate::lifetime::Lifetime;
use crate::scope::Scopes;
use crate::user::UserId;

/// A key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The key's id; also the part of the text form before the `-`.
    pub id: KeyId,
    /// The owner's id.
    pub user_id: UserId,
    /// The token's name; a session has none.
    pub name: Option<TokenName>,
    /// How the key was created. This also determines its kind.
    pub login_type: LoginType,
    /// The key's scopes.
    pub scopes: Scopes,
    /// Resources the key may act on.
    pub allow_list: AllowList,
    /// Lifetime at creation. Use moves a session's expiry to this long after the use.
    pub lifetime: Lifetime,
    /// Creation time.
    pub created_at: Timestamp,
    /// Time of the last change, except for expiry and use.
    pub updated_at: Timestamp,
    /// Last use, to the minute (token) or hour (session); none if never used.
    pub last_used: Option<Timestamp>,
    /// Expiry: the key is rejected from this instant on.
    pub expires_at: Timestamp,
    /// When the key was ended by hand. If set, the key is dead at every time.
    pub ended_at: Option<Timestamp>,
    /// Why the key was ended by hand, if a reason was given.
    pub end_reason: Option<EndReason>,
    /// A note on why the key was ended by hand, if one was given.
    pub end_note: Option<EndNote>,
    /// A limit on sliding that may be earlier than the server's own: a session created with a token
    /// ends no later than that token.
    pub slides_until: Option<Timestamp>,
    /// The address of the client that used the key last, if known.
    pub last_used_ip: Option<IpAddr>,
    /// The key that created this one; none for a session from a login.
    pub minted_by: Option<KeyId>,
}

impl ApiKey {
    /// Whether the key is a token or a session.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.login_type.kind()
    }

    /// The expiry as a clock that shows `now` must take it. A key that was ended is dead by every clock,
    /// also by one that is behind the clock that ended it.
    #[must_use]
    pub fn expires_by(&self, now: Timestamp) -> Timestamp {
        if self.ended_at.is_some() { self.expires_at.min(now) } else { self.expires_at }
    }

    /// Whether the key is dead at `now`: ended by hand or expired.
    #[must_use]
    pub fn is_dead(&self, now: Timestamp) -> bool {
        self.ended_at.is_some() || self.expires_at <= now
    }

    /// The key after being ended at `now`; none if it is already dead, because a dead key never
    /// changes again.
    #[must_use]
    pub fn ended(&self, now: Timestamp, ending: &Ending) -> Option<Self> {
        (!self.is_dead(now)).then(|| Self {
            expires_at: now,
            ended_at: Some(now),
            end_reason: ending.reason,
            end_note: ending.note.clone(),
            ..self.clone()
        })
    }

    /// When the key was ended by hand; none if it is live, or had expired before.
    #[must_use]
    pub fn ended_early_at(&self) -> Option<Timestamp> {
        self.ended_at.filter(|ended| *ended <= self.expires_at)
    }

    /// The new expiry of a session used at `now`; none if the expiry stays.
    ///
    /// It moves when less than (lifetime − 1 h) is left. The new expiry is one lifetime from `now`, but
    /// no later than `session_max_lifetime` after creation, nor than `slides_until`.
    #[must_use]
    pub fn slide(&self, now: Timestamp, session_max_lifetime: Lifetime) -> Option<Timestamp> {
        if self.kind() != KeyKind::Session || self.is_dead(now) {
            return None;
        }
        if self.expires_at.since(now) >= self.lifetime.saturating_sub(Lifetime::hours(1)) {
            return None;
        }
        let cap = self.created_at.checked_add(session_max_lifetime).unwrap_or(Timestamp::MAX);
        let cap = self.slides_until.map_or(cap, |until| until.min(cap));
        let end = now.checked_add(self.lifetime).unwrap_or(Timestamp::MAX).min(cap);
        (end > self.expires_at).then_some(end)
    }

    /// Whether to record a use at `now`: at most once a minute for a token, once an hour for a session.
    #[must_use]
    pub fn should_record_use(&self, now: Timestamp) -> bool {
        self.last_used.is_none_or(|last| self.should_record_use_since(last, now))
    }

    /// Like [`Self::should_record_use`], for a last recorded use at `last`.
    #[must_use]
    pub fn should_record_use_since(&self, last: Timestamp, now: Timestamp) -> bool {
        let grain = match self.kind() {
            KeyKind::Token => Lifetime::minutes(1),
            KeyKind::Session => Lifetime::hours(1),
        };
        now.since(last) >= grain
    }

    /// The name; empty for a session, as on the wire and in the database.
    #[must_use]
    pub fn name_text(&self) -> &str {
        self.name.as_ref().map_or("", TokenName::as_str)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::event::Cause;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_micros(secs * 1_000_000).unwrap()
    }

    pub(crate) fn key(login_type: LoginType, created: i64, lifetime: Lifetime) -> ApiKey {
        ApiKey {
            id: PlainKey::generate(login_type.kind()).unwrap().id().clone(),
            user_id: UserId::random(),
            name: None,
            login_type,
            scopes: Scopes::all(),
            allow_list: AllowList::all(),
            lifetime,
            created_at: at(created),
            updated_at: at(created),
            last_used: None,
            expires_at: at(created).checked_add(lifetime).unwrap(),
            ended_at: None,
            end_reason: None,
            end_note: None,
            slides_until: None,
            last_used_ip: None,
            minted_by: None,
        }
    }

    #[test]
    fn the_end_is_half_open() {
        let key = key(LoginType::Token, 0, Lifetime::hours(1));
        assert!(!key.is_dead(at(3_599)));
        assert!(key.is_dead(at(3_600)));
    }

    #[test]
    fn dead_is_absorbing() {
        let key = key(LoginType::Token, 0, Lifetime::hours(1));
        let by_request = Ending::from(Cause::Requested);
        let dead = key.ended(at(10), &by_request).unwrap();
        assert_eq!((dead.expires_at, dead.ended_at), (at(10), Some(at(10))));
        assert!(dead.is_dead(at(5)), "a key ended by hand is dead at every time");
        assert_eq!(dead.ended(at(11), &by_request), None);
        assert_eq!(key.ended(at(3_600), &by_request), None);
        assert_eq!(dead.slide(at(5), Lifetime::days(30)), None);
    }

    #[test]
    fn a_session_slides_when_an_hour_of_its_life_is_spent() {
        let session = key(LoginType::Password, 0, Lifetime::hours(24));
        assert_eq!(session.slide(at(3_600), Lifetime::days(30)), None);
        assert_eq!(session.slide(at(3_601), Lifetime::days(30)), Some(at(3_601 + 86_400)));
        assert_eq!(session.slide(at(3_601), Lifetime::hours(24)), None, "the maximum session age applies");
        let bound = ApiKey { slides_until: Some(at(86_500)), ..session };
        assert_eq!(bound.slide(at(3_601), Lifetime::days(30)), Some(at(86_500)));
    }

    #[test]
    fn a_token_never_slides() {
        let token = key(LoginType::Token, 0, Lifetime::hours(24));
        assert_eq!(token.slide(at(80_000), Lifetime::days(30)), None);
    }
}
