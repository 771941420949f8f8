//! Public information about the server.

use serde::{Deserialize, Serialize};

use crate::endpoint::endpoint;
use crate::{Access, NoBody, NoQuery};

/// The server's build information.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct BuildInfo {
    /// The version, as in `v0.1.0`.
    pub version: String,
}

impl BuildInfo {
    /// Describes a server of this version.
    #[must_use]
    pub fn new(version: impl Into<String>) -> Self {
        Self { version: version.into() }
    }
}

/// The scopes that a new token may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ScopeCatalogue {
    /// The names of the scopes, sorted, without aliases.
    pub external: Vec<String>,
    /// The same scopes, each with a description.
    pub scopes: Vec<ScopeInfo>,
}

/// A scope and its description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScopeInfo {
    /// The scope's name.
    pub name: String,
    /// What a key with this scope may do.
    pub description: String,
}

impl ScopeCatalogue {
    /// Builds the catalogue of these scopes.
    #[must_use]
    pub fn new(scopes: Vec<ScopeInfo>) -> Self {
        Self { external: scopes.iter().map(|scope| scope.name.clone()).collect(), scopes }
    }
}

endpoint! {
    /// Shows the version of the server.
    ViewBuildInfo = Get "/api/v2/buildinfo",
    access: Access::Public,
    query: NoQuery,
    request: NoBody,
    response: 200 BuildInfo,
}

endpoint! {
    /// Lists the scopes that a new token may have.
    ListScopes = Get "/api/v2/auth/scopes",
    access: Access::Public,
    query: NoQuery,
    request: NoBody,
    response: 200 ScopeCatalogue,
}

endpoint! {
    /// Shows this OpenAPI document.
    ViewOpenApi = Get "/api/v2/openapi.json",
    access: Access::Public,
    query: NoQuery,
    request: NoBody,
    response: 200 serde_json::Value,
}
