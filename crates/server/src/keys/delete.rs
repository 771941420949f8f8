//! `DELETE /api/v2/users/{user}/keys/{keyid}`: removes a key and its record.

use actix_web::HttpResponse;
use keyward_api::NoContent;
use keyward_api::keys::DeleteKey;

use super::KeyPath;
use crate::http::{Call, Problem};

pub(crate) async fn delete(call: Call<DeleteKey>) -> Result<HttpResponse, Problem> {
    let KeyPath { user, keyid } = call.path()?;
    call.service().delete_key(call.caller()?, &user, &keyid).await?;
    call.answer(&NoContent {})
}
