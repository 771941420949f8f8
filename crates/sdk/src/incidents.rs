//! Incidents: finds whose key a text is, and ends many keys at once.

use std::time::Duration;

use keyward_api::incidents::{
    ExpireKeys, ExpireKeysRequest, ExpireKeysResponse, ExpirePreview, ExpiredKeys, Incident, ListIncidents,
    ViewIncident,
};
use keyward_api::keys::{Identified, IdentifyKey, IdentifyRequest};
use uuid::Uuid;
use zeroize::Zeroize as _;

use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::secret::SecretString;

/// Timeout of one attempt to end many keys. The server ends some thousand keys a second and then waits
/// for the verifiers.
const EXPIRE_KEYS_TIMEOUT: Duration = Duration::from_secs(600);

impl Client {
    /// Whose key a text is. The text may also be a part of a key that holds its ID. The server stores and
    /// logs no secret, and records no use of the key.
    ///
    /// # Errors
    /// [`Error::Api`] if the caller may not read keys (403). A text that leads to no key is no error: see
    /// [`Identified::found`].
    pub async fn identify(&self, key: &SecretString) -> Result<Identified, Error> {
        let mut request = IdentifyRequest { key: key.expose().to_owned() };
        let call = Call::<IdentifyKey>::new(&[]).and_then(|call| call.body(&request));
        request.key.zeroize();
        Ok(self.call(call?).await?.value)
    }

    /// What [`expire_keys`](Self::expire_keys) would end. This ends nothing, whatever the request says.
    ///
    /// # Errors
    /// [`Error::Api`] if the selector is empty or invalid (400), or if the caller is not allowed to (403).
    pub async fn preview_expire(&self, request: &ExpireKeysRequest) -> Result<ExpirePreview, Error> {
        let mut request = request.clone();
        request.dry_run = true;
        let call = Call::<ExpireKeys>::new(&[])?.body(&request)?.repeatable();
        match self.call(call).await?.value {
            ExpireKeysResponse::Preview(preview) => Ok(preview),
            ExpireKeysResponse::Expired(_) => Err(unexpected("the result of an expire instead of a dry run")),
        }
    }

    /// Ends all keys of a preview. Once this returns, no server or verifier accepts any of them.
    ///
    /// With an `incident_id`, the call is retried like an idempotent one, and can also be repeated after an
    /// error: the server goes on where it stopped. It may take minutes, so that the timeout of an attempt
    /// is 10 minutes, and the [deadline](crate::ClientBuilder::deadline) does not apply.
    ///
    /// ```no_run
    /// # async fn example(client: keyward_sdk::Client) -> Result<(), keyward_sdk::Error> {
    /// use keyward_sdk::KeySelector;
    /// use keyward_sdk::types::{ExpireKeysRequest, Uuid};
    ///
    /// let mut selector = KeySelector::default();
    /// selector.user = Some("svc-deploy".to_owned());
    /// let request = ExpireKeysRequest::dry_run(selector, true);
    /// let preview = client.preview_expire(&request).await?;
    /// println!("{} keys will end", preview.matched);
    /// let request = request.confirmed(preview.digest, Uuid::now_v7(), "compromised".to_owned(), None);
    /// let done = client.expire_keys(&request).await?;
    /// println!("{} keys ended", done.expired);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Api`] with the code `selection_changed` if the selector matches other keys than those of the
    /// preview (409), if a field is invalid (400), or if the caller is not allowed to (403).
    pub async fn expire_keys(&self, request: &ExpireKeysRequest) -> Result<ExpiredKeys, Error> {
        let mut request = request.clone();
        request.dry_run = false;
        let call = Call::<ExpireKeys>::new(&[])?.body(&request)?.timeout(EXPIRE_KEYS_TIMEOUT).without_deadline();
        // Without an ID, a repeated request would begin another incident.
        let call = if request.incident_id.is_some() { call.repeatable() } else { call };
        match self.call(call).await?.value {
            ExpireKeysResponse::Expired(expired) => Ok(expired),
            ExpireKeysResponse::Preview(_) => Err(unexpected("a dry run instead of the result of an expire")),
        }
    }

    /// The newest incidents, up to 100. Those who may read the audit log see all, others their own.
    ///
    /// # Errors
    /// [`Error::Api`] if the caller may not read keys (403).
    pub async fn incidents(&self) -> Result<Vec<Incident>, Error> {
        Ok(self.call(Call::<ListIncidents>::new(&[])?).await?.value.incidents)
    }

    /// An incident, and how many of its keys it has ended so far.
    ///
    /// # Errors
    /// [`Error::Api`] if there is no such incident or it is hidden (404).
    pub async fn incident(&self, id: Uuid) -> Result<Incident, Error> {
        Ok(self.call(Call::<ViewIncident>::new(&[&id.to_string()])?).await?.value)
    }
}

/// The error for a success of the wrong kind, which another program may have sent.
fn unexpected(what: &str) -> Error {
    Error::Decode { status: 200, body: String::new(), reason: format!("got {what}"), request_id: String::new() }
}
