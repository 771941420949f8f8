//! Lists keys. The caller's rights are checked once; then the pages are read on demand.

use std::sync::Arc;

use keyward_domain::access::{self, Act, Decision, Relation};
use keyward_domain::key::KeySelector;
use keyward_domain::user::UserRef;
use keyward_domain::{KeyKind, Timestamp};
use keyward_storage::keys::{KeyCursor, ListFilter, ListedKey, Owners, Selection, Sort, list, select};
use keyward_storage::{Conn, Lane};

use super::OwnerKeys;
use crate::Service;
use crate::error::Error;
use crate::right::ReadKeys;

/// What a list contains, besides whose keys.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The conditions, except for the owner.
    pub selector: KeySelector,
    /// The owner, for a list of every user's keys.
    pub user: Option<UserRef>,
    /// Whether to include expired keys. A list of expired keys includes them anyway.
    pub include_expired: bool,
    /// The order.
    pub sort: Sort,
    /// Whether the earliest comes first.
    pub ascending: bool,
}

/// A list of keys that the caller may read. All its pages use the same `now`.
#[derive(Clone, Debug)]
pub struct KeyList {
    service: Service,
    now: Timestamp,
    query: Query,
}

#[derive(Clone, Debug)]
enum Query {
    /// Without conditions, and in the usual order.
    Plain(ListFilter),
    Selected(Arc<Selection>),
    /// The conditions contradict each other.
    Nothing,
}

impl OwnerKeys<'_, ReadKeys> {
    /// Lists the user's tokens; with `include_all`, all tokens that the caller may read. For most callers
    /// these are only their own.
    ///
    /// # Errors
    /// [`Error::UnknownUser`] if the wanted owner is missing or hidden.
    pub async fn tokens(&self, include_all: bool, wanted: Wanted) -> Result<KeyList, Error> {
        let kind = KeyKind::Token;
        let user = self.caller.user();
        let owners = if !include_all {
            Owners::One(self.owner.id, Some(kind))
        } else if access::everywhere(&user.roles, Act::ReadKeys) {
            Owners::All { kind, hide_owners_except: None }
        } else if access::decide(&user.roles, Act::ReadKeys, Relation::Other) == Decision::Allowed {
            Owners::All { kind, hide_owners_except: Some(user.id) }
        } else {
            Owners::One(user.id, Some(kind))
        };
        self.list(owners, wanted).await
    }

    /// Lists the user's keys of both kinds.
    ///
    /// # Errors
    /// [`Error::UnknownUser`] if the wanted owner is missing or hidden.
    pub async fn all(&self, wanted: Wanted) -> Result<KeyList, Error> {
        self.list(Owners::One(self.owner.id, None), wanted).await
    }

    async fn list(&self, owners: Owners, wanted: Wanted) -> Result<KeyList, Error> {
        let Wanted { mut selector, user, include_expired, sort, ascending } = wanted;
        if let Some(user) = user {
            let found = self.service.user_in_path(self.caller, &user, Lane::Normal).await;
            selector.user = Some(found.map_err(Error::of_selected_user)?.id);
        }
        let now = self.caller.now;
        let (user, kind, hide_owners_except) = match owners {
            Owners::One(user, kind) => (Some(user), kind, None),
            Owners::All { kind, hide_owners_except } => (None, Some(kind), hide_owners_except),
        };
        let query = if selector.is_empty() && sort == Sort::Expiry && !ascending {
            Query::Plain(ListFilter { owners, include_expired, now })
        } else if contradict(user, selector.user) || contradict(kind, selector.kind) {
            Query::Nothing
        } else {
            // Only a key that was ended, or has expired, has these.
            let include_expired = include_expired || selector.status.is_some() || selector.end_reason.is_some();
            let selector = KeySelector { user: user.or(selector.user), kind: kind.or(selector.kind), ..selector };
            let descending = !ascending;
            Query::Selected(Arc::new(Selection {
                selector,
                hide_owners_except,
                include_expired,
                now,
                sort,
                descending,
            }))
        };
        Ok(KeyList { service: self.service.clone(), now, query })
    }
}

/// Whether two conditions on one property cannot both hold.
fn contradict<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.is_some() && other.is_some() && one != other
}

impl KeyList {
    /// The time at which all pages are judged.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The position before the first key.
    #[must_use]
    pub fn start(&self) -> KeyCursor {
        match &self.query {
            Query::Plain(_) | Query::Nothing => KeyCursor::first(),
            Query::Selected(selection) => KeyCursor::start(selection.descending),
        }
    }

    /// The position of a key in the list.
    #[must_use]
    pub fn place(&self, listed: &ListedKey) -> KeyCursor {
        let sort = match &self.query {
            Query::Plain(_) | Query::Nothing => Sort::Expiry,
            Query::Selected(selection) => selection.sort,
        };
        KeyCursor { expires_at: sort.of(&listed.key), id: listed.key.id.to_string() }
    }

    /// At most `limit` keys after `cursor`.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn page(&self, cursor: KeyCursor, limit: i64) -> Result<Vec<ListedKey>, Error> {
        let store = &self.service.inner.store;
        match &self.query {
            Query::Plain(filter) => {
                let (filter, catalogue) = (*filter, self.service.inner.catalogue.clone());
                let work = move |conn: &mut Conn<'_>| list(conn, filter, &catalogue, &cursor, limit);
                Ok(store.read(Lane::Normal, work).await?)
            }
            Query::Selected(selection) => {
                let (selection, catalogue) = (Arc::clone(selection), self.service.inner.catalogue.clone());
                let work = move |conn: &mut Conn<'_>| select(conn, &selection, &catalogue, &cursor, limit);
                Ok(store.read(Lane::Normal, work).await?)
            }
            Query::Nothing => Ok(Vec::new()),
        }
    }
}
