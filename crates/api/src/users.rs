//! Users, and logging in and out.

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::endpoint::endpoint;
use crate::{Access, NoBody, NoContent, NoQuery};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// For ever.
    pub id: Uuid,
    /// Unique, in any case.
    pub username: String,
    /// What people call them; may be empty.
    pub name: String,
    /// Unique, in any case.
    pub email: String,
    /// When made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// When one of their keys was last used; the epoch until then.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
    /// `active` or `suspended`.
    pub status: String,
    /// `password`, or `none` for a service account.
    pub login_type: String,
    /// What they may do beyond their own keys; being a member is implied.
    pub roles: Vec<UserRole>,
    /// Always empty; clients of the lineage expect it.
    pub organization_ids: Vec<Uuid>,
}

/// A role, as a user has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserRole {
    /// The word for it in requests.
    pub name: String,
    /// The words for it that people read.
    pub display_name: String,
}

/// A page of users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsersPage {
    /// The users.
    pub users: Vec<User>,
    /// How many match in all, counted up to `count_cap`.
    pub count: u32,
    /// Where counting stops.
    #[serde(default)]
    pub count_cap: u32,
}

/// Which users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct UsersQuery {
    /// A part of username, name or e-mail, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// At most so many, 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::number")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The cursor out of the `Link` header of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl UsersQuery {
    /// The page of `limit` users that match `q` behind the cursor `after`.
    #[must_use]
    pub fn new(q: Option<String>, limit: Option<u32>, after: Option<String>) -> Self {
        Self { q, limit, after }
    }
}

/// The first user, who becomes an owner.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct CreateFirstUserRequest {
    /// E-mail address.
    pub email: String,
    /// Username.
    pub username: String,
    /// What people call them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// 12 to 256 bytes.
    pub password: String,
}

/// Who the first user is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CreatedFirstUser {
    /// Their id.
    pub user_id: Uuid,
}

/// One sentence for people.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// The sentence.
    pub message: String,
}

/// E-mail (or username) and password.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct LoginRequest {
    /// The e-mail address, or the username.
    pub email: String,
    /// The password.
    pub password: String,
}

/// A new session: the one time its secret is shown.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct LoginResponse {
    /// The secret text.
    pub session_token: String,
}

/// A new user.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct CreateUserRequest {
    /// E-mail address.
    pub email: String,
    /// Username.
    pub username: String,
    /// What people call them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// 12 to 256 bytes; not for a service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// `password` (the default), or `none` for a service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_type: Option<String>,
    /// `owner`, `user-admin`, `auditor`, `verifier`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
}

/// Roles by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleNames {
    /// `owner`, `user-admin`, `auditor`, `verifier`.
    pub roles: Vec<String>,
}

/// A new password.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct SetPasswordRequest {
    /// The present one; needed for one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_password: Option<String>,
    /// The new one, 12 to 256 bytes.
    pub password: String,
}

endpoint! {
    /// Tells whether the first user has been created.
    ViewFirstUser = Get "/api/v2/users/first",
    access: Access::Public,
    query: NoQuery,
    request: NoBody,
    response: 200 Message,
}

endpoint! {
    /// Creates the first user, an owner.
    CreateFirstUser = Post "/api/v2/users/first",
    access: Access::Public,
    query: NoQuery,
    request: CreateFirstUserRequest,
    response: 201 CreatedFirstUser,
}

endpoint! {
    /// Logs in with a password and makes a session.
    Login = Post "/api/v2/users/login",
    access: Access::Public,
    query: NoQuery,
    request: LoginRequest,
    response: 201 LoginResponse,
}

endpoint! {
    /// Expires the presented key.
    Logout = Post "/api/v2/users/logout",
    access: Access::SignedIn,
    query: NoQuery,
    request: NoBody,
    response: 200 Message,
}

endpoint! {
    /// Lists the users that may be read.
    ListUsers = Get "/api/v2/users",
    access: Access::Needs(Act::ReadUsers),
    query: UsersQuery,
    request: NoBody,
    response: 200 UsersPage,
}

endpoint! {
    /// Creates a user, or a service account.
    CreateUser = Post "/api/v2/users",
    access: Access::Needs(Act::CreateUser),
    query: NoQuery,
    request: CreateUserRequest,
    response: 201 User,
}

endpoint! {
    /// Shows a user. Seeing oneself needs no scope.
    ViewUser = Get "/api/v2/users/{user}",
    access: Access::Needs(Act::ReadUsers),
    query: NoQuery,
    request: NoBody,
    response: 200 User,
}

endpoint! {
    /// Deletes a user and expires all their keys.
    DeleteUser = Delete "/api/v2/users/{user}",
    access: Access::Needs(Act::DeleteUser),
    query: NoQuery,
    request: NoBody,
    response: 200 Message,
}

endpoint! {
    /// Shows a user's roles.
    ViewRoles = Get "/api/v2/users/{user}/roles",
    access: Access::Needs(Act::ReadUsers),
    query: NoQuery,
    request: NoBody,
    response: 200 RoleNames,
}

endpoint! {
    /// Replaces a user's roles.
    EditRoles = Put "/api/v2/users/{user}/roles",
    access: Access::Needs(Act::EditRoles),
    query: NoQuery,
    request: RoleNames,
    response: 200 User,
}

endpoint! {
    /// Suspends a user: their keys stop at once.
    SuspendUser = Put "/api/v2/users/{user}/status/suspend",
    access: Access::Needs(Act::SetStatus),
    query: NoQuery,
    request: NoBody,
    response: 200 User,
}

endpoint! {
    /// Activates a suspended user: their keys work again.
    ActivateUser = Put "/api/v2/users/{user}/status/activate",
    access: Access::Needs(Act::SetStatus),
    query: NoQuery,
    request: NoBody,
    response: 200 User,
}

endpoint! {
    /// Sets a user's password and expires all their keys.
    SetPassword = Put "/api/v2/users/{user}/password",
    access: Access::Needs(Act::SetPassword),
    query: NoQuery,
    request: SetPasswordRequest,
    response: 204 NoContent,
}
