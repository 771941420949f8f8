//! Paging: `limit` and `after` in the query, `Link: <…>; rel="next"` in the response (RFC 8288).

use serde::{Deserialize, Serialize};

/// Maximum number of items on a page.
pub const MAX_LIMIT: u32 = 1_000;

/// Maximum of a `count`. A count that equals it means "this many or more".
pub const COUNT_CAP: u32 = 2_000;

/// The query parameters of a page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct PageQuery {
    /// Maximum number of items, 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::number")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000))]
    pub limit: Option<u32>,
    /// The cursor from the `Link` header of the previous page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl PageQuery {
    /// Asks for up to `limit` items after the cursor `after`.
    #[must_use]
    pub fn new(limit: Option<u32>, after: Option<String>) -> Self {
        Self { limit, after }
    }
}
