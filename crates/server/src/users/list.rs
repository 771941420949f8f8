//! `GET /api/v2/users`: the users that the caller may read, in the order of their usernames.
//!
//! Use cases: `crates/service/src/users/view.rs`.

use actix_web::HttpResponse;
use keyward_api::page::COUNT_CAP;
use keyward_api::users::ListUsers;
use keyward_domain::User;

use super::show;
use crate::http::{Call, Page, Problem, UserPage, stream_list};

pub(crate) async fn list(call: Call<ListUsers>) -> Result<HttpResponse, Problem> {
    let users = call.service().users(call.caller()?)?;
    let query = call.query()?;
    let page = Page::of_query(query.limit, query.after.as_deref(), UserPage(String::new()))?;
    // No name holds any, and the databases do not agree on what a NUL is.
    if query.q.as_ref().is_some_and(|text| text.chars().any(char::is_control)) {
        return Err(Problem::invalid_field("q", "q must not hold control characters"));
    }
    let users = users.matching(query.q);
    let count = users.count(COUNT_CAP).await?;
    let closing = format!("],\"count\":{count},\"count_cap\":{COUNT_CAP}}}");
    let read = move |UserPage(after), limit| {
        let users = users.clone();
        async move { users.page(after, limit).await }
    };
    stream_list(&call, page, "{\"users\":[", closing, read, place, show::user).await
}

fn place(user: &User) -> UserPage {
    UserPage(user.username.key())
}
