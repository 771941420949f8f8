//! The verifier: judges keys from its cache, and asks the server about others.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyward_api::verifiers::{LookUpKey, LookUpRequest, LookUpResponse};
use keyward_domain::Moment;
use keyward_domain::key::PresentedKey;
use keyward_verdict::{Found, Need};
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::denied::Denied;
use super::facts::Facts;
use super::lease;
use super::memory::Memory;
use super::uses::Uses;
use super::verified::Verified;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;

/// Default capacity of the cache, in keys.
const DEFAULT_MOST_KEYS: usize = 100_000;

/// Default timeout of asking the server about a key.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Verifies keys in this process. Cloning is cheap; dropping the last clone stops polling.
#[derive(Clone, Debug)]
pub struct Verifier {
    shared: Arc<Shared>,
    _polling: Arc<Polling>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) client: Client,
    pub(super) memory: Memory,
    pub(super) uses: Uses,
    timeout: Duration,
    /// Whether the last poll was answered.
    connected: AtomicBool,
}

/// Stops the polling task when dropped.
#[derive(Debug)]
struct Polling(AbortHandle);

impl Drop for Polling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Builds a [`Verifier`]; see [`Verifier::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifierBuilder {
    client: Client,
    name: String,
    most_keys: usize,
    timeout: Duration,
}

impl VerifierBuilder {
    /// Capacity of the cache, in keys; 100 000 by default. A used key takes about 100 bytes, so a
    /// million keys take 100 MB. Data that the keys of a user share is stored once; if every key
    /// belongs to another user, each takes 100 to 200 bytes more. When the cache is full, it evicts
    /// approximately the least recently used keys. A table that counts uses takes 16 to 32 bytes more for
    /// each key of the capacity.
    pub fn most_keys(mut self, most_keys: usize) -> Self {
        self.most_keys = most_keys;
        self
    }

    /// Timeout of [`verify`](Verifier::verify) when it asks the server; 5 s by default. The client's
    /// own timeout does not apply.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts the verifier. Call it on a tokio runtime, which runs the polling. A runtime that is
    /// blocked for long loses the lease and delays requests that expire a key.
    #[must_use]
    pub fn start(self) -> Verifier {
        let shared = Arc::new(Shared {
            id: Uuid::new_v4(),
            name: self.name,
            client: self.client,
            memory: Memory::new(self.most_keys),
            uses: Uses::new(self.most_keys),
            timeout: self.timeout,
            connected: AtomicBool::new(false),
        });
        let polling = tokio::spawn(lease::keep(Arc::downgrade(&shared))).abort_handle();
        Verifier { shared, _polling: Arc::new(Polling(polling)) }
    }
}

impl Verifier {
    /// Starts a verifier that polls the server with this client. The client's key needs the scope
    /// `api_key:verify`, and its user the role `verifier` or `owner`. Operators see the verifier as
    /// `name`. Call it on a tokio runtime, which runs the polling.
    #[must_use]
    pub fn start(client: &Client, name: &str) -> Self {
        Self::builder(client, name).start()
    }

    /// Starts building a verifier with other settings.
    pub fn builder(client: &Client, name: &str) -> VerifierBuilder {
        let client = client.clone();
        VerifierBuilder { client, name: name.to_owned(), most_keys: DEFAULT_MOST_KEYS, timeout: DEFAULT_TIMEOUT }
    }

    /// Verifies a presented key and checks that it satisfies `need`. For a cached key this takes less
    /// than a microsecond, and the future is ready at once.
    ///
    /// # Errors
    /// [`Denied`] says why the key is rejected.
    pub async fn verify(&self, token: &str, need: &Need) -> Result<Verified, Denied> {
        self.verify_from(token, need, None).await
    }

    /// Like [`verify`](Self::verify), for a request from this address. The verifier reports the address of
    /// the newest use of a key in a minute to the server, which shows it to operators.
    ///
    /// # Errors
    /// [`Denied`] says why the key is rejected.
    pub async fn verify_from(&self, token: &str, need: &Need, client: Option<IpAddr>) -> Result<Verified, Denied> {
        match self.shared.verify_cached(token, need, client) {
            Some(judged) => judged,
            // Boxed, because the request's future is large and every future of `verify` would contain
            // it.
            None => Box::pin(self.shared.verify_remotely(token, need)).await,
        }
    }

    /// Whether it holds a lease now. If so, cached keys are verified without the network. A server
    /// grants none while it has 10 000 other verifiers, or, as one of several, while it cannot register
    /// on the database.
    #[must_use]
    pub fn holds_lease(&self) -> bool {
        Moment::now() < self.shared.memory.lease()
    }

    /// Whether it is connected, for a readiness probe: the server answered the last poll, which also
    /// proves that this client may verify keys, or the lease is still valid.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared.connected.load(Ordering::Relaxed) || self.holds_lease()
    }

    /// Number of cached keys.
    #[must_use]
    pub fn remembered_keys(&self) -> usize {
        self.shared.memory.len()
    }

    /// Caches the server's answer about a key, as [`verify`](Self::verify) does after asking. For
    /// benchmarks, which need many cached keys quickly.
    ///
    /// # Errors
    /// [`Denied::Invalid`] if the answer says that the key is unknown; [`Denied::Unavailable`] if the
    /// facts are unreadable.
    #[doc(hidden)]
    pub fn learn(&self, token: &str, answer: &LookUpResponse) -> Result<(), Denied> {
        let presented = PresentedKey::parse(token).map_err(|_malformed| Denied::Invalid)?;
        self.shared.learn(&presented, answer, Moment::now()).map(drop)
    }
}

/// The answer has facts of another key, or in a form that this version does not know.
fn unreadable() -> Denied {
    let reason = "the facts of the key are unreadable".to_owned();
    Denied::Unavailable(Box::new(Error::Decode { status: 200, body: String::new(), reason, request_id: String::new() }))
}

impl Shared {
    /// Verifies a key from the cache. `None` if the server must be asked: the key is not cached, there is
    /// no valid lease, or the session's expiry may have slid.
    ///
    /// The order of the three reads makes this safe: first the lease's end, then the cache, then the
    /// clock, which must be before that end. Suppose that a change was acknowledged to its author
    /// before this call began. There are two cases. Either this verifier confirmed the change: then it
    /// had evicted the key before the cache is read here. Or every lease given before the change had
    /// run out. If the lease read here is one of those, the clock shows that. If it is a later one, the
    /// poll response that gave it contained the change, which was applied before the lease was stored;
    /// the cache is read after the lease, so it has the change.
    ///
    /// A lease that is read after the cache could be newer than the cached facts. A clock that is read
    /// before the cache would miss that this thread was stopped in between. So one read of each is
    /// enough, in this order only.
    fn verify_cached(&self, token: &str, need: &Need, client: Option<IpAddr>) -> Option<Result<Verified, Denied>> {
        let lease = self.memory.lease();
        let found = self.memory.get(token);
        let now = Moment::now();
        if now >= lease {
            return None;
        }
        let facts = match found {
            Found::Nothing => return None,
            Found::WrongSecret => return Some(Err(Denied::Invalid)),
            Found::Facts(facts) => facts,
        };
        let verdict = facts.verdict(need, now);
        if facts.may_have_slid(&verdict) {
            return None;
        }
        Some(Denied::unless_valid(verdict).map(|()| {
            self.uses.note(&facts.id, token, now, client);
            Verified::new(facts)
        }))
    }

    /// Asks the server for the facts and caches them.
    async fn verify_remotely(&self, token: &str, need: &Need) -> Result<Verified, Denied> {
        // A malformed key costs no request.
        let presented = PresentedKey::parse(token).map_err(|_malformed| Denied::Invalid)?;
        let unavailable = |error: Error| Denied::Unavailable(Box::new(error));
        let sent = Moment::now();
        let request = LookUpRequest { key: token.to_owned() };
        let call = Call::<LookUpKey>::new(&[]).and_then(|call| call.body(&request));
        let call = call.map_err(|error| unavailable(error.into()))?.timeout(self.timeout);
        let answer = self.client.call(call).await.map_err(unavailable)?.value;
        let facts = self.learn(&presented, &answer, sent)?;
        Denied::unless_valid(facts.verdict(need, Moment::now()))?;
        Ok(Verified::new(facts))
    }

    fn learn(&self, presented: &PresentedKey, answer: &LookUpResponse, sent: Moment) -> Result<Facts, Denied> {
        let told = answer.facts.as_ref().ok_or(Denied::Invalid)?;
        let facts = Facts::of(answer, told, presented, sent).ok_or_else(unreadable)?;
        self.memory.keep(answer, presented.digest, facts.clone());
        Ok(facts)
    }

    /// Records whether the last poll was answered.
    pub(super) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }
}
