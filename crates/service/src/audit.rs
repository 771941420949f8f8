//! Reading the audit log.

use keyward_domain::access::{Act, ResourceKind};
use keyward_domain::audit::{Entry, Filter};
use keyward_storage::{Lane, audit};

pub use keyward_storage::audit::AuditCursor;

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;

impl Service {
    /// May the caller read the log?
    ///
    /// # Errors
    /// When their roles or the calling key's allow list do not let them.
    pub fn may_read_audit(&self, caller: &Caller) -> Result<(), Error> {
        caller.require_all_of(ResourceKind::AuditLog)?;
        caller.require(Act::ReadAudit, caller.user())
    }

    /// What a search asks for.
    ///
    /// # Errors
    /// [`Error::InvalidSearch`] names every term that cannot be understood.
    pub fn audit_filter(&self, search: &str) -> Result<Filter, Error> {
        Filter::parse(search).map_err(Error::InvalidSearch)
    }

    /// A page of the log, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_page(&self, filter: Filter, page: AuditCursor, limit: i64) -> Result<Vec<Entry>, Error> {
        let work = move |conn: &mut keyward_storage::Conn<'_>| audit::list(conn, &filter, page, limit);
        Ok(self.inner.store.read(Lane::Normal, work).await?)
    }

    /// How many entries match, counted up to `cap`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_count(&self, filter: Filter, cap: u32) -> Result<u32, Error> {
        Ok(self.inner.store.read(Lane::Normal, move |conn| audit::count(conn, &filter, cap)).await?)
    }
}
