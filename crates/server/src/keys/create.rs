//! Creating tokens and session keys.
//!
//! Use cases: `crates/service/src/keys/create.rs`.

use actix_web::HttpResponse;
use keyward_api::keys::{CreateSessionKey, CreateToken, CreateTokenRequest, CreatedKey, CreatedToken, KeyStatus};
use keyward_domain::{AllowList, Catalogue, Lifetime, Scopes};
use keyward_service::keys::{NewToken, NotPositive};
use keyward_service::right;

use super::show;
use crate::http::{Call, Problem, UserPath};

/// `POST /api/v2/users/{user}/keys/tokens`
pub(crate) async fn token(call: Call<CreateToken>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let keys = call.service().keys_of(call.caller()?, right::CreateKey, &user).await?;
    let body = call.json()?;
    if body.expires_at.is_some() {
        return Err(Problem::bad_request("A token takes a lifetime, not an expiry.")
            .detail("expires_at cannot be set")
            .hint("Send \"lifetime\" in nanoseconds."));
    }
    if body.lifetime.is_some() && body.lifetime_seconds.is_some() {
        return Err(Problem::invalid_field("lifetime_seconds", "send lifetime or lifetime_seconds, not both"));
    }
    let (plain, key) = keys.create_token(parse(body, call.service().catalogue())?).await?;
    let token = show::key(&key, KeyStatus::Live, call.service().catalogue());
    call.answer(&CreatedToken::new(plain.expose().to_owned(), token))
}

/// `POST /api/v2/users/{user}/keys`
pub(crate) async fn session(call: Call<CreateSessionKey>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let keys = call.service().keys_of(call.caller()?, right::CreateKey, &user).await?;
    let plain = keys.create_session().await?;
    call.answer(&CreatedKey::new(plain.expose().to_owned()))
}

/// Reads what a request asks for. Scopes that do not exist are refused here; what else cannot be parsed
/// is refused in its turn, after what goes beyond the caller.
fn parse(body: CreateTokenRequest, catalogue: &Catalogue) -> Result<NewToken, Problem> {
    let one_scope = body.scope.filter(|scope| !scope.is_empty()).map(|scope| vec![scope]);
    let scopes = match body.scopes.or(one_scope) {
        Some(names) if names.is_empty() => {
            return Err(Problem::invalid_field(
                "scopes",
                "an empty list gives a key that may do nothing; leave scopes out for all",
            ));
        }
        Some(names) => catalogue.parse_scopes(names.iter().map(String::as_str)).map_err(Problem::unknown_scope)?,
        None => Scopes::all(),
    };
    // Existing clients send an empty name and a lifetime of 0 for none.
    let name = body.token_name.filter(|name| !name.is_empty());
    let nanos = body.lifetime.filter(|nanos| *nanos != 0).map(Lifetime::from_nanos);
    let seconds = body.lifetime_seconds.filter(|seconds| *seconds != 0).map(|seconds| match seconds {
        // A number that is too large for a lifetime is refused like any other that is too long.
        0.. => Some(Lifetime::from_secs(seconds).unwrap_or(Lifetime::MAX)),
        _ => None,
    });
    Ok(NewToken {
        scopes,
        allow_list: AllowList::parse(body.allow_list.iter().flatten().map(String::as_str), catalogue),
        name: name.map(|name| name.parse()).transpose(),
        lifetime: nanos.or(seconds).map(|lifetime| lifetime.ok_or(NotPositive)).transpose(),
    })
}
