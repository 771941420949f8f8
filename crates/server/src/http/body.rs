//! The body of a request: bounded in size and in time, and read before any work is done for it.

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
    // Most bodies have arrived with their heads, whole. Those need no clock and no copy.
    let first = match payload.next().now_or_never() {
        None => Bytes::new(),
        Some(None) => return Ok(Bytes::new()),
        Some(Some(Err(error))) => return Err(unreadable(error)),
        Some(Some(Ok(first))) => match payload.next().now_or_never() {
            Some(None) if first.len() <= limit => return Ok(first),
            Some(None) => return Err(too_large(limit)),
            Some(Some(Err(error))) => return Err(unreadable(error)),
            Some(Some(Ok(second))) => return read_on(payload, limit, [first, second]).await,
            None => first,
        },
    };
    read_on(payload, limit, [first, Bytes::new()]).await
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
