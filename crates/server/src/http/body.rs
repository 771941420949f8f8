//! The body of a request: bounded in size and in time, and read before any work is done for it.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt as _, StreamExt as _};
use keyward_api::ErrorCode;
use tokio::time::{Instant, timeout_at};

use super::problem::Problem;

/// The longest body of a request, in bytes.
pub(crate) const LIMIT: usize = 64 * 1024;

/// The longest body of a login.
pub(crate) const LOGIN_LIMIT: usize = 4 * 1024;

/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// How much of a body that is too long is still taken in and thrown away. A client that is sending
/// would otherwise find the connection reset, and never read why.
const MOST_DRAINED: usize = 32 * 1024 * 1024;

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read(mut payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    // Most bodies have arrived with their heads, whole. Those need no timer and no copy.
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
    // Apart, since every request would otherwise carry the room that only these need.
    Box::pin(read_on(payload, limit, arrived)).await
}

/// What is ready now, or after everyone else had a turn: the framework takes a body apart only after
/// the handler has begun.
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

/// Reads what is still to come.
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
                Err(_) => {
                    let message = "The request's body did not arrive within 10 s.";
                    return Err(Problem::new(ErrorCode::RequestTimeout, message));
                }
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
