//! Asking the server whether a key that somebody presented is good, and who else judges keys.

use keyward_api::verifiers::{ListVerifiers, VerifierInfo};
use keyward_api::verify::{VerifyKey, VerifyRequest, VerifyResponse};

use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::secret::SecretString;

impl Client {
    /// Judges a presented key by the scopes that are needed, all of them, and the thing
    /// (`type:id`) that it is used on. Whoever asks needs the role `verifier` or `owner` and the
    /// scope `api_key:verify`.
    ///
    /// A key that is not good is no error: the answer says why in `code`.
    ///
    /// ```no_run
    /// # async fn example(client: keyward_sdk::Client, presented: keyward_sdk::SecretString) -> Result<(), keyward_sdk::Error> {
    /// let judged = client.verify_key(&presented, &["workspace:read"], Some("workspace:w1")).await?;
    /// if judged.valid {
    ///     println!("welcome, {}", judged.user.map(|user| user.username).unwrap_or_default());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Api`] when the caller may not ask (403), or asks for a scope that does not exist
    /// (400).
    pub async fn verify_key(
        &self,
        key: &SecretString,
        scopes: &[&str],
        resource: Option<&str>,
    ) -> Result<VerifyResponse, Error> {
        let mut request = VerifyRequest::new(key.expose());
        request.scopes = (!scopes.is_empty()).then(|| scopes.iter().map(|&scope| scope.to_owned()).collect());
        request.resource = resource.map(str::to_owned);
        Ok(self.call(Call::<VerifyKey>::new(&[])?.body(&request)?).await?.value)
    }

    /// The embedded verifiers that are connected, by name.
    ///
    /// # Errors
    /// [`Error::Api`] when the caller may not see them (403).
    pub async fn verifiers(&self) -> Result<Vec<VerifierInfo>, Error> {
        Ok(self.call(Call::<ListVerifiers>::new(&[])?).await?.value)
    }
}
