//! Incidents: ending many keys at once.

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::endpoint::endpoint;
use crate::keys::{ApiKeyWithOwner, KeySelector};
use crate::{Access, NoBody, NoQuery};

/// Ends all keys that a selector matches, or shows what that would end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ExpireKeysRequest {
    /// The conditions: at least one, or `everything`.
    #[serde(default)]
    pub selector: KeySelector,
    /// The same as `everything` in the selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everything: Option<bool>,
    /// Why: `unspecified`, `compromised`, `superseded`, `retired` or `policy`. Required unless `dry_run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A note for people, up to 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether the live keys end too that the selected ones have created, and so on.
    #[serde(default)]
    pub cascade: bool,
    /// Whether the calling key ends too, if it is selected.
    #[serde(default)]
    pub include_self: bool,
    /// The id of the incident; absent for a new one. The same request with the id of a stopped one goes on
    /// where it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident_id: Option<Uuid>,
    /// True to end nothing, and only show what would end.
    #[serde(default)]
    pub dry_run: bool,
    /// The digest of a dry run. Required unless `dry_run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
}

impl ExpireKeysRequest {
    /// A dry run.
    #[must_use]
    pub fn dry_run(selector: KeySelector, cascade: bool) -> Self {
        Self { selector, cascade, dry_run: true, ..Self::default() }
    }

    /// Ends the keys of a dry run with this digest.
    #[must_use]
    pub fn confirmed(self, digest: String, incident_id: Uuid, reason: String, note: Option<String>) -> Self {
        Self {
            dry_run: false,
            expect: Some(digest),
            incident_id: Some(incident_id),
            reason: Some(reason),
            note,
            ..self
        }
    }
}

/// What a request would end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExpirePreview {
    /// The number of selected keys, including those that have expired already.
    pub matched: usize,
    /// How many of them have expired already.
    pub already_expired: usize,
    /// The number of live keys, not selected themselves, that the selected ones have created, and so on.
    pub children: usize,
    /// The owners of the most selected live keys, up to 100.
    pub owners: Vec<OwnerCount>,
    /// How many selected live keys were used in the last hour.
    pub used_last_hour: usize,
    /// How many selected live keys were used in the last day.
    pub used_last_day: usize,
    /// Some of the selected live keys, up to 20.
    pub sample: Vec<ApiKeyWithOwner>,
    /// The SHA-256 digest of the sorted ids, for `expect`.
    pub digest: String,
}

/// An owner and the number of their keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnerCount {
    /// The owner's id.
    pub user_id: Uuid,
    /// The owner's username.
    pub username: String,
    /// The number of keys.
    pub keys: usize,
}

/// The result of the wait for embedded verifiers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IncidentBarrier {
    /// How many verifiers confirmed.
    pub confirmed: i64,
    /// How many verifiers did not confirm, so that their leases had to run out.
    #[serde(default)]
    pub lapsed: i64,
    /// The wait in milliseconds.
    pub waited_ms: i64,
}

/// The keys are dead, everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExpiredKeys {
    /// The id of the incident.
    pub incident_id: Uuid,
    /// How many keys it has expired.
    pub expired: i64,
    /// How many of its keys had expired before.
    pub already_expired: i64,
    /// The result of the wait for verifiers.
    pub barrier: IncidentBarrier,
}

/// The response to a request that ends many keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum ExpireKeysResponse {
    /// Of a dry run.
    Preview(ExpirePreview),
    /// Of any other request.
    Expired(ExpiredKeys),
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Incident {
    /// The id.
    pub id: Uuid,
    /// `running`; `interrupted` if nothing has happened for 10 s; or `done`.
    pub state: String,
    /// The number of keys.
    pub matched: i64,
    /// How many of them it has expired so far.
    pub expired: i64,
    /// How many of them had expired before.
    pub already_expired: i64,
    /// When it began.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub ended_at: Option<Timestamp>,
    /// Who began it.
    pub by: IncidentActor,
    /// Why.
    pub reason: String,
    /// A note on why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The selector.
    pub selector: KeySelector,
    /// Whether the keys that the selected ones have created end too.
    pub cascade: bool,
    /// The digest of the keys.
    pub digest: String,
    /// The result of the wait for verifiers, after the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barrier: Option<IncidentBarrier>,
}

/// Who began an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IncidentActor {
    /// The user's id.
    pub user_id: Uuid,
    /// The username at the time.
    pub username: String,
    /// The id of the calling key.
    pub key_id: String,
}

/// The newest incidents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Incidents {
    /// The incidents, newest first.
    pub incidents: Vec<Incident>,
}

endpoint! {
    /// Ends all keys that a selector matches, or shows what that would end.
    ExpireKeys = Post "/api/v2/keys/expire",
    access: Access::Needs(Act::ExpireKey),
    lane: Urgent,
    query: NoQuery,
    request: ExpireKeysRequest,
    response: 200 ExpireKeysResponse,
}

endpoint! {
    /// Lists the newest incidents, up to 100. Those who may read the audit log see all, others their own.
    ListIncidents = Get "/api/v2/incidents",
    access: Access::Needs(Act::ReadKeys),
    query: NoQuery,
    request: NoBody,
    response: 200 Incidents,
}

endpoint! {
    /// Shows an incident and how far it is.
    ViewIncident = Get "/api/v2/incidents/{id}",
    access: Access::Needs(Act::ReadKeys),
    query: NoQuery,
    request: NoBody,
    response: 200 Incident,
}
