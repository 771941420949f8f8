//! The body of a request: limited in size and time, and read before any other work on the request.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::{Method, header};
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt as _, StreamExt as _};
use keyward_api::ErrorCode;
use tokio::time::{Instant, timeout_at};

use super::connection::Busy;
use super::problem::Problem;

/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// How many bytes of an oversized body the server reads and discards. Otherwise a client that is still
/// sending would see a connection reset instead of the error response.
const MOST_DRAINED: usize = 32 * 1024 * 1024;

/// Whether everything after the head would be another protocol: the server does not switch protocols, and
/// answers as if the client had not asked for it. A proxy may pass the headers of its client on.
pub(crate) fn is_upgrade(request: &HttpRequest) -> bool {
    let has = |name| request.headers().contains_key(name);
    request.method() == Method::CONNECT || (has(header::UPGRADE) && !has(header::TRANSFER_ENCODING))
}

fn length_of(request: &HttpRequest) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether the client waits for permission to send a body that is too long anyway.
fn is_announced_too_large(request: &HttpRequest, limit: usize) -> bool {
    request.headers().contains_key(header::EXPECT)
        && length_of(request).is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > limit))
}

/// Whether a body follows the head of the request.
pub(crate) fn is_announced(request: &HttpRequest) -> bool {
    request.headers().contains_key(header::TRANSFER_ENCODING) || length_of(request).is_some_and(|length| length > 0)
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    let body = read_whole(request, payload, limit).await?;
    if let Some(busy) = Busy::of(request) {
        busy.has_read_body();
    }
    Ok(body)
}

async fn read_whole(request: &HttpRequest, mut payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    let switches = is_upgrade(request);
    if switches && length_of(request).is_none() {
        return Ok(Bytes::new());
    }
    if is_announced_too_large(request, limit) {
        return Err(too_large(limit));
    }
    if switches {
        // The framework takes everything after such a head for another protocol.
        let length = length_of(request).and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
        return Box::pin(read_exactly(payload, length, limit)).await;
    }
    // Most bodies arrive whole, together with their heads. They need no timer and no copy.
    let mut arrived = [Bytes::new(), Bytes::new()];
    for place in &mut arrived {
        match soon(payload.next()).await {
            Some(Some(Ok(chunk))) => *place = chunk,
            Some(Some(Err(error))) => return Err(unreadable(error)),
            Some(None) => {
                let [whole, _] = arrived;
                return if whole.len() <= limit { Ok(whole) } else { Err(too_large(limit)) };
            }
            None => break,
        }
    }
    // Boxed, so that the other requests do not reserve memory for this future.
    Box::pin(read_on(payload, limit, arrived)).await
}

/// Polls a future now and once more after other tasks have run; `None` if it is still pending. The second
/// poll is needed because the framework parses a body only after the handler has started.
async fn soon<T>(mut future: impl Future<Output = T> + Unpin) -> Option<T> {
    let mut waited = false;
    poll_fn(|context| match future.poll_unpin(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if waited => Poll::Ready(None),
        Poll::Pending => {
            waited = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// Reads a body of this length from a payload that goes on after it.
async fn read_exactly(mut payload: Payload, length: usize, limit: usize) -> Result<Bytes, Problem> {
    if length > limit {
        return Err(too_large(limit));
    }
    let deadline = Instant::now() + ARRIVAL;
    let mut body = BytesMut::new();
    while body.len() < length {
        match timeout_at(deadline, payload.next()).await {
            Ok(Some(Ok(chunk))) => body.extend_from_slice(&chunk),
            Ok(Some(Err(error))) => return Err(unreadable(error)),
            Ok(None) => return Err(Problem::bad_request("The request's body is incomplete.")),
            Err(_) => return Err(late()),
        }
    }
    body.truncate(length);
    Ok(body.freeze())
}

fn late() -> Problem {
    Problem::new(ErrorCode::RequestTimeout, "The request's body did not arrive within 10 s.")
}

/// Reads the rest of the body.
async fn read_on(mut payload: Payload, limit: usize, arrived: [Bytes; 2]) -> Result<Bytes, Problem> {
    let deadline = Instant::now() + ARRIVAL;
    let mut body = BytesMut::new();
    let mut drained: usize = 0;
    let mut arrived = arrived.into_iter();
    loop {
        let chunk = match arrived.next() {
            Some(chunk) => chunk,
            None => match timeout_at(deadline, payload.next()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(Some(Err(error))) => return Err(unreadable(error)),
                Ok(None) if drained > 0 => return Err(too_large(limit)),
                Ok(None) => return Ok(body.freeze()),
                Err(_) if drained > 0 => return Err(too_large(limit)),
                Err(_) => return Err(late()),
            },
        };
        if drained > 0 || body.len() + chunk.len() > limit {
            drained += chunk.len();
            body.clear();
            if drained > MOST_DRAINED {
                return Err(too_large(limit));
            }
        } else {
            body.extend_from_slice(&chunk);
        }
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(ErrorCode::PayloadTooLarge, format!("The request's body is longer than {limit} bytes."))
}

fn unreadable(error: PayloadError) -> Problem {
    Problem::bad_request("The request's body cannot be read.").detail(error.to_string())
}
