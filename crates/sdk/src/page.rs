//! Paging: one page, the cursor of the next page, and a stream over all pages.

use std::vec;

use futures_core::Stream;
use futures_util::stream::try_unfold;
use keyward_api::page::MAX_LIMIT;
use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};

use crate::error::Error;

/// Which page of a list to fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Page size, 1 to 1000; without it the page holds the whole rest of the list.
    pub limit: Option<u32>,
    /// The cursor of the page, from [`Paged::next`]; the first page by default.
    pub after: Option<String>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Paged<T> {
    /// The items.
    pub items: T,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<String>,
}

impl<T> Paged<T> {
    pub(crate) fn new(items: T, next: Option<String>) -> Self {
        Self { items, next }
    }
}

/// The state of a walk over all pages.
struct Walk<F, T> {
    fetch: F,
    /// Remaining items of the current page.
    ready: vec::IntoIter<T>,
    /// The page to fetch after the current one.
    next: Option<Page>,
}

/// A stream of the items of all pages. It holds one page at a time and ends after the first error.
pub(crate) fn walk<T, F, Fetching>(fetch: F) -> impl Stream<Item = Result<T, Error>>
where
    F: Fn(Page) -> Fetching,
    Fetching: Future<Output = Result<Paged<Vec<T>>, Error>>,
{
    let start = Walk { fetch, ready: Vec::new().into_iter(), next: Some(page_after(None)) };
    try_unfold(start, |mut walk| async move {
        loop {
            if let Some(item) = walk.ready.next() {
                return Ok(Some((item, walk)));
            }
            let Some(page) = walk.next.take() else {
                return Ok(None);
            };
            let cursor = page.after.clone();
            let got = (walk.fetch)(page).await?;
            if cursor.is_some() && got.next == cursor {
                return Err(cursor_loop_error());
            }
            walk.ready = got.items.into_iter();
            walk.next = got.next.map(|cursor| page_after(Some(cursor)));
        }
    })
}

/// Without this error, a page that names itself as the next would be fetched forever.
fn cursor_loop_error() -> Error {
    let reason = "the link to the next page leads to the same page".to_owned();
    Error::Decode { status: 200, body: String::new(), reason, request_id: String::new() }
}

fn page_after(after: Option<String>) -> Page {
    Page { limit: Some(MAX_LIMIT), after }
}

/// The cursor in `Link: <…>; rel="next"` (RFC 8288). The rest of the link is ignored, so that it cannot
/// send the credential elsewhere.
///
/// # Errors
/// If such a link has no cursor. Otherwise the list would look complete.
pub(crate) fn next_cursor(headers: &HeaderMap) -> Result<Option<String>, String> {
    let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    let Some(target) = links.into_iter().find_map(next_target) else {
        return Ok(None);
    };
    match cursor_in(target) {
        Some(cursor) => Ok(Some(cursor)),
        None => Err(format!("the link to the next page has no cursor: \"{target}\"")),
    }
}

/// The target of the first link whose relation is `next`.
fn next_target(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, opened)) = rest.split_once('<') {
        let (target, tail) = opened.split_once('>')?;
        let parameters = tail.split_once('<').map_or(tail, |(own, _)| own);
        if parameters.split([';', ',']).any(is_rel_next) {
            return Some(target);
        }
        rest = tail;
    }
    None
}

/// Whether the parameter is `rel=next`, quoted or not, possibly among other relations.
fn is_rel_next(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        name.trim().eq_ignore_ascii_case("rel")
            && value.trim().trim_matches('"').split_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
    })
}

fn cursor_in(target: &str) -> Option<String> {
    // Resolves a relative link. Only the query matters, so any base will do.
    let base = Url::parse("http://localhost/").ok()?;
    let target = base.join(target).ok()?;
    target.query_pairs().find(|(name, value)| name == "after" && !value.is_empty()).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(link: &str) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        headers.insert(LINK, link.parse().unwrap());
        next_cursor(&headers)
    }

    #[test]
    fn the_cursor_is_read_out_of_the_link() {
        for link in [
            "</api/v2/users?limit=2&after=a%2Fb%3D>; rel=\"next\"",
            "<https://elsewhere.example/x?after=a%2Fb%3D&limit=2>; title=\"x, y\"; rel=next",
            "</first>; rel=\"first\", </x?after=a%2Fb%3D>; REL=\"last next\"",
        ] {
            assert_eq!(next(link).unwrap().as_deref(), Some("a/b="), "{link}");
        }
    }

    #[test]
    fn other_links_are_none() {
        for link in ["</x?after=y>; rel=\"prev\"", "</x?after=y>", "next", "</x?after=y; rel=\"next\""] {
            assert_eq!(next(link).unwrap(), None, "{link}");
        }
        assert_eq!(next_cursor(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn a_next_link_without_a_cursor_is_an_error() {
        assert!(next("</x?limit=2>; rel=\"next\"").is_err());
        assert!(next("</x?after=>; rel=\"next\"").is_err());
    }
}
