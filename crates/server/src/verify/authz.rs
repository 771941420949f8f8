//! `/authz`: tells a reverse proxy whether to let a client's request through.
//!
//! It judges the client's own credential. The proxy's operator writes the requirements into the query:
//! `scope` and `resource`, each any number of times. The key must meet all of them, so a client that
//! manages to add to the query can only add requirements.
//!
//! Use cases: `crates/service/src/auth.rs`.

use std::borrow::Cow;

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use keyward_api::headers::{KEY_ID, SCOPES, USER, USER_ID};
use keyward_service::Lane;
use keyward_service::activity::Via;
use keyward_verdict::Verdict;
use percent_encoding::percent_decode_str;

use super::need;
use crate::app::App;
use crate::http::{self, Problem};

const USER_HEADER: HeaderName = HeaderName::from_static(USER);
const USER_ID_HEADER: HeaderName = HeaderName::from_static(USER_ID);
const KEY_ID_HEADER: HeaderName = HeaderName::from_static(KEY_ID);
const SCOPES_HEADER: HeaderName = HeaderName::from_static(SCOPES);

/// Takes any method, because proxies send the method of the client's request.
pub(crate) async fn authz(
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<App>,
) -> Result<HttpResponse, Problem> {
    http::discard_body(&request, payload).await?;
    let result = judge(&request, &app).await;
    let outcome = result.as_ref().map_or_else(|problem| problem.code.as_str(), |_| Verdict::Valid.code());
    app.metrics.count_verification("authz", outcome);
    result
}

async fn judge(request: &HttpRequest, app: &App) -> Result<HttpResponse, Problem> {
    let context = http::context()?;
    context.set_route("/authz");
    let text = http::presented(request)?.ok_or_else(Problem::unauthenticated)?;
    let caller = http::authenticate_key(app, &context, &text, Via::Authz, Lane::Normal).await?;
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = request.query_string().split('&').map(decoded).collect();
    let all = |name: &'static str| {
        let values = pairs.iter().filter(move |(key, _)| key == name);
        values.flat_map(|(_, value)| value.split([' ', ','])).filter(|value| !value.is_empty())
    };
    let catalogue = app.service.catalogue();
    let need = need(catalogue, all("scope"), all("resource"))?;
    match caller.verdict(&need) {
        Verdict::Valid => Ok(HttpResponse::Ok()
            .insert_header((USER_HEADER, caller.user().username.as_str()))
            .insert_header((USER_ID_HEADER, caller.user().id.to_string()))
            .insert_header((KEY_ID_HEADER, caller.key().id.as_str()))
            .insert_header((SCOPES_HEADER, caller.key().scopes.to_strings().join(" ")))
            .finish()),
        Verdict::InsufficientScope(_) => {
            Err(lacking(&need.scopes().iter().map(ToString::to_string).collect::<Vec<_>>()))
        }
        Verdict::ResourceNotAllowed(resource) => Err(keyward_service::Error::ResourceNotAllowed(resource).into()),
        // `authenticate` has already excluded the first three, with the same clock reading; the need was parsed.
        Verdict::Expired(_) | Verdict::UserSuspended | Verdict::Locked(_) | Verdict::UnreadableNeed(_) => {
            Err(Problem::invalid_key())
        }
    }
}

/// RFC 6750, §3.1: the header lists all required scopes, not only the missing one.
fn lacking(scopes: &[String]) -> Problem {
    let needed = scopes.join(" ");
    let value = format!("Bearer realm=\"keyward\", error=\"insufficient_scope\", scope=\"{needed}\"");
    Problem::new(
        keyward_api::ErrorCode::InsufficientScope,
        format!("The API key lacks at least one of the scopes \"{needed}\"."),
    )
    .hint("Use a key that has these scopes.")
    .header(header::WWW_AUTHENTICATE, value)
}

fn decoded(pair: &str) -> (Cow<'_, str>, Cow<'_, str>) {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    (text(key), text(value))
}

/// Decodes a part of a query as forms encode it: a plus is a space.
fn text(part: &str) -> Cow<'_, str> {
    if part.contains('+') {
        return Cow::Owned(percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(part).decode_utf8_lossy()
}
