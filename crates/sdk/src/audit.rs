//! The audit log, and what proves it.

use keyward_api::audit::{
    AuditLeaves, AuditLeavesQuery, AuditLogs, AuditQuery, AuditTree, AuditUnsealedQuery, ListAudit, ListAuditLeaves,
    ListUnsealedAudit, ProveAuditEntry, ViewAuditCheckpoint, ViewAuditTree,
};
use keyward_transparency::Proof;
use uuid::Uuid;

use crate::answer::Reader;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::page::Paged;

/// Which entries of the audit log to list, and which page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Space-separated `key:value` terms, such as `action:write resource_type:api_key`.
    pub q: Option<String>,
    /// Page size, 1 to 1000; 100 by default.
    pub limit: Option<u32>,
    /// The cursor of the page, from [`Paged::next`]; the first page by default.
    pub after: Option<String>,
}

impl Client {
    /// A page of the audit log, newest first.
    ///
    /// ```no_run
    /// # async fn example(client: keyward_sdk::Client) -> Result<(), keyward_sdk::Error> {
    /// use keyward_sdk::AuditFilter;
    ///
    /// let filter = AuditFilter { q: Some("resource_type:api_key".to_owned()), ..AuditFilter::default() };
    /// let page = client.audit_logs(&filter).await?;
    /// for entry in &page.items.audit_logs {
    ///     println!("{} {} {}", entry.time, entry.action, entry.resource_target);
    /// }
    /// let _older = client.audit_logs(&AuditFilter { after: page.next, ..filter }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Api`] if the caller may not read the log (403) or the search is invalid (400).
    pub async fn audit_logs(&self, filter: &AuditFilter) -> Result<Paged<AuditLogs>, Error> {
        let query = AuditQuery::new(filter.q.clone(), filter.limit, filter.after.clone());
        let answer = self.call(Call::<ListAudit>::new(&[])?.query(&query)?).await?;
        Ok(Paged::new(answer.value, answer.next))
    }

    /// The newest checkpoint of the audit log: a signed note (C2SP `tlog-checkpoint`) with the size and the
    /// root hash of its tree. Keep it: it proves later that no entry before its size was changed or removed.
    ///
    /// ```no_run
    /// # async fn example(client: keyward_sdk::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use keyward_sdk::transparency::{Checkpoint, VerifierKey};
    ///
    /// // From `keyward-server audit-key`.
    /// let key: VerifierKey = std::fs::read_to_string("audit.pub")?.trim().parse()?;
    /// let checkpoint = Checkpoint::open(&client.audit_checkpoint().await?, &[key])?;
    /// println!("{} entries are sealed", checkpoint.size);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Api`] if the caller may not read the log (403), or there is no checkpoint yet (503).
    pub async fn audit_checkpoint(&self) -> Result<String, Error> {
        Ok(self.call(Call::<ViewAuditCheckpoint>::new(&[])?).await?.value.0)
    }

    /// The state of the audit tree: its size, its newest checkpoint, and the keys that have signed checkpoints.
    ///
    /// # Errors
    /// [`Error::Api`] if the caller may not read the log (403).
    pub async fn audit_tree(&self) -> Result<AuditTree, Error> {
        Ok(self.call(Call::<ViewAuditTree>::new(&[])?).await?.value)
    }

    /// Leaves of the audit tree with their entries: at most `limit` (1 to 1000), from the index `from` on, and
    /// with an index less than `size`. To verify the log, use [`AuditExport`](crate::audit_export::AuditExport).
    ///
    /// # Errors
    /// [`Error::Api`] if the caller may not read the log (403), or the limit is invalid (400).
    pub async fn audit_leaves(&self, from: u64, size: u64, limit: u32) -> Result<AuditLeaves, Error> {
        let query = AuditLeavesQuery { from: Some(from), size: Some(size), limit: Some(limit) };
        Ok(self.call(Call::<ListAuditLeaves>::new(&[])?.query(&query)?).await?.value)
    }

    /// The audit entries that are not among the first `size` leaves of the audit tree, at most 1000.
    ///
    /// # Errors
    /// [`Error::Api`] if the caller may not read the log (403).
    pub async fn audit_unsealed(&self, size: u64) -> Result<AuditLeaves, Error> {
        let query = AuditUnsealedQuery { size: Some(size) };
        Ok(self.call(Call::<ListUnsealedAudit>::new(&[])?.query(&query)?).await?.value)
    }

    /// The proof that an audit entry is in the tree of the newest checkpoint.
    ///
    /// ```no_run
    /// # async fn example(client: keyward_sdk::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use keyward_sdk::AuditFilter;
    /// use keyward_sdk::transparency::{VerifierKey, canonical_json};
    ///
    /// // From `keyward-server audit-key`.
    /// let key: VerifierKey = std::fs::read_to_string("audit.pub")?.trim().parse()?;
    /// let page = client.audit_logs(&AuditFilter::default()).await?;
    /// if let Some(entry) = page.items.audit_logs.last() {
    ///     client.audit_proof(entry.id).await?.verify(&canonical_json(entry)?, &[key])?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Api`] if the caller may not read the log (403), there is no such entry (404), or the entry is
    /// not sealed yet (503). [`Error::Decode`] if the server's answer is not a proof.
    pub async fn audit_proof(&self, entry_id: Uuid) -> Result<Proof, Error> {
        let text = self.call(Call::<ProveAuditEntry>::new(&[&entry_id.to_string()])?).await?.value.0;
        let reader = Reader { url: &self.shared.url, token: self.token(), secret: false };
        text.parse().map_err(|error: keyward_transparency::InvalidProof| reader.malformed(&text, error.to_string()))
    }
}
