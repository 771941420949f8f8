//! Paging: one page, the cursor of the next, and walking through all of them.

use std::vec;

use futures_core::Stream;
use futures_util::stream::try_unfold;
use keyward_api::page::MAX_LIMIT;
use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};

use crate::error::Error;

/// Which page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// At most so many things, 1 to 1000; without it as many as there are.
    pub limit: Option<u32>,
    /// The cursor of the page, from [`Paged::next`]; without it the first.
    pub after: Option<String>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Paged<T> {
    /// What it holds.
    pub items: T,
    /// The cursor of the next page; none on the last.
    pub next: Option<String>,
}

impl<T> Paged<T> {
    pub(crate) fn new(items: T, next: Option<String>) -> Self {
        Self { items, next }
    }
}

/// How far a walk has come.
struct Walk<F, T> {
    fetch: F,
    /// What is left of the page at hand.
    ready: vec::IntoIter<T>,
    /// The page to fetch when it is used up.
    next: Option<Page>,
}

/// Everything on every page, one by one. Holds a page at the most, and ends with the first error.
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
                return Err(going_round());
            }
            walk.ready = got.items.into_iter();
            walk.next = got.next.map(|cursor| page_after(Some(cursor)));
        }
    })
}

/// A page that names itself as the next would be fetched for ever.
fn going_round() -> Error {
    let reason = "the link to the next page leads to the same page".to_owned();
    Error::Decode { status: 200, body: String::new(), reason, request_id: String::new() }
}

fn page_after(after: Option<String>) -> Page {
    Page { limit: Some(MAX_LIMIT), after }
}

/// The cursor in `Link: <…>; rel="next"` (RFC 8288). Only the cursor is taken: where the link
/// points to is no place to send a credential.
///
/// # Errors
/// When there is such a link and no cursor in it: the list would look whole and not be.
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
        if parameters.split([';', ',']).any(says_next) {
            return Some(target);
        }
        rest = tail;
    }
    None
}

/// Is the parameter `rel=next`, quoted or not, perhaps among other relations?
fn says_next(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        name.trim().eq_ignore_ascii_case("rel")
            && value.trim().trim_matches('"').split_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
    })
}

fn cursor_in(target: &str) -> Option<String> {
    // The link may be relative; which place it is relative to does not matter to its query.
    let anywhere = Url::parse("http://localhost/").ok()?;
    let target = anywhere.join(target).ok()?;
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
