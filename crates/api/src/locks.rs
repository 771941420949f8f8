//! Locks: refuse or limit keys at once, without ending them.

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::endpoint::endpoint;
use crate::{Access, NoBody, NoContent, NoQuery};

/// Which keys a lock selects, also those that are created later. All that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LockSelector {
    /// The owner: a username or a user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The ids of the keys, up to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<String>>,
    /// A scope that the key's scopes grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// How the name begins, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_prefix: Option<String>,
    /// True to select every key if no condition is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everything: Option<bool>,
}

/// Parameters of a new lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddLockRequest {
    /// Which keys.
    pub selector: LockSelector,
    /// `deny` to refuse the keys, or `limit` to leave them only `scopes`.
    pub mode: String,
    /// The scopes that are left in the mode `limit`: a key keeps what its own scopes share with these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// What callers with a locked key are told, up to 500 characters.
    pub message: String,
    /// When the lock is removed; absent if a person removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub ends_at: Option<Timestamp>,
    /// `unspecified`, `compromised`, `superseded`, `retired` or `policy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lock {
    /// The id.
    pub id: Uuid,
    /// Which keys. A user is named by their id.
    pub selector: LockSelector,
    /// `deny` or `limit`.
    pub mode: String,
    /// The scopes that are left in the mode `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// What callers with a locked key are told.
    pub message: String,
    /// When the lock is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub ends_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// Who made it.
    pub by: LockMaker,
}

/// Who made a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LockMaker {
    /// The user's id.
    pub user_id: Uuid,
    /// The username at the time.
    pub username: String,
}

/// The locks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Locks {
    /// The locks, oldest first.
    pub locks: Vec<Lock>,
}

endpoint! {
    /// Adds a lock. It spares the calling key, and the sessions of the only active owner.
    AddLock = Post "/api/v2/locks",
    access: Access::Needs(Act::ExpireKey),
    lane: Urgent,
    query: NoQuery,
    request: AddLockRequest,
    response: 201 Lock,
}

endpoint! {
    /// Lists the locks. Those who may read the audit log see all, others their own.
    ListLocks = Get "/api/v2/locks",
    access: Access::Needs(Act::ReadKeys),
    query: NoQuery,
    request: NoBody,
    response: 200 Locks,
}

endpoint! {
    /// Removes a lock.
    RemoveLock = Delete "/api/v2/locks/{id}",
    access: Access::Needs(Act::ExpireKey),
    lane: Urgent,
    query: NoQuery,
    request: NoBody,
    response: 204 NoContent,
}
