//! `POST /api/v2/keys/expire`: ends all keys that a selector matches, or shows what that would end.
//!
//! Use cases: `crates/service/src/incidents/mod.rs`.

use actix_web::HttpResponse;
use keyward_api::ErrorCode;
use keyward_api::incidents::{ExpireKeys, ExpireKeysResponse, ExpirePreview, ExpiredKeys, OwnerCount};
use keyward_service::incidents::{Confirmed, Preview, Wanted};

use super::{incidents, parse, show};
use crate::app::App;
use crate::http::{Call, Problem};

pub(crate) async fn expire(call: Call<ExpireKeys>) -> Result<HttpResponse, Problem> {
    let desk = call.service().incident_desk(call.caller()?)?;
    let request = call.json()?;
    let (selector, user) = parse::selector(&request.selector, call.service().catalogue())?;
    let everything = request.everything == Some(true) || request.selector.everything == Some(true);
    if selector.is_empty() && user.is_none() && !everything {
        return Err(Problem::invalid_field("selector", "the selector has no condition")
            .hint("Give at least one condition, or \"everything\": true."));
    }
    let why = parse::why(request.reason.as_deref(), request.note.as_deref(), request.cascade)?;
    let wanted = Wanted {
        selector,
        user,
        text: serde_json::to_string(&request.selector)
            .map_err(|error| Problem::new(ErrorCode::Internal, "The selector cannot be stored.").cause(error))?,
        cascades: why.cascades,
        includes_caller: request.include_self,
    };
    if request.dry_run {
        let preview = desk.preview(&wanted).await?;
        return call.answer(&ExpireKeysResponse::Preview(show_preview(&preview, call.app())));
    }
    let reason = why.reason.ok_or_else(|| {
        Problem::invalid_field("reason", "a reason is required")
            .hint("Send unspecified, compromised, superseded, retired or policy.")
    })?;
    let digest = request.expect.ok_or_else(|| {
        Problem::invalid_field("expect", "the digest of a dry run is required")
            .hint("Send the same request with \"dry_run\": true, and its digest as \"expect\".")
    })?;
    let confirmed = Confirmed { reason, note: why.note, id: request.incident_id, digest };
    let (incident, barrier) = match desk.expire(&wanted, &confirmed).await {
        Ok(done) => done,
        Err(keyward_service::Error::SelectionChanged(preview)) => {
            return Err(changed(&show_preview(&preview, call.app())));
        }
        Err(error) => return Err(error.into()),
    };
    call.answer(&ExpireKeysResponse::Expired(ExpiredKeys {
        incident_id: incident.id,
        expired: incident.expired,
        // While it runs, a session may have ended with its minter before its own turn.
        already_expired: (incident.done - incident.expired).max(0),
        barrier: incidents::barrier(barrier),
    }))
}

/// The response if the selector matches other keys than before, with what it matches now.
fn changed(preview: &ExpirePreview) -> Problem {
    Problem::new(ErrorCode::SelectionChanged, "The selector matches other keys than those of the dry run.")
        .detail(format!("It matches {} keys now, of which {} have expired.", preview.matched, preview.already_expired))
        .hint("Look at the new dry run, and send its digest as \"expect\".")
        .extend(serde_json::to_value(preview).unwrap_or_default())
}

fn show_preview(preview: &Preview, app: &App) -> ExpirePreview {
    let now = app.service.now();
    let owner = |owner: &keyward_service::incidents::OwnerCount| OwnerCount {
        user_id: owner.user.as_uuid(),
        username: owner.username.clone(),
        keys: owner.keys,
    };
    ExpirePreview {
        matched: preview.matched,
        already_expired: preview.already_expired,
        children: preview.children,
        owners: preview.owners.iter().map(owner).collect(),
        used_last_hour: preview.used_last_hour,
        used_last_day: preview.used_last_day,
        sample: preview.sample.iter().map(|key| show::with_owner(key, now, app.service.catalogue())).collect(),
        digest: preview.digest.clone(),
    }
}
