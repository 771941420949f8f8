//! Showing one key by id or by name, and the limits for a user's tokens.

use actix_web::HttpResponse;
use keyward_api::keys::{TokenConfig, ViewKey, ViewTokenByName, ViewTokenConfig};

use super::{KeyPath, NamePath, UserPath, show};
use crate::http::{Call, Problem};

/// `GET /api/v2/users/{user}/keys/{keyid}`
pub(crate) async fn by_id(call: Call<ViewKey>) -> Result<HttpResponse, Problem> {
    let KeyPath { user, keyid } = call.path()?;
    let key = call.service().view_key(call.caller()?, &user, &keyid).await?;
    call.answer(&show::key(&key))
}

/// `GET /api/v2/users/{user}/keys/tokens/{keyname}`
pub(crate) async fn by_name(call: Call<ViewTokenByName>) -> Result<HttpResponse, Problem> {
    let NamePath { user, keyname } = call.path()?;
    let key = call.service().view_token_by_name(call.caller()?, &user, &keyname).await?;
    call.answer(&show::key(&key))
}

/// `GET /api/v2/users/{user}/keys/tokens/tokenconfig`
pub(crate) async fn token_config(call: Call<ViewTokenConfig>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let max = call.service().max_token_lifetime(call.caller()?, &user).await?;
    call.answer(&TokenConfig::new(max.as_nanos()))
}
