//! The rules of `now`: it goes by the monotonic clock and follows the wall clock, but it does not
//! believe a step of the wall clock at once.
//!
//! A wall clock that jumps ahead for two seconds would end every key, and one that jumps back would
//! revive expired ones. So a step is held first. If the wall clock returns, nothing has happened. If it
//! stays, it was set on purpose, and the clock adopts its time, also if that is earlier.

use std::time::Duration;

use super::{ClockState, Moment, Timestamp};

/// The largest difference to the wall clock that a clock follows. A larger one is a step.
pub const FOLLOWED: Duration = Duration::from_secs(5);

/// How long the wall clock must stay at a step before the clock adopts it.
pub const ADOPTED_AFTER: Duration = Duration::from_secs(60);

/// How long a clock reports [`ClockState::Adopted`].
const ADOPTED_FOR: Duration = Duration::from_secs(600);

/// What both clocks of the machine show at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// The monotonic clock.
    pub moment: Moment,
    /// The wall clock.
    pub wall: Timestamp,
}

impl Sight {
    /// Reads both clocks. If the process is stopped between the two readings, they differ by that
    /// time: the next sight shows that there was no step.
    #[must_use]
    pub fn take() -> Self {
        Self { moment: Moment::now(), wall: Timestamp::of_wall_clock() }
    }
}

/// What [`Timekeeper::observe`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChange {
    /// The wall clock has stepped, or has made another step, and the step is held.
    Held {
        /// The time of this clock.
        now: Timestamp,
        /// The time of the wall clock.
        wall: Timestamp,
    },
    /// The wall clock has returned to this clock's time.
    Returned,
    /// This clock has taken the wall clock's time, which may be earlier than its own.
    Adopted {
        /// The last time of this clock before the step.
        before: Timestamp,
        /// The time of the wall clock, which is now this clock's time.
        after: Timestamp,
    },
}

/// A clock from two sources, the monotonic clock and the wall clock. Pure: the caller reads them.
///
/// * `now` advances with the monotonic clock.
/// * [`Timekeeper::observe`] compares it with the wall clock, once a second. A difference of up to
///   [`FOLLOWED`] is followed; if the wall clock is behind, `now` stands still until the wall clock has
///   caught up.
/// * A larger difference is a step, and is held: `now` goes on by the monotonic clock. If the wall clock
///   stays at the step for [`ADOPTED_AFTER`], the clock adopts its time.
/// * A witness is a third clock. If it agrees with the wall clock to [`FOLLOWED`], the step is adopted at
///   once. If it agrees with `now`, the step is held as long as it does.
///
/// Keys that were ended by hand do not depend on `now`: see [`ApiKey::is_dead`](crate::ApiKey::is_dead).
#[derive(Clone, Debug)]
pub struct Timekeeper {
    /// Microseconds from the monotonic clock to the time since the epoch.
    offset: i64,
    /// The earliest time to return, so that `now` never runs backwards.
    floor: Timestamp,
    step: Option<Step>,
    adopted: Option<Moment>,
}

/// A step that is held.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Microseconds by which the wall clock is ahead.
    ahead: i64,
    /// When the wall clock made the step, or a witness last spoke against it.
    since: Moment,
}

impl Timekeeper {
    /// A clock that starts at the wall clock's time.
    #[must_use]
    pub fn new(start: Sight) -> Self {
        Self { offset: offset(start), floor: start.wall, step: None, adopted: None }
    }

    /// The time at `moment`.
    #[must_use]
    pub fn now(&self, moment: Moment) -> Timestamp {
        Timestamp::nearest(moment.micros().saturating_add(self.offset)).max(self.floor)
    }

    /// Whether the wall clock differs from `now` by more than [`FOLLOWED`].
    #[must_use]
    pub fn is_stepped(&self, sight: Sight) -> bool {
        !agree(sight.wall, self.now(sight.moment))
    }

    /// How the clock relates to the wall clock at `moment`.
    #[must_use]
    pub fn state(&self, moment: Moment) -> ClockState {
        match (self.step, self.adopted) {
            (Some(_), _) => ClockState::Held,
            (None, Some(adopted)) if moment.since(adopted) < ADOPTED_FOR => ClockState::Adopted,
            (None, _) => ClockState::Following,
        }
    }

    /// Seconds by which the wall clock was ahead at the last observation; 0 unless a step is held.
    #[must_use]
    pub fn step_seconds(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a metric: microseconds matter for small steps only")]
        self.step.map_or(0.0, |step| step.ahead as f64 / 1e6)
    }

    /// Compares the clock with the wall clock and, if there is one, with a witness read just before.
    pub fn observe(&mut self, sight: Sight, witness: Option<Timestamp>) -> Option<ClockChange> {
        let now = self.now(sight.moment);
        if agree(sight.wall, now) {
            self.follow(sight, now);
            return self.step.take().map(|_| ClockChange::Returned);
        }
        if witness.is_some_and(|witness| agree(witness, sight.wall)) {
            return Some(self.adopt(sight, now));
        }
        let ahead = sight.wall.micros_after(now);
        let same = self.step.filter(|step| ahead.abs_diff(step.ahead) <= micros(FOLLOWED));
        let Some(step) = same else {
            self.step = Some(Step { ahead, since: sight.moment });
            return Some(ClockChange::Held { now, wall: sight.wall });
        };
        if witness.is_some_and(|witness| agree(witness, now)) {
            self.step = Some(Step { since: sight.moment, ..step });
            return None;
        }
        (sight.moment.since(step.since) >= ADOPTED_AFTER).then(|| self.adopt(sight, now))
    }

    /// Goes on from the wall clock's time, and not before `floor`.
    fn follow(&mut self, sight: Sight, floor: Timestamp) {
        self.offset = offset(sight);
        self.floor = floor;
    }

    fn adopt(&mut self, sight: Sight, before: Timestamp) -> ClockChange {
        self.follow(sight, sight.wall);
        self.step = None;
        self.adopted = Some(sight.moment);
        ClockChange::Adopted { before, after: sight.wall }
    }
}

fn offset(sight: Sight) -> i64 {
    sight.wall.as_micros().saturating_sub(sight.moment.micros())
}

fn agree(one: Timestamp, other: Timestamp) -> bool {
    one.micros_after(other).unsigned_abs() <= micros(FOLLOWED)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
