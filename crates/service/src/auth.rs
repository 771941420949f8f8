//! From a presented key to a caller.

use keyward_domain::audit::RequestInfo;
use keyward_domain::key::PresentedKey;
use keyward_domain::{ApiKey, Timestamp};
use keyward_storage::{Lane, usage};

use crate::caller::Caller;
use crate::error::Error;
use crate::{Service, keys};

/// Why a presented key is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// Malformed, unknown, or the secret is wrong: all alike.
    #[error("the key is invalid")]
    Invalid,
    /// The secret is right, and the key is over.
    #[error("the key expired at {0}")]
    Expired(Timestamp),
    /// The secret is right, and the user is suspended.
    #[error("the user is suspended")]
    Suspended,
    /// It could not be told.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Service {
    /// Judges a presented key. The secret is compared before the end is looked at, so that only who
    /// holds the secret learns that a key has expired.
    ///
    /// # Errors
    /// [`Rejection`] says why the key is not accepted.
    pub async fn authenticate(&self, text: &str, lane: Lane, request: RequestInfo) -> Result<Caller, Rejection> {
        let presented = PresentedKey::parse(text).map_err(|_| Rejection::Invalid)?;
        let id = presented.id.clone();
        let facts = self
            .inner
            .store
            .read(lane, move |conn| keyward_storage::keys::facts(conn, &id))
            .await
            .map_err(Error::Store)?
            .filter(|facts| facts.digest.matches(&presented.digest))
            .ok_or(Rejection::Invalid)?;
        let keys::OwnedKey { key, owner } = facts.owned;
        let now = self.now();
        if key.is_dead(now) {
            return Err(Rejection::Expired(key.expires_at));
        }
        if !owner.is_active() {
            return Err(Rejection::Suspended);
        }
        let key = self.slide(key, now, lane).await?;
        self.inner.usage.note(&key, now, request.ip);
        Ok(Caller { user: owner, key, request, now })
    }

    /// Moves the end of a session that is in use, once an hour at most.
    async fn slide(&self, key: ApiKey, now: Timestamp, lane: Lane) -> Result<ApiKey, Error> {
        let settings = &self.inner.settings;
        let Some(end) = key.slide(now, settings.session_max_lifetime).filter(|_| settings.sessions_slide) else {
            return Ok(key);
        };
        let id = key.id.clone();
        let moved = self.inner.store.write(lane, move |conn| usage::slide(conn, &id, now, end)).await?;
        Ok(if moved { ApiKey { expires_at: end, ..key } } else { key })
    }
}
