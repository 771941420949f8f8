//! Receipts: signed documents that prove that keys were ended.
//!
//! Use cases: `crates/service/src/receipts.rs`.

use actix_web::HttpResponse;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keyward_api::ErrorCode;
use keyward_api::receipts::{
    DeadKey, KIND, ProvenEntry, Receipt, ReceiptActor, ReceiptConfirmation, ReceiptSignature, ReceiptVerifier,
    SIGNED_PREFIX, SignedReceipt, ViewIncidentReceipt, ViewKeyReceipt,
};
use keyward_domain::confirmation::Confirmation;
use keyward_domain::event::EventKind;
use keyward_service::receipts::{self, IncidentReceipt, KeyReceipt};
use keyward_service::right;
use keyward_transparency::{SigningKey, canonical_json};

use crate::app::App;
use crate::audit;
use crate::http::{Call, IdPath, KeyPath, Problem};

/// `GET /api/v2/users/{user}/keys/{keyid}/receipt`
pub(crate) async fn of_key(call: Call<ViewKeyReceipt>) -> Result<HttpResponse, Problem> {
    let KeyPath { user, keyid } = call.path()?;
    let facts = call.service().key(call.caller()?, right::ReadKeys, &user, keyid).await?.receipt().await?;
    let KeyReceipt { origin, key, entries, confirmation } = facts;
    let end = entries.iter().find(|proven| proven.entry.event == EventKind::KeyExpired);
    let by = end.and_then(|proven| {
        let actor = proven.entry.actor.as_ref()?;
        let key_id = proven.entry.key_id.as_ref().map(ToString::to_string);
        Some(ReceiptActor { user_id: actor.id.as_uuid(), username: actor.username.to_string(), key_id })
    });
    let dead =
        DeadKey { id: key.id.to_string(), ended_at: key.ended_at, leaf_index: end.map(|proven| proven.proof.index) };
    let receipt = Receipt {
        kind: KIND.to_owned(),
        origin,
        issued_at: call.service().now(),
        incident_id: end.and_then(|proven| proven.entry.incident),
        keys: vec![dead],
        by,
        reason: key.end_reason.map(|reason| reason.to_string()),
        note: key.end_note.map(|note| note.to_string()),
        confirmation: confirmation.map(show_confirmation),
        entries: entries.iter().map(show_entry).collect::<Result<_, _>>()?,
        signature: None,
    };
    call.answer(&signed(call.app(), receipt)?)
}

/// `GET /api/v2/incidents/{id}/receipt`
pub(crate) async fn of_incident(call: Call<ViewIncidentReceipt>) -> Result<HttpResponse, Problem> {
    let IdPath { id } = call.path()?;
    let facts = call.service().incident_desk(call.caller()?)?.receipt(id).await?;
    let IncidentReceipt { origin, incident, keys, entries } = facts;
    let confirmation = receipts::confirmation_of(&incident);
    let dead = keys.into_iter().map(|key| DeadKey {
        id: key.id.to_string(),
        ended_at: key.ended.map(|(at, _)| at),
        leaf_index: key.ended.map(|(_, index)| index),
    });
    let receipt = Receipt {
        kind: KIND.to_owned(),
        origin,
        issued_at: call.service().now(),
        incident_id: Some(incident.id),
        keys: dead.collect(),
        by: Some(ReceiptActor {
            user_id: incident.actor.as_uuid(),
            username: incident.actor_username,
            key_id: Some(incident.key_id.to_string()),
        }),
        reason: Some(incident.reason.to_string()),
        note: incident.note.map(|note| note.to_string()),
        confirmation: confirmation.map(show_confirmation),
        entries: entries.iter().map(show_entry).collect::<Result<_, _>>()?,
        signature: None,
    };
    call.answer(&signed(call.app(), receipt)?)
}

fn show_confirmation(confirmation: Confirmation) -> ReceiptConfirmation {
    let verifiers = confirmation.witnesses.into_iter();
    let verifiers = verifiers.map(|witness| ReceiptVerifier {
        id: witness.id,
        name: witness.name,
        confirmed_at: witness.confirmed_at,
    });
    ReceiptConfirmation { at: confirmation.at, waited_ms: confirmation.waited_ms, verifiers: verifiers.collect() }
}

fn show_entry(proven: &receipts::ProvenEntry) -> Result<ProvenEntry, Problem> {
    let entry = audit::wire(&proven.entry).map_err(failed)?;
    Ok(ProvenEntry { entry, proof: proven.proof.to_string() })
}

/// Signs a receipt with the key that signs the checkpoints of the audit log.
fn signed(app: &App, receipt: Receipt) -> Result<SignedReceipt, Problem> {
    let pem = app.sealing.files().signing_key().map_err(failed)?;
    let key = SigningKey::from_pem(&receipt.origin, &pem).map_err(failed)?;
    let text = format!("{SIGNED_PREFIX}{}", canonical_json(&receipt).map_err(failed)?);
    let value = BASE64_STANDARD.encode(key.sign(text.as_bytes()));
    let signature = Some(ReceiptSignature { verifier_key: key.verifier().to_string(), value });
    let receipt = Receipt { signature, ..receipt };
    Ok(SignedReceipt(serde_json::to_value(receipt).map_err(failed)?))
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Problem {
    Problem::new(ErrorCode::Internal, "The receipt cannot be made.").cause(error)
}
