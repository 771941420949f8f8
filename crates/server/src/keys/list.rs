//! Lists of keys. The database applies the filters.
//!
//! Use cases: `crates/service/src/keys/list.rs`.

use actix_web::HttpResponse;
use keyward_api::Endpoint;
use keyward_api::keys::{KeySelector, ListKeys, ListTokens};
use keyward_service::keys::{KeyList, ListedKey, Wanted};
use keyward_service::right;

use super::{parse, show};
use crate::http::{Call, Page, Problem, UserPath, stream_list};

/// `GET /api/v2/users/{user}/keys/tokens`
pub(crate) async fn tokens(call: Call<ListTokens>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let keys = call.service().keys_of(call.caller()?, right::ReadKeys, &user).await?;
    let query = call.query()?;
    let wanted = wanted(&call, query.selector(), query.sort.as_deref(), query.order.as_deref())?;
    let wanted = Wanted { include_expired: query.include_expired, ..wanted };
    let list = keys.tokens(query.include_all, wanted).await?;
    answer(&call, list, query.limit, query.after.as_deref()).await
}

/// `GET /api/v2/users/{user}/keys`
pub(crate) async fn keys(call: Call<ListKeys>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let keys = call.service().keys_of(call.caller()?, right::ReadKeys, &user).await?;
    let query = call.query()?;
    let wanted = wanted(&call, query.selector(), query.sort.as_deref(), query.order.as_deref())?;
    let list = keys.all(Wanted { include_expired: query.include_expired, ..wanted }).await?;
    answer(&call, list, query.limit, query.after.as_deref()).await
}

fn wanted<E: Endpoint>(
    call: &Call<E>,
    selector: KeySelector,
    sort: Option<&str>,
    order: Option<&str>,
) -> Result<Wanted, Problem> {
    let (selector, user) = parse::selector(&selector, call.service().catalogue())?;
    let (sort, ascending) = parse::order(sort, order)?;
    Ok(Wanted { selector, user, include_expired: false, sort, ascending })
}

async fn answer<E: Endpoint>(
    call: &Call<E>,
    list: KeyList,
    limit: Option<u32>,
    after: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let page = Page::of_query(limit, after, list.start())?;
    let now = list.now();
    let places = list.clone();
    let read = move |start, limit| {
        let list = list.clone();
        async move { list.page(start, limit).await }
    };
    let place = move |listed: &ListedKey| places.place(listed);
    let app = call.app_handle();
    let show = move |listed: &ListedKey| show::with_owner(listed, now, app.service.catalogue());
    stream_list(call, page, "[", "]".to_owned(), read, place, show).await
}
