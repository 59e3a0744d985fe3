//! When the next step of a drive is due: a pure function of commands and time.
//!
//! Times are nanoseconds of one monotonic clock. The thread calls [`Train::next`], does what it
//! says, and calls again.

use tve_hal::{JogId, MotorDrive, Travel};

/// Nanoseconds in a second.
const NANOS: f64 = 1e9;
/// A drive sees the direction this long before a pulse (DM556: 5 µs).
pub(crate) const DIRECTION_SETUP: u64 = 5_000;
/// A power stage takes pulses this long after it was enabled (DM556: 200 ms).
pub(crate) const ENABLE_DELAY: u64 = 200_000_000;
/// Two pulses are never nearer than this share of the period, also when one was late: a motor
/// that follows the mean rate need not follow a burst.
const NEAREST: f64 = 0.5;

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Act {
    /// Nothing until the command changes.
    Idle,
    /// Nothing until then, unless the command changes.
    WaitUntil(u64),
    /// Set the direction pin, `true` is backwards.
    Direction(bool),
    /// Make one pulse.
    Pulse,
    /// Let the PWM peripheral make pulses at this rate in steps/s; zero stops it.
    Peripheral(f64),
}

#[derive(Debug, Clone, Copy)]
struct Move {
    id: JogId,
    backwards: bool,
    made: u32,
    steps: u32,
    travel: Travel,
}

/// The pulses of one drive.
#[derive(Debug, Default)]
pub(crate) struct Train {
    /// The step pin is on the PWM peripheral.
    peripheral: bool,
    /// The drive has an enable input that this program switches.
    has_enable: bool,
    enabled: bool,
    backwards: Option<bool>,
    /// No pulse before this time.
    ready_at: u64,
    /// When the newest pulse was due, which keeps the mean rate.
    due_at: Option<u64>,
    /// When it was made, which keeps the distance.
    made_at: u64,
    peripheral_rate: f64,
    current: Option<Move>,
    seen: Option<JogId>,
    done: Option<JogId>,
}

impl Train {
    pub(crate) fn new(peripheral: bool, has_enable: bool) -> Self {
        Self { peripheral, has_enable, ..Self::default() }
    }

    /// The newest move that is over: counted out, cut off, or nothing to do.
    pub(crate) const fn done(&self) -> Option<JogId> {
        self.done
    }

    /// What to do at `now` for `command`.
    pub(crate) fn next(&mut self, now: u64, command: MotorDrive) -> Act {
        let (backwards, rate) = self.wish(command);
        if !command.is_enabled() {
            self.enabled = false;
            return self.stop_peripheral().unwrap_or(Act::Idle);
        }
        if !self.enabled {
            self.enabled = true;
            if self.has_enable {
                self.ready_at = now + ENABLE_DELAY;
            }
        }
        let by_peripheral = self.peripheral && self.current.is_none();
        if !by_peripheral && let Some(act) = self.stop_peripheral() {
            return act;
        }
        if rate == 0.0 {
            return self.stop_peripheral().unwrap_or(Act::Idle);
        }
        if self.backwards != Some(backwards) {
            // The peripheral must not step on while the direction changes.
            if let Some(act) = self.stop_peripheral() {
                return act;
            }
            self.backwards = Some(backwards);
            self.ready_at = self.ready_at.max(now + DIRECTION_SETUP);
            return Act::Direction(backwards);
        }
        if now < self.ready_at {
            return Act::WaitUntil(self.ready_at);
        }
        if by_peripheral {
            if self.peripheral_rate == rate {
                return Act::Idle;
            }
            self.peripheral_rate = rate;
            return Act::Peripheral(rate);
        }
        self.pulse(now, rate)
    }

    /// Direction and rate that the command asks for now.
    fn wish(&mut self, command: MotorDrive) -> (bool, f64) {
        match command {
            MotorDrive::Disabled => {
                self.cut_off();
                (false, 0.0)
            }
            MotorDrive::Run(rate) => {
                self.cut_off();
                (rate.get() < 0.0, rate.get().abs())
            }
            MotorDrive::Jog { id, steps, rate, accel } => {
                if self.seen != Some(id) {
                    self.cut_off();
                    self.seen = Some(id);
                    // Also false for what is no number.
                    if steps != 0 && rate > 0.0 && accel > 0.0 {
                        let (backwards, steps) = (steps < 0, steps.unsigned_abs());
                        let travel = Travel::new(steps, rate, accel);
                        self.current = Some(Move { id, backwards, made: 0, steps, travel });
                    } else {
                        self.done = Some(id);
                    }
                }
                self.current
                    .map_or((false, 0.0), |step| (step.backwards, step.travel.rate_at(step.made)))
            }
        }
    }

    fn pulse(&mut self, now: u64, rate: f64) -> Act {
        let period = (NANOS / rate) as u64;
        let due = match self.due_at {
            Some(last) => {
                let nearest = self.made_at + (period as f64 * NEAREST) as u64;
                (last + period).max(nearest)
            }
            None => now,
        };
        if now < due {
            return Act::WaitUntil(due);
        }
        // A pulse more than a period late starts a new rhythm; otherwise the mean rate is kept.
        self.due_at = Some(if now - due > period { now } else { due });
        self.made_at = now;
        if let Some(step) = &mut self.current {
            step.made += 1;
            if step.made == step.steps {
                self.done = Some(step.id);
                self.current = None;
            }
        }
        Act::Pulse
    }

    fn stop_peripheral(&mut self) -> Option<Act> {
        (self.peripheral_rate != 0.0).then(|| {
            self.peripheral_rate = 0.0;
            Act::Peripheral(0.0)
        })
    }

    fn cut_off(&mut self) {
        if let Some(step) = self.current.take() {
            self.done = Some(step.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_units::StepRate;

    const SECOND: u64 = 1_000_000_000;

    fn run(rate: f64) -> MotorDrive {
        MotorDrive::Run(StepRate::new(rate).unwrap())
    }

    fn jog(id: u32, steps: i32, rate: f64) -> MotorDrive {
        MotorDrive::Jog { id: JogId(id), steps, rate, accel: f64::INFINITY }
    }

    /// Follows `command` from `from` to `to` with a thread that wakes `late` ns too late.
    fn follow(
        train: &mut Train,
        from: u64,
        to: u64,
        late: u64,
        command: MotorDrive,
    ) -> Vec<(u64, Act)> {
        let mut now = from;
        let mut acts = Vec::new();
        loop {
            match train.next(now, command) {
                Act::Idle => return acts,
                Act::WaitUntil(until) if until > to => return acts,
                Act::WaitUntil(until) => now = until + late,
                act @ (Act::Direction(_) | Act::Pulse | Act::Peripheral(_)) => {
                    acts.push((now, act));
                }
            }
        }
    }

    fn pulses(acts: &[(u64, Act)]) -> Vec<u64> {
        acts.iter().filter(|(_, act)| *act == Act::Pulse).map(|(at, _)| *at).collect()
    }

    #[test]
    fn a_move_makes_exactly_its_pulses_and_reports_itself_once_they_are_out() {
        for steps in [1, -1, 2, 777, -5000] {
            let mut train = Train::new(false, true);
            let acts = follow(&mut train, 0, 100 * SECOND, 30_000, jog(1, steps, 5000.0));
            assert_eq!(pulses(&acts).len(), steps.unsigned_abs() as usize, "{steps}");
            assert_eq!(acts[0].1, Act::Direction(steps < 0));
            assert_eq!(train.done(), Some(JogId(1)));
            let again = follow(&mut train, 101 * SECOND, 200 * SECOND, 0, jog(1, steps, 5000.0));
            assert_eq!(again, [], "the same id is the same move");
        }
    }

    #[test]
    fn a_ramped_move_makes_exactly_its_pulses_and_keeps_its_acceleration() {
        let command = MotorDrive::Jog { id: JogId(1), steps: 3200, rate: 1600.0, accel: 3200.0 };
        let mut train = Train::new(false, true);
        let made = pulses(&follow(&mut train, 0, 100 * SECOND, 0, command));
        assert_eq!((made.len(), train.done()), (3200, Some(JogId(1))));
        let took = (made[3199] - made[0]) as f64 / NANOS;
        assert!((2.4..2.5).contains(&took), "half a second up, 1.5 s along, half down: {took} s");
        let rates: Vec<f64> =
            made.windows(2).map(|pair| NANOS / (pair[1] - pair[0]) as f64).collect();
        for (pair, times) in rates.windows(2).zip(made.windows(3)) {
            let between = (times[2] - times[0]) as f64 / 2.0 / NANOS;
            let accel = (pair[1] - pair[0]).abs() / between;
            assert!(accel <= 3200.0 * 1.05, "{accel} steps/s²");
        }
        assert!(rates[0] < 100.0 && rates[3198] < 100.0);
    }

    #[test]
    fn a_move_that_is_replaced_counts_as_over_and_makes_no_more_pulses() {
        let mut train = Train::new(false, false);
        let before = follow(&mut train, 0, SECOND, 0, jog(7, 5000, 100.0));
        assert_eq!((pulses(&before).len(), train.done()), (100, None));
        assert_eq!(follow(&mut train, SECOND, 9 * SECOND, 0, MotorDrive::Disabled), []);
        assert_eq!(train.done(), Some(JogId(7)));
    }

    #[test]
    fn a_move_of_nothing_is_over_at_once() {
        for (steps, rate) in [(0, 100.0), (10, 0.0), (10, f64::NAN), (10, -1.0)] {
            let mut train = Train::new(false, true);
            assert_eq!(train.next(0, jog(3, steps, rate)), Act::Idle);
            assert_eq!(train.done(), Some(JogId(3)));
        }
    }

    #[test]
    fn a_stop_ends_pulses_at_once_whatever_the_period() {
        for stop in [run(0.0), MotorDrive::Disabled] {
            let mut train = Train::new(false, false);
            follow(&mut train, 0, SECOND, 0, run(1.0));
            assert_eq!(train.next(SECOND + 1, stop), Act::Idle);
        }
    }

    #[test]
    fn no_pulse_comes_before_the_power_stage_takes_it() {
        let mut train = Train::new(false, true);
        let first = pulses(&follow(&mut train, 1000, SECOND, 0, run(5000.0)))[0];
        assert_eq!(first, 1000 + ENABLE_DELAY);
        let mut hard_wired = Train::new(false, false);
        let first = pulses(&follow(&mut hard_wired, 1000, SECOND, 0, run(5000.0)))[0];
        assert_eq!(first, 1000 + DIRECTION_SETUP);
    }

    #[test]
    fn an_enable_that_was_taken_away_is_waited_for_again() {
        let mut train = Train::new(false, true);
        follow(&mut train, 0, SECOND, 0, run(100.0));
        train.next(SECOND, MotorDrive::Disabled);
        let acts = follow(&mut train, 2 * SECOND, 3 * SECOND, 0, run(100.0));
        assert_eq!(pulses(&acts)[0], 2 * SECOND + ENABLE_DELAY);
    }

    #[test]
    fn the_direction_is_set_before_the_first_pulse_of_a_reversal() {
        let mut train = Train::new(false, false);
        follow(&mut train, 0, SECOND, 0, run(1000.0));
        let acts = follow(&mut train, 2 * SECOND, 3 * SECOND, 0, run(-1000.0));
        assert_eq!(acts[0], (2 * SECOND, Act::Direction(true)));
        assert_eq!(acts[1], (2 * SECOND + DIRECTION_SETUP, Act::Pulse));
    }

    #[test]
    fn a_thread_that_is_late_keeps_the_mean_rate_and_the_distance() {
        let mut train = Train::new(false, false);
        let made = pulses(&follow(&mut train, 0, SECOND, 60_000, run(5000.0)));
        assert!(made.len().abs_diff(5000) <= 2, "{}", made.len());
        let nearest = made.windows(2).map(|pair| pair[1] - pair[0]).min();
        assert!(nearest >= Some(100_000), "{nearest:?} ns");
    }

    #[test]
    fn pulses_that_were_missed_are_not_made_up_in_a_burst() {
        let mut train = Train::new(false, false);
        follow(&mut train, 0, SECOND, 0, run(1000.0));
        let made = pulses(&follow(&mut train, 6 * SECOND, 7 * SECOND, 0, run(1000.0)));
        assert!(made.len() <= 1002, "{}", made.len());
    }

    #[test]
    fn a_higher_rate_takes_over_in_the_middle_of_a_long_period() {
        let mut train = Train::new(false, false);
        follow(&mut train, 0, SECOND / 10, 0, run(1.0));
        let made = pulses(&follow(&mut train, SECOND / 10, SECOND, 0, run(100.0)));
        assert_eq!(made[0], SECOND / 10);
    }

    #[test]
    fn the_peripheral_makes_speeds_and_the_thread_makes_moves() {
        let mut train = Train::new(true, false);
        let acts: Vec<Act> =
            follow(&mut train, 0, SECOND, 0, run(80_000.0)).into_iter().map(|(_, a)| a).collect();
        assert_eq!(acts, [Act::Direction(false), Act::Peripheral(80_000.0)]);
        // The ramp goes on without a stop in between.
        assert_eq!(train.next(SECOND, run(81_000.0)), Act::Peripheral(81_000.0));
        let acts = follow(&mut train, SECOND, 2 * SECOND, 0, jog(1, 3, 1000.0));
        assert_eq!(acts[0].1, Act::Peripheral(0.0));
        assert_eq!(pulses(&acts).len(), 3);
    }

    #[test]
    fn the_peripheral_stops_before_the_direction_changes_and_when_the_drive_is_disabled() {
        let mut train = Train::new(true, false);
        follow(&mut train, 0, SECOND, 0, run(1000.0));
        let acts: Vec<Act> = follow(&mut train, SECOND, 2 * SECOND, 0, run(-1000.0))
            .into_iter()
            .map(|(_, a)| a)
            .collect();
        assert_eq!(acts, [Act::Peripheral(0.0), Act::Direction(true), Act::Peripheral(1000.0)]);
        assert_eq!(train.next(3 * SECOND, MotorDrive::Disabled), Act::Peripheral(0.0));
        assert_eq!(train.next(3 * SECOND, MotorDrive::Disabled), Act::Idle);
    }
}
