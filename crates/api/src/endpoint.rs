//! What an endpoint is: a method, a path, who may call it, and the shapes that go in and out.

use keyward_domain::access::Act;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};

/// The HTTP methods that endpoints use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Make.
    Post,
    /// Change; doing it twice is doing it once.
    Put,
    /// Remove.
    Delete,
}

impl Method {
    /// The word in the request line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// May a client that heard nothing send the request again (RFC 9110, §9.2.2)?
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        self != Self::Post
    }
}

/// Who may call an endpoint, as far as that can be told before anything is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without a credential.
    Public,
    /// Whoever presents a valid key, whatever its scopes.
    SignedIn,
    /// Whoever presents a key with the scope of this act.
    Needs(Act),
}

/// How the body of a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// JSON.
    Json,
    /// As an HTML form, which the OAuth standards want.
    Form,
}

impl BodyForm {
    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// One endpoint. The server registers it, the SDK calls it, the OpenAPI file lists it.
pub trait Endpoint {
    /// The method.
    const METHOD: Method;
    /// The path from the root, with `{name}` for each part that varies.
    const PATH: &'static str;
    /// Who may call it.
    const ACCESS: Access;
    /// The status of a success.
    const STATUS: u16;
    /// One word, unique among endpoints; in OpenAPI the `operationId`.
    const NAME: &'static str;
    /// What it does, in a sentence.
    const SUMMARY: &'static str;
    /// How the body of a request is written.
    const BODY: BodyForm;
    /// What may stand behind the `?`.
    type Query: Serialize + DeserializeOwned + Described;
    /// The body of a request.
    type Request: Serialize + DeserializeOwned + Described;
    /// The body of a success.
    type Response: Serialize + DeserializeOwned + Described;
}

/// A shape that OpenAPI can tell of.
pub trait Described {
    /// Is it "nothing": no body at all?
    const IS_NOTHING: bool = false;

    /// Its schema, after adding those it refers to; none for "nothing".
    fn describe(schemas: &mut Vec<(String, RefOr<Schema>)>) -> Option<RefOr<Schema>>;
}

impl<T: utoipa::ToSchema> Described for T {
    fn describe(schemas: &mut Vec<(String, RefOr<Schema>)>) -> Option<RefOr<Schema>> {
        T::schemas(schemas);
        let own = T::schema();
        let name = T::name().into_owned();
        if matches!(&own, RefOr::T(Schema::Object(_) | Schema::AllOf(_))) {
            schemas.push((name.clone(), own));
            return Some(RefOr::Ref(utoipa::openapi::Ref::from_schema_name(name)));
        }
        Some(own)
    }
}

/// No body is read; whatever a client sends is ignored.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct NoBody {}

/// Nothing may stand behind the `?` that would be looked at.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct NoQuery {}

/// The answer has no body.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct NoContent {}

macro_rules! describe_nothing {
    ($($nothing:ty),*) => {$(
        impl Described for $nothing {
            const IS_NOTHING: bool = true;

            fn describe(_: &mut Vec<(String, RefOr<Schema>)>) -> Option<RefOr<Schema>> {
                None
            }
        }
    )*};
}
describe_nothing!(NoBody, NoQuery, NoContent);

/// Puts values in the place of a path's `{name}` parts, in order, percent-encoded by the caller.
#[must_use]
pub fn fill_path(path: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    path.split('/')
        .map(|part| if part.starts_with('{') { values.next().copied().unwrap_or(part) } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

/// Declares an endpoint: a unit type that implements [`Endpoint`]. `form` before the request's type
/// says that it is written as a form.
macro_rules! endpoint {
    (
        $(#[doc = $doc:literal])+
        $name:ident = $method:ident $path:literal,
        access: $access:expr,
        query: $query:ty,
        request: form $request:ty,
        response: $status:literal $response:ty $(,)?
    ) => {
        $crate::endpoint::endpoint! {
            @ Form, $(#[doc = $doc])+ $name = $method $path, $access, $query, $request, $status $response
        }
    };
    (
        $(#[doc = $doc:literal])+
        $name:ident = $method:ident $path:literal,
        access: $access:expr,
        query: $query:ty,
        request: $request:ty,
        response: $status:literal $response:ty $(,)?
    ) => {
        $crate::endpoint::endpoint! {
            @ Json, $(#[doc = $doc])+ $name = $method $path, $access, $query, $request, $status $response
        }
    };
    (
        @ $body:ident,
        $(#[doc = $doc:literal])+
        $name:ident = $method:ident $path:literal,
        $access:expr,
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
