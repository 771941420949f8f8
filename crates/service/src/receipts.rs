//! Receipts: what proves to a third party that keys were ended, by whom and why, and who confirmed it.

use keyward_domain::access::Act;
use keyward_domain::audit::{Entry, Filter};
use keyward_domain::confirmation::Confirmation;
use keyward_domain::event::EventKind;
use keyward_domain::{ApiKey, KeyId, Lifetime, Timestamp};
use keyward_storage::audit::AuditCursor;
use keyward_storage::{Conn, Lane, StoreError, audit, audit_tree, confirmations, incidents};
use keyward_transparency::{Checkpoint, Proof, inclusion_proof, nodes_of_inclusion_proof};
use uuid::Uuid;

use crate::error::{Error, NoReceipt};
use crate::incidents::{Incident, IncidentDesk};
use crate::keys::OneKey;
use crate::right::ReadKeys;
use crate::sealer;

/// How long after the end of a key its confirmation may still be on its way to the database.
const CONFIRMED_WITHIN: Lifetime = Lifetime::seconds(10);

/// The most keys of an incident that one read returns.
const BATCH: i64 = 5_000;

/// An audit entry and its place in the audit tree.
#[derive(Clone, Debug)]
pub struct ProvenEntry {
    /// The entry.
    pub entry: Entry,
    /// Its inclusion proof.
    pub proof: Proof,
}

/// The facts of the receipt for one key.
#[derive(Clone, Debug)]
pub struct KeyReceipt {
    /// The name under which checkpoints of this database are signed.
    pub origin: String,
    /// The dead key.
    pub key: ApiKey,
    /// The entry of its end, and those of its incident.
    pub entries: Vec<ProvenEntry>,
    /// Who confirmed its end; none if the server stopped before that was written.
    pub confirmation: Option<Confirmation>,
}

/// A key of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedKey {
    /// The key's id.
    pub id: KeyId,
    /// When the incident ended it, and the index of the entry in the audit tree; none if the key was dead
    /// before.
    pub ended: Option<(Timestamp, u64)>,
}

/// The facts of the receipt for an incident.
#[derive(Clone, Debug)]
pub struct IncidentReceipt {
    /// The name under which checkpoints of this database are signed.
    pub origin: String,
    /// The incident.
    pub incident: Incident,
    /// Its keys, in the order of their ids.
    pub keys: Vec<EndedKey>,
    /// The entries of its begin and its end.
    pub entries: Vec<ProvenEntry>,
}

impl OneKey<'_, ReadKeys> {
    /// The facts of the key's receipt.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Forbidden`] if the caller may not see the entry of the key's end: it is
    /// another user's, and the caller may not read the audit log. [`Error::NoReceipt`] if the key was not ended
    /// by hand, [`Error::NotSealed`] if that was a moment ago.
    pub async fn receipt(self) -> Result<KeyReceipt, Error> {
        let (service, caller) = (self.service().clone(), self.caller());
        let has_scope = caller.require_scope(Act::ReadAudit, &service.inner.catalogue).is_ok();
        let (reads_log, reader) = (has_scope && service.audit(caller).is_ok(), caller.user().id);
        let (key, now) = (self.view().await?.key, service.now());
        let read = move |conn: &mut Conn<'_>| -> Result<_, Error> {
            let ended_at = key.ended_at.ok_or(NoReceipt::NotEnded)?;
            let of_key = Filter {
                resource_id: Some(key.id.to_string()),
                event: Some(EventKind::KeyExpired),
                ..Filter::default()
            };
            let entry = newest(conn, &of_key)?.ok_or(NoReceipt::NoEntry)?;
            if !reads_log && entry.actor.as_ref().is_none_or(|actor| actor.id != reader) {
                return Err(Error::Forbidden);
            }
            let mut confirmation = confirmations::find(conn, &key.id)?;
            let mut entries = Vec::new();
            if let Some(id) = entry.incident {
                if let Some(incident) = incidents::find(conn, id)? {
                    confirmation = confirmation.or_else(|| confirmation_of(&incident));
                }
                entries.extend(entries_of_incident(conn, id)?);
            }
            if confirmation.is_none() && now.since(ended_at) < CONFIRMED_WITHIN {
                return Err(Error::NotSealed);
            }
            entries.push(proven(conn, entry)?);
            let origin = sealer::origin(&audit_tree::state(conn)?);
            Ok(KeyReceipt { origin, key, entries, confirmation })
        };
        service.inner.store.read(Lane::Normal, read).await
    }
}

impl IncidentDesk<'_> {
    /// The facts of an incident's receipt.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the incident is missing or hidden; [`Error::NoReceipt`] if it has not ended;
    /// [`Error::NotSealed`] if that was a moment ago.
    pub async fn receipt(&self, id: Uuid) -> Result<IncidentReceipt, Error> {
        let incident = self.view(id).await?;
        let read = move |conn: &mut Conn<'_>| -> Result<_, Error> {
            if incident.end.is_none() {
                return Err(NoReceipt::Running.into());
            }
            let entries = entries_of_incident(conn, id)?;
            let ended = audit_tree::ended_in_incident(conn, id, BATCH)?;
            if i64::try_from(ended.len()).is_ok_and(|count| count < incident.expired) {
                return Err(Error::NotSealed);
            }
            let mut keys = incidents::keys(conn, id)?;
            keys.sort_unstable();
            let keys = keys.into_iter().map(|id| EndedKey { ended: ended.get(id.as_str()).copied(), id }).collect();
            let origin = sealer::origin(&audit_tree::state(conn)?);
            Ok(IncidentReceipt { origin, incident, keys, entries })
        };
        self.service().inner.store.read(Lane::Normal, read).await
    }
}

/// The confirmation that an incident's keys are dead.
#[must_use]
pub fn confirmation_of(incident: &Incident) -> Option<Confirmation> {
    let end = incident.end.clone()?;
    Some(Confirmation { at: end.at, waited_ms: end.waited_ms, witnesses: end.witnesses })
}

/// The entries of an incident's begin and, if it has ended, of its end.
fn entries_of_incident(conn: &mut Conn<'_>, id: Uuid) -> Result<Vec<ProvenEntry>, Error> {
    let mut entries = Vec::new();
    for event in [EventKind::IncidentBegan, EventKind::IncidentEnded] {
        let filter = Filter { incident: Some(id), event: Some(event), ..Filter::default() };
        if let Some(entry) = newest(conn, &filter)? {
            entries.push(proven(conn, entry)?);
        }
    }
    Ok(entries)
}

fn newest(conn: &mut Conn<'_>, filter: &Filter) -> Result<Option<Entry>, StoreError> {
    Ok(audit::list(conn, filter, AuditCursor::first(), 1)?.pop())
}

fn proven(conn: &mut Conn<'_>, entry: Entry) -> Result<ProvenEntry, Error> {
    let proof = prove(conn, entry.id)?;
    Ok(ProvenEntry { entry, proof })
}

/// The inclusion proof of an entry in the tree of the newest checkpoint.
pub(crate) fn prove(conn: &mut Conn<'_>, entry: Uuid) -> Result<Proof, Error> {
    // Before the leaf: a leaf that is in the tree now is in every later tree too.
    let checkpoint = audit_tree::state(conn)?.checkpoint;
    let Some(leaf) = audit_tree::leaf_of(conn, entry)? else {
        let is_known = audit::exists(conn, entry)?;
        return Err(if is_known { Error::NotSealed } else { Error::NotFound });
    };
    let note = checkpoint.ok_or(Error::NotSealed)?;
    let size = Checkpoint::unverified(&note).map_err(|error| StoreError::damaged("audit_tree", 1, error))?.size;
    let nodes = nodes_of_inclusion_proof(size, leaf.index).ok_or(Error::NotSealed)?;
    let hashes = audit_tree::nodes(conn, &nodes.concat())?;
    let hashes = inclusion_proof(size, leaf.index, |node| hashes.get(&node).copied());
    let hashes = hashes.ok_or_else(|| StoreError::damaged("audit_nodes", leaf.index, "a node is missing"))?;
    let salt = leaf.entry.map(|entry| entry.salt).unwrap_or_default();
    Ok(Proof { salt, index: leaf.index, hashes, checkpoint: note })
}
