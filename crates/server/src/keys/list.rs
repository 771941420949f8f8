//! Lists of keys. The database does the hiding.

use actix_web::HttpResponse;
use keyward_api::Endpoint;
use keyward_api::keys::{ListKeys, ListTokens};
use keyward_domain::ApiKey;
use keyward_domain::access::Act;
use keyward_service::keys::{KeyCursor, ListFilter};

use super::{UserPath, show};
use crate::http::{Call, Page, Problem, stream_list};

/// `GET /api/v2/users/{user}/keys/tokens`
pub(crate) async fn tokens(call: Call<ListTokens>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let caller = call.caller()?;
    let owner = call.service().owner_of_keys(caller, Act::ReadKeys, &user).await?;
    let query = call.query()?;
    let page = Page::of_query(query.limit, query.after.as_deref(), KeyCursor::first())?;
    let filter = call.service().token_list(caller, &owner, query.include_all, query.include_expired);
    answer(&call, filter, page).await
}

/// `GET /api/v2/users/{user}/keys`
pub(crate) async fn keys(call: Call<ListKeys>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let caller = call.caller()?;
    let owner = call.service().owner_of_keys(caller, Act::ReadKeys, &user).await?;
    let query = call.query()?;
    let page = Page::of_query(query.limit, query.after.as_deref(), KeyCursor::first())?;
    let filter = call.service().key_list(caller, &owner, query.include_expired);
    answer(&call, filter, page).await
}

async fn answer<E: Endpoint>(
    call: &Call<E>,
    filter: ListFilter,
    page: Page<KeyCursor>,
) -> Result<HttpResponse, Problem> {
    let service = call.service().clone();
    let read = move |start, limit| {
        let service = service.clone();
        async move { service.key_page(filter, start, limit).await }
    };
    stream_list(call, page, "[", "]".to_owned(), read, place, show::with_owner).await
}

fn place((key, _): &(ApiKey, String)) -> KeyCursor {
    KeyCursor { expires_at: key.expires_at, id: key.id.to_string() }
}
