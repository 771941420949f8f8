//! Telling others whether a key that somebody presented to them is good.

use keyward_domain::access::Act;
use keyward_domain::audit::{Action, Context, RequestInfo};
use keyward_domain::key::{Need, PresentedKey, Verdict};
use keyward_domain::{ApiKey, User};
use keyward_storage::{Conn, Lane, StoreError, keys};

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;

/// What can be said of a presented key.
#[derive(Clone, Debug)]
pub enum Checked {
    /// Malformed, unknown, or the secret is wrong: all alike.
    Invalid,
    /// The secret is right, so that its holder may know the rest.
    Known {
        /// The judgement.
        verdict: Verdict,
        /// The key.
        key: Box<ApiKey>,
        /// Its user.
        user: Box<User>,
    },
}

impl Service {
    /// May the caller ask about keys that others presented to them?
    ///
    /// # Errors
    /// When their roles or the calling key's allow list do not let them.
    pub fn may_verify(&self, caller: &Caller) -> Result<(), Error> {
        caller.require_all_of(Act::VerifyKeys.resource())?;
        caller.require(Act::VerifyKeys, &caller.user)
    }

    /// Judges presented keys, each by what it is needed for, in order. Being asked about is a use of
    /// a key that is valid.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check_keys(&self, asked: Vec<(String, Need)>) -> Result<Vec<Checked>, Error> {
        let presented: Vec<Option<PresentedKey>> =
            asked.iter().map(|(text, _)| PresentedKey::parse(text).ok()).collect();
        // What cannot be a key never reaches the database.
        let found = if presented.iter().any(Option::is_some) {
            self.inner.store.read(Lane::Normal, move |conn| look_up_all(conn, &presented)).await?
        } else {
            vec![None; asked.len()]
        };
        let now = self.now();
        let judge = |((_, need), found): ((String, Need), Option<keys::OwnedKey>)| match found {
            None => Checked::Invalid,
            Some(keys::OwnedKey { key, owner }) => {
                let verdict = key.judge(owner.is_active(), &need, &self.inner.catalogue, now);
                if verdict == Verdict::Valid {
                    self.inner.usage.note(&key, now, None);
                }
                Checked::Known { verdict, key: Box::new(key), user: Box::new(owner) }
            }
        };
        Ok(asked.into_iter().zip(found).map(judge).collect())
    }

    /// Ends the key whose secret somebody holds: whoever finds a key may stop it. Unknown and dead
    /// ones are passed over in silence.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_by_holder(&self, request: RequestInfo, text: &str) -> Result<(), Error> {
        let Ok(presented) = PresentedKey::parse(text) else { return Ok(()) };
        let context = Context { time: self.now(), request: Some(request), actor: None };
        self.inner
            .store
            .write(Lane::Urgent, move |conn| {
                if look_up(conn, &presented)?.is_none() {
                    return Ok(());
                }
                let Some(owned) = keys::find_to_change(conn, &presented.id)? else { return Ok(()) };
                if let Some(ended) = owned.key.expired_at(context.time) {
                    let mut entry = context.key(Action::Write, 200, Some(&owned.key), Some(&ended));
                    entry.description = format!("a holder of key {} revoked it", owned.key.id);
                    keys::expire(conn, &ended, &entry)?;
                }
                Ok(())
            })
            .await
    }
}

/// The key that was presented, if the secret is right.
pub(crate) fn look_up(conn: &mut Conn<'_>, presented: &PresentedKey) -> Result<Option<keys::OwnedKey>, StoreError> {
    let facts = keys::facts(conn, &presented.id)?;
    Ok(facts.filter(|facts| facts.digest.matches(&presented.digest)).map(|facts| facts.owned))
}

fn look_up_all(
    conn: &mut Conn<'_>,
    presented: &[Option<PresentedKey>],
) -> Result<Vec<Option<keys::OwnedKey>>, StoreError> {
    presented
        .iter()
        .map(|presented| presented.as_ref().map_or(Ok(None), |presented| look_up(conn, presented)))
        .collect()
}
