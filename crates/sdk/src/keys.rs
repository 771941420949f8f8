//! Keys: list, view, expire, delete.

use std::time::Duration;

use futures_core::Stream;
use futures_util::TryStreamExt as _;
use keyward_api::keys::{
    ApiKey, ApiKeyWithOwner, CreateSessionKey, DeleteKey, ExpireKey, ExpireKeyRequest, KeyActivity, ListKeys,
    ListTokens, TokenConfig, ViewKey, ViewKeyActivity, ViewTokenByName, ViewTokenConfig,
};

use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::keys_filter::{KeysFilter, TokensFilter};
use crate::page::{self, Page, Paged};
use crate::secret::SecretString;
use crate::user_ref::UserRef;

/// The result of expiring a key, which may have expired before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpireOutcome {
    /// Number of embedded verifiers that confirmed the expire.
    pub confirmed: u64,
    /// Number of embedded verifiers that did not confirm and whose lease ran out.
    pub lapsed: u64,
    /// How long the server waited for the verifiers.
    pub waited: Duration,
}

impl ExpireOutcome {
    /// Parses `confirmed=3 lapsed=0 ms=4`. A missing or invalid number counts as 0.
    fn parse(text: &str) -> Self {
        let number = |name: &str| {
            let mut pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
        };
        Self { confirmed: number("confirmed"), lapsed: number("lapsed"), waited: Duration::from_millis(number("ms")) }
    }
}

impl Client {
    /// All tokens of the user, latest expiry first. Reads every page.
    ///
    /// # Errors
    /// [`Error::Api`] if the user does not exist or is hidden (404). After an error there is no partial
    /// list.
    pub async fn tokens(&self, user: &UserRef, filter: &TokensFilter) -> Result<Vec<ApiKeyWithOwner>, Error> {
        self.tokens_stream(user, filter).try_collect().await
    }

    /// Like [`tokens`](Self::tokens), but a stream that fetches each page when it is needed. A token
    /// that expires meanwhile may appear twice; none is missed. The stream ends after the first error.
    ///
    /// ```no_run
    /// # async fn example(client: keyward_sdk::Client) -> Result<(), keyward_sdk::Error> {
    /// use futures_util::TryStreamExt as _;
    /// use keyward_sdk::{TokensFilter, UserRef};
    ///
    /// let mut tokens = client.tokens_stream(&UserRef::Me, &TokensFilter::default());
    /// while let Some(token) = tokens.try_next().await? {
    ///     println!("{} {}", token.key.id, token.key.token_name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn tokens_stream(
        &self,
        user: &UserRef,
        filter: &TokensFilter,
    ) -> impl Stream<Item = Result<ApiKeyWithOwner, Error>> + Send + Unpin + use<> + 'static {
        let (client, user, filter) = (self.clone(), user.clone(), filter.clone());
        Box::pin(page::walk(move |page| {
            let (client, user, filter) = (client.clone(), user.clone(), filter.clone());
            async move { client.tokens_page(&user, &filter, &page).await }
        }))
    }

    /// One page of the user's tokens.
    ///
    /// # Errors
    /// [`Error::Api`] if the user does not exist or is hidden (404), or if the limit, the cursor or a
    /// condition is invalid (400).
    pub async fn tokens_page(
        &self,
        user: &UserRef,
        filter: &TokensFilter,
        page: &Page,
    ) -> Result<Paged<Vec<ApiKeyWithOwner>>, Error> {
        let call = Call::<ListTokens>::new(&[&user.to_string()])?.query(&filter.query(page))?;
        let answer = self.call(call).await?;
        Ok(Paged::new(answer.value, answer.next))
    }

    /// All keys of the user, tokens and sessions. Reads every page.
    ///
    /// # Errors
    /// [`Error::Api`] if the user does not exist or is hidden (404).
    pub async fn api_keys(&self, user: &UserRef, filter: &KeysFilter) -> Result<Vec<ApiKeyWithOwner>, Error> {
        let (client, user, filter) = (self.clone(), user.to_string(), filter.clone());
        let keys = page::walk(move |page| {
            let (client, user, filter) = (client.clone(), user.clone(), filter.clone());
            async move {
                let answer = client.call(Call::<ListKeys>::new(&[&user])?.query(&filter.query(&page))?).await?;
                Ok(Paged::new(answer.value, answer.next))
            }
        });
        keys.try_collect().await
    }

    /// Creates a session for the user and returns its secret, once. This is never retried.
    ///
    /// # Errors
    /// [`Error::Api`] if the caller is not allowed to (403) or the user does not exist or is hidden
    /// (404).
    pub async fn create_api_key(&self, user: &UserRef) -> Result<SecretString, Error> {
        let call = Call::<CreateSessionKey>::new(&[&user.to_string()])?.with_secret_answer();
        Ok(self.call(call).await?.value.key.into())
    }

    /// The limits of the user's tokens.
    ///
    /// # Errors
    /// [`Error::Api`] if the user does not exist or is hidden (404).
    pub async fn token_config(&self, user: &UserRef) -> Result<TokenConfig, Error> {
        Ok(self.call(Call::<ViewTokenConfig>::new(&[&user.to_string()])?).await?.value)
    }

    /// The user's unexpired token with this name; if there is none, the one that expired last.
    ///
    /// # Errors
    /// [`Error::Api`] if there is no such token or it is hidden (404).
    pub async fn api_key_by_name(&self, user: &UserRef, name: &str) -> Result<ApiKey, Error> {
        Ok(self.call(Call::<ViewTokenByName>::new(&[&user.to_string(), name])?).await?.value)
    }

    /// The key with this ID: a token or session, expired or not.
    ///
    /// # Errors
    /// [`Error::Api`] if there is no such key or it is hidden (404).
    pub async fn api_key_by_id(&self, user: &UserRef, id: &str) -> Result<ApiKey, Error> {
        Ok(self.call(Call::<ViewKey>::new(&[&user.to_string(), id])?).await?.value)
    }

    /// How the key was used and refused last: up to 100 rows of each, the last first. The server writes the
    /// counts every few seconds.
    ///
    /// # Errors
    /// [`Error::Api`] if there is no such key or it is hidden, or if the server is older than this endpoint
    /// (404).
    pub async fn activity(&self, user: &UserRef, id: &str) -> Result<KeyActivity, Error> {
        Ok(self.call(Call::<ViewKeyActivity>::new(&[&user.to_string(), id])?).await?.value)
    }

    /// Expires the key now and keeps its record. Once this returns, no server or verifier accepts the
    /// key. Expiring an expired key changes nothing and succeeds.
    ///
    /// # Errors
    /// [`Error::Api`] if there is no such key or it is hidden (404), or if the caller is not allowed to
    /// (403).
    pub async fn expire_api_key(&self, user: &UserRef, id: &str) -> Result<ExpireOutcome, Error> {
        self.expire(Call::new(&[&user.to_string(), id])?).await
    }

    /// Like [`expire_api_key`](Self::expire_api_key), with a reason, a note, or the keys that the key has
    /// created.
    ///
    /// ```no_run
    /// # async fn example(client: keyward_sdk::Client) -> Result<(), keyward_sdk::Error> {
    /// use keyward_sdk::UserRef;
    /// use keyward_sdk::types::ExpireKeyRequest;
    ///
    /// let why = ExpireKeyRequest::new(Some("compromised".to_owned()), Some("found in a log".to_owned()), true);
    /// client.expire_api_key_because(&UserRef::Me, "kwd_a1B2c3D4e5", &why).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Api`] if there is no such key or it is hidden (404), if the caller is not allowed to (403),
    /// or if the reason or the note is invalid (400).
    pub async fn expire_api_key_because(
        &self,
        user: &UserRef,
        id: &str,
        why: &ExpireKeyRequest,
    ) -> Result<ExpireOutcome, Error> {
        self.expire(Call::new(&[&user.to_string(), id])?.body(why)?).await
    }

    async fn expire(&self, call: Call<ExpireKey>) -> Result<ExpireOutcome, Error> {
        let answer = self.call(call).await?;
        Ok(answer.barrier.as_deref().map_or_else(ExpireOutcome::default, ExpireOutcome::parse))
    }

    /// Deletes the key and its record. The audit log keeps a description of it.
    ///
    /// # Errors
    /// [`Error::Api`] if there is no such key or it is hidden (404), or if the caller is not allowed to
    /// (403).
    pub async fn delete_api_key(&self, user: &UserRef, id: &str) -> Result<(), Error> {
        self.call(Call::<DeleteKey>::new(&[&user.to_string(), id])?).await?;
        Ok(())
    }
}
