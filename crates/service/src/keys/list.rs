//! Lists of keys. Who may see what is decided once, and then pages are read as they are wanted.

use keyward_domain::access::{self, Act, Decision, Relation};
use keyward_domain::{ApiKey, KeyKind, User};
use keyward_storage::keys::{KeyCursor, ListFilter, Owners, list};
use keyward_storage::{Conn, Lane};

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;

impl Service {
    /// Which tokens a list holds: those of `owner`, whom [`Service::owner_of_keys`] gave, or with
    /// `include_all` everyone's that the caller may read, which for most is their own.
    #[must_use]
    pub fn token_list(&self, caller: &Caller, owner: &User, include_all: bool, include_expired: bool) -> ListFilter {
        let kind = KeyKind::Token;
        let roles = &caller.user().roles;
        let owners = if !include_all {
            Owners::One(owner.id, Some(kind))
        } else if access::everywhere(roles, Act::ReadKeys) {
            Owners::All { kind, hide_owners_except: None }
        } else if access::decide(roles, Act::ReadKeys, Relation::Other) == Decision::Allowed {
            Owners::All { kind, hide_owners_except: Some(caller.user().id) }
        } else {
            Owners::One(caller.user().id, Some(kind))
        };
        ListFilter { owners, include_expired, now: caller.now }
    }

    /// Which keys a list of both kinds holds: those of `owner`, whom
    /// [`Service::owner_of_keys`] gave.
    #[must_use]
    pub fn key_list(&self, caller: &Caller, owner: &User, include_expired: bool) -> ListFilter {
        ListFilter { owners: Owners::One(owner.id, None), include_expired, now: caller.now }
    }

    /// A page of such a list, each key with its owner's username.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key_page(
        &self,
        filter: ListFilter,
        page: KeyCursor,
        limit: i64,
    ) -> Result<Vec<(ApiKey, String)>, Error> {
        let work = move |conn: &mut Conn<'_>| list(conn, filter, &page, limit);
        Ok(self.inner.store.read(Lane::Normal, work).await?)
    }
}
