//! `/api/v2/verifiers…`: embedded verifiers, which judge keys in their own processes.
//!
//! Use cases: `crates/service/src/desk.rs`.

use std::time::Duration;

use actix_web::HttpResponse;
use keyward_api::ErrorCode;
use keyward_api::verifiers::{
    KeyFacts, ListVerifiers, LookUpKey, LookUpResponse, MOST_REPORTED, PollResponse, PollVerifier, ReportedUse,
    VerifierInfo,
};
use keyward_domain::{Lifetime, Timestamp};
use keyward_service::reports::Report;
use keyward_service::{Connected, Facts};

use crate::http::{Call, Problem};

/// Maximum length of a verifier's name, in characters.
const LONGEST_NAME: usize = 64;

/// `POST /api/v2/verifiers/poll`
pub(crate) async fn poll(call: Call<PollVerifier>) -> Result<HttpResponse, Problem> {
    let desk = call.service().desk(call.caller()?)?;
    let body = call.json()?;
    if body.name.chars().count() > LONGEST_NAME || body.name.chars().any(char::is_control) {
        let detail = format!("name must have at most {LONGEST_NAME} characters, and no control characters");
        return Err(Problem::new(ErrorCode::ValidationFailed, detail.clone()).validation("name", detail));
    }
    desk.report(reports(&body.uses, desk.now())?);
    let news = desk.poll(body.id, &body.name, body.start, body.acknowledged).await?;
    call.answer(&PollResponse {
        start: news.start,
        lease_ms: millis(news.lease),
        change: news.change,
        reset: news.reset,
        keys: news.keys.iter().map(ToString::to_string).collect(),
        users: news.users.iter().map(|user| user.as_uuid()).collect(),
    })
}

/// The reports of a verifier, with instants in place of the time since.
fn reports(uses: &[ReportedUse], now: Timestamp) -> Result<Vec<Report>, Problem> {
    if uses.len() > MOST_REPORTED {
        let detail = format!("uses has {} keys; at most {MOST_REPORTED} are allowed", uses.len());
        return Err(Problem::invalid_field("uses", detail));
    }
    let report = |used: &ReportedUse| {
        let wrong = |what: &str| Problem::invalid_field("uses", format!("{what} of \"{}\" is invalid", used.key_id));
        Ok(Report {
            key: used.key_id.parse().map_err(|_invalid| wrong("key_id"))?,
            proof: hexadecimal(&used.proof).ok_or_else(|| wrong("proof"))?,
            at: now.saturating_sub(
                Lifetime::from_secs(i64::try_from(used.ms_ago / 1_000).unwrap_or(i64::MAX))
                    .unwrap_or(Lifetime::days(1)),
            ),
            count: u32::try_from(used.count).unwrap_or(u32::MAX),
            ip: used.ip.as_ref().map(|ip| ip.parse()).transpose().map_err(|_invalid| wrong("ip"))?,
        })
    };
    uses.iter().map(report).collect()
}

/// 32 bytes from 64 hexadecimal digits.
fn hexadecimal(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// `POST /api/v2/verifiers/look-up`
pub(crate) async fn look_up(call: Call<LookUpKey>) -> Result<HttpResponse, Problem> {
    let desk = call.service().desk(call.caller()?)?;
    let found = desk.look_up(&call.json()?.key).await?;
    let outcome = if found.facts.is_some() { "known" } else { ErrorCode::InvalidKey.as_str() };
    call.app().metrics.count_verification("embedded", outcome);
    let now = found.now;
    let show = |facts: Facts| KeyFacts {
        key_id: facts.key().id.to_string(),
        user_id: facts.user().id.as_uuid(),
        username: facts.user().username.to_string(),
        user_is_active: facts.user().is_active(),
        locked: facts.locked().map(str::to_owned),
        scopes: facts.key().scopes.to_strings(),
        // A verifier that does not know locks refuses a key without grants.
        grants: if facts.locked().is_some() { Vec::new() } else { facts.grants().to_strings() },
        allow_list: facts.key().allow_list.to_strings(),
        expires_at: facts.key().expires_by(now),
    };
    let facts = found.facts.map(show);
    call.answer(&LookUpResponse { start: found.start, change: found.change, now, facts })
}

/// `GET /api/v2/verifiers`
pub(crate) async fn list(call: Call<ListVerifiers>) -> Result<HttpResponse, Problem> {
    let desk = call.service().desk(call.caller()?)?;
    let show = |connected: Connected| VerifierInfo {
        id: connected.id,
        name: connected.name,
        connected_at: connected.since,
        lag: connected.lag,
        answered_ms_ago: millis(connected.answered),
    };
    call.answer(&desk.connected().into_iter().map(show).collect())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
