//! Background jobs: they write uses of keys and failed logins, run retention, and read the changes of
//! other servers.

use std::time::Duration;

use keyward_service::{PEER_SYNC_INTERVAL, Service};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How often uses of keys are written; 10 s are promised.
const USAGE: Duration = Duration::from_secs(5);

/// How often the server checks for failed logins to write.
const FAILED_LOGINS: Duration = Duration::from_secs(1);

/// How often retention runs, and its delay after the start.
const RETENTION: Duration = Duration::from_secs(3_600);
const FIRST_RETENTION: Duration = Duration::from_secs(30);

/// The jobs of a running server.
#[derive(Debug)]
pub(crate) struct Background {
    jobs: Vec<JoinHandle<()>>,
}

impl Background {
    /// Starts the jobs on the current runtime.
    pub fn start(service: &Service) -> Self {
        let jobs = vec![
            tokio::spawn(usage(service.clone())),
            tokio::spawn(failed_logins(service.clone())),
            tokio::spawn(retention(service.clone())),
            tokio::spawn(peers(service.clone())),
        ];
        Self { jobs }
    }

    /// Stops the jobs and writes pending data.
    pub async fn stop(self, service: &Service) {
        for job in self.jobs {
            job.abort();
        }
        if let Err(error) = service.flush_usage().await {
            tracing::error!(error = &error as &dyn std::error::Error, "the last uses of keys were not written");
        }
        if let Err(error) = service.flush_failed_logins(true).await {
            tracing::error!(error = &error as &dyn std::error::Error, "the last failed logins were not written");
        }
    }
}

async fn usage(service: Service) {
    let mut ticks = ticks(USAGE, USAGE);
    loop {
        ticks.tick().await;
        if let Err(error) = service.flush_usage().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "uses of keys were not written");
        }
    }
}

async fn failed_logins(service: Service) {
    let mut ticks = ticks(FAILED_LOGINS, FAILED_LOGINS);
    loop {
        ticks.tick().await;
        if let Err(error) = service.flush_failed_logins(false).await {
            tracing::error!(error = &error as &dyn std::error::Error, "failed logins were not written");
        }
    }
}

async fn retention(service: Service) {
    let mut ticks = ticks(FIRST_RETENTION, RETENTION);
    loop {
        ticks.tick().await;
        match service.run_retention().await {
            Ok((0, 0)) => {}
            Ok((keys, entries)) => tracing::info!(keys, entries, "retention removed records"),
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "retention failed"),
        }
    }
}

async fn peers(service: Service) {
    let mut ticks = ticks(PEER_SYNC_INTERVAL, PEER_SYNC_INTERVAL);
    loop {
        ticks.tick().await;
        if let Err(error) = service.sync_with_peers().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the other servers' changes were not read");
        }
    }
}

fn ticks(first: Duration, every: Duration) -> tokio::time::Interval {
    let mut ticks = interval_at(Instant::now() + first, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
