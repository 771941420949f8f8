//! Lists keys. The caller's rights are checked once; then the pages are read on demand.

use keyward_domain::access::{self, Act, Decision, Relation};
use keyward_domain::{KeyKind, Timestamp};
use keyward_storage::keys::{KeyCursor, ListFilter, ListedKey, Owners, list};
use keyward_storage::{Conn, Lane};

use super::OwnerKeys;
use crate::Service;
use crate::error::Error;
use crate::right::ReadKeys;

/// A list of keys that the caller may read. All its pages use the same `now`.
#[derive(Clone, Debug)]
pub struct KeyList {
    service: Service,
    filter: ListFilter,
}

impl OwnerKeys<'_, ReadKeys> {
    /// Lists the user's tokens; with `include_all`, all tokens that the caller may read. For most callers
    /// these are only their own.
    #[must_use]
    pub fn tokens(&self, include_all: bool, include_expired: bool) -> KeyList {
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
        self.list(owners, include_expired)
    }

    /// Lists the user's keys of both kinds.
    #[must_use]
    pub fn all(&self, include_expired: bool) -> KeyList {
        self.list(Owners::One(self.owner.id, None), include_expired)
    }

    fn list(&self, owners: Owners, include_expired: bool) -> KeyList {
        let filter = ListFilter { owners, include_expired, now: self.caller.now };
        KeyList { service: self.service.clone(), filter }
    }
}

impl KeyList {
    /// The time at which all pages are judged.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.filter.now
    }

    /// At most `limit` keys after `cursor`.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn page(&self, cursor: KeyCursor, limit: i64) -> Result<Vec<ListedKey>, Error> {
        let filter = self.filter;
        let work = move |conn: &mut Conn<'_>| list(conn, filter, &cursor, limit);
        Ok(self.service.inner.store.read(Lane::Normal, work).await?)
    }
}
