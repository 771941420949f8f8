//! `POST /api/v2/keys/identify`: finds whose key a text is.
//!
//! Use cases: `crates/service/src/keys/identify.rs`.

use actix_web::HttpResponse;
use keyward_api::keys::{Identified, IdentifyKey};
use keyward_service::keys::How;
use zeroize::Zeroizing;

use super::show;
use crate::http::{Call, Problem};
use crate::users;

pub(crate) async fn identify(call: Call<IdentifyKey>) -> Result<HttpResponse, Problem> {
    let text = Zeroizing::new(call.json()?.key);
    let identified = call.service().identify_key(call.caller()?, &text).await?;
    let how = match identified.how {
        How::Exact => "exact",
        How::IdOnly => "id_only",
        How::Malformed => "malformed",
    };
    let found = identified.found.as_ref();
    let locked = match found {
        Some(found) => call.service().is_locked(found).await?,
        None => false,
    };
    call.answer(&Identified {
        found: found.is_some(),
        key: found.map(|found| {
            let status = show::status(&found.key, found.owner.is_active(), locked, call.service().now());
            show::key(&found.key, status, call.service().catalogue())
        }),
        user: found.map(|found| users::show::user(&found.owner)),
        how: how.to_owned(),
    })
}
