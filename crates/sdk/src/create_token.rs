//! Creates a token and returns its secret, once.

use std::time::Duration;

use keyward_api::keys::{ApiKey, CreateToken as Endpoint, CreateTokenRequest};

use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, InvalidInput};
use crate::secret::SecretString;
use crate::user_ref::UserRef;

/// Parameters of a new token. All are optional.
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
    /// A token with a random name, the server's default lifetime and all permissions of its user.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name. It must differ from those of the user's other unexpired tokens.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The lifetime: at least 1 s and at most the server's maximum.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Adds a scope, such as `workspace:read`.
    pub fn scope(self, scope: impl Into<String>) -> Self {
        self.scopes([scope])
    }

    /// Adds scopes. Without any call the token gets all scopes. If the calls together add none, the
    /// server refuses the request, so that an accidentally empty list does not grant everything.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes.get_or_insert_default().extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Adds a resource that the token may act on: `type:id`, `type:*` or `*:*`.
    pub fn allow(self, entry: impl Into<String>) -> Self {
        self.allow_list([entry])
    }

    /// Adds resources that the token may act on. If none are added, it may act on all.
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

/// The lifetime as the API has it, in nanoseconds. There, 0 means the default lifetime, so a computed
/// lifetime of 0 must be an error.
fn nanoseconds(lifetime: Duration) -> Result<i64, InvalidInput> {
    match i64::try_from(lifetime.as_nanos()) {
        Ok(nanos) if nanos > 0 => Ok(nanos),
        Ok(_) | Err(_) => Err(InvalidInput::Lifetime(lifetime)),
    }
}

/// A new token with its secret, which the server returns only here.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CreatedToken {
    /// The secret.
    pub key: SecretString,
    /// The token's record, without the secret.
    pub token: ApiKey,
}

impl CreatedToken {
    /// The token's ID, which is not secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.token.id
    }
}

impl Client {
    /// Creates a token for the user. This is never retried. If the response is lost, look for an
    /// unexpected token in [`tokens`](Client::tokens) and expire it.
    ///
    /// # Errors
    /// [`Error::Api`] if the name is taken (409); if a scope, the allow list or the lifetime is invalid
    /// (400) or exceeds the caller's permissions (403); if the user does not exist or is hidden (404).
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
