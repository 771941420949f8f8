//! The machine's clock.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::timekeeper::{ClockChange, Sight, Timekeeper};
use super::{Clock, ClockState, Moment, Timestamp};

/// The clock of this machine, from its monotonic clock and its wall clock: a [`Timekeeper`] on the
/// machine's clocks. It starts at the wall clock's time.
///
/// The lock makes it monotonic across threads: a change of the offset waits for every reader that
/// still uses the old one. A reader takes a few nanoseconds, and a change happens once a second.
#[derive(Debug)]
pub struct SystemClock {
    keeper: RwLock<Timekeeper>,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { keeper: RwLock::new(Timekeeper::new(Sight::take())) }
    }
}

impl SystemClock {
    fn keeper(&self) -> RwLockReadGuard<'_, Timekeeper> {
        // No code panics while it holds the lock.
        self.keeper.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let keeper = self.keeper();
        // Read under the lock: see the type.
        keeper.now(Moment::now())
    }

    fn is_stepped(&self) -> bool {
        self.keeper().is_stepped(Sight::take())
    }

    fn observe(&self, witness: Option<Timestamp>) -> Option<ClockChange> {
        let mut keeper = self.keeper.write().unwrap_or_else(PoisonError::into_inner);
        keeper.observe(Sight::take(), witness)
    }

    fn state(&self) -> ClockState {
        self.keeper().state(Moment::now())
    }

    fn step_seconds(&self) -> f64 {
        self.keeper().step_seconds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_clock_follows_the_wall_clock() {
        let clock = SystemClock::default();
        let wall = Timestamp::of_wall_clock();
        assert!(clock.now().micros_after(wall).abs() < 1_000_000);
        assert_eq!(clock.observe(None), None);
        assert!(clock.now() >= wall);
        assert_eq!((clock.state(), clock.is_stepped()), (ClockState::Following, false));
    }
}
