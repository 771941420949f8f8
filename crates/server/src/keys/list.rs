//! Lists of keys. The database applies the filters.
//!
//! Use cases: `crates/service/src/keys/list.rs`.

use actix_web::HttpResponse;
use keyward_api::Endpoint;
use keyward_api::keys::{ListKeys, ListTokens};
use keyward_service::keys::{KeyCursor, KeyList, ListedKey};
use keyward_service::right;

use super::show;
use crate::http::{Call, Page, Problem, UserPath, stream_list};

/// `GET /api/v2/users/{user}/keys/tokens`
pub(crate) async fn tokens(call: Call<ListTokens>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let keys = call.service().keys_of(call.caller()?, right::ReadKeys, &user).await?;
    let query = call.query()?;
    let page = Page::of_query(query.limit, query.after.as_deref(), KeyCursor::first())?;
    answer(&call, keys.tokens(query.include_all, query.include_expired), page).await
}

/// `GET /api/v2/users/{user}/keys`
pub(crate) async fn keys(call: Call<ListKeys>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let keys = call.service().keys_of(call.caller()?, right::ReadKeys, &user).await?;
    let query = call.query()?;
    let page = Page::of_query(query.limit, query.after.as_deref(), KeyCursor::first())?;
    answer(&call, keys.all(query.include_expired), page).await
}

async fn answer<E: Endpoint>(call: &Call<E>, list: KeyList, page: Page<KeyCursor>) -> Result<HttpResponse, Problem> {
    let now = list.now();
    let read = move |start, limit| {
        let list = list.clone();
        async move { list.page(start, limit).await }
    };
    let app = call.app_handle();
    let show = move |listed: &ListedKey| show::with_owner(listed, now, app.service.catalogue());
    stream_list(call, page, "[", "]".to_owned(), read, place, show).await
}

fn place(listed: &ListedKey) -> KeyCursor {
    KeyCursor { expires_at: listed.key.expires_at, id: listed.key.id.to_string() }
}
