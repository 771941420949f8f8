//! The verifier: judges by what it remembers, and asks the server about what it does not.

use keyward_domain::Moment;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyward_api::verifiers::{LookUpKey, LookUpRequest, LookUpResponse};
use keyward_domain::key::PresentedKey;
use tokio::task::AbortHandle;
use uuid::Uuid;

use keyward_verdict::{Found, Need};

use super::denied::Denied;
use super::facts::Facts;
use super::lease;
use super::memory::Memory;
use super::verified::Verified;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;

/// How many keys are remembered, unless it is said.
const MOST_KEYS: usize = 100_000;

/// How long a key may take that the server has to be asked about, unless it is said.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Judges keys in this process. Cheap to clone; the last clone to go ends its polling.
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
    timeout: Duration,
    /// Was the last poll answered?
    connected: AtomicBool,
}

/// Ends the task that polls.
#[derive(Debug)]
struct Polling(AbortHandle);

impl Drop for Polling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a [`Verifier`] is started with. Begins at [`Verifier::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifierBuilder {
    client: Client,
    name: String,
    most_keys: usize,
    timeout: Duration,
}

impl VerifierBuilder {
    /// How many keys are remembered; 100 000 unless given. A key takes about 100 bytes, once it is
    /// used, so that a million take 100 MB. What the keys of a user have in common is kept once, and
    /// takes 100 to 200 bytes more where every key is another user's. When there are more keys,
    /// those go that have not been used for the longest time, roughly.
    pub fn most_keys(mut self, most_keys: usize) -> Self {
        self.most_keys = most_keys;
        self
    }

    /// How long [`verify`](Verifier::verify) may take where the server has to be asked; 5 s unless
    /// given. The client's own timeout does not apply.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts it. Must be called on a tokio runtime, which it polls on: a runtime that is kept busy
    /// for long without a pause loses the lease, and delays whoever expires a key.
    #[must_use]
    pub fn start(self) -> Verifier {
        let shared = Arc::new(Shared {
            id: Uuid::new_v4(),
            name: self.name,
            client: self.client,
            memory: Memory::new(self.most_keys),
            timeout: self.timeout,
            connected: AtomicBool::new(false),
        });
        let polling = tokio::spawn(lease::keep(Arc::downgrade(&shared))).abort_handle();
        Verifier { shared, _polling: Arc::new(Polling(polling)) }
    }
}

impl Verifier {
    /// Starts a verifier, which asks the server by this client from now on. The client's key needs
    /// the scope `api_key:verify`, and its user the role `verifier` or `owner`. `name` is what
    /// operators see of it. Must be called on a tokio runtime, which it polls on.
    #[must_use]
    pub fn start(client: &Client, name: &str) -> Self {
        Self::builder(client, name).start()
    }

    /// The same, with something to say about it first.
    pub fn builder(client: &Client, name: &str) -> VerifierBuilder {
        let client = client.clone();
        VerifierBuilder { client, name: name.to_owned(), most_keys: MOST_KEYS, timeout: TIMEOUT }
    }

    /// Judges a presented key by what it is needed for. After the first use of a key this is done
    /// in less than a microsecond, and the future is ready at once.
    ///
    /// # Errors
    /// [`Denied`] says why it is not accepted.
    pub async fn verify(&self, token: &str, need: &Need) -> Result<Verified, Denied> {
        match self.shared.recall(token, need) {
            Some(judged) => judged,
            // Apart, since a request is large, and the room for it would be part of every future.
            None => Box::pin(self.shared.ask(token, need)).await,
        }
    }

    /// Does it hold a lease now? Then keys that it remembers are judged here, without the network.
    /// A server that gives no leases, as one of several on PostgreSQL, never lets it.
    #[must_use]
    pub fn holds_lease(&self) -> bool {
        Moment::now() < self.shared.memory.lease()
    }

    /// Is it connected, for a readiness probe? It is when the server answered the last poll, and so
    /// allows this client to verify keys, or when it still holds a lease.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared.connected.load(Ordering::Relaxed) || self.holds_lease()
    }

    /// How many keys it remembers.
    #[must_use]
    pub fn remembered_keys(&self) -> usize {
        self.shared.memory.len()
    }

    /// Takes up an answer of the server's about this key, as [`verify`](Self::verify) does with one
    /// it asked for. For benchmarks, which want many keys at once.
    ///
    /// # Errors
    /// [`Denied::Invalid`] when the answer knows no such key.
    #[doc(hidden)]
    pub fn learn(&self, token: &str, answer: &LookUpResponse) -> Result<(), Denied> {
        let presented = PresentedKey::parse(token).map_err(|_malformed| Denied::Invalid)?;
        self.shared.learn(&presented, answer, Moment::now()).map(drop)
    }
}

impl Shared {
    /// Judges by what is remembered; none if that is not possible, or not allowed.
    ///
    /// The order is what makes it safe: the end of the lease first, then the look-up, then the
    /// clock, which must not have reached that end. Say a change has been acknowledged to whoever
    /// made it before this began. Either this verifier has said that it applied the change: then
    /// what it ends was dropped before the look-up. Or every lease given before the change was over
    /// by then: so is the one read here, if it is one of those, and the clock shows it. If it is a
    /// later one, the answer that gave it told of the change, which was applied before the lease
    /// was written, and the look-up comes after it was read.
    ///
    /// A lease that is read after the look-up could be a newer one than what was found. A clock
    /// that is read before the look-up would not see that this thread was stopped in between. So
    /// one reading of each is enough, in this order and no other.
    fn recall(&self, token: &str, need: &Need) -> Option<Result<Verified, Denied>> {
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
        Some(Denied::unless_valid(verdict).map(|()| Verified::new(facts)))
    }

    /// Asks the server for the facts, and remembers them.
    async fn ask(&self, token: &str, need: &Need) -> Result<Verified, Denied> {
        // What cannot be a key costs no request.
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
        let facts = Facts::of(answer, told, presented, sent).ok_or(Denied::Invalid)?;
        self.memory.keep(answer, presented.digest, facts.clone());
        Ok(facts)
    }

    /// Notes whether a poll was answered.
    pub(super) fn answered(&self, answered: bool) {
        self.connected.store(answered, Ordering::Relaxed);
    }
}
