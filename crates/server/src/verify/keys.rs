//! `POST /api/v2/keys/verify` and `…/batch`.

use actix_web::HttpResponse;
use keyward_api::verify::{MOST_KEYS, VerifyBatchResponse, VerifyKey, VerifyKeys, VerifyRequest, VerifyResponse};
use keyward_api::{Endpoint, ErrorCode};
use keyward_domain::key::{Need, Verdict};
use keyward_service::Checked;

use super::need;
use crate::http::{Call, Problem};
use crate::{keys, users};

/// `POST /api/v2/keys/verify`
pub(crate) async fn one(call: Call<VerifyKey>) -> Result<HttpResponse, Problem> {
    call.service().may_verify(call.caller()?)?;
    let asked = vec![asked(&call, call.json()?)?];
    let checked = call.service().check_keys(asked).await?;
    let first = checked.into_iter().next();
    call.answer(&show(first.unwrap_or(Checked::Invalid)))
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
    call.answer(&VerifyBatchResponse { results: checked.into_iter().map(show).collect() })
}

fn asked<E: Endpoint>(call: &Call<E>, request: VerifyRequest) -> Result<(String, Need), Problem> {
    let scopes = request.scopes.iter().flatten().map(String::as_str);
    let need = need(call.service().catalogue(), scopes, request.resource.as_deref().into_iter())?;
    Ok((request.key, need))
}

fn show(checked: Checked) -> VerifyResponse {
    let (verdict, facts) = match checked {
        Checked::Invalid => {
            let message = Some("API key is invalid.".to_owned());
            return VerifyResponse::new(ErrorCode::InvalidKey.as_str(), message, None);
        }
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
    VerifyResponse::new(code, message, Some((keys::show::key(facts.key()), users::show::user(facts.user()))))
}
