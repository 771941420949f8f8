//! Lists of many keys while there are locks: the owners of the keys are read only as far as a lock needs them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diesel::Connection as _;
use diesel::connection::InstrumentationEvent;
use keyward_domain::event::Origin;
use keyward_domain::key::KeySelector;
use keyward_domain::lock::{Lock, LockMode, LockSelector, Spared};
use keyward_domain::{Catalogue, KeyId, KeyKind, LoginType, UserId};
use keyward_storage::keys::{KeyCursor, ListFilter, ListedKey, Owners, Selection, Sort, list, select};
use keyward_storage::{Conn, Lane, StoreError, locks};
use uuid::Uuid;

use crate::support::{Db, on_both};

on_both! {
    owners_are_read_once_and_only_if_a_lock_selects_their_keys,
}

async fn owners_are_read_once_and_only_if_a_lock_selects_their_keys(db: Db) {
    let mut users = Vec::new();
    for name in ["ada", "grace", "edsger"] {
        let user = db.user(name).await;
        for token in ["one", "two", "three", "four"] {
            db.key(&user, LoginType::Token, Some(token)).await;
        }
        users.push(user.id);
    }
    let unlocked = statements(&db).await;
    assert_eq!(unlocked.map(|(_, locked)| locked), [0, 0]);
    lock(&db, users.first().copied()).await;
    // The plain list reads the locks only if there are some.
    let [(selected, _), (listed, _)] = unlocked;
    assert_eq!(statements(&db).await, [(selected + 1, 4), (listed + 2, 4)], "the owner of the locked keys is read");
    lock(&db, None).await;
    assert_eq!(statements(&db).await, [(selected + 3, 12), (listed + 4, 12)], "each owner is read once");
}

/// Locks the keys of a user, or all keys.
async fn lock(db: &Db, user: Option<UserId>) {
    let lock = Lock {
        id: Uuid::now_v7(),
        created_at: db.now(),
        actor: db.owner.id,
        actor_username: db.owner.username.to_string(),
        selector: LockSelector { user, ..LockSelector::default() },
        spared: Spared { key: KeyId::from_stored("kwd_none".to_owned()), owners: true, sessions_of: None },
        mode: LockMode::Deny,
        message: "ask the operators".to_owned(),
        reason: None,
        ends_at: None,
    };
    let origin = Origin::system(db.now());
    db.write(move |tx| locks::add(tx, &lock, &origin)).await;
}

/// How many statements a list with and one without conditions execute, and how many of its keys are locked.
async fn statements(db: &Db) -> [(usize, usize); 2] {
    let (kind, now) = (KeyKind::Token, db.now());
    let selection = Selection {
        selector: KeySelector { kind: Some(kind), ..KeySelector::default() },
        hide_owners_except: None,
        include_expired: false,
        now,
        sort: Sort::Expiry,
        descending: true,
    };
    let filter = ListFilter { owners: Owners::All { kind, hide_owners_except: None }, include_expired: false, now };
    let work = move |conn: &mut Conn<'_>| {
        let catalogue = Catalogue::built_in();
        let page = KeyCursor::first();
        let selected = counted(conn, |conn| select(conn, &selection, &catalogue, &page, 100))?;
        let listed = counted(conn, |conn| list(conn, filter, &catalogue, &page, 100))?;
        Ok::<_, StoreError>([selected, listed])
    };
    db.store.read(Lane::Normal, work).await.unwrap()
}

/// Runs a list. Returns the number of its statements, and that of the locked keys in it.
fn counted(
    conn: &mut Conn<'_>,
    work: impl FnOnce(&mut Conn<'_>) -> Result<Vec<ListedKey>, StoreError>,
) -> Result<(usize, usize), StoreError> {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let count_queries = move |event: InstrumentationEvent<'_>| {
        if matches!(event, InstrumentationEvent::StartQuery { .. }) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    };
    match conn {
        Conn::Sqlite(db) => db.set_instrumentation(count_queries),
        Conn::Postgres(db) => db.set_instrumentation(count_queries),
    }
    let keys = work(conn)?;
    match conn {
        Conn::Sqlite(db) => db.set_instrumentation(|_: InstrumentationEvent<'_>| ()),
        Conn::Postgres(db) => db.set_instrumentation(|_: InstrumentationEvent<'_>| ()),
    }
    let locked = keys.iter().filter(|key| key.locked).count();
    Ok((count.load(Ordering::Relaxed), locked))
}
