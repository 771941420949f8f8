//! A mock verifier for the tests of services. Tests add keys to it; the code that judges real keys
//! judges them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use keyward_domain::{AllowList, Catalogue, Clock as _, Moment, Scope, Scopes, SystemClock, Timestamp};
use uuid::Uuid;

use keyward_verdict::{Id, Need};

use super::denied::Denied;
use super::facts::{Access, Facts, Holder};
use super::verified::Verified;
use crate::error::{ApiError, Error};

/// Default lifetime of a key.
const LIFETIME: Duration = Duration::from_secs(3600);

/// A mock of a [`Verifier`](super::Verifier), made by [`VerifierHandle::mock`]. Clones share their
/// keys: keep a clone to change keys during a test.
///
/// [`VerifierHandle::mock`]: super::VerifierHandle::mock
#[derive(Clone, Debug, Default)]
pub struct MockVerifier {
    state: Arc<RwLock<State>>,
}

#[derive(Debug, Default)]
struct State {
    keys: HashMap<SecretText, StoredKey>,
    /// Number of keys added, from which the next ID is made.
    added: u32,
    suspended: HashSet<String>,
    unavailable: bool,
}

/// The text of a key. It may be a real key, so `Debug` hides it.
#[derive(PartialEq, Eq, Hash)]
struct SecretText(String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What the facts of a key are built from at each use.
#[derive(Debug)]
struct StoredKey {
    id: Id,
    holder: Arc<Holder>,
    ends: Moment,
    expires_at: Timestamp,
}

/// A key for a [`MockVerifier`].
#[derive(Clone)]
#[must_use]
pub struct MockKey {
    text: String,
    user: String,
    scopes: Vec<String>,
    allow_list: Vec<String>,
    lifetime: Duration,
}

/// An invalid scope or allow list of a [`MockKey`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid {1} \"{0}\"")]
pub struct InvalidMockKey(String, &'static str);

impl MockKey {
    /// A key with this text, which need not look like a real key. By default it belongs to the user
    /// `user`, has all scopes (`*:*`), may act on all resources (`*:*`) and expires after one hour.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            user: "user".to_owned(),
            scopes: Vec::new(),
            allow_list: Vec::new(),
            lifetime: LIFETIME,
        }
    }

    /// Sets the owner. Keys with the same username belong to the same user and share the user ID.
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = name.into();
        self
    }

    /// Adds a scope. With any scope added, the key has only the added scopes.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// Adds a resource, such as `workspace:w1` or `workspace:*`. With any resource added, the key may
    /// act only on the added resources.
    pub fn allow(mut self, entry: impl Into<String>) -> Self {
        self.allow_list.push(entry.into());
        self
    }

    /// Sets the lifetime, counted from [`MockVerifier::add`]. A key with lifetime 0 has expired.
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Makes the key expired.
    pub fn expired(self) -> Self {
        self.expires_in(Duration::ZERO)
    }

    fn access(&self) -> Result<Access, InvalidMockKey> {
        let parse = |text: &String| text.parse().map_err(|_not_a_scope| InvalidMockKey(text.clone(), "scope"));
        let scopes = self.scopes.iter().map(parse).collect::<Result<Vec<Scope>, _>>()?;
        let scopes = Scopes::new(scopes).unwrap_or_else(Scopes::all);
        let grants = Catalogue::built_in().expand(&scopes);
        let allow_list = AllowList::from_stored(self.allow_list.iter().map(String::as_str))
            .map_err(|error| InvalidMockKey(error.to_string(), "allow list"))?;
        Ok(Access { scopes: scopes.to_strings(), grants, allow_list, locked: None })
    }
}

impl fmt::Debug for MockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockKey").field("user", &self.user).finish_non_exhaustive()
    }
}

impl MockVerifier {
    /// Adds a key. It replaces a key with the same text.
    ///
    /// # Errors
    /// [`InvalidMockKey`] if a scope or an allow list entry is invalid.
    pub fn add(&self, key: MockKey) -> Result<(), InvalidMockKey> {
        let access = Arc::new(key.access()?);
        let now = SystemClock::default().now();
        let lifetime = i64::try_from(key.lifetime.as_micros()).unwrap_or(i64::MAX);
        let mut state = self.write();
        let same = state.keys.values().find(|stored| *stored.holder.username == *key.user);
        let user_id = same.map_or_else(Uuid::new_v4, |stored| stored.holder.user_id);
        state.added = (state.added + 1) % 1_000_000;
        let stored = StoredKey {
            id: keyward_verdict::id(&format!("kwd_mock{:06}", state.added)).unwrap_or_default(),
            holder: Arc::new(Holder { user_id, username: key.user.into(), access }),
            ends: Moment::now().after(key.lifetime),
            expires_at: Timestamp::from_micros(now.as_micros().saturating_add(lifetime)).unwrap_or(Timestamp::MAX),
        };
        state.keys.insert(SecretText(key.text), stored);
        Ok(())
    }

    /// Expires a key now.
    pub fn expire(&self, text: &str) {
        if let Some(stored) = self.write().keys.get_mut(&SecretText(text.to_owned())) {
            stored.ends = Moment::BEGINNING;
            stored.expires_at = stored.expires_at.min(SystemClock::default().now());
        }
    }

    /// Deletes a key. From now on it is unknown.
    pub fn remove(&self, text: &str) {
        self.write().keys.remove(&SecretText(text.to_owned()));
    }

    /// Suspends a user. All their keys are rejected.
    pub fn suspend_user(&self, name: &str) {
        self.write().suspended.insert(name.to_owned());
    }

    /// Ends a user's suspension.
    pub fn activate_user(&self, name: &str) {
        self.write().suspended.remove(name);
    }

    /// Sets whether the server is unreachable, so that no key can be judged ([`Denied::Unavailable`]).
    pub fn set_unavailable(&self, unavailable: bool) {
        self.write().unavailable = unavailable;
    }

    pub(super) fn is_available(&self) -> bool {
        !self.read().unavailable
    }

    pub(super) fn verify(&self, token: &str, need: &Need) -> Result<Verified, Denied> {
        let state = self.read();
        if state.unavailable {
            return Err(Denied::Unavailable(Box::new(unavailable())));
        }
        let stored = state.keys.get(&SecretText(token.to_owned())).ok_or(Denied::Invalid)?;
        let facts = Facts {
            id: stored.id,
            user_is_active: !state.suspended.contains(&*stored.holder.username),
            ends: stored.ends,
            expires_at: stored.expires_at,
            holder: Arc::clone(&stored.holder),
        };
        Denied::unless_valid(facts.verdict(need, Moment::now()))?;
        Ok(Verified::new(facts))
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error of a server that is unavailable.
fn unavailable() -> Error {
    Error::Api(ApiError {
        status: 503,
        code: keyward_api::ErrorCode::Unavailable.as_str().to_owned(),
        message: "The server is temporarily unavailable (set by the test).".to_owned(),
        detail: None,
        hint: None,
        validations: Vec::new(),
        request_id: String::new(),
        retry_after: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_judged_in_every_state() {
        let mock = MockVerifier::default();
        let judge = |text: &str, need: Need| mock.verify(text, &need);
        let limited = MockKey::new("limited").user("ada").scope("coder:workspaces.access").allow("workspace:w1");
        mock.add(limited).unwrap();
        mock.add(MockKey::new("free").user("ada")).unwrap();
        mock.add(MockKey::new("over").expired()).unwrap();

        let free = judge("free", Need::scope("workspace:delete").on("workspace:w9")).unwrap();
        assert_eq!((free.username(), free.scopes()), ("ada", &["*:*".to_owned()][..]));
        let limited = judge("limited", Need::scope("workspace:ssh").on("workspace:w1")).unwrap();
        assert_eq!(limited.user_id(), free.user_id());
        assert!(!limited.allows(&Need::scope("workspace:delete")) && limited.allows(&Need::scope("workspace:ssh")));
        assert!(matches!(limited.require(&Need::nothing().on("workspace:w2")), Err(Denied::ResourceNotAllowed(_))));
        assert!(matches!(judge("over", Need::nothing()), Err(Denied::Expired(_))));
        assert!(matches!(judge("unknown", Need::nothing()), Err(Denied::Invalid)));

        mock.suspend_user("ada");
        assert!(matches!(judge("free", Need::nothing()), Err(Denied::UserSuspended)));
        mock.activate_user("ada");
        mock.expire("free");
        assert!(matches!(judge("free", Need::nothing()), Err(Denied::Expired(_))));
        mock.remove("free");
        assert!(matches!(judge("free", Need::nothing()), Err(Denied::Invalid)));
        mock.set_unavailable(true);
        assert!(matches!(judge("limited", Need::nothing()), Err(Denied::Unavailable(_))) && !mock.is_available());
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_and_no_text_is_shown() {
        let mock = MockVerifier::default();
        assert_eq!(mock.add(MockKey::new("x").scope("Read")).unwrap_err().to_string(), "invalid scope \"Read\"");
        assert!(mock.add(MockKey::new("x").allow("w1")).is_err());
        mock.add(MockKey::new("hush")).unwrap();
        assert!(!format!("{mock:?} {:?}", MockKey::new("hush")).contains("hush"));
    }

    #[test]
    fn a_thing_that_no_allow_list_can_name_is_covered_by_none() {
        let mock = MockVerifier::default();
        mock.add(MockKey::new("all")).unwrap();
        let strange = mock.verify("all", &Need::nothing().on("workspace:a b"));
        assert!(matches!(strange, Err(Denied::ResourceNotAllowed(thing)) if thing == "workspace:a b"));
        assert!(matches!(mock.verify("all", &Need::scope("Read")), Err(Denied::UnreadableNeed(_))));
    }
}
