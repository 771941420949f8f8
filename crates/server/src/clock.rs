//! Watches the clock: compares it with the wall clock once a second, and records an adopted step.

use std::thread;
use std::time::Duration;

use keyward_domain::{ClockChange, Timestamp};
use keyward_service::Service;
use tokio::sync::mpsc;

/// How often the clock is compared with the wall clock.
const INTERVAL: Duration = Duration::from_secs(1);

/// After how many comparisons the database's clock is read, for the metric.
const SKEW_EVERY: u64 = 10;

/// The largest skew between this server's clock and the database's that is not worth a warning, in
/// seconds.
const TOLERATED_SKEW: f64 = 5.0;

/// Watches the clock until the task is aborted.
pub(crate) async fn watch(service: Service) {
    let mut ticks = ticks();
    let mut unrecorded = None;
    let mut skewed = false;
    let mut count = 0_u64;
    while ticks.recv().await.is_some() {
        match service.observe_clock().await {
            Some(ClockChange::Held { now, wall }) => tracing::warn!(
                %now,
                %wall,
                "the wall clock has stepped; the server's time goes on by the monotonic clock, and follows the wall \
                 clock if it stays there for 1 min"
            ),
            Some(ClockChange::Returned) => tracing::info!("the wall clock has returned to the server's time"),
            Some(ClockChange::Adopted { before, after }) => {
                tracing::warn!(%before, %after, "the server's time has adopted the step of the wall clock");
                unrecorded = Some((before, after));
            }
            None => {}
        }
        if let Some((before, after)) = unrecorded
            && record(&service, before, after).await
        {
            unrecorded = None;
        }
        if count.is_multiple_of(SKEW_EVERY)
            && let Some(skew) = service.measure_skew().await
        {
            let was_skewed = std::mem::replace(&mut skewed, skew.abs() > TOLERATED_SKEW);
            if skewed && !was_skewed {
                tracing::warn!(seconds = skew, "the database's clock differs from this server's; set the clocks");
            }
        }
        count += 1;
    }
}

async fn record(service: &Service, before: Timestamp, after: Timestamp) -> bool {
    match service.record_adopted_step(before, after).await {
        Ok(()) => true,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the audit entry of the adopted step is not written yet; trying again");
            false
        }
    }
}

/// Ticks from a thread of its own. A step of the clock may also confuse the runtime's timers, so they
/// must not decide when the clock is looked at.
fn ticks() -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    thread::spawn(move || {
        loop {
            thread::sleep(INTERVAL);
            if let Err(mpsc::error::TrySendError::Closed(())) = sender.try_send(()) {
                return;
            }
        }
    });
    receiver
}
