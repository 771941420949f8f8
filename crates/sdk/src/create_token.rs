//! Making a token: what is asked for, and what comes back once.

use std::time::Duration;

use keyward_api::keys::{ApiKey, CreateToken as Endpoint, CreateTokenRequest};

use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, InvalidInput};
use crate::secret::SecretString;
use crate::user_ref::UserRef;

/// What a new token shall be. Everything may be left out.
///
/// ```
/// use std::time::Duration;
///
/// let wanted = keyward_sdk::CreateToken::new()
///     .name("ci")
///     .lifetime(Duration::from_secs(3600))
///     .scopes(["workspace:read", "template:read"])
///     .allow("workspace:*");
/// # let _ = wanted;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct CreateToken {
    name: Option<String>,
    lifetime: Option<Duration>,
    scopes: Option<Vec<String>>,
    allow_list: Option<Vec<String>>,
}

impl CreateToken {
    /// A token with a random name, the server's default lifetime, and all that its user may do.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its name, unlike that of any other live token of its user.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How long it lives: a second at least, and at most what the server allows.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// One more scope, such as `workspace:read`.
    pub fn scope(self, scope: impl Into<String>) -> Self {
        self.scopes([scope])
    }

    /// More scopes. If none are given in all, by a list that happens to be empty, the server
    /// refuses: only a token of which no scope was ever spoken may do everything.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes.get_or_insert_default().extend(scopes.into_iter().map(Into::into));
        self
    }

    /// One more thing that it may be used on: `type:id`, `type:*` or `*:*`.
    pub fn allow(self, entry: impl Into<String>) -> Self {
        self.allow_list([entry])
    }

    /// More things that it may be used on. None in all means everything.
    pub fn allow_list(mut self, entries: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allow_list.get_or_insert_default().extend(entries.into_iter().map(Into::into));
        self
    }

    fn to_request(&self) -> Result<CreateTokenRequest, InvalidInput> {
        let mut request = CreateTokenRequest::default();
        request.lifetime = self.lifetime.map(nanoseconds).transpose()?;
        request.token_name.clone_from(&self.name);
        request.scopes.clone_from(&self.scopes);
        request.allow_list.clone_from(&self.allow_list);
        Ok(request)
    }
}

/// The wire's form. There, zero stands for the default: whoever worked out that no time is left
/// must not be given a week.
fn nanoseconds(lifetime: Duration) -> Result<i64, InvalidInput> {
    match i64::try_from(lifetime.as_nanos()) {
        Ok(nanos) if nanos > 0 => Ok(nanos),
        Ok(_) | Err(_) => Err(InvalidInput::Lifetime(lifetime)),
    }
}

/// A new token, and the one time that its secret can be read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CreatedToken {
    /// The secret text, to be handed to whoever shall use it.
    pub key: SecretString,
    /// The token, as it can be seen ever after.
    pub token: ApiKey,
}

impl CreatedToken {
    /// The token's id, which may be shown and kept.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.token.id
    }
}

impl Client {
    /// Makes a token for the user. Never sent twice: if the answer is lost, look in
    /// [`tokens`](Client::tokens) whether there is one that nobody holds, and expire it.
    ///
    /// # Errors
    /// [`Error::Api`] for a name that is taken (409), a scope, allow list or lifetime that the
    /// server does not have or the caller may not give (400, 403), a user not to be seen (404).
    pub async fn create_token(&self, user: &UserRef, req: &CreateToken) -> Result<CreatedToken, Error> {
        let call = Call::<Endpoint>::new(&[&user.to_string()])?.body(&req.to_request()?)?.with_secret_answer();
        let created = self.call(call).await?.value;
        Ok(CreatedToken { key: created.key.into(), token: created.token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(wanted: &CreateToken) -> String {
        serde_json::to_string(&wanted.to_request().unwrap()).unwrap()
    }

    #[test]
    fn only_what_was_said_is_sent() {
        assert_eq!(json(&CreateToken::new()), "{}");
        let all =
            CreateToken::new().name("ci").lifetime(Duration::from_secs(2)).scope("a:b").scopes(["c:d"]).allow("e:f");
        assert_eq!(
            json(&all),
            r#"{"lifetime":2000000000,"token_name":"ci","scopes":["a:b","c:d"],"allow_list":["e:f"]}"#
        );
    }

    #[test]
    fn an_empty_list_of_scopes_is_not_no_list() {
        assert_eq!(json(&CreateToken::new().scopes(Vec::<String>::new())), r#"{"scopes":[]}"#);
    }

    #[test]
    fn a_lifetime_of_nothing_or_of_centuries_is_refused() {
        for lifetime in [Duration::ZERO, Duration::MAX, Duration::from_secs(300 * 365 * 86_400)] {
            let error = CreateToken::new().lifetime(lifetime).to_request().unwrap_err();
            assert_eq!(error, InvalidInput::Lifetime(lifetime));
        }
    }
}
