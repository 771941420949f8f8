//! How many expired keys a list hides, asked of the server: its clock decides, not ours.

use std::collections::HashSet;

use keyward_sdk::types::ApiKeyWithOwner;
use keyward_sdk::{Client, Error, Page, Paged, TokensFilter, UserRef};

/// Beyond this it only says "more than".
const MOST: usize = 1_000;

/// So many keys are hidden; one more than [`MOST`] stands for any number above it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hidden(usize);

/// A list of tokens with the expired ones in it.
#[derive(Clone, Copy)]
pub(super) struct Query<'a> {
    pub(super) client: &'a Client,
    pub(super) user: &'a UserRef,
    pub(super) include_all: bool,
}

type TokensPage = Paged<Vec<ApiKeyWithOwner>>;

impl Query<'_> {
    /// The first page, which is nearly always the only one.
    pub(super) async fn first_page(self) -> Result<TokensPage, Error> {
        self.page(None).await
    }

    /// Counts the tokens that are in the list with the expired ones, from `page` on, and not among
    /// the `listed`. The live ones come first, so that this reads about as many pages as the list
    /// itself had, and stops when there are too many to count.
    pub(super) async fn count(self, mut page: TokensPage, listed: &[ApiKeyWithOwner]) -> Result<Hidden, Error> {
        let mut count = Count::new(listed);
        loop {
            count.add(&page.items);
            match page.next {
                Some(cursor) if count.hidden.len() <= MOST => page = self.page(Some(cursor)).await?,
                Some(_) | None => return Ok(count.done()),
            }
        }
    }

    async fn page(self, after: Option<String>) -> Result<TokensPage, Error> {
        let filter = TokensFilter { include_all: self.include_all, include_expired: true };
        let limit = u32::try_from(MOST).ok();
        self.client.tokens_page(self.user, &filter, &Page { limit, after }).await
    }
}

impl Hidden {
    /// Those in `all` that are not `listed`.
    pub(super) fn among(all: &[ApiKeyWithOwner], listed: &[ApiKeyWithOwner]) -> Self {
        let mut count = Count::new(listed);
        count.add(all);
        count.done()
    }

    /// The line that tells of them; none if there are none. `kind` is "token" or "session".
    pub(super) fn sentence(self, kind: &str) -> Option<String> {
        let what = match self.0 {
            0 => return None,
            1 => format!("1 expired {kind}"),
            count if count <= MOST => format!("{count} expired {kind}s"),
            _ => format!("more than {MOST} expired {kind}s"),
        };
        Some(format!("{what} hidden; --include-expired shows them"))
    }
}

/// A count under way. By id, since a key that expires while one pages is seen twice.
struct Count<'a> {
    listed: HashSet<&'a str>,
    hidden: HashSet<String>,
}

impl<'a> Count<'a> {
    fn new(listed: &'a [ApiKeyWithOwner]) -> Self {
        Self { listed: listed.iter().map(|key| key.key.id.as_str()).collect(), hidden: HashSet::new() }
    }

    fn add(&mut self, keys: &[ApiKeyWithOwner]) {
        let ids = keys.iter().map(|key| key.key.id.as_str());
        self.hidden.extend(ids.filter(|id| !self.listed.contains(id)).map(str::to_owned));
    }

    fn done(self) -> Hidden {
        Hidden(self.hidden.len().min(MOST + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_counts_up_to_a_thousand() {
        let said = |count| Hidden(count).sentence("token");
        assert_eq!(said(0), None);
        assert_eq!(said(1).unwrap(), "1 expired token hidden; --include-expired shows them");
        assert_eq!(said(2).unwrap(), "2 expired tokens hidden; --include-expired shows them");
        assert_eq!(said(1_000).unwrap(), "1000 expired tokens hidden; --include-expired shows them");
        assert_eq!(said(1_001).unwrap(), "more than 1000 expired tokens hidden; --include-expired shows them");
    }

    #[test]
    fn what_is_listed_is_not_hidden_and_nothing_counts_twice() {
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
        assert_eq!(Hidden::among(&all, &[key("a"), key("new")]), Hidden(2));
        assert_eq!(Hidden::among(&all, &all), Hidden(0));
    }
}
