//! Paging: `limit` and `after` in the query, `Link: <…>; rel="next"` in the response (RFC 8288).

/// Maximum number of items on a page.
pub const MAX_LIMIT: u32 = 1_000;

/// Maximum of a `count`. A count that equals it means "this many or more".
pub const COUNT_CAP: u32 = 2_000;
