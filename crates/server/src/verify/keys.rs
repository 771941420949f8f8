//! `POST /api/v2/keys/verify` and `…/batch`.

use std::sync::Arc;

use actix_web::HttpResponse;
use keyward_api::verify::{MOST_KEYS, VerifyKey, VerifyKeys, VerifyRequest, VerifyResponse};
use keyward_api::{Endpoint, ErrorCode};
use keyward_domain::key::{Need, Verdict};
use keyward_service::{Checked, Facts};

use super::need;
use crate::http::{Call, Problem};
use crate::{keys, users};

/// `POST /api/v2/keys/verify`
pub(crate) async fn one(call: Call<VerifyKey>) -> Result<HttpResponse, Problem> {
    call.service().may_verify(call.caller()?)?;
    let (key, need) = asked(&call, call.json()?)?;
    let checked = call.service().check_key(&key, &need).await?;
    Ok(call.answer_text(show(checked)?))
}

/// `POST /api/v2/keys/verify/batch`
pub(crate) async fn batch(call: Call<VerifyKeys>) -> Result<HttpResponse, Problem> {
    call.service().may_verify(call.caller()?)?;
    let body = call.json()?;
    if body.keys.len() > MOST_KEYS {
        let detail = format!("keys has {} entries; want at most {MOST_KEYS}", body.keys.len());
        return Err(Problem::new(ErrorCode::ValidationFailed, detail.clone()).validation("keys", detail));
    }
    let asked = body.keys.into_iter().map(|one| asked(&call, one)).collect::<Result<_, _>>()?;
    let checked = call.service().check_keys(asked).await?;
    let results = checked.into_iter().map(show).collect::<Result<Vec<_>, _>>()?;
    Ok(call.answer_text(format!("{{\"results\":[{}]}}", results.join(","))))
}

fn asked<E: Endpoint>(call: &Call<E>, request: VerifyRequest) -> Result<(String, Need), Problem> {
    let scopes = request.scopes.iter().flatten().map(String::as_str);
    let need = need(call.service().catalogue(), scopes, request.resource.as_deref().into_iter())?;
    Ok((request.key, need))
}

/// A judgement as JSON: a [`VerifyResponse`].
fn show(checked: Checked) -> Result<String, Problem> {
    let (verdict, facts) = match checked {
        Checked::Invalid => return judgement(ErrorCode::InvalidKey.as_str(), Some("API key is invalid.".to_owned())),
        Checked::Known { verdict, facts } => (verdict, facts),
    };
    let (code, message) = match verdict {
        Verdict::Valid => ("valid", None),
        Verdict::Expired(at) => (ErrorCode::KeyExpired.as_str(), Some(format!("API key expired at \"{at}\"."))),
        Verdict::UserSuspended => (ErrorCode::UserSuspended.as_str(), Some("User is not active.".to_owned())),
        Verdict::InsufficientScope(scope) => {
            (ErrorCode::InsufficientScope.as_str(), Some(format!("The API key lacks the scope \"{scope}\".")))
        }
        Verdict::ResourceNotAllowed(resource) => (
            ErrorCode::ResourceNotAllowed.as_str(),
            Some(format!("The API key's allow list does not cover \"{resource}\".")),
        ),
    };
    // The key and its user are the larger part, and the same each time: they are written once. What
    // is joined here are two objects, `{…}` and `{…}`, to one.
    let known = facts.shown(known).map_err(unwritable)?;
    let mut text = judgement(code, message)?;
    text.truncate(text.len().saturating_sub(1));
    text.push(',');
    text.push_str(known.get(1..).unwrap_or_default());
    Ok(text)
}

fn judgement(code: &str, message: Option<String>) -> Result<String, Problem> {
    serde_json::to_string(&VerifyResponse::new(code, message, None)).map_err(unwritable)
}

/// `{"key":…,"user":…}`
fn known(facts: &Facts) -> Result<Arc<str>, serde_json::Error> {
    let key = serde_json::to_string(&keys::show::key(facts.key()))?;
    let user = serde_json::to_string(&users::show::user(facts.user()))?;
    Ok(format!("{{\"key\":{key},\"user\":{user}}}").into())
}

fn unwritable(error: serde_json::Error) -> Problem {
    Problem::new(ErrorCode::Internal, "The answer cannot be written.").cause(error)
}
