//! Authentication: turns a presented key into a [`Caller`].

use std::sync::Arc;

use keyward_domain::event::RequestInfo;
use keyward_domain::{ApiKey, KeyId, Timestamp, UserId};
use keyward_storage::{Lane, StoreError, keys, usage};
use keyward_verdict::{Need, Verdict};

use crate::Service;
use crate::activity::Via;
use crate::caller::Caller;
use crate::error::Error;
use crate::key_cache::CachedKey;

/// Why a presented key was rejected.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The key is malformed or unknown, or the secret is wrong. These are not distinguished.
    #[error("the key is invalid")]
    Invalid,
    /// The secret is right, but the key has expired.
    #[error("the key expired at {0}")]
    Expired(Timestamp, Holder),
    /// The secret is right, but the owner is suspended.
    #[error("the user is suspended")]
    Suspended(Holder),
    /// The secret is right, but a lock refuses the key; it says this.
    #[error("the key is locked: {0}")]
    Locked(String, Holder),
    /// The key could not be judged.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// The key of a request and its owner, for the request log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The owner's id.
    pub user: UserId,
    /// The key's id.
    pub key: KeyId,
}

impl From<&ApiKey> for Holder {
    fn from(key: &ApiKey) -> Self {
        Self { user: key.user_id, key: key.id.clone() }
    }
}

impl Rejection {
    /// The holder of the secret, if the secret is right.
    #[must_use]
    pub fn holder(&self) -> Option<&Holder> {
        match self {
            Self::Expired(_, holder) | Self::Suspended(holder) | Self::Locked(_, holder) => Some(holder),
            Self::Invalid | Self::Failed(_) => None,
        }
    }
}

impl Service {
    /// Authenticates a presented key. The secret is checked before the expiry, so that only a holder of
    /// the secret learns that a key has expired.
    ///
    /// # Errors
    /// [`Rejection`] gives the reason.
    pub async fn authenticate(
        &self,
        text: &str,
        via: Via,
        lane: Lane,
        request: RequestInfo,
    ) -> Result<Caller, Rejection> {
        let cached = self.facts_of(text, lane).await?.ok_or(Rejection::Invalid)?;
        let key = &cached.owned.key;
        let now = self.now();
        match cached.verdict(&Need::nothing(), now) {
            Verdict::Expired(at) => return Err(Rejection::Expired(at, Holder::from(key))),
            Verdict::UserSuspended => return Err(Rejection::Suspended(Holder::from(key))),
            Verdict::Locked(message) => return Err(Rejection::Locked(message, Holder::from(key))),
            // The need is empty here; the endpoint checks its scope next.
            Verdict::Valid
            | Verdict::InsufficientScope(_)
            | Verdict::ResourceNotAllowed(_)
            | Verdict::UnreadableNeed(_) => {}
        }
        self.inner.usage.note(&cached, now, request.ip);
        self.count_use(&key.id, via, None, request.ip, now);
        let settings = &self.inner.settings.sessions;
        let facts =
            match key.slide(now, settings.session_max_lifetime).filter(|_| !settings.disable_session_expiry_refresh) {
                Some(end) => match Box::pin(self.slide(Arc::clone(&cached), now, end, lane)).await {
                    // The session still works; it slides when the disk has space again.
                    Err(Error::Store(StoreError::StorageFull(_))) => cached,
                    slid => slid?,
                },
                None => cached,
            };
        Ok(Caller { facts, request, now, minters: Vec::new() })
    }

    /// Extends a session in use. [`ApiKey::slide`] limits this to about once an hour.
    async fn slide(
        &self,
        cached: Arc<CachedKey>,
        now: Timestamp,
        end: Timestamp,
        lane: Lane,
    ) -> Result<Arc<CachedKey>, Error> {
        let keys::OwnedKey { key, owner } = &cached.owned;
        let id = key.id.clone();
        let moved = self.change(lane, move |tx| Ok::<_, Error>(usage::slide(tx, &id, now, end)?)).await?;
        if !moved {
            return Ok(cached);
        }
        let key = ApiKey { expires_at: end, ..key.clone() };
        Ok(Arc::new(cached.renewed(keys::OwnedKey { key, owner: owner.clone() })))
    }
}
