//! `PUT /api/v2/users/{user}/keys/{keyid}/expire`: ends a key now and keeps its record.

use actix_web::HttpResponse;
use keyward_api::NoContent;
use keyward_api::keys::ExpireKey;

use super::KeyPath;
use crate::http::{Call, Problem};

pub(crate) async fn expire(call: Call<ExpireKey>) -> Result<HttpResponse, Problem> {
    let KeyPath { user, keyid } = call.path()?;
    call.service().expire_key(call.caller()?, &user, &keyid).await?;
    call.answer(&NoContent {})
}
