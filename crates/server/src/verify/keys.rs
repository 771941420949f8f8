//! `POST /api/v2/keys/verify` and `…/batch`.
//!
//! Use cases: `crates/service/src/desk.rs`.

use std::sync::OnceLock;

use actix_web::HttpResponse;
use bytes::Bytes;
use keyward_api::keys::KeyStatus;
use keyward_api::verify::{MOST_KEYS, VerifyKey, VerifyKeys, VerifyRequest, VerifyResponse};
use keyward_api::{Endpoint, ErrorCode};
use keyward_service::{Checked, Facts};
use keyward_verdict::{Need, Verdict};

use super::{need, outcome};
use crate::app::App;
use crate::http::{Call, Problem};
use crate::{keys, users};

/// `POST /api/v2/keys/verify`
pub(crate) async fn one(call: Call<VerifyKey>) -> Result<HttpResponse, Problem> {
    let desk = call.service().desk(call.caller()?)?;
    let (key, need) = asked(&call, call.json()?)?;
    let checked = desk.check_key(&key, &need).await?;
    Ok(call.answer_text(show(checked, call.app())?))
}

/// `POST /api/v2/keys/verify/batch`
pub(crate) async fn batch(call: Call<VerifyKeys>) -> Result<HttpResponse, Problem> {
    let desk = call.service().desk(call.caller()?)?;
    let body = call.json()?;
    if body.keys.len() > MOST_KEYS {
        let detail = format!("keys has {} entries; want at most {MOST_KEYS}", body.keys.len());
        return Err(Problem::new(ErrorCode::ValidationFailed, detail.clone()).validation("keys", detail));
    }
    let asked = body.keys.into_iter().map(|one| asked(&call, one)).collect::<Result<_, _>>()?;
    let checked = desk.check_keys(asked).await?;
    let mut text = b"{\"results\":[".to_vec();
    for (index, checked) in checked.into_iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend_from_slice(&show(checked, call.app())?);
    }
    text.extend_from_slice(b"]}");
    Ok(call.answer_text(text.into()))
}

fn asked<E: Endpoint>(call: &Call<E>, request: VerifyRequest) -> Result<(String, Need), Problem> {
    let scopes = request.scopes.iter().flatten().map(String::as_str);
    let need = need(call.service().catalogue(), scopes, request.resource.as_deref().into_iter())?;
    Ok((request.key, need))
}

/// A verdict as JSON: a [`VerifyResponse`]. The usual responses are serialised once and reused.
fn show(checked: Checked, app: &App) -> Result<Bytes, Problem> {
    app.metrics.count_verification("verify", outcome(&checked));
    let catalogue = app.service.catalogue();
    let (verdict, facts) = match checked {
        Checked::Invalid => {
            static ANSWER: OnceLock<Bytes> = OnceLock::new();
            let code = ErrorCode::InvalidKey.as_str();
            if let Some(answer) = ANSWER.get() {
                return Ok(answer.clone());
            }
            let answer = written(&VerifyResponse::new(code, Some("API key is invalid.".to_owned()), None))?;
            return Ok(ANSWER.get_or_init(|| answer).clone());
        }
        Checked::Known { verdict, facts } => (verdict, facts),
    };
    let status = match verdict {
        Verdict::Expired(_) => KeyStatus::Expired,
        Verdict::UserSuspended => KeyStatus::UserSuspended,
        Verdict::Locked(_) => KeyStatus::Locked,
        Verdict::Valid
        | Verdict::InsufficientScope(_)
        | Verdict::ResourceNotAllowed(_)
        | Verdict::UnreadableNeed(_) => KeyStatus::Live,
    };
    let known =
        |facts: &Facts| Some((keys::show::key(facts.key(), status, catalogue), users::show::user(facts.user())));
    match verdict {
        Verdict::Valid => facts.shown(|facts| written(&VerifyResponse::new(verdict.code(), None, known(facts)))),
        Verdict::Expired(_)
        | Verdict::UserSuspended
        | Verdict::Locked(_)
        | Verdict::InsufficientScope(_)
        | Verdict::ResourceNotAllowed(_)
        | Verdict::UnreadableNeed(_) => {
            written(&VerifyResponse::new(verdict.code(), Some(verdict.to_string()), known(&facts)))
        }
    }
}

fn written(answer: &VerifyResponse) -> Result<Bytes, Problem> {
    let text = serde_json::to_vec(answer)
        .map_err(|error| Problem::new(ErrorCode::Internal, "The response cannot be serialised.").cause(error))?;
    Ok(text.into())
}
