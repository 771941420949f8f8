//! Counts the expired keys that a list hides. The server's clock decides what has expired.

use std::collections::HashSet;

use keyward_sdk::types::ApiKeyWithOwner;
use keyward_sdk::{Client, Error, KeySelector, Page, Paged, TokensFilter, UserRef};

/// The maximum exact count. A higher count is printed as "more than".
const MAX_COUNTED: usize = 1_000;

/// The number of hidden keys. `MAX_COUNTED + 1` stands for any higher number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HiddenCount(usize);

/// A query for the token list that includes expired tokens.
#[derive(Clone, Copy)]
pub(super) struct Query<'a> {
    pub(super) client: &'a Client,
    pub(super) user: &'a UserRef,
    pub(super) include_all: bool,
    pub(super) selector: &'a KeySelector,
}

type TokensPage = Paged<Vec<ApiKeyWithOwner>>;

impl Query<'_> {
    /// Fetches the first page, which is nearly always the only one.
    pub(super) async fn first_page(self) -> Result<TokensPage, Error> {
        self.page(None).await
    }

    /// Counts the tokens from `page` on that are not in `listed`. Live tokens come first, so that
    /// this reads about as many pages as the list itself; it stops above `MAX_COUNTED`.
    pub(super) async fn count(self, mut page: TokensPage, listed: &[ApiKeyWithOwner]) -> Result<HiddenCount, Error> {
        let mut counter = Counter::new(listed);
        loop {
            counter.add(&page.items);
            match page.next {
                Some(cursor) if counter.hidden.len() <= MAX_COUNTED => page = self.page(Some(cursor)).await?,
                Some(_) | None => return Ok(counter.finish()),
            }
        }
    }

    async fn page(self, after: Option<String>) -> Result<TokensPage, Error> {
        let filter = TokensFilter {
            include_all: self.include_all,
            include_expired: true,
            selector: self.selector.clone(),
            ..TokensFilter::default()
        };
        let limit = u32::try_from(MAX_COUNTED).ok();
        self.client.tokens_page(self.user, &filter, &Page { limit, after }).await
    }
}

impl HiddenCount {
    /// Counts the keys in `all` that are not in `listed`.
    pub(super) fn among(all: &[ApiKeyWithOwner], listed: &[ApiKeyWithOwner]) -> Self {
        let mut counter = Counter::new(listed);
        counter.add(all);
        counter.finish()
    }

    /// The note about the hidden keys; `None` if the count is 0. `kind` is "token" or "session".
    pub(super) fn note(self, kind: &str) -> Option<String> {
        let what = match self.0 {
            0 => return None,
            1 => format!("1 expired {kind}"),
            count if count <= MAX_COUNTED => format!("{count} expired {kind}s"),
            _ => format!("more than {MAX_COUNTED} expired {kind}s"),
        };
        Some(format!("{what} hidden; --include-expired shows them"))
    }
}

/// Counts keys by ID, because a key that expires between two pages is seen twice.
struct Counter<'a> {
    listed: HashSet<&'a str>,
    hidden: HashSet<String>,
}

impl<'a> Counter<'a> {
    fn new(listed: &'a [ApiKeyWithOwner]) -> Self {
        Self { listed: listed.iter().map(|key| key.key.id.as_str()).collect(), hidden: HashSet::new() }
    }

    fn add(&mut self, keys: &[ApiKeyWithOwner]) {
        let ids = keys.iter().map(|key| key.key.id.as_str());
        self.hidden.extend(ids.filter(|id| !self.listed.contains(id)).map(str::to_owned));
    }

    fn finish(self) -> HiddenCount {
        HiddenCount(self.hidden.len().min(MAX_COUNTED + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_counts_up_to_a_thousand() {
        let said = |count| HiddenCount(count).note("token");
        assert_eq!(said(0), None);
        assert_eq!(said(1).unwrap(), "1 expired token hidden; --include-expired shows them");
        assert_eq!(said(2).unwrap(), "2 expired tokens hidden; --include-expired shows them");
        assert_eq!(said(1_000).unwrap(), "1000 expired tokens hidden; --include-expired shows them");
        assert_eq!(said(1_001).unwrap(), "more than 1000 expired tokens hidden; --include-expired shows them");
    }

    #[test]
    fn listed_keys_are_not_hidden_and_no_key_counts_twice() {
        let key = |id: &str| -> ApiKeyWithOwner {
            serde_json::from_value(serde_json::json!({
                "id": id,
                "user_id": "00000000-0000-4000-8000-000000000001",
                "last_used": "1970-01-01T00:00:00Z",
                "expires_at": "2026-01-02T00:00:00Z",
                "created_at": "2026-01-01T00:00:00Z",
                "updated_at": "2026-01-01T00:00:00Z",
                "login_type": "token",
                "scope": "all",
                "scopes": ["*:*"],
                "token_name": id,
                "lifetime_seconds": 86_400,
                "allow_list": ["*:*"],
                "username": "ada",
            }))
            .unwrap()
        };
        let all = [key("a"), key("b"), key("c"), key("c")];
        assert_eq!(HiddenCount::among(&all, &[key("a"), key("new")]), HiddenCount(2));
        assert_eq!(HiddenCount::among(&all, &all), HiddenCount(0));
    }
}
