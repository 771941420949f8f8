//! `GET /api/v2/users`: the users that the caller may read, in the order of their usernames.

use actix_web::HttpResponse;
use keyward_api::page::COUNT_CAP;
use keyward_api::users::ListUsers;
use keyward_domain::User;

use super::show;
use crate::http::{Call, Page, Problem, UserPage, stream_list};

pub(crate) async fn list(call: Call<ListUsers>) -> Result<HttpResponse, Problem> {
    let caller = call.caller()?;
    call.service().may_list_users(caller)?;
    let query = call.query()?;
    let page = Page::of_query(query.limit, query.after.as_deref(), UserPage(String::new()))?;
    let filter = call.service().user_list(caller, query.q)?;
    let count = call.service().user_count(filter.clone(), COUNT_CAP).await?;
    let closing = format!("],\"count\":{count},\"count_cap\":{COUNT_CAP}}}");
    let service = call.service().clone();
    let read = move |UserPage(after), limit| {
        let (service, filter) = (service.clone(), filter.clone());
        async move { service.user_page(filter, after, limit).await }
    };
    stream_list(&call, page, "{\"users\":[", closing, read, place, show::user).await
}

fn place(user: &User) -> UserPage {
    UserPage(user.username.key())
}
