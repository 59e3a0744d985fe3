//! Step pulses of one motor, counted in virtual time.

use tve_hal::{JogId, MotorDrive, Travel};
use tve_units::Micros;

/// Seconds in a minute.
const SECS_PER_MIN: f64 = 60.0;

/// A counted move under way.
#[derive(Debug, Clone, Copy)]
struct Move {
    id: JogId,
    travel: Travel,
    /// 1 or -1.
    direction: i64,
    running: Micros,
    sent: u32,
    steps: u32,
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
            MotorDrive::Jog { id, steps, rate, accel } => {
                self.cut_off();
                self.seen = Some(id);
                // Also false for what is no number.
                if steps != 0 && rate > 0.0 && accel > 0.0 {
                    self.mode = Mode::Move(Move {
                        id,
                        travel: Travel::new(steps.unsigned_abs(), rate, accel),
                        direction: i64::from(steps.signum()),
                        running: Micros::ZERO,
                        sent: 0,
                        steps: steps.unsigned_abs(),
                    });
                } else {
                    self.finished = Some(id);
                    self.mode = Mode::Run(0.0);
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
                m.running = m.running + span;
                let out = m.travel.steps_after(m.running).max(m.sent);
                self.pulses += i64::from(out - m.sent) * m.direction;
                m.sent = out;
                if out == m.steps {
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
            Mode::Move(m) => m.travel.rate_after(m.running) * m.direction as f64,
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
        MotorDrive::Jog { id: JogId(id), steps, rate, accel: f64::INFINITY }
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
    fn a_ramped_move_counts_exactly_and_turns_the_shaft_up_and_down() {
        let mut drive = Drive::default();
        let jog = MotorDrive::Jog { id: JogId(1), steps: -3200, rate: 1600.0, accel: 3200.0 };
        let mut speeds = Vec::new();
        while drive.finished().is_none() {
            drive.apply(jog);
            drive.advance(TICK);
            speeds.push(drive.rpm(3200.0));
        }
        assert_eq!(drive.pulses(), -3200);
        // Half a second up to 30 rpm, 1.5 s there, half a second down.
        assert_eq!(speeds.len(), 250);
        assert!((speeds[24] + 15.0).abs() < 1e-9 && (speeds[124] + 30.0).abs() < 1e-9);
        assert!(speeds.windows(2).all(|pair| (pair[1] - pair[0]).abs() <= 0.6 + 1e-9));
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
