//! Showing one key by id or by name, and the limits for a user's tokens.
//!
//! Use cases: `crates/service/src/keys/view.rs`.

use actix_web::HttpResponse;
use keyward_api::Endpoint;
use keyward_api::keys::{ApiKey, TokenConfig, ViewKey, ViewTokenByName, ViewTokenConfig};
use keyward_service::keys::OwnedKey;
use keyward_service::right;

use super::show;
use crate::http::{Call, KeyPath, NamePath, Problem, UserPath};

/// `GET /api/v2/users/{user}/keys/{keyid}`
pub(crate) async fn by_id(call: Call<ViewKey>) -> Result<HttpResponse, Problem> {
    let KeyPath { user, keyid } = call.path()?;
    let key = call.service().key(call.caller()?, right::ReadKeys, &user, keyid).await?.view().await?;
    answer(&call, &key).await
}

/// `GET /api/v2/users/{user}/keys/tokens/{keyname}`
pub(crate) async fn by_name(call: Call<ViewTokenByName>) -> Result<HttpResponse, Problem> {
    let NamePath { user, keyname } = call.path()?;
    let key = call.service().view_token(call.caller()?, &user, keyname).await?;
    answer(&call, &key).await
}

async fn answer<E: Endpoint<Response = ApiKey>>(call: &Call<E>, found: &OwnedKey) -> Result<HttpResponse, Problem> {
    let locked = call.service().is_locked(found).await?;
    let status = show::status(&found.key, found.owner.is_active(), locked, call.service().now());
    call.answer(&show::key(&found.key, status, call.service().catalogue()))
}

/// `GET /api/v2/users/{user}/keys/tokens/tokenconfig`
pub(crate) async fn token_config(call: Call<ViewTokenConfig>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let keys = call.service().keys_of(call.caller()?, right::ReadKeys, &user).await?;
    call.answer(&TokenConfig::new(keys.max_token_lifetime().as_nanos()))
}
