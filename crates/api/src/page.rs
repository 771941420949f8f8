//! Paging: `limit` and `after` in the query, `Link: <…>; rel="next"` in the answer (RFC 8288).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most things a page may hold.
pub const MAX_LIMIT: u32 = 1_000;

/// The most matches that a `count` counts; beyond it reads as "so many or more".
pub const COUNT_CAP: u32 = 2_000;

/// Which page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct PageQuery {
    /// At most so many, 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::number")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The cursor out of the `Link` header of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl PageQuery {
    /// The page of `limit` things behind the cursor `after`.
    #[must_use]
    pub fn new(limit: Option<u32>, after: Option<String>) -> Self {
        Self { limit, after }
    }
}
