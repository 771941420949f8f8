//! Keys that there are: list, view, expire, delete.

use std::time::Duration;

use futures_core::Stream;
use futures_util::TryStreamExt as _;
use keyward_api::keys::{
    ApiKey, ApiKeyWithOwner, CreateSessionKey, DeleteKey, ExpireKey, KeysQuery, ListKeys, ListTokens, TokenConfig,
    TokensQuery, ViewKey, ViewTokenByName, ViewTokenConfig,
};

use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::page::{self, Page, Paged};
use crate::secret::SecretString;
use crate::user_ref::UserRef;

/// Which tokens. Has no other fields on purpose, so that it can be written out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokensFilter {
    /// Those of every user that the caller may read.
    pub include_all: bool,
    /// The expired ones too.
    pub include_expired: bool,
}

/// Which keys of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeysFilter {
    /// The expired ones too.
    pub include_expired: bool,
}

/// A key has been expired, or was already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpireOutcome {
    /// How many embedded verifiers said that they know.
    pub confirmed: u64,
    /// How many did not, and were waited for until their lease had run out.
    pub lapsed: u64,
    /// How long the server waited for them.
    pub waited: Duration,
}

impl ExpireOutcome {
    /// Reads `confirmed=3 lapsed=0 ms=4`; what is absent is nothing.
    fn read(told: &str) -> Self {
        let number = |name: &str| {
            let mut pairs = told.split(' ').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
        };
        Self { confirmed: number("confirmed"), lapsed: number("lapsed"), waited: Duration::from_millis(number("ms")) }
    }
}

impl Client {
    /// The user's tokens, from every page, latest end first.
    ///
    /// # Errors
    /// [`Error::Api`] for a user not to be seen (404). No error leaves a part of the list behind.
    pub async fn tokens(&self, user: &UserRef, filter: &TokensFilter) -> Result<Vec<ApiKeyWithOwner>, Error> {
        self.tokens_stream(user, filter).try_collect().await
    }

    /// The same, one by one, fetched page by page as they are asked for. While it runs, a token
    /// that expires may be seen twice; none is missed. Ends with the first error.
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
        let (client, user, filter) = (self.clone(), user.clone(), *filter);
        Box::pin(page::walk(move |page| {
            let (client, user) = (client.clone(), user.clone());
            async move { client.tokens_page(&user, &filter, &page).await }
        }))
    }

    /// One page of the user's tokens.
    ///
    /// # Errors
    /// [`Error::Api`] for a user not to be seen (404), a limit out of range or a cursor that is
    /// not the server's (400).
    pub async fn tokens_page(
        &self,
        user: &UserRef,
        filter: &TokensFilter,
        page: &Page,
    ) -> Result<Paged<Vec<ApiKeyWithOwner>>, Error> {
        let query = TokensQuery::new(filter.include_all, filter.include_expired, page.limit, page.after.clone());
        let answer = self.call(Call::<ListTokens>::new(&[&user.to_string()])?.query(&query)?).await?;
        Ok(Paged::new(answer.value, answer.next))
    }

    /// The user's keys of every login type, tokens and sessions, from every page.
    ///
    /// # Errors
    /// [`Error::Api`] for a user not to be seen (404).
    pub async fn api_keys(&self, user: &UserRef, filter: &KeysFilter) -> Result<Vec<ApiKeyWithOwner>, Error> {
        let (client, user, include_expired) = (self.clone(), user.to_string(), filter.include_expired);
        let keys = page::walk(move |page| {
            let (client, user) = (client.clone(), user.clone());
            async move {
                let query = KeysQuery::new(include_expired, page.limit, page.after);
                let answer = client.call(Call::<ListKeys>::new(&[&user])?.query(&query)?).await?;
                Ok(Paged::new(answer.value, answer.next))
            }
        });
        keys.try_collect().await
    }

    /// Makes a session key for the user, and the one time that it can be read. Never sent twice.
    ///
    /// # Errors
    /// [`Error::Api`] when the caller may not (403) or the user is not to be seen (404).
    pub async fn create_api_key(&self, user: &UserRef) -> Result<SecretString, Error> {
        let call = Call::<CreateSessionKey>::new(&[&user.to_string()])?.with_secret_answer();
        Ok(self.call(call).await?.value.key.into())
    }

    /// The limits for the user's tokens.
    ///
    /// # Errors
    /// [`Error::Api`] for a user not to be seen (404).
    pub async fn token_config(&self, user: &UserRef) -> Result<TokenConfig, Error> {
        Ok(self.call(Call::<ViewTokenConfig>::new(&[&user.to_string()])?).await?.value)
    }

    /// The user's live token of that name, or else the one that expired last.
    ///
    /// # Errors
    /// [`Error::Api`] when there is none to be seen (404).
    pub async fn api_key_by_name(&self, user: &UserRef, name: &str) -> Result<ApiKey, Error> {
        Ok(self.call(Call::<ViewTokenByName>::new(&[&user.to_string(), name])?).await?.value)
    }

    /// The key of that id, token or session, expired or not.
    ///
    /// # Errors
    /// [`Error::Api`] when there is none to be seen (404).
    pub async fn api_key_by_id(&self, user: &UserRef, id: &str) -> Result<ApiKey, Error> {
        Ok(self.call(Call::<ViewKey>::new(&[&user.to_string(), id])?).await?.value)
    }

    /// Ends the key now and keeps its record. When this returns, the key opens nothing any more;
    /// ending a dead key changes nothing and is no error.
    ///
    /// # Errors
    /// [`Error::Api`] when there is none to be seen (404), or the caller may not (403).
    pub async fn expire_api_key(&self, user: &UserRef, id: &str) -> Result<ExpireOutcome, Error> {
        let answer = self.call(Call::<ExpireKey>::new(&[&user.to_string(), id])?).await?;
        Ok(answer.barrier.as_deref().map_or_else(ExpireOutcome::default, ExpireOutcome::read))
    }

    /// Removes the key and its record; the audit log keeps what it was.
    ///
    /// # Errors
    /// [`Error::Api`] when there is none to be seen (404), or the caller may not (403).
    pub async fn delete_api_key(&self, user: &UserRef, id: &str) -> Result<(), Error> {
        self.call(Call::<DeleteKey>::new(&[&user.to_string(), id])?).await?;
        Ok(())
    }
}
