//! Shaft speed ramps: trapezoid, S-curve, reversal through zero, the STOP deceleration.
//!
//! One [`Axis`] per drive turns a setpoint in rpm into the speed of this tick. Speeds are rpm,
//! accelerations rpm/s, jerk rpm/s².

use tve_config::Motion;
use tve_hal::{JogId, MotorDrive, Travel};
use tve_units::{Micros, Rpm, StepRate};

/// Acceleration where the configuration asks for none, rpm/s.
const DEFAULT_ACCEL: f64 = 60.0;
/// Rest at zero before a shaft turns the other way.
const REVERSAL_REST: Micros = Micros::from_millis(200);
/// Speeds below this are standstill, rpm.
const STANDSTILL: f64 = 1e-6;

/// Limits of one ramp, derived from `motion`.
#[derive(Debug, Clone, Copy)]
struct Limits {
    accel: f64,
    decel: f64,
    jerk: f64,
}

/// What a shaft may do beside its setpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Leave {
    /// Go to its setpoint.
    #[default]
    Go,
    /// Stand, whatever its setpoint: a feeder whose screw does not turn.
    Stand,
    /// Keep its speed: a screw that is to stop while the feed still runs.
    Wait,
}

/// A counted move under way.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
struct Jog {
    id: JogId,
    steps: i32,
    rate: f64,
    /// steps/s².
    accel: f64,
    travel: Travel,
    /// When the machine was first asked for it.
    since: Option<Micros>,
    /// Speed of the shaft at one step a second, with its sign, rpm.
    rpm_per_rate: f64,
    /// One of the short moves that are allowed while cold.
    cold: bool,
}

impl Jog {
    /// Speed of the shaft, rpm.
    fn speed(&self, now: Micros) -> f64 {
        let rate = self.since.map_or(0.0, |since| self.travel.rate_after(now.since(since)));
        rate * self.rpm_per_rate
    }
}

/// A counted move that is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// How far; the sign is the direction.
    pub(crate) steps: i32,
    /// Steps per second.
    pub(crate) rate: f64,
    /// It is one of the short ones that are allowed while cold.
    pub(crate) cold: bool,
}

/// One shaft.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Axis {
    setpoint: f64,
    speed: f64,
    /// Present acceleration; used by the S-curve alone.
    accel: f64,
    /// Deceleration of a STOP under way, zero when none is.
    stop_decel: f64,
    resting_until: Option<Micros>,
    jog: Option<Jog>,
    last_jog: JogId,
}

impl Axis {
    pub(crate) fn setpoint(&self) -> Rpm {
        Rpm::clamped(self.setpoint)
    }

    /// Speed now, by the ramp or by a counted move.
    pub(crate) fn speed(&self, now: Micros) -> Rpm {
        Rpm::clamped(self.jog.map_or(self.speed, |jog| jog.speed(now)))
    }

    /// Turns at a speed, and not by a counted move.
    pub(crate) fn runs(&self) -> bool {
        self.speed != 0.0
    }

    /// At a speed or by a counted move.
    pub(crate) fn is_turning(&self) -> bool {
        self.speed != 0.0 || self.jog.is_some()
    }

    /// Turns, and not by one of the short moves that are allowed while cold.
    pub(crate) fn needs_warmth(&self) -> bool {
        self.speed != 0.0 || self.jog.is_some_and(|jog| !jog.cold)
    }

    pub(crate) fn is_jogging(&self) -> bool {
        self.jog.is_some()
    }

    /// Nothing turns and nothing is meant to.
    pub(crate) fn is_idle(&self) -> bool {
        self.setpoint == 0.0 && self.speed == 0.0 && self.jog.is_none()
    }

    pub(crate) fn set(&mut self, rpm: Rpm) {
        self.setpoint = rpm.get();
        if !rpm.is_zero() {
            self.stop_decel = 0.0;
        }
    }

    /// Starts a counted move, ramped as `motion` says; the caller has checked that the axis is idle.
    pub(crate) fn start_jog(&mut self, asked: Asked, microsteps: u32, motion: &Motion) {
        let Asked { steps, rate, cold } = asked;
        self.last_jog = JogId(self.last_jog.0.wrapping_add(1));
        let rpm = highest_rpm(rate, microsteps);
        let accel = pulse_rate(slowest_accel(rpm, motion), microsteps);
        self.jog = Some(Jog {
            id: self.last_jog,
            steps,
            rate,
            accel,
            travel: Travel::new(steps.unsigned_abs(), rate, accel),
            since: None,
            rpm_per_rate: highest_rpm(1.0, microsteps) * f64::from(steps.signum()),
            cold,
        });
    }

    /// Ends a counted move at once.
    pub(crate) fn cut_jog(&mut self) {
        self.jog = None;
    }

    /// Ends a counted move in at most so many seconds: the ramp takes over the speed that it has.
    pub(crate) fn stop_jog(&mut self, now: Micros, within: f64) {
        if let Some(jog) = self.jog.take() {
            self.speed = jog.speed(now);
            self.brake(within);
        }
    }

    /// To zero in at most so many seconds, whatever `motion` says.
    pub(crate) fn stop(&mut self, now: Micros, within: f64) {
        self.stop_jog(now, within);
        self.setpoint = 0.0;
        self.brake(within);
    }

    /// Slows down so that it stands in at most so many seconds, whatever `motion` says.
    pub(crate) fn brake(&mut self, within: f64) {
        if self.speed != 0.0 && self.stop_decel == 0.0 {
            self.stop_decel = (self.speed.abs() / within).max(DEFAULT_ACCEL);
        }
    }

    /// No faster than now: a shaft that stands does not begin to turn.
    pub(crate) fn hold_speed(&mut self) {
        self.setpoint = self.speed;
        self.accel = 0.0;
    }

    /// Pulses and drive off now.
    pub(crate) fn cut(&mut self) {
        *self = Self { last_jog: self.last_jog, ..Self::default() };
    }

    /// Whether it turns the way it is meant to: a screw that takes what is fed.
    pub(crate) fn follows_setpoint(&self) -> bool {
        self.speed * self.setpoint > 0.0
    }

    /// Moves the ramp on by `dt` seconds.
    pub(crate) fn advance(
        &mut self,
        now: Micros,
        dt: f64,
        motion: &Motion,
        leave: Leave,
        jog_done: Option<JogId>,
    ) {
        if self.jog.is_some_and(|jog| jog_done == Some(jog.id)) {
            self.jog = None;
        }
        if let Some(jog) = &mut self.jog {
            jog.since.get_or_insert(now);
        }
        let setpoint = match leave {
            Leave::Go => self.setpoint,
            Leave::Stand => 0.0,
            Leave::Wait => {
                self.accel = 0.0;
                return;
            }
        };
        if setpoint != 0.0 {
            self.stop_decel = 0.0;
        }
        if self.speed == setpoint && self.accel == 0.0 {
            return;
        }
        if self.resting_until.is_some_and(|until| now < until) {
            return;
        }
        self.resting_until = None;

        let reversing = self.speed * setpoint < 0.0;
        let target = if reversing { 0.0 } else { setpoint };
        let limits = self.limits(motion);
        let rate = if target.abs() < self.speed.abs() { limits.decel } else { limits.accel };
        if limits.jerk > 0.0 && self.stop_decel == 0.0 {
            self.s_curve(target, rate, limits.jerk, dt);
        } else {
            self.accel = 0.0;
            let step = rate * dt;
            let gap = target - self.speed;
            self.speed = if gap.abs() <= step { target } else { self.speed + step.copysign(gap) };
        }
        if self.speed == 0.0 {
            self.stop_decel = 0.0;
            if reversing {
                self.resting_until = Some(now + REVERSAL_REST);
            }
        }
    }

    /// Jerk-limited approach: the acceleration may be at most what can still be taken back to zero
    /// by the time the speed arrives. In steps of `dt`, taking `a` back by `j dt` a step covers
    /// `a²/2j + a dt/2`, so `a = j dt (sqrt(1/4 + 2 gap / (j dt²)) - 1/2)`.
    fn s_curve(&mut self, target: f64, max_rate: f64, jerk: f64, dt: f64) {
        let gap = target - self.speed;
        let change = jerk * dt;
        if change <= 0.0 {
            return;
        }
        let steps = libm::sqrt(0.25 + 2.0 * gap.abs() / (change * dt)) - 0.5;
        let wanted = (change * steps).min(max_rate).copysign(gap);
        self.accel += (wanted - self.accel).clamp(-change, change);
        let step = self.accel * dt;
        let arrives = gap.abs() <= step.abs() + change * dt / 2.0 && step * gap >= 0.0;
        if arrives || gap.abs() < STANDSTILL {
            self.speed = target;
            self.accel = 0.0;
        } else {
            self.speed += step;
        }
    }

    fn limits(&self, motion: &Motion) -> Limits {
        let span = self.setpoint.abs().max(self.speed.abs());
        let decel = if self.stop_decel > 0.0 {
            self.stop_decel.max(base_accel(motion))
        } else {
            over(motion.ramp_down, span, motion)
        };
        Limits { accel: over(motion.ramp_up, span, motion), decel, jerk: motion.max_jerk }
    }

    /// What the drive is to do this tick. `held`: the shaft stands, whatever its setpoint.
    pub(crate) fn drive(&self, microsteps: u32, held: bool) -> MotorDrive {
        if let Some(Jog { id, steps, rate, accel, .. }) = self.jog {
            return MotorDrive::Jog { id, steps, rate, accel };
        }
        if self.is_idle() || held && self.speed == 0.0 {
            return MotorDrive::Disabled;
        }
        MotorDrive::Run(StepRate::clamped(pulse_rate(self.speed, microsteps)))
    }
}

/// Acceleration that `motion` allows at all, rpm/s.
fn base_accel(motion: &Motion) -> f64 {
    if motion.max_accel > 0.0 { motion.max_accel } else { DEFAULT_ACCEL }
}

/// Acceleration of a ramp time, rpm/s: it is the least time between standstill and the faster speed.
fn over(ramp: f64, span: f64, motion: &Motion) -> f64 {
    let base = base_accel(motion);
    if ramp > 0.0 { base.min((span / ramp).max(1.0)) } else { base }
}

/// What a shaft keeps to that goes up to a speed and down again, rpm/s.
fn slowest_accel(rpm: f64, motion: &Motion) -> f64 {
    over(motion.ramp_up, rpm, motion).min(over(motion.ramp_down, rpm, motion))
}

/// Steps per second at `rpm` with `microsteps` steps per revolution.
pub(crate) fn pulse_rate(rpm: f64, microsteps: u32) -> f64 {
    rpm * f64::from(microsteps) / 60.0
}

/// Highest rpm that a pulse rate allows.
pub(crate) fn highest_rpm(max_rate: f64, microsteps: u32) -> f64 {
    max_rate * 60.0 / f64::from(microsteps.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: f64 = 0.01;
    const ASKED: Asked = Asked { steps: 10, rate: 100.0, cold: false };

    fn run(axis: &mut Axis, motion: &Motion, from: &mut Micros, seconds: f64) -> Vec<f64> {
        (0..(seconds / TICK).round() as usize)
            .map(|_| {
                *from = *from + Micros::from_millis(10);
                axis.advance(*from, TICK, motion, Leave::Go, None);
                axis.speed
            })
            .collect()
    }

    #[test]
    fn the_default_ramp_is_sixty_rpm_a_second() {
        let mut axis = Axis::default();
        axis.set(Rpm::new(120.0).unwrap());
        let mut now = Micros::ZERO;
        let speeds = run(&mut axis, &Motion::default(), &mut now, 3.0);
        assert!((speeds[99] - 60.0).abs() < 1.0, "{}", speeds[99]);
        assert_eq!(speeds[299], 120.0);
    }

    #[test]
    fn a_stop_takes_no_longer_than_it_may_whatever_the_ramps_say() {
        let slow = Motion { ramp_down: 60.0, max_accel: 1.0, max_jerk: 1.0, ..Motion::default() };
        for rpm in [10.0, 600.0, 5000.0, -5000.0] {
            for within in [0.4, 1.45] {
                let mut axis = Axis { speed: rpm, ..Axis::default() };
                axis.stop(Micros::ZERO, within);
                let speeds = run(&mut axis, &slow, &mut { Micros::ZERO }, within + 0.05);
                assert_eq!(*speeds.last().unwrap(), 0.0, "from {rpm} within {within}");
            }
        }
    }

    #[test]
    fn a_reversal_rests_at_zero_for_200_ms() {
        let mut axis = Axis { speed: 6.0, ..Axis::default() };
        axis.set(Rpm::new(-6.0).unwrap());
        let mut now = Micros::ZERO;
        let speeds = run(&mut axis, &Motion::default(), &mut now, 1.0);
        let still = speeds.iter().filter(|s| **s == 0.0).count();
        assert!((20..=21).contains(&still), "{still} ticks at rest");
        assert_eq!(*speeds.last().unwrap(), -6.0);
    }

    #[test]
    fn the_s_curve_keeps_jerk_and_acceleration_and_does_not_overshoot() {
        let motion = Motion { max_accel: 100.0, max_jerk: 200.0, ..Motion::default() };
        let mut axis = Axis::default();
        axis.set(Rpm::new(300.0).unwrap());
        let mut now = Micros::ZERO;
        let speeds = run(&mut axis, &motion, &mut now, 6.0);
        let accel: Vec<f64> = speeds.windows(2).map(|w| (w[1] - w[0]) / TICK).collect();
        assert!(accel.iter().all(|a| *a <= 100.0 + 1e-9));
        let worst = accel.windows(2).map(|w| ((w[1] - w[0]) / TICK).abs()).fold(0.0, f64::max);
        assert!(worst <= 200.0 * 1.001, "jerk {worst}");
        assert!(speeds.iter().all(|s| *s <= 300.0 + 1e-9));
        assert_eq!(*speeds.last().unwrap(), 300.0);
    }

    #[test]
    fn a_ramp_time_stretches_the_way_from_standstill() {
        let motion = Motion { ramp_up: 10.0, ..Motion::default() };
        let mut axis = Axis::default();
        axis.set(Rpm::new(100.0).unwrap());
        let mut now = Micros::ZERO;
        let speeds = run(&mut axis, &motion, &mut now, 10.1);
        assert!((speeds[499] - 50.0).abs() < 1.0);
        assert_eq!(*speeds.last().unwrap(), 100.0);
    }

    #[test]
    fn a_jog_is_ramped_as_the_shaft_is_and_its_end_takes_over_its_speed() {
        let mut axis = Axis::default();
        let asked = Asked { steps: -320_000, rate: 3200.0, cold: false };
        axis.start_jog(asked, 3200, &Motion { max_accel: 30.0, ..Motion::default() });
        assert!(matches!(
            axis.drive(3200, false),
            MotorDrive::Jog { steps: -320_000, rate: 3200.0, accel: 1600.0, .. }
        ));
        let mut now = Micros::ZERO;
        run(&mut axis, &Motion::default(), &mut now, 1.01);
        assert!((axis.speed(now).get() + 30.0).abs() < 1e-9, "{:?}", axis.speed(now));
        axis.stop_jog(now, 0.4);
        assert!((axis.speed + 30.0).abs() < 1e-9);
        let speeds = run(&mut axis, &Motion::default(), &mut now, 0.41);
        assert!(speeds[0] < -25.0 && speeds[40] == 0.0, "{speeds:?}");
    }

    #[test]
    fn a_cut_axis_asks_for_nothing_and_its_next_move_has_a_new_id() {
        let mut axis = Axis::default();
        axis.start_jog(ASKED, 3200, &Motion::default());
        let first = axis.last_jog;
        axis.cut();
        assert_eq!(axis.drive(3200, false), MotorDrive::Disabled);
        axis.start_jog(ASKED, 3200, &Motion::default());
        assert_ne!(axis.last_jog, first);
    }
}
