//! A clock that stands still until it is moved.

use std::sync::atomic::{AtomicI64, Ordering};

use keyward_domain::{Clock, Lifetime, SystemClock, Timestamp};

/// A clock that stands still until it is moved. It starts at the present.
#[derive(Debug)]
pub struct ManualClock {
    micros: AtomicI64,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self { micros: AtomicI64::new(SystemClock::default().now().as_micros()) }
    }
}

impl ManualClock {
    /// Moves it forward.
    pub fn advance(&self, by: Lifetime) {
        self.micros.fetch_add(by.as_micros(), Ordering::SeqCst);
    }

    /// Moves it to where it never stood: a clock may be set back between two starts of a server.
    pub fn set(&self, to: Timestamp) {
        self.micros.store(to.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst)).expect("the clock is within the calendar")
    }
}
