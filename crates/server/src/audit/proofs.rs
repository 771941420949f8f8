//! What proves the audit log: its checkpoint, the leaves of its tree, and inclusion proofs.
//!
//! Use cases: `crates/service/src/audit.rs`.

use actix_web::HttpResponse;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keyward_api::audit::{
    AuditLeaf, AuditLeaves, AuditTree, ListAuditLeaves, ListUnsealedAudit, ProveAuditEntry, ViewAuditCheckpoint,
    ViewAuditTree,
};
use keyward_api::page::MAX_LIMIT;
use keyward_api::{ErrorCode, PlainText};
use keyward_service::Error;
use keyward_service::audit::{Leaf, Salted, Unsealed};

use super::wire;
use crate::http::{Call, IdPath, Problem};

/// `GET /api/v2/audit/checkpoint`
pub(crate) async fn checkpoint(call: Call<ViewAuditCheckpoint>) -> Result<HttpResponse, Problem> {
    let tree = call.service().audit(call.caller()?)?.tree().await?;
    Ok(call.answer_plain(PlainText(tree.checkpoint.ok_or(Error::NotSealed)?)))
}

/// `GET /api/v2/audit/tree`
pub(crate) async fn tree(call: Call<ViewAuditTree>) -> Result<HttpResponse, Problem> {
    let tree = call.service().audit(call.caller()?)?.tree().await?;
    call.answer(&AuditTree {
        origin: tree.origin,
        size: tree.size,
        checkpoint: tree.checkpoint,
        verifier_keys: tree.verifier_keys,
    })
}

/// `GET /api/v2/audit/{id}/proof`
pub(crate) async fn prove(call: Call<ProveAuditEntry>) -> Result<HttpResponse, Problem> {
    let log = call.service().audit(call.caller()?)?;
    let IdPath { id } = call.path()?;
    Ok(call.answer_plain(PlainText(log.proof(id).await?.to_string())))
}

/// `GET /api/v2/audit/leaves`
pub(crate) async fn leaves(call: Call<ListAuditLeaves>) -> Result<HttpResponse, Problem> {
    let log = call.service().audit(call.caller()?)?;
    let query = call.query()?;
    let limit = query.limit.unwrap_or(MAX_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::invalid_field("limit", format!("limit must be 1 to {MAX_LIMIT}, not {limit}")));
    }
    let largest = i64::MAX.unsigned_abs();
    let (from, size) = (query.from.unwrap_or(0).min(largest), query.size.unwrap_or(largest).min(largest));
    let leaves = log.leaves(from, size, i64::from(limit)).await?;
    call.answer(&AuditLeaves { leaves: leaves.into_iter().map(leaf).collect::<Result<_, _>>()? })
}

/// `GET /api/v2/audit/unsealed`
pub(crate) async fn unsealed(call: Call<ListUnsealedAudit>) -> Result<HttpResponse, Problem> {
    let log = call.service().audit(call.caller()?)?;
    let size = match call.query()?.size {
        Some(size) => size.min(i64::MAX.unsigned_abs()),
        None => log.tree().await?.size,
    };
    let entries = log.unsealed(size, i64::from(MAX_LIMIT)).await?;
    call.answer(&AuditLeaves { leaves: entries.into_iter().map(waiting).collect::<Result<_, _>>()? })
}

fn leaf(Leaf { index, id, hash, entry }: Leaf) -> Result<AuditLeaf, Problem> {
    let hash = Some(BASE64_STANDARD.encode(hash));
    Ok(AuditLeaf { index: Some(index), hash, ..with_entry(id, entry)? })
}

fn waiting(Unsealed { id, is_queued, entry }: Unsealed) -> Result<AuditLeaf, Problem> {
    Ok(AuditLeaf { is_waiting: Some(is_queued), ..with_entry(id, entry)? })
}

fn with_entry(id: String, entry: Option<Salted>) -> Result<AuditLeaf, Problem> {
    let mut leaf =
        AuditLeaf { index: None, id, hash: None, salt: None, entry: None, unreadable: None, is_waiting: None };
    if let Some(Salted { salt, entry }) = entry {
        leaf.salt = Some(BASE64_STANDARD.encode(salt));
        match entry {
            Ok(entry) => leaf.entry = Some(wire(&entry).map_err(not_serialised)?),
            Err(error) => leaf.unreadable = Some(error.to_string()),
        }
    }
    Ok(leaf)
}

fn not_serialised(error: serde_json::Error) -> Problem {
    Problem::new(ErrorCode::Internal, "The response cannot be serialised.").cause(error)
}
