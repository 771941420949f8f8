//! Reads the audit log, and what proves it.

use keyward_domain::access::{Act, ResourceKind};
use keyward_domain::audit::{Entry, Filter};
use keyward_storage::{Conn, Lane, StoreError, audit, audit_tree};
use keyward_transparency::Proof;
use uuid::Uuid;

pub use keyward_storage::audit::AuditCursor;
pub use keyward_storage::audit_tree::{Leaf, Salted, Unsealed};

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;
use crate::{receipts, sealer};

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

    /// The state of the audit tree.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn tree(&self) -> Result<AuditTree, Error> {
        let read = |conn: &mut Conn<'_>| -> Result<_, StoreError> {
            Ok((audit_tree::state(conn)?, audit_tree::signing_keys(conn)?))
        };
        let (state, verifier_keys) = self.service.inner.store.read(Lane::Normal, read).await?;
        Ok(AuditTree { origin: sealer::origin(&state), size: state.size, checkpoint: state.checkpoint, verifier_keys })
    }

    /// The inclusion proof of an entry in the tree of the newest checkpoint.
    ///
    /// # Errors
    /// [`Error::NotFound`] if neither the log nor the tree has the entry; [`Error::NotSealed`] if the tree does
    /// not have it yet.
    pub async fn proof(&self, entry: Uuid) -> Result<Proof, Error> {
        let read = move |conn: &mut Conn<'_>| receipts::prove(conn, entry);
        self.service.inner.store.read(Lane::Normal, read).await
    }

    /// Leaves from the index `from` up to, and without, `to`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn leaves(&self, from: u64, to: u64, limit: i64) -> Result<Vec<Leaf>, Error> {
        let read = move |conn: &mut Conn<'_>| audit_tree::leaves(conn, from, to, limit);
        Ok(self.service.inner.store.read(Lane::Normal, read).await?)
    }

    /// What the first `size` leaves lack, at most `limit`: see [`audit_tree::unsealed`].
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn unsealed(&self, size: u64, limit: i64) -> Result<Vec<Unsealed>, Error> {
        let read = move |conn: &mut Conn<'_>| audit_tree::unsealed(conn, size, limit);
        Ok(self.service.inner.store.read(Lane::Normal, read).await?)
    }
}

/// The state of the audit tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditTree {
    /// The name under which checkpoints are signed.
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    /// The newest checkpoint, signed; none before the first.
    pub checkpoint: Option<String>,
    /// The public keys with which servers have signed checkpoints, oldest first.
    pub verifier_keys: Vec<String>,
}
