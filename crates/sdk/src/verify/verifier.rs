//! The verifier: judges, and keeps its lease.

use std::sync::{Arc, Weak};
use std::time::Duration;

use keyward_api::verifiers::{LookUpKey, LookUpRequest, PollRequest, PollResponse, PollVerifier};
use keyward_domain::Timestamp;
use keyward_domain::key::PresentedKey;
use uuid::Uuid;

use super::clock::Moment;
use super::facts::{Facts, Verified};
use super::memory::Memory;
use super::need::Need;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;

/// How many keys are remembered. A key takes about a kibibyte.
const MOST_KEYS: usize = 100_000;

/// How long to wait after a poll that failed, or where there is no lease to be had.
const PAUSE: Duration = Duration::from_millis(500);

/// Why a key is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// Malformed, unknown, or the secret is wrong: all alike.
    #[error("the key is invalid")]
    Invalid,
    /// It is over since then.
    #[error("the key expired at {0}")]
    Expired(Timestamp),
    /// Its user is suspended.
    #[error("the key's user is suspended")]
    UserSuspended,
    /// It lacks this scope.
    #[error("the key lacks the scope \"{0}\"")]
    InsufficientScope(String),
    /// Its allow list does not cover this.
    #[error("the key's allow list does not cover \"{0}\"")]
    ResourceNotAllowed(String),
    /// What it is needed for is neither a scope nor a thing: a mistake of the program's.
    #[error("\"{0}\" is neither a scope, such as workspace:read, nor a thing, such as workspace:w1")]
    UnreadableNeed(String),
    /// The server had to be asked and could not be. Not known to be good is not accepted.
    #[error("the key could not be judged: {0}")]
    Unavailable(#[source] Box<Error>),
}

/// Judges keys in this process. Cheap to clone; the last clone to go ends its polling.
#[derive(Clone, Debug)]
pub struct Verifier {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    id: Uuid,
    name: String,
    client: Client,
    memory: Memory,
}

impl Verifier {
    /// Starts a verifier, which asks the server by this client from now on. The client's key needs
    /// the scope `api_key:verify`, and its user the role `verifier` or `owner`. `name` is what
    /// operators see of it. Must be called on a tokio runtime, which it polls on.
    #[must_use]
    pub fn start(client: &Client, name: &str) -> Self {
        let memory = Memory::new(MOST_KEYS);
        let shared = Arc::new(Shared { id: Uuid::new_v4(), name: name.to_owned(), client: client.clone(), memory });
        tokio::spawn(keep_lease(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// Judges a presented key by what it is needed for.
    ///
    /// # Errors
    /// [`Denied`] says why it is not accepted.
    pub async fn verify(&self, token: &str, need: &Need) -> Result<Verified, Denied> {
        if let Some(text) = &need.unreadable {
            return Err(Denied::UnreadableNeed(text.clone()));
        }
        let presented = PresentedKey::parse(token).map_err(|_malformed| Denied::Invalid)?;
        // The lease must hold before the look-up: were it only asked for afterwards, it might have been
        // renewed meanwhile, together with a change that drops what was just found. And it must hold
        // still when the answer is given, in case this thread was stopped in between.
        let memory = &self.shared.memory;
        let found = if memory.lease_holds(Moment::now()) { memory.get(&presented.digest) } else { None };
        if let Some(facts) = found {
            let now = Moment::now();
            let judged = facts.judge(need, now);
            // A session that is over by what is remembered may have slid since.
            let slid = matches!(judged, Err(Denied::Expired(_))) && presented.claims_session();
            if memory.lease_holds(now) && !slid {
                return judged;
            }
        }
        self.ask(token, &presented, need).await
    }

    /// Asks the server for the facts, and remembers them.
    async fn ask(&self, token: &str, presented: &PresentedKey, need: &Need) -> Result<Verified, Denied> {
        let unavailable = |error: Error| Denied::Unavailable(Box::new(error));
        let sent = Moment::now();
        let request = LookUpRequest { key: token.to_owned() };
        let call = Call::<LookUpKey>::new(&[]).and_then(|call| call.body(&request));
        let call = call.map_err(|error| unavailable(error.into()))?;
        let answer = self.shared.client.call(call).await.map_err(unavailable)?.value;
        let told = answer.facts.as_ref().ok_or(Denied::Invalid)?;
        let facts = Facts::of(&answer, told, sent).ok_or(Denied::Invalid)?;
        self.shared.memory.keep(&answer, &presented.digest, facts).judge(need, Moment::now())
    }
}

/// Polls until the verifier is gone.
async fn keep_lease(shared: Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        let sent = Moment::now();
        let renewed = match poll(&shared).await {
            Ok(news) => {
                shared.memory.apply(&news, sent);
                news.lease_ms > 0
            }
            // The lease runs out by itself; until then what is remembered is right.
            Err(_) => false,
        };
        drop(shared);
        if !renewed {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn poll(shared: &Shared) -> Result<PollResponse, Error> {
    let applied = shared.memory.applied();
    let request = PollRequest {
        id: shared.id,
        name: shared.name.clone(),
        start: applied.map(|(start, _)| start),
        acknowledged: applied.map_or(0, |(_, change)| change),
    };
    Ok(shared.client.call(Call::<PollVerifier>::new(&[])?.body(&request)?).await?.value)
}
