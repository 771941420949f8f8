//! What the server tells anyone about itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::endpoint::endpoint;
use crate::{Access, NoBody, NoQuery};

/// Which server this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct BuildInfo {
    /// The version, as in `v0.1.0`.
    pub version: String,
}

impl BuildInfo {
    /// A server of this version.
    #[must_use]
    pub fn new(version: impl Into<String>) -> Self {
        Self { version: version.into() }
    }
}

/// The scopes that may be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct ScopeCatalogue {
    /// Their names, sorted, without aliases.
    pub external: Vec<String>,
    /// The same, each with what it is for.
    pub scopes: Vec<ScopeInfo>,
}

/// A scope, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScopeInfo {
    /// Its name.
    pub name: String,
    /// What a key with it may do.
    pub description: String,
}

impl ScopeCatalogue {
    /// The catalogue of these scopes.
    #[must_use]
    pub fn new(scopes: Vec<ScopeInfo>) -> Self {
        Self { external: scopes.iter().map(|scope| scope.name.clone()).collect(), scopes }
    }
}

endpoint! {
    /// Tells which version of the server this is.
    ViewBuildInfo = Get "/api/v2/buildinfo",
    access: Access::Public,
    query: NoQuery,
    request: NoBody,
    response: 200 BuildInfo,
}

endpoint! {
    /// Lists the scopes that may be asked for.
    ListScopes = Get "/api/v2/auth/scopes",
    access: Access::Public,
    query: NoQuery,
    request: NoBody,
    response: 200 ScopeCatalogue,
}

endpoint! {
    /// Shows this description, as OpenAPI.
    ViewOpenApi = Get "/api/v2/openapi.json",
    access: Access::Public,
    query: NoQuery,
    request: NoBody,
    response: 200 serde_json::Value,
}
