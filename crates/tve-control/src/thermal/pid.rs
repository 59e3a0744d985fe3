//! The heater PID: parallel form, derivative on the measurement, bumpless, without windup.
//!
//! `u = kp e + I - kd d(pv)/dt` in percent, with `e = setpoint - pv` in °C.
//!
//! - The derivative passes a first-order filter with `Tf = Td / N`, `Td = kd / kp`, `N = 8`
//!   (Åström and Hägglund, *Advanced PID Control*, 2006, section 3.3).
//! - The integral term `I` (already multiplied by ki) stays within 0 to 100 %.
//! - Anti-windup by back-calculation: while the output saturates, `I` tracks (most of) the duty
//!   that is expected to hold the setpoint, so that it is about right when the output leaves the limit.
//!   Tracking the limit itself, as the textbook form does, would empty `I` in every warm-up and
//!   fill it in every cool-down, because `kp e` alone is far beyond the limits then.
//! - Bumpless: [`Pid::resume`] chooses `I` so that the next output equals a given one. Far from the
//!   setpoint `I` is then no more than the difference to `kp e`, even outside 0 to 100 %; it bleeds
//!   to the holding duty with [`BLEED_S`] before it integrates again.

use tve_config::PidGains;

/// Derivative filter divisor N.
const DERIVATIVE_N: f64 = 8.0;
/// Time constant with which the integral tracks the holding duty while saturated, s: short beside
/// a warm-up (300 s), long beside the noise of a sample.
const TRACKING_S: f64 = 20.0;
/// Time constant with which an integral that only served a smooth switch is given up, s.
const BLEED_S: f64 = 30.0;
/// An integral this near the holding duty has bled, %.
const BLED: f64 = 1.0;
/// With more than this from `kp e`, a smooth switch says nothing about the holding duty, %.
const FAR: f64 = 20.0;
/// Shortest and longest step of time that a computation accepts, s.
const DT_RANGE_S: (f64, f64) = (0.05, 1.0);

/// State of one loop; it exists only while the loop is closed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct Pid {
    integral: f64,
    slope: f64,
    last_pv: Option<f64>,
    resume_at: Option<f64>,
    /// The integral is on its way to the holding duty.
    bleeding: bool,
}

/// What one computation needs besides the gains.
#[derive(Debug, Clone, Copy)]
pub struct PidInput {
    /// °C.
    pub setpoint: f64,
    /// Process value, °C.
    pub pv: f64,
    /// Time since the last computation, s; clamped to 0.05 to 1 s.
    pub dt: f64,
    /// Duty expected to hold the setpoint, %.
    pub holding_duty: f64,
    /// Duty at which the integral waits while the output saturates, %: the holding duty, or less
    /// where the setpoint is better approached from below.
    pub waiting_duty: f64,
    /// Whether the integral may move now; a cautious caller lets it rest while the process moves.
    pub integrate: bool,
    /// Greatest output, %: 100, or less while a zone may not have full power.
    pub max: f64,
}

impl Pid {
    /// A loop that starts from rest.
    pub const fn new() -> Self {
        Self { integral: 0.0, slope: 0.0, last_pv: None, resume_at: None, bleeding: false }
    }

    /// A loop that starts from rest near its setpoint or far from it, with `holding_duty` % as its
    /// integral term: what anti-windup would bring it to. From zero, a hot barrel would first sink
    /// by `holding_duty / kp`, which looks like a heater that does not heat.
    pub const fn holding(holding_duty: f64) -> Self {
        Self { integral: holding_duty, ..Self::new() }
    }

    /// A loop whose first output will be `output` %.
    pub const fn resume(output: f64) -> Self {
        Self { resume_at: Some(output), ..Self::new() }
    }

    /// Keeps the output where it is across a change of gains: the next computation starts there.
    pub fn rebase(&mut self, output: f64) {
        self.resume_at = Some(output);
    }

    /// What the loop has found to hold the setpoint, %; `None` while a switch is smoothed.
    pub fn found(&self) -> Option<f64> {
        (!self.bleeding && self.resume_at.is_none()).then_some(self.integral)
    }

    /// One computation; the output is in 0 to `max` %.
    pub fn update(&mut self, gains: &PidGains, input: PidInput) -> f64 {
        let PidInput { setpoint, pv, holding_duty, waiting_duty, integrate, max, .. } = input;
        let dt = input.dt.clamp(DT_RANGE_S.0, DT_RANGE_S.1);
        let error = setpoint - pv;

        if let Some(last) = self.last_pv {
            let filter = if gains.kp > 0.0 { gains.kd / gains.kp / DERIVATIVE_N } else { 0.0 };
            self.slope += ((pv - last) / dt - self.slope) * dt / (filter + dt);
        }
        self.last_pv = Some(pv);

        let without_integral = gains.kp * error - gains.kd * self.slope;
        if let Some(output) = self.resume_at.take() {
            self.integral = output - without_integral;
            self.bleeding =
                (gains.kp * error).abs() > FAR || !(0.0..=100.0).contains(&self.integral);
            return output.clamp(0.0, max);
        }
        let unlimited = without_integral + self.integral;
        let output = unlimited.clamp(0.0, max);
        let to_holding = holding_duty.clamp(0.0, 100.0) - self.integral;
        self.bleeding &= to_holding.abs() > BLED;
        if unlimited == output && self.bleeding {
            self.integral += to_holding * dt / BLEED_S;
        } else if unlimited == output {
            let change = if integrate { gains.ki * error * dt } else { 0.0 };
            self.integral = (self.integral + change).clamp(0.0, 100.0);
        } else if gains.ki > 0.0 {
            self.integral += (waiting_duty.clamp(0.0, 100.0) - self.integral) * dt / TRACKING_S;
        }
        output
    }
}

impl Default for Pid {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAINS: PidGains = PidGains { kp: 4.0, ki: 0.02, kd: 80.0 };

    fn at(setpoint: f64, pv: f64) -> PidInput {
        PidInput {
            setpoint,
            pv,
            dt: 0.2,
            holding_duty: 40.0,
            waiting_duty: 40.0,
            integrate: true,
            max: 100.0,
        }
    }

    #[test]
    fn the_first_output_after_a_switch_is_the_output_before_it() {
        for before in [0.0, 12.5, 43.0, 100.0] {
            let mut pid = Pid::resume(before);
            assert!((pid.update(&GAINS, at(200.0, 150.0)) - before).abs() < 1e-9);
            let second = pid.update(&GAINS, at(200.0, 150.0));
            assert!((second - before).abs() < 0.5, "{before} became {second}");
        }
    }

    #[test]
    fn an_integral_outside_its_limits_bleeds_back() {
        let mut pid = Pid::resume(50.0);
        pid.update(&GAINS, at(200.0, 150.0));
        assert!(pid.integral < 0.0);
        for _ in 0..3000 {
            pid.update(&GAINS, at(200.0, 199.0));
        }
        assert!((0.0..=100.0).contains(&pid.integral), "{}", pid.integral);
    }

    #[test]
    fn the_output_stays_within_its_limits_whatever_the_input() {
        let mut pid = Pid::new();
        for i in 0..10_000_i32 {
            let pv = f64::from((i * 7919) % 500) - 50.0;
            let out = pid.update(&GAINS, PidInput { max: 30.0, ..at(f64::from(i % 265), pv) });
            assert!((0.0..=30.0).contains(&out), "{out}");
        }
    }

    #[test]
    fn a_change_of_setpoint_does_not_kick_the_derivative() {
        let mut pid = Pid::resume(40.0);
        let only_d = PidGains { kp: 0.0, ki: 0.0, kd: 80.0 };
        pid.update(&only_d, at(100.0, 100.0));
        let before = pid.update(&only_d, at(100.0, 100.0));
        assert_eq!(before, pid.update(&only_d, at(250.0, 100.0)));
    }
}
