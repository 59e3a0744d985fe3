//! The part that holds the shafts: their ramps, counted moves, the order of a STOP, cold jogs.

mod axis;

pub(crate) use axis::{highest_rpm, pulse_rate};

use crate::roles;
use axis::Axis;
use tve_config::Motion as Ramps;
use tve_hal::{JogId, Motor, MotorDrive, PerMotor};
use tve_units::{Micros, Rpm};

/// A quarter of a turn, to free a cold screw by hand.
const COLD_JOG_TURNS: f64 = 0.25;
/// After this the allowance is renewed.
const COLD_JOG_RENEWAL: Micros = Micros::from_secs(600);

/// What is left of the cold-jog allowance of a motor.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
struct ColdJogs {
    turns_used: f64,
    since: Micros,
}

impl ColdJogs {
    fn left(&self, now: Micros) -> f64 {
        if now.since(self.since) >= COLD_JOG_RENEWAL {
            COLD_JOG_TURNS
        } else {
            (COLD_JOG_TURNS - self.turns_used).max(0.0)
        }
    }

    fn take(&mut self, now: Micros, turns: f64) {
        if now.since(self.since) >= COLD_JOG_RENEWAL || self.turns_used == 0.0 {
            *self = Self { turns_used: 0.0, since: now };
        }
        self.turns_used += turns;
    }
}

/// Every shaft of the machine.
#[derive(Debug)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Motion {
    axes: PerMotor<Axis>,
    /// A STOP is under way: the screw follows when the feeder stands.
    screw_follows: bool,
    /// The speed that was set last, which START takes up.
    on_speed: PerMotor<Option<Rpm>>,
    cold_jogs: PerMotor<ColdJogs>,
}

impl Motion {
    pub(crate) fn new() -> Self {
        Self {
            axes: roles::per_motor(|_| Axis::default()),
            screw_follows: false,
            on_speed: roles::per_motor(|_| None),
            cold_jogs: roles::per_motor(|_| ColdJogs::default()),
        }
    }

    pub(crate) fn setpoint(&self, motor: Motor) -> Rpm {
        self.axes[motor].setpoint()
    }

    pub(crate) fn speed(&self, motor: Motor) -> Rpm {
        self.axes[motor].speed()
    }

    pub(crate) fn is_jogging(&self, motor: Motor) -> bool {
        self.axes[motor].is_jogging()
    }

    pub(crate) fn is_idle(&self, motor: Motor) -> bool {
        self.axes[motor].is_idle()
    }

    /// Whether nothing turns any more, nor is meant to.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.axes.iter().all(Axis::is_idle)
    }

    /// Whether the screw turns.
    pub(crate) fn screw_turns(&self) -> bool {
        self.axes[roles::screw()].is_turning()
    }

    /// Whether some shaft turns or has a speed to go to.
    pub(crate) fn runs(&self) -> bool {
        self.axes.iter().any(|axis| axis.is_turning() || !axis.setpoint().is_zero())
    }

    /// The speed that START gives a motor.
    pub(crate) fn start_speed(&self, motor: Motor, ramps: &Ramps) -> Rpm {
        self.on_speed[motor].unwrap_or_else(|| Rpm::clamped(ramps.start_rpm))
    }

    /// What is left of the cold-jog allowance of a motor, turns.
    pub(crate) fn cold_turns_left(&self, now: Micros, motor: Motor) -> f64 {
        self.cold_jogs[motor].left(now)
    }

    /// A speed asked for by a person; it is the one that START takes up.
    pub(crate) fn run(&mut self, motor: Motor, rpm: Rpm) {
        self.axes[motor].set(rpm);
        self.on_speed[motor] = Some(rpm);
        self.screw_follows = false;
    }

    /// A speed asked for by a sequence.
    pub(crate) fn take_up(&mut self, motor: Motor, rpm: Rpm) {
        self.axes[motor].set(rpm);
    }

    /// To standstill by the ramp of `motion`.
    pub(crate) fn run_down(&mut self, motor: Motor) {
        self.axes[motor].stop_jog();
        self.axes[motor].set(Rpm::ZERO);
    }

    /// To standstill within the STOP time of the motor.
    pub(crate) fn stop(&mut self, motor: Motor) {
        self.axes[motor].stop(motor);
    }

    /// Feed to zero, then the screw, within 2 s.
    pub(crate) fn stop_all(&mut self) {
        self.axes[roles::feeder()].stop(roles::feeder());
        let screw = &mut self.axes[roles::screw()];
        screw.stop_jog();
        screw.hold_speed();
        self.screw_follows = true;
    }

    /// Pulses and drives off now; the speeds that were set are forgotten.
    pub(crate) fn cut(&mut self) {
        for axis in &mut self.axes {
            axis.cut();
        }
        self.screw_follows = false;
        self.on_speed = roles::per_motor(|_| None);
    }

    /// Starts a counted move of an idle motor. `cold`: it counts against the allowance.
    pub(crate) fn jog(
        &mut self,
        now: Micros,
        motor: Motor,
        steps: i32,
        rate: f64,
        cold: Option<f64>,
    ) {
        match cold {
            Some(turns) => self.cold_jogs[motor].take(now, turns),
            None => self.cold_jogs[motor] = ColdJogs::default(),
        }
        self.axes[motor].start_jog(steps, rate);
    }

    pub(crate) fn stop_jog(&mut self, motor: Motor) {
        self.axes[motor].stop_jog();
    }

    pub(crate) fn stop_jogs(&mut self) {
        for axis in &mut self.axes {
            axis.stop_jog();
        }
    }

    /// Moves every ramp on by `dt` seconds. `done`: the newest counted move that is over.
    pub(crate) fn advance(
        &mut self,
        now: Micros,
        dt: f64,
        ramps: &Ramps,
        done: impl Fn(Motor) -> Option<JogId>,
    ) {
        if self.screw_follows && !self.axes[roles::feeder()].is_turning() {
            self.axes[roles::screw()].stop(roles::screw());
            self.screw_follows = false;
        }
        for motor in self.axes.ids() {
            self.axes[motor].advance(now, dt, ramps, done(motor));
        }
    }

    /// What the drive of a motor is to do this tick.
    pub(crate) fn drive(&self, motor: Motor, microsteps: u32) -> MotorDrive {
        self.axes[motor].drive(microsteps)
    }
}
