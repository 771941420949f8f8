//! From a presented key to a caller.

use std::sync::Arc;

use keyward_domain::event::RequestInfo;
use keyward_domain::{ApiKey, Timestamp};
use keyward_storage::{Lane, keys, usage};
use keyward_verdict::{Need, Verdict};

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;
use crate::key_cache::CachedKey;

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
        let kept = self.facts_of(text, lane).await?.ok_or(Rejection::Invalid)?;
        let key = &kept.owned.key;
        let now = self.now();
        match kept.verdict(&Need::nothing(), now) {
            Verdict::Expired(at) => return Err(Rejection::Expired(at)),
            Verdict::UserSuspended => return Err(Rejection::Suspended),
            // Nothing is needed yet; the endpoint asks for its scope next.
            Verdict::Valid
            | Verdict::InsufficientScope(_)
            | Verdict::ResourceNotAllowed(_)
            | Verdict::UnreadableNeed(_) => {}
        }
        self.inner.usage.note(&kept, now, request.ip);
        let settings = &self.inner.settings.sessions;
        let facts =
            match key.slide(now, settings.session_max_lifetime).filter(|_| !settings.disable_session_expiry_refresh) {
                Some(end) => Box::pin(self.slide(kept, now, end, lane)).await?,
                None => kept,
            };
        Ok(Caller { facts, request, now })
    }

    /// Moves the end of a session that is in use: once an hour at most.
    async fn slide(
        &self,
        kept: Arc<CachedKey>,
        now: Timestamp,
        end: Timestamp,
        lane: Lane,
    ) -> Result<Arc<CachedKey>, Error> {
        let keys::OwnedKey { key, owner } = &kept.owned;
        let id = key.id.clone();
        let moved = self.change(lane, move |tx| Ok::<_, Error>(usage::slide(tx, &id, now, end)?)).await?;
        if !moved {
            return Ok(kept);
        }
        let key = ApiKey { expires_at: end, ..key.clone() };
        Ok(Arc::new(CachedKey::new(keys::OwnedKey { key, owner: owner.clone() }, &self.inner.catalogue)))
    }
}
