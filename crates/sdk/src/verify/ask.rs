//! Asks the server to verify a presented key, and lists the connected verifiers.

use keyward_api::verifiers::{ListVerifiers, VerifierInfo};
use keyward_api::verify::{VerifyKey, VerifyRequest, VerifyResponse};

use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::secret::SecretString;

impl Client {
    /// Asks the server whether a presented key is valid, has all of `scopes` and may act on `resource`
    /// (`type:id`). The caller needs the role `verifier` or `owner` and the scope `api_key:verify`.
    ///
    /// An invalid key is not an error: the response says why in `code`.
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
    /// [`Error::Api`] if the caller is not allowed to ask (403) or a scope does not exist (400).
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

    /// The connected embedded verifiers, by name.
    ///
    /// # Errors
    /// [`Error::Api`] if the caller is not allowed to list them (403).
    pub async fn verifiers(&self) -> Result<Vec<VerifierInfo>, Error> {
        Ok(self.call(Call::<ListVerifiers>::new(&[])?).await?.value)
    }
}
