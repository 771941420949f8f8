//! The description of an endpoint: method, path, access, and the types of its request and response.

use std::any::TypeId;

use keyward_domain::access::Act;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The HTTP methods that endpoints use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads a resource.
    Get,
    /// Creates a resource, or runs an action.
    Post,
    /// Changes a resource; idempotent.
    Put,
    /// Deletes a resource.
    Delete,
}

impl Method {
    /// The method's name in the request line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// Whether a client that got no response may retry (RFC 9110, §9.2.2).
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        self != Self::Post
    }
}

/// Who may call an endpoint. The server checks this before it looks anything up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without a credential.
    Public,
    /// Any caller with a valid key. The key needs no scope.
    SignedIn,
    /// Any caller with a valid key that has the scope of this act.
    Needs(Act),
    /// The same; a caller who is the user in the path needs no scope.
    NeedsUnlessOneself(Act),
}

/// In which queue for the database an endpoint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// With all others.
    Normal,
    /// Ahead of all others: it ends keys.
    Urgent,
}

/// The encoding of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// JSON.
    Json,
    /// An HTML form, which the OAuth standards require.
    Form,
}

impl BodyForm {
    /// The media type, for the header `Content-Type`.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// The longest body of a request, in bytes, unless an endpoint says otherwise.
pub const BODY_LIMIT: usize = 64 * 1024;

/// One endpoint. The server registers it, the SDK calls it, the OpenAPI file lists it.
pub trait Endpoint {
    /// The method.
    const METHOD: Method;
    /// The path from the root, with `{name}` for each part that varies.
    const PATH: &'static str;
    /// Who may call it.
    const ACCESS: Access;
    /// The status of a successful response.
    const STATUS: u16;
    /// A name that is unique among endpoints: the `operationId` in OpenAPI.
    const NAME: &'static str;
    /// One sentence that says what the endpoint does.
    const SUMMARY: &'static str;
    /// The encoding of the request's body.
    const BODY: BodyForm;
    /// The longest body of a request, in bytes.
    const BODY_LIMIT: usize = BODY_LIMIT;
    /// In which queue for the database it stands.
    const LANE: Lane = Lane::Normal;
    /// The query parameters.
    type Query: Serialize + DeserializeOwned + Described;
    /// The request's body.
    type Request: Serialize + DeserializeOwned + Described;
    /// The body of a successful response.
    type Response: Serialize + DeserializeOwned + Described + 'static;
}

/// A shape that OpenAPI can describe. Without the feature `openapi`, every shape.
#[cfg(not(feature = "openapi"))]
pub trait Described {}

#[cfg(not(feature = "openapi"))]
impl<T> Described for T {}

#[cfg(feature = "openapi")]
pub use crate::openapi::Described;

/// No request body; any sent is ignored.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct NoBody {}

/// No query parameters; any sent are ignored.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct NoQuery {}

/// The response has no body.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct NoContent {}

impl NoContent {
    /// Whether this is the type of a response: then it has no body.
    #[must_use]
    pub fn is<T: 'static>() -> bool {
        TypeId::of::<T>() == TypeId::of::<Self>()
    }
}

/// The response is text, not JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlainText(pub String);

impl PlainText {
    /// Whether this is the type of a response: then its body is the text itself.
    #[must_use]
    pub fn is<T: 'static>() -> bool {
        TypeId::of::<T>() == TypeId::of::<Self>()
    }
}

/// Replaces the `{name}` parts of a path by values, in order. The caller percent-encodes the values.
#[must_use]
pub fn fill_path(path: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    path.split('/')
        .map(|part| if part.starts_with('{') { values.next().copied().unwrap_or(part) } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

/// Declares an endpoint: a unit type that implements [`Endpoint`]. `form` before the request's type
/// means that clients send it as a form; `lane:` and `body_limit:` may follow `access:`.
macro_rules! endpoint {
    (
        $(#[doc = $doc:literal])+
        $name:ident = $method:ident $path:literal,
        access: $access:expr,
        $(lane: $lane:ident,)?
        $(body_limit: $body_limit:expr,)?
        query: $query:ty,
        request: form $request:ty,
        response: $status:literal $response:ty $(,)?
    ) => {
        $crate::endpoint::endpoint! {
            @ Form, $(#[doc = $doc])+ $name = $method $path, $access, $($lane)?, $($body_limit)?,
            $query, $request, $status $response
        }
    };
    (
        $(#[doc = $doc:literal])+
        $name:ident = $method:ident $path:literal,
        access: $access:expr,
        $(lane: $lane:ident,)?
        $(body_limit: $body_limit:expr,)?
        query: $query:ty,
        request: $request:ty,
        response: $status:literal $response:ty $(,)?
    ) => {
        $crate::endpoint::endpoint! {
            @ Json, $(#[doc = $doc])+ $name = $method $path, $access, $($lane)?, $($body_limit)?,
            $query, $request, $status $response
        }
    };
    (
        @ $body:ident,
        $(#[doc = $doc:literal])+
        $name:ident = $method:ident $path:literal,
        $access:expr,
        $($lane:ident)?,
        $($body_limit:expr)?,
        $query:ty,
        $request:ty,
        $status:literal $response:ty
    ) => {
        #[doc = concat!("`", stringify!($method), " ", $path, "`")]
        #[doc = ""]
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl $crate::Endpoint for $name {
            const METHOD: $crate::Method = $crate::Method::$method;
            const PATH: &'static str = $path;
            const ACCESS: $crate::Access = $access;
            const STATUS: u16 = $status;
            const NAME: &'static str = stringify!($name);
            const SUMMARY: &'static str = concat!($($doc),+);
            const BODY: $crate::BodyForm = $crate::BodyForm::$body;
            $(const BODY_LIMIT: usize = $body_limit;)?
            $(const LANE: $crate::Lane = $crate::Lane::$lane;)?
            type Query = $query;
            type Request = $request;
            type Response = $response;
        }
    };
}
pub(crate) use endpoint;

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_is_filled_in_order() {
        assert_eq!(super::fill_path("/users/{user}/keys/{keyid}/expire", &["me", "k"]), "/users/me/keys/k/expire");
    }
}
