//! Background jobs: they write uses of keys and failed logins, run retention, read the changes of
//! other servers, and seal the audit log.

use std::time::Duration;

use actix_web::web;
use keyward_service::{HeldKeys, PEER_SYNC_INTERVAL, Retired, Service};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::app::App;
use crate::audit::sealing::{self, Sealing};
use crate::clock;

/// How often uses of keys are written; 10 s are promised.
const USAGE: Duration = Duration::from_secs(5);

/// How often the server checks for failed logins and for confirmations to write.
const FAILED_LOGINS: Duration = Duration::from_secs(1);

/// How often the server checks for locks that have ended.
const LOCKS: Duration = Duration::from_secs(1);

/// How often retention runs, and its delay after the start: time to notice that the clock is wrong.
const RETENTION: Duration = Duration::from_secs(3_600);
const FIRST_RETENTION: Duration = Duration::from_secs(600);

/// How often retention checks whether an operator has confirmed what it holds.
const HELD_RETENTION: Duration = Duration::from_secs(30);

/// The jobs of a running server.
#[derive(Debug)]
pub(crate) struct Background {
    jobs: Vec<JoinHandle<()>>,
}

impl Background {
    /// Starts the jobs on the current runtime.
    pub fn start(app: &web::Data<App>) -> Self {
        let service = &app.service;
        let mut jobs = vec![
            tokio::spawn(usage(service.clone())),
            tokio::spawn(failed_logins(service.clone())),
            tokio::spawn(retention(app.clone())),
            tokio::spawn(peers(service.clone())),
            tokio::spawn(locks(service.clone())),
            tokio::spawn(clock::watch(service.clone())),
        ];
        if let Sealing::Background(files) = &app.sealing {
            jobs.push(tokio::spawn(sealing::run(app.clone(), files.clone())));
        }
        Self { jobs }
    }

    /// Stops the jobs and writes pending data.
    pub async fn stop(self, app: &App) {
        let service = &app.service;
        for job in self.jobs {
            job.abort();
        }
        if let Err(error) = service.check_reports().await {
            tracing::error!(error = &error as &dyn std::error::Error, "the last reports of verifiers were not written");
        }
        if let Err(error) = service.flush_usage().await {
            tracing::error!(error = &error as &dyn std::error::Error, "the last uses of keys were not written");
        }
        if let Err(error) = service.flush_activity().await {
            tracing::error!(error = &error as &dyn std::error::Error, "the last activity of keys was not written");
        }
        if let Err(error) = service.flush_failed_logins(true).await {
            tracing::error!(error = &error as &dyn std::error::Error, "the last failed logins were not written");
        }
        if let Err(error) = service.flush_confirmations().await {
            tracing::error!(error = &error as &dyn std::error::Error, "the last confirmations were not written");
        }
        if let Sealing::Background(files) = &app.sealing
            && let Err(error) = sealing::seal_audit_log(service, files).await
        {
            tracing::error!(error = &error as &dyn std::error::Error, "the last audit entries were not sealed");
        }
    }
}

async fn usage(service: Service) {
    let mut ticks = ticks(USAGE, USAGE);
    loop {
        ticks.tick().await;
        if let Err(error) = service.check_reports().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the reports of verifiers were not written");
        }
        if let Err(error) = service.flush_usage().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "uses of keys were not written");
        }
        if let Err(error) = service.flush_activity().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the activity of keys was not written");
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
        if let Err(error) = service.flush_confirmations().await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "confirmations that keys are dead were not written"
            );
        }
    }
}

async fn locks(service: Service) {
    let mut ticks = ticks(LOCKS, LOCKS);
    loop {
        ticks.tick().await;
        if let Err(error) = service.remove_ended_locks().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "locks that have ended were not removed");
        }
    }
}

async fn retention(app: web::Data<App>) {
    tokio::time::sleep(FIRST_RETENTION).await;
    let mut told = None;
    loop {
        let waits = match app.service.run_retention().await {
            Ok(retired) => {
                app.metrics.count_retention(&retired);
                let Retired { keys, entries, held } = retired;
                if (keys, entries) != (0, 0) {
                    tracing::info!(keys, entries, "retention removed records");
                }
                held
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "retention failed");
                None
            }
        };
        if let Some(HeldKeys { cutoff, count }) = waits.filter(|held| told != Some(*held)) {
            tracing::warn!(
                %cutoff,
                count,
                "retention would remove more than half of all keys and waits; if that is right, run keyward-server \
                 retention --confirm"
            );
        }
        told = waits;
        tokio::time::sleep(if waits.is_some() { HELD_RETENTION } else { RETENTION }).await;
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
