//! What a request that ends many keys would end.

use std::collections::{BTreeSet, HashMap};

use keyward_domain::key::ids_digest;
use keyward_domain::{Catalogue, KeyId, Lifetime, Timestamp, UserId};
use keyward_storage::keys::{self, KeyCursor, ListedKey, Selection, Sort};
use keyward_storage::{Conn, StoreError};

use super::{Reach, Wanted};
use crate::caller::Caller;

/// Keys that one query reads.
const PAGE: i64 = 1_000;

/// The largest number of owners in a preview.
const MOST_OWNERS: usize = 100;

/// The largest number of keys in a preview.
const MOST_SAMPLES: usize = 20;

/// What a request would end.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The number of selected keys, including those that have expired already.
    pub matched: usize,
    /// How many of them have expired already.
    pub already_expired: usize,
    /// The live keys, not selected themselves, that the selected ones have created, and so on.
    pub children: usize,
    /// The owners of the most selected live keys, most first.
    pub owners: Vec<OwnerCount>,
    /// How many selected live keys were used in the last hour.
    pub used_last_hour: usize,
    /// How many selected live keys were used in the last day.
    pub used_last_day: usize,
    /// Some of the selected live keys.
    pub sample: Vec<ListedKey>,
    /// The SHA-256 digest of the sorted ids, in hexadecimal.
    pub digest: String,
}

/// An owner and the number of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerCount {
    /// The owner.
    pub user: UserId,
    /// The username.
    pub username: String,
    /// The number of keys.
    pub keys: usize,
}

/// The keys that a request would end.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The ids in the order in which they are ended.
    pub ids: Vec<KeyId>,
    pub digest: String,
    already_expired: usize,
    selected: usize,
    children: usize,
    owners: HashMap<UserId, (String, usize)>,
    last_used: Vec<Timestamp>,
    sample: Vec<ListedKey>,
}

/// Selects the keys.
pub(super) fn find(
    conn: &mut Conn<'_>,
    wanted: &Wanted,
    caller: &Caller,
    reach: Reach,
    catalogue: &Catalogue,
) -> Result<Found, StoreError> {
    let mut selector = wanted.selector.clone();
    let mut found = Found::default();
    // Someone who may end only their own keys selects among these.
    let is_theirs = selector.user.is_none_or(|user| user == caller.user().id);
    let (only, hide_owners_except) = reach.users(caller);
    selector.user = only.or(selector.user);
    let selection = Selection {
        selector,
        hide_owners_except,
        include_expired: true,
        now: caller.now,
        sort: Sort::Creation,
        descending: false,
    };
    let mut ids = BTreeSet::new();
    let mut page = KeyCursor::start(false);
    let mut has_more = reach != Reach::Own || is_theirs;
    while has_more {
        let keys = keys::select(conn, &selection, catalogue, &page, PAGE)?;
        has_more = i64::try_from(keys.len()).is_ok_and(|count| count >= PAGE);
        if let Some(last) = keys.last() {
            page = KeyCursor { expires_at: Sort::Creation.of(&last.key), id: last.key.id.to_string() };
        }
        for listed in keys {
            if wanted.includes_caller || listed.key.id != caller.key().id {
                ids.insert(listed.key.id.clone());
                found.add(listed, caller.now);
            }
        }
    }
    let mut parents: Vec<KeyId> = ids.iter().cloned().collect();
    let mut children = BTreeSet::new();
    while !parents.is_empty() {
        let born = keys::live_children(conn, &parents, only, hide_owners_except, caller.now)?;
        let spared = |id: &KeyId| !wanted.includes_caller && *id == caller.key().id;
        parents =
            born.into_iter().filter(|id| !spared(id) && !ids.contains(id) && children.insert(id.clone())).collect();
    }
    found.children = children.len();
    if wanted.cascades {
        ids.append(&mut children);
    }
    found.digest = ids_digest(ids.iter().map(KeyId::as_str));
    // The calling key and those that led to it end last: the request goes on with it until then.
    let mut minters = keys::minters(conn, caller.key())?;
    minters.push(caller.key().id.clone());
    let (last, first): (Vec<KeyId>, Vec<KeyId>) = ids.into_iter().partition(|id| minters.contains(id));
    found.ids = first;
    found.ids.extend(last);
    Ok(found)
}

impl Found {
    fn add(&mut self, listed: ListedKey, now: Timestamp) {
        self.selected += 1;
        if listed.key.is_dead(now) {
            self.already_expired += 1;
            return;
        }
        match self.owners.get_mut(&listed.key.user_id) {
            Some((_, keys)) => *keys += 1,
            None => {
                self.owners.insert(listed.key.user_id, (listed.username.clone(), 1));
            }
        }
        self.last_used.extend(listed.key.last_used);
        if self.sample.len() < MOST_SAMPLES {
            self.sample.push(listed);
        }
    }

    pub(super) fn preview(self, now: Timestamp) -> Preview {
        let used_within =
            |time: Lifetime| self.last_used.iter().filter(|used| **used >= now.saturating_sub(time)).count();
        let (used_last_hour, used_last_day) = (used_within(Lifetime::hours(1)), used_within(Lifetime::days(1)));
        let counted = self.owners.into_iter().map(|(user, (username, keys))| OwnerCount { user, username, keys });
        let mut owners: Vec<OwnerCount> = counted.collect();
        owners.sort_by(|one, other| other.keys.cmp(&one.keys).then_with(|| one.username.cmp(&other.username)));
        owners.truncate(MOST_OWNERS);
        Preview {
            matched: self.selected,
            already_expired: self.already_expired,
            children: self.children,
            owners,
            used_last_hour,
            used_last_day,
            sample: self.sample,
            digest: self.digest,
        }
    }
}
