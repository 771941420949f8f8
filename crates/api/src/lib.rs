//! The wire format: a description of each endpoint with its request and response, and the errors.
//! The server, the SDK and the OpenAPI file are all built from it, so they cannot differ.
//!
//! **Invariant:** each path is written once, in this crate.

pub mod audit;
mod endpoint;
pub mod error;
pub mod incidents;
pub mod keys;
pub mod locks;
#[cfg(feature = "openapi")]
mod openapi;
pub mod page;
pub mod receipts;
pub mod system;
pub mod users;
pub mod verifiers;
pub mod verify;
mod wire;

pub use endpoint::{
    Access, BODY_LIMIT, BodyForm, Described, Endpoint, Lane, Method, NoBody, NoContent, NoQuery, PlainText, fill_path,
};
pub use error::{ErrorBody, ErrorCode, Validation};
#[cfg(feature = "openapi")]
pub use openapi::document as openapi;

/// Headers that Keyward sends or reads besides the standard ones. HTTP ignores the case of header names;
/// these are in lower case because HTTP libraries require that of constants.
pub mod headers {
    /// A credential, for clients that cannot set `Authorization`.
    pub const SESSION_TOKEN: &str = "keyward-session-token";
    /// A credential, in the header that Coder clients send.
    pub const LINEAGE_SESSION_TOKEN: &str = "coder-session-token";
    /// The server's version.
    pub const VERSION: &str = "keyward-version";
    /// The server's version, in the header that Coder clients require of a server.
    pub const LINEAGE_VERSION: &str = "x-coder-build-version";
    /// The id of the request, equal to `request_id` in an error and in the audit log.
    pub const REQUEST_ID: &str = "keyward-request-id";
    /// The username of the key's owner, in the responses of `/authz`.
    pub const USER: &str = "keyward-user";
    /// The id of the key's owner, in the responses of `/authz`.
    pub const USER_ID: &str = "keyward-user-id";
    /// The key's id, in the responses of `/authz`.
    pub const KEY_ID: &str = "keyward-key-id";
    /// The key's scopes, separated by spaces, in the responses of `/authz`.
    pub const SCOPES: &str = "keyward-scopes";
    /// The result of an expire's barrier: `confirmed=3 lapsed=0 ms=4`.
    pub const BARRIER: &str = "keyward-barrier";
    /// The code that the server printed at start. It lets another machine create the first user.
    pub const SETUP_CODE: &str = "keyward-setup-code";
}

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
