//! Looks up a row by its key, on SQLite without another thread if possible.

use std::thread;

use keyward_storage::{Conn, Lane, StoreError};
use keyward_test_database::Backend;

use crate::support::{Db, on_both};

async fn thread_of_a_lookup(db: &Db) -> thread::ThreadId {
    let work = |_: &mut Conn<'_>| Ok::<_, StoreError>(thread::current().id());
    db.store.fetch_facts(Lane::Normal, work).await.unwrap()
}

on_both! {
    sqlite_lookups_run_on_the_calling_thread,
    a_failed_lookup_is_retried_on_another_thread,
}

async fn sqlite_lookups_run_on_the_calling_thread(db: Db) {
    let own = thread_of_a_lookup(&db).await == thread::current().id();
    assert_eq!(own, db.database.backend == Backend::Sqlite);
}

async fn a_failed_lookup_is_retried_on_another_thread(db: Db) {
    let asking = thread::current().id();
    let work = move |_: &mut Conn<'_>| match thread::current().id() {
        id if id == asking => Err(StoreError::Busy),
        id => Ok(id),
    };
    let found = db.store.fetch_facts(Lane::Normal, work).await.unwrap();
    assert_ne!(found, asking);
}
