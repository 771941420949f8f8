//! Lists on the wire: read and written one page at a time, in constant memory.

use std::rc::Rc;

use actix_web::HttpResponse;
use actix_web::http::header;
use bytes::Bytes;
use futures_util::stream;
use keyward_api::page::MAX_LIMIT;
use keyward_api::{Endpoint, ErrorCode};
use serde::Serialize;

use super::call::Call;
use super::cursor::Cursor;
use super::problem::Problem;

/// How many items one read returns if the client sets no limit.
const INNER_PAGE: i64 = 500;

/// The page that the client asks for. Without a limit, it is the whole list after the cursor.
#[derive(Clone, Debug)]
pub(crate) struct Page<C> {
    limit: Option<i64>,
    start: C,
}

impl<C: Cursor> Page<C> {
    /// Reads the limit and the cursor; `first` is the start of the list.
    pub fn of_query(limit: Option<u32>, after: Option<&str>, first: C) -> Result<Self, Problem> {
        if let Some(limit) = limit.filter(|limit| !(1..=MAX_LIMIT).contains(limit)) {
            return Err(Problem::new(ErrorCode::ValidationFailed, "The query has an invalid value.")
                .validation("limit", format!("limit must be 1 to {MAX_LIMIT}, not {limit}")));
        }
        Ok(Self { limit: limit.map(i64::from), start: C::of_query(after, first)? })
    }

    /// Sets a limit if the client set none.
    pub fn or_limit(self, limit: u32) -> Self {
        Self { limit: self.limit.or(Some(i64::from(limit))), ..self }
    }
}

/// Responds with a list between `opening` and `closing`. `read` returns the items after a cursor, up to
/// a limit; `place` returns an item's cursor; `show` converts an item to its wire type.
///
/// # Errors
/// If the first page cannot be read. A later failure cuts the connection, so that a short list never
/// looks complete.
pub(crate) async fn stream_list<E, C, T, W, R, F, P, S>(
    call: &Call<E>,
    page: Page<C>,
    opening: &'static str,
    closing: String,
    read: R,
    place: P,
    show: S,
) -> Result<HttpResponse, Problem>
where
    E: Endpoint,
    C: Cursor + 'static,
    T: 'static,
    W: Serialize + 'static,
    R: Fn(C, i64) -> F + 'static,
    F: Future<Output = Result<Vec<T>, keyward_service::Error>> + 'static,
    P: Fn(&T) -> C + 'static,
    S: Fn(&T) -> W + 'static,
{
    let mut answer = HttpResponse::Ok();
    answer.content_type("application/json");
    if let Some(limit) = page.limit {
        // One extra item shows whether there is a next page.
        let mut things = read(page.start, limit + 1).await?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        if things.len() > wanted {
            things.truncate(wanted);
            if let Some(last) = things.last() {
                answer.insert_header((header::LINK, call.next_page(&place(last).write())));
            }
        }
        let mut text = String::from(opening);
        write_things(&mut text, &things, &show, true)?;
        text.push_str(&closing);
        return Ok(answer.body(text));
    }
    let first = read(page.start, INNER_PAGE).await?;
    let mut text = String::from(opening);
    write_things(&mut text, &first, &show, true)?;
    let Some(next) = next_place(&first, &place) else {
        text.push_str(&closing);
        return Ok(answer.body(text));
    };
    let shapes = Rc::new((place, show));
    let state = (Some(Bytes::from(text)), Some(next), read, closing, shapes);
    Ok(answer.streaming(stream::try_unfold(state, move |(ready, next, read, closing, shapes)| async move {
        if let Some(ready) = ready {
            return Ok::<_, Problem>(Some((ready, (None, next, read, closing, shapes))));
        }
        let (place, show) = &*shapes;
        let Some(start) = next else { return Ok(None) };
        let things = read(start, INNER_PAGE).await.inspect_err(|error| {
            tracing::error!(error = error as &dyn std::error::Error, "a list response was cut off");
        })?;
        let mut text = String::new();
        write_things(&mut text, &things, show, false)?;
        let next = next_place(&things, place);
        if next.is_none() {
            text.push_str(&closing);
        }
        Ok(Some((Bytes::from(text), (None, next, read, closing, shapes))))
    })))
}

fn next_place<T, C>(things: &[T], place: &impl Fn(&T) -> C) -> Option<C> {
    let full = i64::try_from(things.len()).is_ok_and(|count| count >= INNER_PAGE);
    things.last().filter(|_| full).map(place)
}

fn write_things<T, W: Serialize>(
    text: &mut String,
    things: &[T],
    show: &impl Fn(&T) -> W,
    first_page: bool,
) -> Result<(), Problem> {
    for (index, thing) in things.iter().enumerate() {
        if index > 0 || !first_page {
            text.push(',');
        }
        let json = serde_json::to_string(&show(thing))
            .map_err(|error| Problem::new(ErrorCode::Internal, "The response cannot be serialised.").cause(error))?;
        text.push_str(&json);
    }
    Ok(())
}
