//! The key that a request presents.

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keyward_api::headers::{LINEAGE_SESSION_TOKEN, SESSION_TOKEN};

use super::problem::Problem;

const SESSION_TOKEN_HEADER: HeaderName = HeaderName::from_static(SESSION_TOKEN);
const LINEAGE_SESSION_TOKEN_HEADER: HeaderName = HeaderName::from_static(LINEAGE_SESSION_TOKEN);

/// Query parameters in which clients of other systems send a token.
const IN_QUERY: [&str; 3] = ["access_token", "coder_session_token", "token"];

/// The presented key, if any: from `Authorization: Bearer`, `Keyward-Session-Token` or
/// `Coder-Session-Token`. A request may use several of them only if their values are equal.
///
/// # Errors
/// 400 for a key in the query, because logs on the way would record it, and for headers that differ
/// or are sent twice. 401 for a scheme other than Bearer, or Basic where the endpoint accepts it.
pub(super) fn presented(request: &HttpRequest, basic_too: bool) -> Result<Option<Cow<'_, str>>, Problem> {
    if let Some(name) = key_in(request.query_string()) {
        return Err(Problem::bad_request(format!("A key must not be sent in the query parameter \"{name}\"."))
            .hint("Send it as \"Authorization: Bearer <key>\". Expire this key: logs may have recorded it."));
    }
    let headers = request.headers();
    let authorization = single(headers, AUTHORIZATION)?;
    let authorization = authorization.map(|value| credential(value, basic_too)).transpose()?;
    let own = single(headers, SESSION_TOKEN_HEADER)?.map(Cow::Borrowed);
    let lineage = single(headers, LINEAGE_SESSION_TOKEN_HEADER)?.map(Cow::Borrowed);
    let mut sent = [authorization, own, lineage].into_iter().flatten();
    let Some(first) = sent.next() else { return Ok(None) };
    if sent.any(|other| other != first) {
        return Err(Problem::bad_request("The request presents two different keys.").hint("Send only one key."));
    }
    Ok(Some(first))
}

/// The name of the query parameter that contains a key, if there is one.
fn key_in(query: &str) -> Option<&'static str> {
    query.split('&').filter(|pair| !pair.is_empty()).find_map(|pair| {
        let key = pair.split_once('=').map_or(pair, |(key, _)| key);
        let key = percent_encoding::percent_decode_str(key).decode_utf8_lossy();
        IN_QUERY.into_iter().find(|name| key == *name)
    })
}

/// The value of a header that may be sent only once. An empty value counts as not sent.
fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(&name);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::bad_request(format!("The header {name} is sent twice.")).hint("Send it once."));
    }
    let text = value.to_str().map_err(|_malformed| Problem::invalid_key())?.trim();
    Ok((!text.is_empty()).then_some(text))
}

/// The key in an `Authorization` header: the token of Bearer (RFC 6750), or the password of Basic
/// (RFC 7617), since most OAuth clients can send their credential in no other way.
fn credential(value: &str, basic_too: bool) -> Result<Cow<'_, str>, Problem> {
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Cow::Borrowed(token.trim())),
        Some((scheme, login)) if basic_too && scheme.eq_ignore_ascii_case("basic") => {
            let decoded = BASE64_STANDARD.decode(login.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let password = decoded.as_deref().and_then(|login| login.split_once(':')).map(|(_, password)| password);
            password.map(|password| Cow::Owned(password.to_owned())).ok_or_else(Problem::invalid_key)
        }
        _ => Err(Problem::invalid_key()),
    }
}
