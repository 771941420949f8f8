//! The time by which the database must have answered a request.

use std::time::Duration;

use tokio::time::Instant;

/// How long a use case may take that belongs to no request: a background job, or an operator's command.
const OUTSIDE_REQUESTS: Duration = Duration::from_secs(15);

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Runs `work`, in which every use of the database must end by `deadline`. After it, a use of the
/// database fails with [`StoreError::TooSlow`](crate::StoreError::TooSlow), or, if a COMMIT may have
/// been sent, with [`StoreError::OutcomeUnknown`](crate::StoreError::OutcomeUnknown).
pub fn within<F: Future>(deadline: Instant, work: F) -> impl Future<Output = F::Output> {
    DEADLINE.scope(deadline, work)
}

/// The deadline of the current request, or of a use case that begins now outside of one.
pub(crate) fn current() -> Instant {
    DEADLINE.try_with(|deadline| *deadline).unwrap_or_else(|_outside| Instant::now() + OUTSIDE_REQUESTS)
}
