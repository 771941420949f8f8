//! Which keys to list, and in which order.

use keyward_api::keys::{KeySelector, KeysQuery, TokensQuery};

use crate::page::Page;

/// Which tokens to list. It is not `#[non_exhaustive]`, so that callers can write a literal.
///
/// ```
/// use keyward_sdk::{KeySelector, KeySort, TokensFilter};
///
/// let mut selector = KeySelector::default();
/// selector.scope = Some("workspace:read".to_owned());
/// let filter = TokensFilter { selector, sort: KeySort::LastUsed, ..TokensFilter::default() };
/// # assert!(!filter.include_expired);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokensFilter {
    /// Whether to list the tokens of every user that the caller may read.
    pub include_all: bool,
    /// Whether to include expired tokens. The conditions `status: expired` and `end_reason` include them
    /// anyway.
    pub include_expired: bool,
    /// Conditions, which all must hold. Its `ids` and `everything` have no meaning for a list.
    pub selector: KeySelector,
    /// By what the list is ordered.
    pub sort: KeySort,
    /// Whether the latest or the earliest comes first.
    pub order: SortOrder,
}

/// Which keys of a user to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeysFilter {
    /// Whether to include expired keys. The conditions `status: expired` and `end_reason` include them
    /// anyway.
    pub include_expired: bool,
    /// Conditions, which all must hold. Its `ids` and `everything` have no meaning for a list.
    pub selector: KeySelector,
    /// By what the list is ordered.
    pub sort: KeySort,
    /// Whether the latest or the earliest comes first.
    pub order: SortOrder,
}

/// By what a list of keys is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySort {
    /// By expiry.
    #[default]
    ExpiresAt,
    /// By creation time.
    CreatedAt,
    /// By last use.
    LastUsed,
}

/// The direction of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortOrder {
    /// The latest first.
    #[default]
    Desc,
    /// The earliest first.
    Asc,
}

impl KeySort {
    /// The value of the query parameter; `None` for the server's default.
    fn parameter(self) -> Option<String> {
        match self {
            Self::ExpiresAt => None,
            Self::CreatedAt => Some("created_at".to_owned()),
            Self::LastUsed => Some("last_used".to_owned()),
        }
    }
}

impl SortOrder {
    /// The value of the query parameter; `None` for the server's default.
    fn parameter(self) -> Option<String> {
        match self {
            Self::Desc => None,
            Self::Asc => Some("asc".to_owned()),
        }
    }
}

impl TokensFilter {
    pub(crate) fn query(&self, page: &Page) -> TokensQuery {
        let mut query = TokensQuery::new(self.include_all, self.include_expired, page.limit, page.after.clone())
            .with(self.selector.clone());
        (query.sort, query.order) = (self.sort.parameter(), self.order.parameter());
        query
    }
}

impl KeysFilter {
    pub(crate) fn query(&self, page: &Page) -> KeysQuery {
        let mut query =
            KeysQuery::new(self.include_expired, page.limit, page.after.clone()).with(self.selector.clone());
        (query.sort, query.order) = (self.sort.parameter(), self.order.parameter());
        query
    }
}
