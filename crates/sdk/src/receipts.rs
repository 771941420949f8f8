//! Receipts: fetches and checks the signed documents that prove that keys are dead.

use std::collections::BTreeSet;

use keyward_api::receipts::{Receipt, SIGNED_PREFIX, SignedReceipt, ViewIncidentReceipt, ViewKeyReceipt};
use keyward_domain::key::ids_digest;
use keyward_transparency::{Checkpoint, InvalidProof, Proof, ProofError, VerifierKey, canonical_json};
use serde_json::Value;
use uuid::Uuid;

use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::user_ref::UserRef;

impl Client {
    /// The receipt of a key that was ended by hand: a signed document that [`verify_receipt`] checks without
    /// a server. The audit log seals the end within 2 s; until then the call is retried.
    ///
    /// # Errors
    /// [`Error::Api`] if there is no such key (404), it was not ended by hand (409), or the caller may not see
    /// the audit entry (403).
    pub async fn key_receipt(&self, user: &UserRef, id: &str) -> Result<SignedReceipt, Error> {
        Ok(self.call(Call::<ViewKeyReceipt>::new(&[&user.to_string(), id])?).await?.value)
    }

    /// The receipt of an incident that has ended, for all its keys.
    ///
    /// # Errors
    /// [`Error::Api`] if there is no such incident or it is hidden (404), or it has not ended (409).
    pub async fn incident_receipt(&self, id: Uuid) -> Result<SignedReceipt, Error> {
        Ok(self.call(Call::<ViewIncidentReceipt>::new(&[&id.to_string()])?).await?.value)
    }
}

/// A receipt that proves nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The text is not a receipt.
    #[error("it is not a receipt")]
    Malformed(#[source] serde_json::Error),
    /// It has no signature.
    #[error("it has no signature")]
    Unsigned,
    /// It is signed with a key that is not trusted.
    #[error("it is signed with {0}, which is none of the given keys")]
    UnknownKey(String),
    /// It was changed after it was signed.
    #[error("its signature is wrong: it was changed, or signed with another key of that name")]
    WrongSignature,
    /// The key belongs to another instance of Keyward.
    #[error("it is about \"{origin}\", and is signed by \"{signer}\"")]
    OtherOrigin {
        /// The origin in the receipt.
        origin: String,
        /// The name of the key.
        signer: String,
    },
    /// A proof cannot be read.
    #[error("the proof of its entry {entry} cannot be read")]
    Proof {
        /// The entry's id.
        entry: String,
        /// What is wrong with it.
        #[source]
        source: InvalidProof,
    },
    /// An entry is not in the audit tree.
    #[error("its entry {entry} is not proven")]
    NotProven {
        /// The entry's id.
        entry: String,
        /// Why.
        #[source]
        source: ProofError,
    },
    /// The receipt says something that its entries do not.
    #[error("its audit entries do not say the same: {0}")]
    Contradiction(&'static str),
}

/// A receipt that was checked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct VerifiedReceipt {
    /// The receipt.
    pub receipt: Receipt,
    /// The newest checkpoint in its proofs.
    pub checkpoint: Checkpoint,
}

/// Checks a receipt, as JSON, without a server: its signature by one of the keys, the inclusion proof of each
/// of its audit entries under a checkpoint that one of the keys has signed, and that the entries say what the
/// receipt says.
///
/// `keyward-server audit-key` prints the key. Keep it from before the incident: a key that comes with the
/// receipt proves only that the receipt was not changed since.
///
/// ```
/// use keyward_sdk::receipts::verify_receipt;
///
/// assert!(verify_receipt("{}", &[]).is_err());
/// ```
///
/// # Errors
/// [`ReceiptError`] says what is wrong.
pub fn verify_receipt(json: &str, keys: &[VerifierKey]) -> Result<VerifiedReceipt, ReceiptError> {
    let mut document: Value = serde_json::from_str(json).map_err(ReceiptError::Malformed)?;
    let receipt: Receipt = serde_json::from_value(document.clone()).map_err(ReceiptError::Malformed)?;
    let signature = receipt.signature.as_ref().ok_or(ReceiptError::Unsigned)?;
    let unknown = || ReceiptError::UnknownKey(signature.verifier_key.clone());
    let key = keys.iter().find(|key| key.to_string() == signature.verifier_key).ok_or_else(unknown)?;
    // The text that was signed has every field, also those that this version does not know.
    if let Some(fields) = document.as_object_mut() {
        fields.remove("signature");
    }
    let signed = canonical_json(&document).map_err(|_not_json| ReceiptError::WrongSignature)?;
    if !key.verifies_base64(format!("{SIGNED_PREFIX}{signed}").as_bytes(), &signature.value) {
        return Err(ReceiptError::WrongSignature);
    }
    if key.name() != receipt.origin {
        return Err(ReceiptError::OtherOrigin { origin: receipt.origin.clone(), signer: key.name().to_owned() });
    }
    let mut newest: Option<Checkpoint> = None;
    for (proven, proof) in receipt.entries.iter().zip(proofs(&receipt)?) {
        let entry = || at(&proven.entry, "/id").as_str().unwrap_or_default().to_owned();
        let json = canonical_json(&proven.entry).map_err(|_not_json| ReceiptError::WrongSignature)?;
        let checkpoint =
            proof.verify(&json, keys).map_err(|source| ReceiptError::NotProven { entry: entry(), source })?;
        if checkpoint.origin != receipt.origin {
            return Err(ReceiptError::Contradiction("a checkpoint is of another log"));
        }
        if newest.as_ref().is_none_or(|newest| newest.size < checkpoint.size) {
            newest = Some(checkpoint);
        }
    }
    agree(&receipt)?;
    let checkpoint = newest.ok_or(ReceiptError::Contradiction("it has no entries"))?;
    Ok(VerifiedReceipt { receipt, checkpoint })
}

fn proofs(receipt: &Receipt) -> Result<Vec<Proof>, ReceiptError> {
    let read = |proven: &keyward_api::receipts::ProvenEntry| {
        let entry = || at(&proven.entry, "/id").as_str().unwrap_or_default().to_owned();
        proven.proof.parse().map_err(|source| ReceiptError::Proof { entry: entry(), source })
    };
    receipt.entries.iter().map(read).collect()
}

/// The value at a JSON pointer (RFC 6901), or null.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// Checks that the entries say what the receipt says.
fn agree(receipt: &Receipt) -> Result<(), ReceiptError> {
    let require = |holds: bool, what| if holds { Ok(()) } else { Err(ReceiptError::Contradiction(what)) };
    let entry = |event: &str| {
        let mut entries = receipt.entries.iter().map(|proven| &proven.entry);
        entries.find(|entry| *at(entry, "/event") == *event)
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let end = entry("key.expired");
    if let Some(end) = end {
        let [key] = receipt.keys.as_slice() else {
            return Err(ReceiptError::Contradiction("there is an entry for one key, and several keys"));
        };
        require(*at(end, "/resource_id") == *key.id.as_str(), "the entry is about another key")?;
        require(*at(end, "/time") == serde_json::json!(key.ended_at), "the key was ended at another time")?;
        require(text(at(end, "/reason")) == receipt.reason, "the reason is another")?;
        require(text(at(end, "/new/end_note")) == receipt.note, "the note is another")?;
        let by = receipt.by.as_ref();
        require(text(at(end, "/user/username")) == by.map(|by| by.username.clone()), "another user ended the key")?;
        require(
            text(at(end, "/incident_id")) == receipt.incident_id.map(|id| id.to_string()),
            "the key was ended in another incident",
        )?;
    }
    let Some(incident) = receipt.incident_id else {
        return require(end.is_some(), "there is no entry of the key's end");
    };
    let incident = incident.to_string();
    let began = entry("incident.began").ok_or(ReceiptError::Contradiction("the begin of the incident is missing"))?;
    let ended = entry("incident.ended").ok_or(ReceiptError::Contradiction("the end of the incident is missing"))?;
    for entry in [began, ended] {
        require(*at(entry, "/incident_id") == *incident.as_str(), "an entry is about another incident")?;
    }
    if end.is_some() {
        return Ok(());
    }
    let ids: BTreeSet<&str> = receipt.keys.iter().map(|key| key.id.as_str()).collect();
    require(ids.len() == receipt.keys.len(), "a key is listed twice")?;
    require(*at(began, "/additional_fields/digest") == *ids_digest(ids).as_str(), "the incident had other keys")?;
    let expired = receipt.keys.iter().filter(|key| key.ended_at.is_some()).count();
    require(*at(ended, "/additional_fields/expired") == expired, "the incident has ended another number of keys")?;
    let confirmation = receipt.confirmation.as_ref();
    let verifiers = serde_json::to_value(confirmation.map(|confirmation| &confirmation.verifiers)).unwrap_or_default();
    require(*at(ended, "/additional_fields/verifiers") == verifiers, "other verifiers confirmed the end")
}
