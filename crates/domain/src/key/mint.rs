//! No key creates a key with more rights than its own. Every path that creates a key checks this.

use super::{ApiKey, KeyKind};
use crate::allow_list::AllowList;
use crate::clock::Timestamp;
use crate::scope::{Catalogue, Scopes};

/// The rights requested for a new key.
#[derive(Clone, Copy, Debug)]
pub struct MintRequest<'a> {
    /// The requested scopes.
    pub scopes: &'a Scopes,
    /// The requested allow list.
    pub allow_list: &'a AllowList,
    /// The requested expiry; none accepts whatever the limits allow.
    pub expires_at: Option<Timestamp>,
}

/// What in a request exceeds the calling key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExceedsCaller {
    /// A scope that the calling key lacks.
    #[error("the calling key lacks the scope \"{0}\"")]
    Scope(String),
    /// An allow-list entry that the calling key's allow list does not cover.
    #[error("the calling key's allow list does not cover \"{0}\"")]
    AllowList(String),
    /// An expiry later than the calling key's.
    #[error("the calling key expires at {0}, before the requested expiry")]
    Lifetime(Timestamp),
}

/// Checks that the request stays within the rights of `caller`. Returns the latest expiry of the
/// new key: a token's own expiry; none for a session, because a person is using it.
///
/// # Errors
/// [`ExceedsCaller`] names the first part of the request that exceeds the caller.
pub fn within_caller(
    caller: &ApiKey,
    request: MintRequest<'_>,
    catalogue: &Catalogue,
) -> Result<Option<Timestamp>, ExceedsCaller> {
    if let Some(scope) = catalogue.first_missing(&caller.scopes, request.scopes) {
        return Err(ExceedsCaller::Scope(scope.to_string()));
    }
    if let Some(entry) = caller.allow_list.first_outside(request.allow_list) {
        return Err(ExceedsCaller::AllowList(entry.to_string()));
    }
    match caller.kind() {
        KeyKind::Session => Ok(None),
        KeyKind::Token => match request.expires_at {
            Some(end) if end > caller.expires_at => Err(ExceedsCaller::Lifetime(caller.expires_at)),
            _ => Ok(Some(caller.expires_at)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{LoginType, PlainKey};
    use crate::lifetime::Lifetime;
    use crate::user::UserId;

    fn caller(login_type: LoginType, scopes: &[&str], allow: &[&str]) -> ApiKey {
        let catalogue = Catalogue::built_in();
        let now = Timestamp::EPOCH;
        ApiKey {
            id: PlainKey::generate(login_type.kind()).unwrap().id().clone(),
            user_id: UserId::random(),
            name: None,
            login_type,
            scopes: catalogue.parse_scopes(scopes.iter().copied()).unwrap(),
            allow_list: AllowList::parse(allow.iter().copied(), &catalogue).unwrap(),
            lifetime: Lifetime::days(1),
            created_at: now,
            updated_at: now,
            last_used: None,
            expires_at: now.checked_add(Lifetime::days(1)).unwrap(),
            ended_at: None,
            end_reason: None,
            end_note: None,
            slides_until: None,
            last_used_ip: None,
            minted_by: None,
        }
    }

    fn ask(
        caller: &ApiKey,
        scopes: &[&str],
        allow: &[&str],
        end: Option<Timestamp>,
    ) -> Result<Option<Timestamp>, ExceedsCaller> {
        let catalogue = Catalogue::built_in();
        let scopes = catalogue.parse_scopes(scopes.iter().copied()).unwrap();
        let allow_list = AllowList::parse(allow.iter().copied(), &catalogue).unwrap();
        within_caller(caller, MintRequest { scopes: &scopes, allow_list: &allow_list, expires_at: end }, &catalogue)
    }

    #[test]
    fn a_token_mints_only_within_itself() {
        let token = caller(LoginType::Token, &["api_key:create", "workspace:*"], &["api_key:*", "workspace:w1"]);
        let end = Some(token.expires_at);
        assert_eq!(ask(&token, &["workspace:read"], &["workspace:w1"], None), Ok(end));
        assert_eq!(ask(&token, &["workspace:*"], &["workspace:w1"], end), Ok(end));
        for scopes in [&["*:*"][..], &["template:read"], &["workspace:read", "api_key:*"]] {
            assert!(matches!(ask(&token, scopes, &["workspace:w1"], None), Err(ExceedsCaller::Scope(_))), "{scopes:?}");
        }
        for allow in [&["*:*"][..], &["workspace:*"], &["workspace:w2"]] {
            assert!(
                matches!(ask(&token, &["workspace:read"], allow, None), Err(ExceedsCaller::AllowList(_))),
                "{allow:?}"
            );
        }
        assert!(matches!(
            ask(&token, &["workspace:read"], &["workspace:w1"], Some(Timestamp::MAX)),
            Err(ExceedsCaller::Lifetime(_))
        ));
    }

    #[test]
    fn a_session_may_create_keys_that_outlive_it() {
        let session = caller(LoginType::Password, &["*:*"], &["*:*"]);
        assert_eq!(ask(&session, &["*:*"], &["*:*"], Some(Timestamp::MAX)), Ok(None));
    }
}
