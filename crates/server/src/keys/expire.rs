//! `PUT /api/v2/users/{user}/keys/{keyid}/expire`: expires a key now and keeps its record.
//!
//! Use cases: `crates/service/src/keys/expire.rs`.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use keyward_api::NoContent;
use keyward_api::headers::BARRIER;
use keyward_api::keys::{ExpireKey, ExpireKeyRequest};
use keyward_service::{Barrier, right};

use super::parse;
use crate::http::{Call, KeyPath, Problem};

pub(crate) async fn expire(call: Call<ExpireKey>) -> Result<HttpResponse, Problem> {
    let KeyPath { user, keyid } = call.path()?;
    let key = call.service().key(call.caller()?, right::ExpireKey, &user, keyid).await?;
    let ExpireKeyRequest { reason, note, cascade, .. } = call.json_if_sent()?.unwrap_or_default();
    let why = parse::why(reason.as_deref(), note.as_deref(), cascade.unwrap_or(false))?;
    let Barrier { confirmed, lapsed, waited, .. } = key.expire(why).await?;
    let mut answer = call.answer(&NoContent {})?;
    let told = format!("confirmed={confirmed} lapsed={lapsed} ms={}", waited.as_millis());
    if let Ok(value) = HeaderValue::from_str(&told) {
        answer.headers_mut().insert(HeaderName::from_static(BARRIER), value);
    }
    Ok(answer)
}
