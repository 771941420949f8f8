//! `DELETE /api/v2/users/{user}/keys/{keyid}`: deletes a key and its record.
//!
//! Use cases: `crates/service/src/keys/delete.rs`.

use actix_web::HttpResponse;
use keyward_api::NoContent;
use keyward_api::keys::DeleteKey;
use keyward_service::right;

use crate::http::{Call, KeyPath, Problem};

pub(crate) async fn delete(call: Call<DeleteKey>) -> Result<HttpResponse, Problem> {
    let KeyPath { user, keyid } = call.path()?;
    call.service().key(call.caller()?, right::DeleteKey, &user, keyid).await?.delete().await?;
    call.answer(&NoContent {})
}
