//! Reads the audit log.

use keyward_domain::access::{Act, ResourceKind};
use keyward_domain::audit::{Entry, Filter};
use keyward_storage::{Conn, Lane, audit};

pub use keyward_storage::audit::AuditCursor;

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;

/// The audit log for a caller who may read it.
#[derive(Clone, Debug)]
pub struct AuditLog {
    service: Service,
}

impl Service {
    /// Opens the audit log.
    ///
    /// # Errors
    /// [`Error::ResourceNotAllowed`] or [`Error::Forbidden`] if the calling key's allow list or the
    /// caller's roles do not permit reading it.
    pub fn audit(&self, caller: &Caller) -> Result<AuditLog, Error> {
        caller.require_all_of(ResourceKind::AuditLog)?;
        caller.require(Act::ReadAudit, caller.user())?;
        Ok(AuditLog { service: self.clone() })
    }
}

impl AuditLog {
    /// At most `limit` matching entries after `cursor`, newest first.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn page(&self, filter: Filter, cursor: AuditCursor, limit: i64) -> Result<Vec<Entry>, Error> {
        let work = move |conn: &mut Conn<'_>| audit::list(conn, &filter, cursor, limit);
        Ok(self.service.inner.store.read(Lane::Normal, work).await?)
    }

    /// The number of matching entries, counted up to `cap`.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn count(&self, filter: Filter, cap: u32) -> Result<u32, Error> {
        Ok(self.service.inner.store.read(Lane::Normal, move |conn| audit::count(conn, &filter, cap)).await?)
    }
}
