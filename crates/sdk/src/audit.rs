//! The audit log.

use keyward_api::audit::{AuditLogs, AuditQuery, ListAudit};

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
}
