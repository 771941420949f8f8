//! Incidents: requests that end many keys, and how far they are.
//!
//! Use cases: `crates/service/src/incidents/mod.rs`.

use actix_web::HttpResponse;
use keyward_api::ErrorCode;
use keyward_api::incidents::{self as wire, IncidentActor, IncidentBarrier, ListIncidents, ViewIncident};
use keyward_domain::{Lifetime, Timestamp};
use keyward_service::Barrier;
use keyward_service::incidents::Incident;
use uuid::Uuid;

use crate::http::{Call, IdPath, Problem};

/// How many incidents the list has.
const MOST: i64 = 100;

/// After this time without progress, an incident counts as interrupted.
const STALE: Lifetime = Lifetime::seconds(10);

/// `GET /api/v2/incidents`
pub(crate) async fn list(call: Call<ListIncidents>) -> Result<HttpResponse, Problem> {
    let found = call.service().incident_desk(call.caller()?)?.list((Timestamp::MAX, Uuid::max()), MOST).await?;
    let now = call.service().now();
    let incidents = found.iter().map(|incident| show(incident, now)).collect::<Result<_, _>>()?;
    call.answer(&wire::Incidents { incidents })
}

/// `GET /api/v2/incidents/{id}`
pub(crate) async fn view(call: Call<ViewIncident>) -> Result<HttpResponse, Problem> {
    let IdPath { id } = call.path()?;
    let incident = call.service().incident_desk(call.caller()?)?.view(id).await?;
    call.answer(&show(&incident, call.service().now())?)
}

fn show(incident: &Incident, now: Timestamp) -> Result<wire::Incident, Problem> {
    let state = match &incident.end {
        Some(_) => "done",
        None if now.since(incident.active_at) > STALE => "interrupted",
        None => "running",
    };
    Ok(wire::Incident {
        id: incident.id,
        state: state.to_owned(),
        matched: incident.matched,
        expired: incident.expired,
        // While it runs, a session may have ended with its minter before its own turn.
        already_expired: (incident.done - incident.expired).max(0),
        started_at: incident.started_at,
        ended_at: incident.end.as_ref().map(|end| end.at),
        by: IncidentActor {
            user_id: incident.actor.as_uuid(),
            username: incident.actor_username.clone(),
            key_id: incident.key_id.to_string(),
        },
        reason: incident.reason.to_string(),
        note: incident.note.as_ref().map(ToString::to_string),
        selector: serde_json::from_str(&incident.selector)
            .map_err(|error| Problem::new(ErrorCode::Internal, "The stored selector cannot be read.").cause(error))?,
        cascade: incident.cascades,
        digest: incident.digest.clone(),
        barrier: incident.end.as_ref().map(|end| IncidentBarrier {
            confirmed: end.confirmed,
            lapsed: end.lapsed,
            waited_ms: end.waited_ms,
        }),
    })
}

/// The result of the wait for verifiers.
pub(super) fn barrier(barrier: Barrier) -> IncidentBarrier {
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    IncidentBarrier {
        confirmed: count(barrier.confirmed),
        lapsed: count(barrier.lapsed),
        waited_ms: i64::try_from(barrier.waited.as_millis()).unwrap_or(i64::MAX),
    }
}
