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

/// Headers that Keyward sends or reads beside the standard ones.
pub mod headers {
    /// A credential, for clients that cannot set `Authorization`.
    pub const SESSION_TOKEN: &str = "Keyward-Session-Token";
    /// The same, as clients of the lineage send it.
    pub const LINEAGE_SESSION_TOKEN: &str = "Coder-Session-Token";
    /// The server's version.
    pub const VERSION: &str = "Keyward-Version";
    /// The same, where clients of the lineage look for it: they refuse a server without it.
    pub const LINEAGE_VERSION: &str = "X-Coder-Build-Version";
    /// The id of the request, equal to `request_id` in an error and in the audit log.
    pub const REQUEST_ID: &str = "Keyward-Request-Id";
    /// The name of the key's user, in the answers of `/authz`.
    pub const USER: &str = "Keyward-User";
    /// The id of the key's user, in the answers of `/authz`.
    pub const USER_ID: &str = "Keyward-User-Id";
    /// The key's id, in the answers of `/authz`.
    pub const KEY_ID: &str = "Keyward-Key-Id";
    /// The key's scopes, separated by spaces, in the answers of `/authz`.
    pub const SCOPES: &str = "Keyward-Scopes";
    /// How an expire went: `confirmed=3 lapsed=0 ms=4`.
    pub const BARRIER: &str = "Keyward-Barrier";
    /// The code that the server printed at its start, to create the first user from elsewhere.
    pub const SETUP_CODE: &str = "Keyward-Setup-Code";
}
