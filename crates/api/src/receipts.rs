//! Receipts: signed documents that prove to a third party that keys were ended.

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

#[cfg(feature = "openapi")]
use crate::audit::AuditLog;
use crate::endpoint::endpoint;
use crate::{Access, NoBody, NoQuery};

/// The value of [`Receipt::kind`].
pub const KIND: &str = "keyward-receipt-v1";

/// What stands before the canonical JSON of a receipt when it is signed, so that no signature over a receipt
/// is one over a checkpoint, or the other way round.
pub const SIGNED_PREFIX: &str = "keyward receipt v1\n";

/// A receipt: what was ended, when, by whom, why, and who confirmed it. It can be checked without a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// `keyward-receipt-v1`.
    pub kind: String,
    /// The instance of Keyward: the origin of its checkpoints.
    pub origin: String,
    /// When the receipt was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub issued_at: Timestamp,
    /// The incident; absent in the receipt for one key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident_id: Option<Uuid>,
    /// The keys, in the order of their ids.
    pub keys: Vec<DeadKey>,
    /// The user who ended the keys; null for the server itself.
    pub by: Option<ReceiptActor>,
    /// Why: `unspecified`, `compromised`, `superseded`, `retired` or `policy`; null if no reason was given.
    pub reason: Option<String>,
    /// A note on why.
    pub note: Option<String>,
    /// Who confirmed that the keys are dead; null if the server stopped before that was written.
    pub confirmation: Option<ReceiptConfirmation>,
    /// The audit entries that prove it.
    pub entries: Vec<ProvenEntry>,
    /// The signature over the rest of the receipt; absent while it is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<ReceiptSignature>,
}

/// A receipt as the server has signed it. Not [`Receipt`]: a client that is older than the server must keep the
/// fields that it does not know, or the signature would be wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignedReceipt(pub Value);

/// A dead key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeadKey {
    /// The key's id.
    pub id: String,
    /// When it was ended; null if it was dead before the incident.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub ended_at: Option<Timestamp>,
    /// The index in the audit tree of the entry of its end; null if it was dead before the incident.
    pub leaf_index: Option<u64>,
}

/// The user who ended the keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReceiptActor {
    /// The user's id.
    pub user_id: Uuid,
    /// The user's username at that time.
    pub username: String,
    /// The id of the key that was used for it; null if there was none.
    pub key_id: Option<String>,
}

/// Who confirmed that keys are dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReceiptConfirmation {
    /// From when on no server and no verifier accepted any of the keys.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// How long the request waited for it, in milliseconds.
    pub waited_ms: i64,
    /// The embedded verifiers that were connected to the server that ended the keys.
    pub verifiers: Vec<ReceiptVerifier>,
}

/// An embedded verifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReceiptVerifier {
    /// The verifier's id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// When it confirmed that it no longer accepts the keys; null if its lease expired instead.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub confirmed_at: Option<Timestamp>,
}

/// An audit entry with its inclusion proof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProvenEntry {
    /// The entry.
    #[cfg_attr(feature = "openapi", schema(value_type = AuditLog))]
    pub entry: Value,
    /// Its inclusion proof with the checkpoint (C2SP `tlog-proof`).
    pub proof: String,
}

/// A signature over a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReceiptSignature {
    /// The public key that verifies it, as a verifier key (C2SP `signed-note`). Trust it only if you know it.
    pub verifier_key: String,
    /// The Ed25519 signature in base64: over `keyward receipt v1`, a newline, and the canonical JSON (RFC 8785)
    /// of the receipt without this field.
    pub value: String,
}

endpoint! {
    /// Shows the receipt of a key that was ended by hand.
    ViewKeyReceipt = Get "/api/v2/users/{user}/keys/{keyid}/receipt",
    access: Access::Needs(Act::ReadKeys),
    query: NoQuery,
    request: NoBody,
    response: 200 SignedReceipt,
}

endpoint! {
    /// Shows the receipt of an incident that has ended.
    ViewIncidentReceipt = Get "/api/v2/incidents/{id}/receipt",
    access: Access::Needs(Act::ReadKeys),
    query: NoQuery,
    request: NoBody,
    response: 200 SignedReceipt,
}
