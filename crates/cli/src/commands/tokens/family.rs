//! The relatives of a key: the chain of keys that created it, up to a login, and the keys it has created.

use std::collections::HashMap;

use keyward_sdk::types::{ApiKey, ApiKeyWithOwner, LoginType, Uuid};
use keyward_sdk::{Client, Error, KeySelector, KeysFilter, Page, TokensFilter, UserRef};

/// The longest chain that is followed.
const MAX_ANCESTORS: usize = 20;

/// The maximum number of created keys that are shown.
const MAX_CHILDREN: usize = 20;

/// The maximum number of created tokens that are counted.
const MAX_COUNTED: u32 = 1_000;

/// Fetches the relatives of keys, and the username of each owner once.
pub(super) struct Family<'a> {
    client: &'a Client,
    user: &'a UserRef,
    usernames: HashMap<Uuid, Option<String>>,
}

impl<'a> Family<'a> {
    pub(super) fn new(client: &'a Client, user: &'a UserRef) -> Self {
        Self { client, user, usernames: HashMap::new() }
    }

    /// The chain of keys that created `key`, nearest first, one line each and each further in.
    pub(super) async fn ancestors(&mut self, key: &ApiKey) -> Result<Vec<String>, Error> {
        let mut lines = Vec::new();
        let mut next = key.minted_by.clone();
        while let Some(id) = next {
            let indent = "  ".repeat(lines.len() + 1);
            if lines.len() == MAX_ANCESTORS {
                lines.push(format!("{indent}{id}, and those before it"));
                break;
            }
            match self.client.api_key_by_id(self.user, &id).await {
                Ok(minter) => {
                    let owner = self.username(minter.user_id).await?;
                    lines.push(format!("{indent}{}", line(&minter, owner.as_deref())));
                    next = minter.minted_by;
                }
                Err(error) if error.is_not_found() => {
                    lines.push(format!("{indent}{id}  (record gone)"));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(lines)
    }

    /// The keys that `key` created, expired ones too, one line each.
    pub(super) async fn children(&self, key: &ApiKey) -> Result<Vec<String>, Error> {
        let mut selector = KeySelector::default();
        selector.minted_by = Some(key.id.clone());
        let tokens = TokensFilter {
            include_all: true,
            include_expired: true,
            selector: selector.clone(),
            ..TokensFilter::default()
        };
        let page = Page { limit: Some(MAX_COUNTED), after: None };
        let tokens = self.client.tokens_page(self.user, &tokens, &page).await?;
        // Only a user's own list has sessions. A key creates sessions for its owner, and for others only if
        // it may manage them.
        selector.kind = Some("session".to_owned());
        let sessions = KeysFilter { include_expired: true, selector, ..KeysFilter::default() };
        let sessions = self.client.api_keys(&UserRef::Id(key.user_id), &sessions).await?;

        let is_counted = tokens.next.is_none();
        let children: Vec<ApiKeyWithOwner> = tokens.items.into_iter().chain(sessions).collect();
        let shown = || children.iter().take(MAX_CHILDREN);
        let width = shown().map(|child| name(&child.key).chars().count()).max().unwrap_or(0);
        let mut lines: Vec<_> = shown()
            .map(|child| format!("  {}  {:width$}  {}", child.key.id, name(&child.key), child.username))
            .collect();
        let more = children.len().saturating_sub(MAX_CHILDREN);
        if more > 0 {
            let bound = if is_counted { "" } else { "at least " };
            lines.push(format!("  and {bound}{more} more"));
        }
        Ok(lines)
    }

    /// The username, if the caller may read the user.
    async fn username(&mut self, id: Uuid) -> Result<Option<String>, Error> {
        if let Some(known) = self.usernames.get(&id) {
            return Ok(known.clone());
        }
        let username = match self.client.user(&UserRef::Id(id)).await {
            Ok(user) => Some(user.username),
            // The caller may read the key without its owner.
            Err(Error::Api(_)) => None,
            Err(error) => return Err(error),
        };
        self.usernames.insert(id, username.clone());
        Ok(username)
    }
}

/// The ID, the name, and the owner.
fn line(key: &ApiKey, owner: Option<&str>) -> String {
    let name = name(key);
    match owner {
        Some(owner) => format!("{}  {name}  {owner}", key.id),
        None => format!("{}  {name}", key.id),
    }
}

/// The name of a token. A session has none.
fn name(key: &ApiKey) -> &str {
    match key.login_type {
        LoginType::Password => "(session)",
        _ => &key.token_name,
    }
}
