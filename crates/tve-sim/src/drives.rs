//! Step pulses of one motor, counted in virtual time.

use tve_hal::{JogId, MotorDrive};
use tve_units::Micros;

/// Microseconds in a second.
const MICROS_PER_SEC: f64 = 1e6;
/// Seconds in a minute.
const SECS_PER_MIN: f64 = 60.0;

/// A counted move under way.
#[derive(Debug, Clone, Copy)]
struct Move {
    id: JogId,
    steps: i64,
    rate: f64,
    running_us: u64,
    sent: i64,
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    /// Power stage off.
    Off,
    /// Pulses at a signed rate, steps/s; zero holds.
    Run(f64),
    /// Counting out a move.
    Move(Move),
}

/// The pulse generator and drive of one motor.
#[derive(Debug, Clone)]
pub(crate) struct Drive {
    mode: Mode,
    /// Part of a step that `Run` has not yet made a pulse of.
    phase: f64,
    pulses: i64,
    seen: Option<JogId>,
    finished: Option<JogId>,
}

impl Default for Drive {
    /// Off, and nothing done yet.
    fn default() -> Self {
        Self { mode: Mode::Off, phase: 0.0, pulses: 0, seen: None, finished: None }
    }
}

impl Drive {
    /// Follow a command. A move that is replaced ends where it is and counts as finished.
    pub(crate) fn apply(&mut self, command: MotorDrive) {
        match command {
            MotorDrive::Disabled => {
                self.cut_off();
                self.mode = Mode::Off;
            }
            MotorDrive::Run(rate) => {
                self.cut_off();
                self.mode = Mode::Run(rate.get());
            }
            MotorDrive::Jog { id, .. } if self.seen == Some(id) => {
                // The move is under way, or over: then the shaft is held.
                if matches!(self.mode, Mode::Off) {
                    self.mode = Mode::Run(0.0);
                }
            }
            MotorDrive::Jog { id, steps, rate } => {
                self.cut_off();
                self.seen = Some(id);
                if steps == 0 || rate.is_nan() || rate <= 0.0 {
                    self.finished = Some(id);
                    self.mode = Mode::Run(0.0);
                } else {
                    let steps = i64::from(steps);
                    self.mode = Mode::Move(Move { id, steps, rate, running_us: 0, sent: 0 });
                }
            }
        }
    }

    /// Let `span` of virtual time pass.
    #[inline]
    pub(crate) fn advance(&mut self, span: Micros) {
        match &mut self.mode {
            Mode::Off => {}
            Mode::Run(rate) => {
                if *rate != 0.0 {
                    self.phase += *rate * span.secs();
                    let whole = self.phase as i64;
                    self.pulses += whole;
                    self.phase -= whole as f64;
                }
            }
            Mode::Move(m) => {
                m.running_us += span.get();
                let total = m.steps.abs();
                let due = (m.running_us as f64 * m.rate / MICROS_PER_SEC) as i64;
                let out = due.min(total);
                self.pulses += (out - m.sent) * m.steps.signum();
                m.sent = out;
                if out == total {
                    self.finished = Some(m.id);
                    self.mode = Mode::Run(0.0);
                }
            }
        }
    }

    /// Shaft speed in rpm at a driver setting of `microsteps` per revolution.
    pub(crate) fn rpm(&self, microsteps: f64) -> f64 {
        let rate = match &self.mode {
            Mode::Off => 0.0,
            Mode::Run(rate) => *rate,
            Mode::Move(m) => m.rate * m.steps.signum() as f64,
        };
        rate * SECS_PER_MIN / microsteps
    }

    /// Whether the power stage is on.
    pub(crate) const fn is_enabled(&self) -> bool {
        !matches!(self.mode, Mode::Off)
    }

    /// The newest move that is over.
    pub(crate) const fn finished(&self) -> Option<JogId> {
        self.finished
    }

    /// Pulses since the machine was built, signed by direction.
    pub(crate) const fn pulses(&self) -> i64 {
        self.pulses
    }

    /// Forget every move, as the pulse generator of a new process has.
    pub(crate) fn forget_moves(&mut self) {
        self.mode = Mode::Off;
        self.seen = None;
        self.finished = None;
    }

    fn cut_off(&mut self) {
        if let Mode::Move(m) = self.mode {
            self.finished = Some(m.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_units::StepRate;

    const TICK: Micros = Micros::from_millis(10);

    fn jog(id: u32, steps: i32, rate: f64) -> MotorDrive {
        MotorDrive::Jog { id: JogId(id), steps, rate }
    }

    #[test]
    fn a_move_counts_exactly_its_steps_at_any_rate_and_tick() {
        for (steps, rate, tick_us) in
            [(1, 1.0, 10_000), (800, 333.3, 10_000), (-12_345, 20_000.0, 9_973), (7, 0.5, 3_000)]
        {
            let mut drive = Drive::default();
            let mut passed_us = 0;
            while drive.finished().is_none() {
                drive.apply(jog(1, steps, rate));
                drive.advance(Micros::new(tick_us));
                passed_us += tick_us;
            }
            assert_eq!(drive.pulses(), i64::from(steps));
            let expected = f64::from(steps.abs()) / rate * 1e6;
            let late = passed_us as f64 - expected;
            assert!((0.0..=tick_us as f64).contains(&late), "{steps} at {rate}: {late} us late");
            drive.apply(jog(1, steps, rate));
            drive.advance(Micros::from_secs(10));
            assert_eq!(drive.pulses(), i64::from(steps), "a finished move stays finished");
        }
    }

    #[test]
    fn a_move_that_is_replaced_is_cut_off_and_reported() {
        for replacement in [MotorDrive::Disabled, MotorDrive::Run(StepRate::ZERO), jog(2, 5, 1.0)] {
            let mut drive = Drive::default();
            drive.apply(jog(1, 1000, 1000.0));
            drive.advance(TICK);
            drive.apply(replacement);
            assert_eq!(drive.finished(), Some(JogId(1)));
            assert_eq!(drive.pulses(), 10);
            if !matches!(replacement, MotorDrive::Jog { .. }) {
                drive.apply(jog(1, 1000, 1000.0));
                drive.advance(Micros::from_secs(5));
                assert_eq!(drive.pulses(), 10, "a move starts only when its id is first seen");
            }
        }
    }

    #[test]
    fn a_move_that_cannot_be_made_is_over_at_once() {
        for (steps, rate) in [(0, 100.0), (5, 0.0), (5, f64::NAN)] {
            let mut drive = Drive::default();
            drive.apply(jog(3, steps, rate));
            assert_eq!(drive.finished(), Some(JogId(3)));
            drive.advance(Micros::from_secs(10));
            assert_eq!(drive.pulses(), 0);
        }
    }

    #[test]
    fn a_running_motor_loses_no_pulse_to_rounding() {
        let mut drive = Drive::default();
        drive.apply(MotorDrive::Run(StepRate::clamped(-333.0)));
        for _ in 0..1000 {
            drive.advance(TICK);
        }
        assert!((drive.pulses() + 3330).abs() <= 1, "{}", drive.pulses());
        assert!((drive.rpm(3200.0) + 333.0 * 60.0 / 3200.0).abs() < 1e-12);
    }
}
