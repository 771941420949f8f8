//! Lookups by primary key: on SQLite they run on the calling thread if possible.

use std::thread;

use keyward_storage::{Conn, Lane, StoreError};
use keyward_test_support::{Backend, TestApp, on_both};

async fn thread_of_a_lookup(app: &TestApp) -> thread::ThreadId {
    let work = |_: &mut Conn<'_>| Ok::<_, StoreError>(thread::current().id());
    app.service.store().fetch_facts(Lane::Normal, work).await.unwrap()
}

on_both! {
    async fn sqlite_lookups_run_on_the_calling_thread(app: TestApp) {
        let own = thread_of_a_lookup(&app).await == thread::current().id();
        assert_eq!(own, app.database.backend == Backend::Sqlite);
    }

    async fn a_failed_lookup_is_retried_on_another_thread(app: TestApp) {
        let asking = thread::current().id();
        let work = move |_: &mut Conn<'_>| match thread::current().id() {
            id if id == asking => Err(StoreError::Busy(0)),
            id => Ok(id),
        };
        let found = app.service.store().fetch_facts(Lane::Normal, work).await.unwrap();
        assert_ne!(found, asking);
    }
}
