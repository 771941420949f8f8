//! What goes over the wire: one description for each endpoint, its request and answer, and the
//! errors. Server, SDK and the OpenAPI file are all made from it, so that they cannot differ.
//!
//! **Invariant:** a path stands in this crate once, and nowhere else.

pub mod audit;
mod endpoint;
pub mod error;
pub mod keys;
mod openapi;
pub mod page;
pub mod system;
pub mod users;
pub mod verifiers;
pub mod verify;
mod wire;

pub use endpoint::{Access, BodyForm, Described, Endpoint, Method, NoBody, NoContent, NoQuery, fill_path};
pub use error::{ErrorBody, ErrorCode, Validation};
pub use openapi::document as openapi;

/// Headers that Keyward sends or reads beside the standard ones, in lower case: names of headers are
/// alike in any case, and libraries want their constants so.
pub mod headers {
    /// A credential, for clients that cannot set `Authorization`.
    pub const SESSION_TOKEN: &str = "keyward-session-token";
    /// The same, as clients of the lineage send it.
    pub const LINEAGE_SESSION_TOKEN: &str = "coder-session-token";
    /// The server's version.
    pub const VERSION: &str = "keyward-version";
    /// The same, where clients of the lineage look for it: they refuse a server without it.
    pub const LINEAGE_VERSION: &str = "x-coder-build-version";
    /// The id of the request, equal to `request_id` in an error and in the audit log.
    pub const REQUEST_ID: &str = "keyward-request-id";
    /// The name of the key's user, in the answers of `/authz`.
    pub const USER: &str = "keyward-user";
    /// The id of the key's user, in the answers of `/authz`.
    pub const USER_ID: &str = "keyward-user-id";
    /// The key's id, in the answers of `/authz`.
    pub const KEY_ID: &str = "keyward-key-id";
    /// The key's scopes, separated by spaces, in the answers of `/authz`.
    pub const SCOPES: &str = "keyward-scopes";
    /// How an expire went: `confirmed=3 lapsed=0 ms=4`.
    pub const BARRIER: &str = "keyward-barrier";
    /// The code that the server printed at its start, to create the first user from elsewhere.
    pub const SETUP_CODE: &str = "keyward-setup-code";
}
