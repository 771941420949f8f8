//! `GET /api/v2/audit`: the audit log, newest first.
//!
//! Use cases: `crates/service/src/audit.rs`.

use actix_web::HttpResponse;
use keyward_api::audit::ListAudit;
use keyward_api::page::COUNT_CAP;
use keyward_domain::audit::{Entry, Filter};
use keyward_service::audit::AuditCursor;

use super::show;
use crate::http::{Call, Page, Problem, stream_list};

/// How many entries a page has if the client sets no limit.
const DEFAULT_LIMIT: u32 = 100;

pub(crate) async fn list(call: Call<ListAudit>) -> Result<HttpResponse, Problem> {
    let log = call.service().audit(call.caller()?)?;
    let query = call.query()?;
    let filter = Filter::parse(query.q.as_deref().unwrap_or_default()).map_err(Problem::invalid_search)?;
    let page = Page::of_query(query.limit, query.after.as_deref(), AuditCursor::first())?.or_limit(DEFAULT_LIMIT);
    let count = log.count(filter.clone(), COUNT_CAP).await?;
    let closing = format!("],\"count\":{count},\"count_cap\":{COUNT_CAP}}}");
    let read = move |start, limit| {
        let (log, filter) = (log.clone(), filter.clone());
        async move { log.page(filter, start, limit).await }
    };
    stream_list(&call, page, "{\"audit_logs\":[", closing, read, place, show).await
}

fn place(entry: &Entry) -> AuditCursor {
    AuditCursor { time: entry.time, id: entry.id }
}
