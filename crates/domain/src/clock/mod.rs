//! Time: timestamps, the monotonic clock, and the clock that says what `now` is.
//!
//! Rules never read a clock: they take `now` as an argument. Each request reads `now` once from a
//! [`Clock`], which tests replace.

mod moment;
mod system;
mod timekeeper;
mod timestamp;

pub use moment::Moment;
pub use system::SystemClock;
pub use timekeeper::{ADOPTED_AFTER, ClockChange, FOLLOWED, Sight, Timekeeper};
pub use timestamp::{InvalidTimestamp, Timestamp};

use crate::word::{UnknownWord, words};

/// A source of the current time.
///
/// A clock may check itself against the wall clock: see [`Timekeeper`]. Someone has to call
/// [`Clock::observe`] once a second for that.
pub trait Clock: Send + Sync + 'static {
    /// The current time. Never earlier than a time this clock has already returned, unless
    /// [`Clock::observe`] has returned [`ClockChange::Adopted`] meanwhile.
    fn now(&self) -> Timestamp;

    /// Whether the wall clock shows another time than this clock, so that [`Clock::observe`] can use
    /// a witness.
    fn is_stepped(&self) -> bool {
        false
    }

    /// Compares the clock with the wall clock. `witness` is the time of a third clock, if one was just
    /// read. Returns what changed.
    fn observe(&self, witness: Option<Timestamp>) -> Option<ClockChange> {
        let _unused = witness;
        None
    }

    /// How the clock relates to the wall clock.
    fn state(&self) -> ClockState {
        ClockState::Following
    }

    /// Seconds by which the wall clock is ahead of this clock; negative if it is behind, and 0 unless a
    /// step is held.
    fn step_seconds(&self) -> f64 {
        0.0
    }
}

/// How a clock relates to the wall clock.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownWord, parse_err_fn = Self::unknown)]
pub enum ClockState {
    /// The clock follows the wall clock.
    Following,
    /// The wall clock has stepped. The clock goes on by the monotonic clock until the wall clock
    /// returns or the step is adopted.
    Held,
    /// The clock follows the wall clock, and has adopted a step within the last 10 min.
    Adopted,
}

words!(ClockState, "clock state");
