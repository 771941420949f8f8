//! The key that a request presents.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use keyward_api::headers::{LINEAGE_SESSION_TOKEN, SESSION_TOKEN};

use super::problem::Problem;

/// Names under which clients of other systems put a token into the query.
const IN_QUERY: [&str; 3] = ["access_token", "coder_session_token", "token"];

/// The presented key, if any: from `Authorization: Bearer`, or from one of the two headers of our
/// own and of the lineage. They may be sent together only if they agree.
///
/// # Errors
/// 400 for a key in the query, where every log on the way would keep it, and for headers that
/// disagree or are sent twice; 401 for another scheme than Bearer.
pub(super) fn presented(request: &HttpRequest) -> Result<Option<String>, Problem> {
    if let Some(name) = IN_QUERY.into_iter().find(|name| query_has(request.query_string(), name)) {
        return Err(Problem::bad_request(format!("A key must not be sent in the query, as \"{name}\"."))
            .hint("Send it as \"Authorization: Bearer <key>\", and consider it known to others: expire it."));
    }
    let headers = request.headers();
    let authorization = single(headers, AUTHORIZATION.as_str())?.map(bearer).transpose()?;
    let own = single(headers, SESSION_TOKEN)?;
    let lineage = single(headers, LINEAGE_SESSION_TOKEN)?;
    let mut sent = [authorization, own, lineage].into_iter().flatten();
    let Some(first) = sent.next() else { return Ok(None) };
    if sent.any(|other| other != first) {
        return Err(Problem::bad_request("The request presents two different keys.").hint("Send one."));
    }
    Ok(Some(first.to_owned()))
}

fn query_has(query: &str, name: &str) -> bool {
    query.split('&').any(|pair| {
        let key = pair.split_once('=').map_or(pair, |(key, _)| key);
        percent_encoding::percent_decode_str(key).decode_utf8_lossy() == name
    })
}

/// The value of a header that may stand once; an empty one counts as not sent.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::bad_request(format!("The header {name} is sent twice.")).hint("Send it once."));
    }
    let text = value.to_str().map_err(|_| Problem::invalid_key())?.trim();
    Ok((!text.is_empty()).then_some(text))
}

fn bearer(value: &str) -> Result<&str, Problem> {
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Problem::invalid_key()),
    }
}
