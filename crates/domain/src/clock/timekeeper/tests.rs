//! The clock in a simulated world: real time passes, and the wall clock shows real time plus an error.

use proptest::prelude::*;

use super::*;
use crate::event::Cause;
use crate::{ApiKey, Lifetime};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Real time at the start, as microseconds since the epoch. The machine has been up for an hour.
const START: i64 = 20_000 * DAY;
const UPTIME: i64 = 3_600 * SECOND;

/// The real world, which the clock does not see, and the clock.
struct World {
    /// Real time since the start, in microseconds.
    elapsed: i64,
    /// By how much the wall clock is wrong, in microseconds.
    error: i64,
    keeper: Timekeeper,
    latest: Timestamp,
}

impl World {
    fn new(error: i64) -> Self {
        let keeper = Timekeeper::new(sight(0, error));
        let latest = keeper.now(moment(0));
        Self { elapsed: 0, error, keeper, latest }
    }

    fn sight(&self) -> Sight {
        sight(self.elapsed, self.error)
    }

    fn now(&self) -> Timestamp {
        self.keeper.now(moment(self.elapsed))
    }

    /// By how much `now` is wrong, in microseconds.
    fn wrong_by(&self) -> i64 {
        self.now().as_micros() - START - self.elapsed
    }

    /// Lets real time pass, without a look at the wall clock.
    fn pass(&mut self, micros: i64) {
        self.elapsed += micros;
        let now = self.now();
        assert!(now >= self.latest, "now ran backwards from {:?} to {now:?}", self.latest);
        self.latest = now;
    }

    fn observe(&mut self, witness: Option<Timestamp>) -> Option<ClockChange> {
        let change = self.keeper.observe(self.sight(), witness);
        let now = self.now();
        match change {
            Some(ClockChange::Adopted { after, .. }) => assert_eq!(now, after),
            Some(ClockChange::Held { .. } | ClockChange::Returned) | None => assert!(now >= self.latest),
        }
        self.latest = now;
        change
    }

    /// Lets this many seconds pass, with a look at the wall clock each second.
    fn run(&mut self, secs: u32) -> Vec<ClockChange> {
        let tick = |_| {
            self.pass(SECOND);
            self.observe(None)
        };
        (0..secs).filter_map(tick).collect()
    }
}

fn moment(elapsed: i64) -> Moment {
    Moment::from_nanos(u64::try_from(UPTIME + elapsed).unwrap() * 1_000)
}

fn at(micros: i64) -> Timestamp {
    Timestamp::nearest(micros)
}

fn sight(elapsed: i64, error: i64) -> Sight {
    Sight { moment: moment(elapsed), wall: at(START + elapsed + error) }
}

#[test]
fn a_step_that_goes_away_within_a_minute_changes_nothing() {
    let mut world = World::new(0);
    for error in [400 * DAY, -400 * DAY, 6 * SECOND, -6 * SECOND] {
        world.error = error;
        let changes = world.run(59);
        assert!(matches!(changes[..], [ClockChange::Held { .. }]), "{changes:?}");
        assert_eq!(world.keeper.state(moment(world.elapsed)), ClockState::Held);
        assert_eq!(world.keeper.step_seconds().round(), at(error).as_micros() as f64 / 1e6);
        assert_eq!(world.wrong_by(), 0);
        world.error = 0;
        assert_eq!(world.run(60), [ClockChange::Returned]);
        assert_eq!((world.wrong_by(), world.keeper.step_seconds()), (0, 0.0));
        assert_eq!(world.keeper.state(moment(world.elapsed)), ClockState::Following);
    }
}

#[test]
fn a_step_that_stays_is_adopted_after_a_minute_backwards_too() {
    let mut world = World::new(0);
    for error in [400 * DAY, -400 * DAY, 0] {
        let before = world.wrong_by();
        world.error = error;
        assert_eq!(world.run(60).len(), 1, "held");
        assert_eq!(world.wrong_by(), before);
        assert!(matches!(world.run(1)[..], [ClockChange::Adopted { .. }]));
        assert_eq!(world.wrong_by(), error);
        assert_eq!(world.keeper.state(moment(world.elapsed)), ClockState::Adopted);
    }
    assert!(world.run(600).is_empty());
    assert_eq!(world.keeper.state(moment(world.elapsed)), ClockState::Following);
}

#[test]
fn a_wall_clock_that_keeps_stepping_is_not_adopted() {
    let mut world = World::new(0);
    for error in [10 * DAY, 20 * DAY, 30 * DAY, -10 * DAY] {
        world.error = error;
        assert!(matches!(world.run(59)[..], [ClockChange::Held { .. }]));
    }
    assert_eq!(world.wrong_by(), 0);
}

#[test]
fn a_small_difference_is_followed_and_time_stands_still_for_a_wall_clock_behind() {
    let mut world = World::new(0);
    world.error = 5 * SECOND;
    assert!(world.run(1).is_empty());
    assert_eq!(world.wrong_by(), 5 * SECOND);
    world.error = 0;
    let before = world.now();
    assert!(world.run(1).is_empty());
    assert_eq!(world.now().micros_after(before), SECOND, "the second that passed before the look");
    world.run(3);
    assert_eq!(world.now().micros_after(before), SECOND, "it stands still");
    world.run(3);
    assert_eq!(world.wrong_by(), 0);
}

#[test]
fn a_suspended_machine_makes_no_step() {
    let mut world = World::new(0);
    world.pass(40 * DAY);
    assert_eq!(world.observe(None), None);
    assert_eq!(world.wrong_by(), 0);
}

#[test]
fn a_witness_decides_at_once() {
    let mut world = World::new(0);
    world.error = DAY;
    let real = |world: &World| Some(at(START + world.elapsed));
    for _ in 0..200 {
        world.pass(SECOND);
        world.observe(real(&world));
    }
    assert_eq!(world.wrong_by(), 0, "the witness agrees with the monotonic clock");
    assert_eq!(world.keeper.state(moment(world.elapsed)), ClockState::Held);
    let wall = Some(world.sight().wall);
    assert!(matches!(world.observe(wall), Some(ClockChange::Adopted { .. })), "it agrees with the wall clock");
    let neither = Some(at(START + world.elapsed + 90 * DAY));
    world.error = 0;
    world.observe(neither);
    assert_eq!(world.keeper.state(moment(world.elapsed)), ClockState::Held);
}

fn live_key(end: Timestamp) -> ApiKey {
    let mut key = crate::key::tests::key(crate::LoginType::Token, 0, Lifetime::hours(1));
    key.expires_at = end;
    key
}

/// What happens to the wall clock.
#[derive(Clone, Debug)]
enum Fault {
    /// It is off by this many microseconds, at most 2 s.
    Drift(i64),
    /// It steps by this many microseconds, and returns after this many seconds, less than a minute.
    Step(i64, u32),
    /// The machine is suspended for this many microseconds; the wall clock goes on.
    Suspend(i64),
    /// The process sees neither clock for this many microseconds.
    Stall(i64),
}

fn fault() -> impl Strategy<Value = Fault> {
    let step = prop_oneof![12 * SECOND..5_000 * DAY, -5_000 * DAY..-12 * SECOND];
    prop_oneof![
        (-2 * SECOND..=2 * SECOND).prop_map(Fault::Drift),
        (step, 1_u32..58).prop_map(|(by, secs)| Fault::Step(by, secs)),
        (0..3 * DAY).prop_map(Fault::Suspend),
        (0..30 * SECOND).prop_map(Fault::Stall),
    ]
}

proptest! {
    /// Whatever steps the wall clock makes, as long as each goes away within a minute: `now` is right
    /// to a few seconds, so no live key is ended early and no expired key is revived.
    #[test]
    fn no_step_that_goes_away_ends_or_revives_a_key(faults in prop::collection::vec((fault(), 0_u32..200), 1..40)) {
        let mut world = World::new(0);
        let mut drift = 0;
        for (fault, calm) in faults {
            match fault {
                Fault::Drift(error) => drift = error,
                Fault::Step(by, secs) => {
                    world.error = drift + by;
                    world.run(secs);
                }
                Fault::Suspend(micros) | Fault::Stall(micros) => world.pass(micros),
            }
            world.error = drift;
            world.run(calm.max(1));
            prop_assert!(world.wrong_by().abs() <= 8 * SECOND, "wrong by {} µs", world.wrong_by());
            let real = START + world.elapsed;
            prop_assert!(!live_key(at(real + 9 * SECOND)).is_dead(world.now()));
            prop_assert!(live_key(at(real - 9 * SECOND)).is_dead(world.now()));
        }
    }

    /// Whatever the wall clock did, and for however long: once it has been right for a little more than
    /// a minute, so is `now`. A key that was ended by hand was dead at each of these times.
    #[test]
    fn no_key_is_ended_for_ever_and_no_ended_key_revives(
        first in -5_000 * DAY..5_000 * DAY,
        steps in prop::collection::vec((-5_000 * DAY..5_000 * DAY, 0_u32..150), 0..20),
    ) {
        let mut world = World::new(first);
        let ended = live_key(at(START + 10_000 * DAY)).ended(world.now(), &Cause::Requested.into()).unwrap();
        for (error, secs) in steps {
            world.error = error;
            for _ in 0..secs {
                world.run(1);
                prop_assert!(ended.is_dead(world.now()));
            }
        }
        world.error = 0;
        world.run(62);
        prop_assert_eq!(world.wrong_by().abs() / SECOND, 0);
        prop_assert!(!live_key(at(START + world.elapsed + 2 * SECOND)).is_dead(world.now()));
        prop_assert!(ended.is_dead(world.now()));
    }
}
