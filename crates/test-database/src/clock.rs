//! A clock that tests move by hand.

use std::sync::atomic::{AtomicI64, Ordering};

use keyward_domain::{Clock, Lifetime, SystemClock, Timestamp};

/// A clock that moves only when told to. It starts at the current time.
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
    /// Moves the clock forward.
    pub fn advance(&self, by: Lifetime) {
        self.micros.fetch_add(by.as_micros(), Ordering::SeqCst);
    }

    /// Sets the clock to any time: a clock may be set back between two starts of a server.
    pub fn set(&self, to: Timestamp) {
        self.micros.store(to.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst)).expect("a time within the supported years")
    }
}
