//! Finding a row by its key: on SQLite without another thread, if that can be.

use std::thread;

use keyward_storage::{Conn, Lane, StoreError};
use keyward_test_support::{Backend, TestApp, on_both};

async fn thread_of_a_look_up(app: &TestApp) -> thread::ThreadId {
    let work = |_: &mut Conn<'_>| Ok::<_, StoreError>(thread::current().id());
    app.service.store().fetch_facts(Lane::Normal, work).await.unwrap()
}

on_both! {
    a_row_is_found_on_the_thread_that_asks_where_that_is_quick,
    what_fails_there_is_tried_the_other_way,
}

async fn a_row_is_found_on_the_thread_that_asks_where_that_is_quick(app: TestApp) {
    let own = thread_of_a_look_up(&app).await == thread::current().id();
    assert_eq!(own, app.database.backend == Backend::Sqlite);
}

async fn what_fails_there_is_tried_the_other_way(app: TestApp) {
    let asking = thread::current().id();
    let work = move |_: &mut Conn<'_>| match thread::current().id() {
        id if id == asking => Err(StoreError::Busy(0)),
        id => Ok(id),
    };
    let found = app.service.store().fetch_facts(Lane::Normal, work).await.unwrap();
    assert_ne!(found, asking);
}
