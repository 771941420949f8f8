//! Making tokens and session keys.

use actix_web::HttpResponse;
use keyward_api::keys::{CreateSessionKey, CreateToken, CreatedKey, CreatedToken};
use keyward_domain::access::Act;
use keyward_service::keys::NewToken;

use super::{UserPath, show};
use crate::http::{Call, Problem};

/// `POST /api/v2/users/{user}/keys/tokens`
pub(crate) async fn token(call: Call<CreateToken>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let caller = call.caller()?;
    let owner = call.service().owner_of_keys(caller, Act::CreateKey, &user).await?;
    let body = call.json()?;
    if body.expires_at.is_some() {
        return Err(Problem::bad_request("A token is not given an end but a lifetime.")
            .detail("expires_at cannot be set")
            .hint("Send \"lifetime\" in nanoseconds."));
    }
    let one_scope = body.scope.filter(|scope| !scope.is_empty()).map(|scope| vec![scope]);
    let new = NewToken {
        lifetime: body.lifetime,
        name: body.token_name,
        scopes: body.scopes.or(one_scope),
        allow_list: body.allow_list,
    };
    let (plain, key) = call.service().create_token(caller, &owner, new).await?;
    call.answer(&CreatedToken::new(plain.expose().to_owned(), show::key(&key)))
}

/// `POST /api/v2/users/{user}/keys`
pub(crate) async fn session(call: Call<CreateSessionKey>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let caller = call.caller()?;
    let owner = call.service().owner_of_keys(caller, Act::CreateKey, &user).await?;
    let plain = call.service().create_session_key(caller, &owner).await?;
    call.answer(&CreatedKey::new(plain.expose().to_owned()))
}
