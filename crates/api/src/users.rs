//! Users, and logging in and out.

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::endpoint::endpoint;
use crate::{Access, NoBody, NoContent, NoQuery};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// The user's id, which never changes.
    pub id: Uuid,
    /// Username, unique regardless of case.
    pub username: String,
    /// Display name; may be empty.
    pub name: String,
    /// E-mail address, unique regardless of case.
    pub email: String,
    /// Creation time.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// Time of the last change.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub updated_at: Timestamp,
    /// Last use of any of the user's keys; `1970-01-01T00:00:00Z` if never used.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub last_seen_at: Timestamp,
    /// `active` or `suspended`.
    pub status: String,
    /// `password`, or `none` for a service account.
    pub login_type: String,
    /// The user's roles; every user is also a member, which is not listed.
    pub roles: Vec<UserRole>,
    /// Always empty; Coder clients expect this field.
    pub organization_ids: Vec<Uuid>,
}

/// A role of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserRole {
    /// The role's name in requests.
    pub name: String,
    /// The role's name for people.
    pub display_name: String,
}

/// A page of users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsersPage {
    /// The users.
    pub users: Vec<User>,
    /// The number of all matching users, counted up to `count_cap`.
    pub count: u32,
    /// The maximum of `count`.
    #[serde(default)]
    pub count_cap: u32,
}

/// The query parameters of a list of users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct UsersQuery {
    /// A part of the username, name or e-mail address, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Maximum number of users, 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::number")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000))]
    pub limit: Option<u32>,
    /// The cursor from the `Link` header of the previous page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl UsersQuery {
    /// Asks for up to `limit` users that match `q`, after the cursor `after`.
    #[must_use]
    pub fn new(q: Option<String>, limit: Option<u32>, after: Option<String>) -> Self {
        Self { q, limit, after }
    }
}

/// The first user, who becomes an owner.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateFirstUserRequest {
    /// E-mail address.
    pub email: String,
    /// Username.
    pub username: String,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Password, 12 to 256 bytes.
    pub password: String,
}

/// The id of the first user.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedFirstUser {
    /// The user's id.
    pub user_id: Uuid,
}

/// A message for people.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// The message.
    pub message: String,
}

/// E-mail (or username) and password.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginRequest {
    /// The e-mail address, or the username.
    pub email: String,
    /// The password.
    pub password: String,
}

/// A new session. Only this response contains its secret.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginResponse {
    /// The session key with its secret.
    pub session_token: String,
}

/// A new user.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateUserRequest {
    /// E-mail address.
    pub email: String,
    /// Username.
    pub username: String,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Password, 12 to 256 bytes; absent for a service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// `password` (the default), or `none` for a service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_type: Option<String>,
    /// Whether the user is a service account, as some older clients say it: the same as the login type
    /// `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_login: Option<bool>,
    /// Roles: `owner`, `user-admin`, `auditor`, `verifier`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
}

/// The names of roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoleNames {
    /// Roles: `owner`, `user-admin`, `auditor`, `verifier`.
    pub roles: Vec<String>,
}

/// A new password.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetPasswordRequest {
    /// The current password; required to change your own password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_password: Option<String>,
    /// The new password, 12 to 256 bytes.
    pub password: String,
}

endpoint! {
    /// Reports whether the first user has been created.
    ViewFirstUser = Get "/api/v2/users/first",
    access: Access::Public,
    query: NoQuery,
    request: NoBody,
    response: 200 Message,
}

endpoint! {
    /// Creates the first user, who becomes an owner.
    CreateFirstUser = Post "/api/v2/users/first",
    access: Access::Public,
    query: NoQuery,
    request: CreateFirstUserRequest,
    response: 201 CreatedFirstUser,
}

endpoint! {
    /// Logs in with a password and creates a session.
    Login = Post "/api/v2/users/login",
    access: Access::Public,
    body_limit: 4 * 1024,
    query: NoQuery,
    request: LoginRequest,
    response: 201 LoginResponse,
}

endpoint! {
    /// Logs out: expires the presented key.
    Logout = Post "/api/v2/users/logout",
    access: Access::SignedIn,
    lane: Urgent,
    query: NoQuery,
    request: NoBody,
    response: 200 Message,
}

endpoint! {
    /// Lists the users that the caller may read.
    ListUsers = Get "/api/v2/users",
    access: Access::Needs(Act::ReadUsers),
    query: UsersQuery,
    request: NoBody,
    response: 200 UsersPage,
}

endpoint! {
    /// Creates a user or a service account.
    CreateUser = Post "/api/v2/users",
    access: Access::Needs(Act::CreateUser),
    query: NoQuery,
    request: CreateUserRequest,
    response: 201 User,
}

endpoint! {
    /// Shows a user. Viewing your own user needs no scope.
    ViewUser = Get "/api/v2/users/{user}",
    access: Access::NeedsUnlessOneself(Act::ReadUsers),
    query: NoQuery,
    request: NoBody,
    response: 200 User,
}

endpoint! {
    /// Deletes a user and expires all of the user's keys.
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
    /// Suspends a user. The user's keys stop working at once.
    SuspendUser = Put "/api/v2/users/{user}/status/suspend",
    access: Access::Needs(Act::SetStatus),
    query: NoQuery,
    request: NoBody,
    response: 200 User,
}

endpoint! {
    /// Activates a suspended user. The user's unexpired keys work again.
    ActivateUser = Put "/api/v2/users/{user}/status/activate",
    access: Access::Needs(Act::SetStatus),
    query: NoQuery,
    request: NoBody,
    response: 200 User,
}

endpoint! {
    /// Sets a user's password and expires all of the user's keys.
    SetPassword = Put "/api/v2/users/{user}/password",
    access: Access::Needs(Act::SetPassword),
    query: NoQuery,
    request: SetPasswordRequest,
    response: 204 NoContent,
}
