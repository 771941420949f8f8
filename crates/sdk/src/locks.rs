//! Locks: refuse or limit keys at once, without ending them.

use keyward_api::locks::{AddLock, AddLockRequest, ListLocks, Lock, RemoveLock};
use uuid::Uuid;

use crate::call::Call;
use crate::client::Client;
use crate::error::Error;

impl Client {
    /// Adds a lock. Once this returns, every server and verifier applies it. It spares the calling key, and
    /// the sessions of the only active owner. This is never retried.
    ///
    /// ```no_run
    /// # async fn example(client: keyward_sdk::Client) -> Result<(), keyward_sdk::Error> {
    /// use keyward_sdk::types::{AddLockRequest, LockSelector};
    ///
    /// let request = AddLockRequest {
    ///     selector: LockSelector { user: Some("svc-deploy".to_owned()), ..LockSelector::default() },
    ///     mode: "deny".to_owned(),
    ///     message: "A key was leaked; ask security@example.com.".to_owned(),
    ///     ..AddLockRequest::default()
    /// };
    /// let lock = client.add_lock(&request).await?;
    /// client.remove_lock(lock.id).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Api`] if the selector is empty or a field is invalid (400), or if the caller is not allowed
    /// to (403).
    pub async fn add_lock(&self, request: &AddLockRequest) -> Result<Lock, Error> {
        Ok(self.call(Call::<AddLock>::new(&[])?.body(request)?).await?.value)
    }

    /// The locks, oldest first. Those who may read the audit log see all, others their own.
    ///
    /// # Errors
    /// [`Error::Api`] if the caller may not read keys (403).
    pub async fn locks(&self) -> Result<Vec<Lock>, Error> {
        Ok(self.call(Call::<ListLocks>::new(&[])?).await?.value.locks)
    }

    /// Removes a lock. Once this returns, no server or verifier applies it. An owner removes any lock, others
    /// their own.
    ///
    /// # Errors
    /// [`Error::Api`] if there is no such lock or it is hidden (404), or if the caller is not allowed to
    /// (403).
    pub async fn remove_lock(&self, id: Uuid) -> Result<(), Error> {
        self.call(Call::<RemoveLock>::new(&[&id.to_string()])?).await?;
        Ok(())
    }
}
