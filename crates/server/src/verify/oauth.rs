//! `POST /oauth2/introspect` (RFC 7662) and `POST /oauth2/revoke` (RFC 7009).
//!
//! Use cases: `crates/service/src/desk.rs` and `crates/service/src/verify.rs`.

use actix_web::HttpResponse;
use keyward_api::NoContent;
use keyward_api::verify::{Introspect, Introspection, Revoke};
use keyward_domain::{ApiKey, Timestamp, User};
use keyward_service::Checked;
use keyward_verdict::{Need, Verdict};

use super::outcome;
use crate::http::{Call, Problem};

/// A token that is not valid now is only "not active": RFC 7662 advises against giving a reason.
pub(crate) async fn introspect(call: Call<Introspect>) -> Result<HttpResponse, Problem> {
    let desk = call.service().desk(call.caller()?)?;
    let form = call.form()?;
    let checked = desk.check_keys(vec![(form.token, Need::nothing())]).await?;
    checked.iter().for_each(|checked| call.app().metrics.count_verification("introspect", outcome(checked)));
    call.answer(&match checked.into_iter().next() {
        Some(Checked::Known { verdict: Verdict::Valid, facts }) => active(facts.key(), facts.user()),
        Some(Checked::Known { .. } | Checked::Invalid) | None => Introspection::default(),
    })
}

fn active(key: &ApiKey, user: &User) -> Introspection {
    let seconds = |at: Timestamp| at.as_micros().div_euclid(1_000_000);
    Introspection {
        active: true,
        scope: Some(key.scopes.to_strings().join(" ")),
        client_id: Some(key.id.to_string()),
        username: Some(user.username.to_string()),
        token_type: Some("Bearer".to_owned()),
        exp: Some(seconds(key.expires_at)),
        iat: Some(seconds(key.created_at)),
        sub: Some(user.id.as_uuid()),
        jti: Some(key.id.to_string()),
    }
}

/// Any holder of a key may end it. A rate limit by address slows down guessing.
pub(crate) async fn revoke(call: Call<Revoke>) -> Result<HttpResponse, Problem> {
    call.app().revocations.admit(call.context().ip())?;
    let form = call.form()?;
    call.service().revoke_by_holder(call.context().info(), &form.token).await?;
    call.answer(&NoContent {})
}
