//! The part that holds the shafts: their ramps, counted moves, the order of a STOP, cold jogs.
//!
//! *Interlock*: a feeder turns only while a screw does, and stands before a screw comes to rest. Its
//! setpoint is taken whenever it comes and *held* until then. Where no screw is fitted there is none.

mod axis;

pub(crate) use axis::{highest_rpm, pulse_rate};

use axis::{Asked, Axis, Leave};
use tve_config::{MachineConfig, MotorRole};
use tve_hal::{JogId, Motor, MotorDrive, PerMotor};
use tve_units::{Micros, Rpm};

/// A quarter of a turn, to free a cold screw by hand.
const COLD_JOG_TURNS: f64 = 0.25;
/// After this the allowance is renewed.
const COLD_JOG_RENEWAL: Micros = Micros::from_secs(600);

/// Time of a STOP from any speed, s: a feeder stops first.
const STOP_FEED_S: f64 = 0.4;
/// The screw stops after it; together both are done within 2 s.
const STOP_SCREW_S: f64 = 1.45;
/// The screw where a puller still has to stop after it,
const STOP_SCREW_OF_THREE_S: f64 = 1.0;
/// and the puller: all three within 2 s.
const STOP_PULLER_S: f64 = 0.45;

/// Time in which a motor of a role comes to rest by a STOP, s.
fn stop_time(role: MotorRole, config: &MachineConfig) -> f64 {
    let pulled = config.motors.iter().any(|motor| motor.role == MotorRole::Puller);
    match role {
        MotorRole::Feeder => STOP_FEED_S,
        MotorRole::Screw | MotorRole::Other if pulled => STOP_SCREW_OF_THREE_S,
        MotorRole::Screw | MotorRole::Other => STOP_SCREW_S,
        MotorRole::Puller => STOP_PULLER_S,
    }
}

/// A speed, or as much of it as the shaft may turn.
fn within(rpm: f64, motor: Motor, config: &MachineConfig) -> Rpm {
    let highest = config.motors[motor].max_rpm;
    Rpm::clamped(rpm.clamp(-highest, highest))
}

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

/// The motors of a role.
fn of_role(config: &MachineConfig, role: MotorRole) -> impl Iterator<Item = Motor> + use<'_> {
    let motors = config.motors.entries();
    motors.filter(move |(_, motor)| motor.role == role).map(|(motor, _)| motor)
}

/// Every shaft of the machine.
#[derive(Debug)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Motion {
    axes: PerMotor<Axis>,
    /// A STOP is under way, and this is whom it stops next.
    stop_next: Option<MotorRole>,
    /// The speed that was set last, which START takes up.
    on_speed: PerMotor<Option<Rpm>>,
    cold_jogs: PerMotor<ColdJogs>,
    /// A screw is fitted, so that feeders wait for it.
    interlocked: bool,
}

impl Motion {
    pub(crate) fn new(motors: usize, screw_fitted: bool) -> Self {
        Self {
            interlocked: screw_fitted,
            axes: PerMotor::new(motors),
            stop_next: None,
            on_speed: PerMotor::new(motors),
            cold_jogs: PerMotor::new(motors),
        }
    }

    pub(crate) fn setpoint(&self, motor: Motor) -> Rpm {
        self.axes[motor].setpoint()
    }

    /// Speed of a motor at `now`.
    pub(crate) fn speed(&self, now: Micros, motor: Motor) -> Rpm {
        self.axes[motor].speed(now)
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

    /// Whether a motor turns.
    pub(crate) fn turns(&self, motor: Motor) -> bool {
        self.axes[motor].is_turning()
    }

    /// Whether a motor of this role turns.
    pub(crate) fn any_turns(&self, config: &MachineConfig, role: MotorRole) -> bool {
        of_role(config, role).any(|motor| self.turns(motor))
    }

    /// Whether a motor of this role turns at a speed, and not by a counted move.
    pub(crate) fn any_runs(&self, config: &MachineConfig, role: MotorRole) -> bool {
        of_role(config, role).any(|motor| self.axes[motor].runs())
    }

    /// Whether a motor of this role turns, and not by one of the short moves that are allowed while
    /// cold.
    pub(crate) fn any_needs_warmth(&self, config: &MachineConfig, role: MotorRole) -> bool {
        of_role(config, role).any(|motor| self.axes[motor].needs_warmth())
    }

    /// Whether some shaft turns or is on its way to a speed.
    pub(crate) fn runs(&self, config: &MachineConfig) -> bool {
        let on_its_way = |motor: Motor| !self.setpoint(motor).is_zero();
        self.axes
            .ids()
            .any(|motor| self.turns(motor) || on_its_way(motor) && !self.is_held(motor, config))
    }

    /// A STOP is under way: until everything stands nothing is set in motion.
    pub(crate) const fn is_stopping(&self) -> bool {
        self.stop_next.is_some()
    }

    /// Takes over whether a screw is fitted, and how fast each shaft may turn.
    pub(crate) fn adopt(&mut self, screw_fitted: bool, config: &MachineConfig) {
        self.interlocked = screw_fitted;
        for motor in self.axes.ids() {
            let rpm = within(self.setpoint(motor).get(), motor, config);
            if rpm != self.setpoint(motor) {
                self.axes[motor].set(rpm);
            }
        }
    }

    /// Whether the setpoint of a feeder waits for a screw that turns.
    pub(crate) fn is_held(&self, motor: Motor, config: &MachineConfig) -> bool {
        self.interlocked
            && config.motors[motor].role == MotorRole::Feeder
            && !self.setpoint(motor).is_zero()
            && !self.screw_takes(config)
    }

    /// Whether a screw turns the way it is meant to: not while it stops, reverses or jogs.
    fn screw_takes(&self, config: &MachineConfig) -> bool {
        of_role(config, MotorRole::Screw).any(|screw| self.axes[screw].follows_setpoint())
    }

    /// What the interlock leaves a shaft to do. Whatever turns them, feeders come to rest first.
    fn leave(&self, motor: Motor, config: &MachineConfig) -> Leave {
        if !self.interlocked || self.screw_takes(config) {
            return Leave::Go;
        }
        let feeds = || of_role(config, MotorRole::Feeder).any(|f| self.axes[f].runs());
        match config.motors[motor].role {
            MotorRole::Feeder => Leave::Stand,
            MotorRole::Screw if feeds() => Leave::Wait,
            MotorRole::Screw | MotorRole::Puller | MotorRole::Other => Leave::Go,
        }
    }

    /// The speed that START gives a motor.
    pub(crate) fn start_speed(&self, motor: Motor, config: &MachineConfig) -> Rpm {
        let rpm = self.on_speed[motor].map_or(config.motion.start_rpm, Rpm::get);
        within(rpm, motor, config)
    }

    /// What is left of the cold-jog allowance of a motor, turns.
    pub(crate) fn cold_turns_left(&self, now: Micros, motor: Motor) -> f64 {
        self.cold_jogs[motor].left(now)
    }

    /// A speed asked for by a person; it is the one that START takes up.
    pub(crate) fn run(&mut self, motor: Motor, rpm: Rpm) {
        self.axes[motor].set(rpm);
        self.on_speed[motor] = Some(rpm);
    }

    /// A speed asked for by a sequence.
    pub(crate) fn take_up(&mut self, motor: Motor, rpm: Rpm) {
        self.axes[motor].set(rpm);
    }

    /// To standstill by the ramp of `motion`.
    pub(crate) fn run_down(&mut self, now: Micros, motor: Motor, config: &MachineConfig) {
        self.end_feed_jogs(motor, config);
        self.stop_jog(now, motor, config);
        self.axes[motor].set(Rpm::ZERO);
    }

    /// To standstill within the STOP time of the motor.
    pub(crate) fn stop(&mut self, now: Micros, motor: Motor, config: &MachineConfig) {
        self.end_feed_jogs(motor, config);
        self.stop_jog(now, motor, config);
        self.axes[motor].stop(now, stop_time(config.motors[motor].role, config));
    }

    /// A screw is to stop: counted moves of feeders end before it does.
    fn end_feed_jogs(&mut self, motor: Motor, config: &MachineConfig) {
        if config.motors[motor].role == MotorRole::Screw {
            of_role(config, MotorRole::Feeder).for_each(|feeder| self.axes[feeder].cut_jog());
        }
    }

    /// Feeders to zero, then the screw and whatever else turns, then the pullers, within 2 s.
    pub(crate) fn stop_all(&mut self, now: Micros, config: &MachineConfig) {
        for (motor, settings) in config.motors.entries() {
            match settings.role {
                MotorRole::Feeder => self.stop(now, motor, config),
                MotorRole::Screw | MotorRole::Puller | MotorRole::Other => {
                    self.stop_jog(now, motor, config);
                    self.axes[motor].hold_speed();
                }
            }
        }
        self.stop_next = Some(MotorRole::Screw);
    }

    /// Goes on with a STOP as soon as those stand that come first.
    fn go_on_stopping(&mut self, now: Micros, config: &MachineConfig) {
        if self.stop_next == Some(MotorRole::Screw) && !self.any_turns(config, MotorRole::Feeder) {
            self.stop_next = Some(MotorRole::Puller);
            for role in [MotorRole::Screw, MotorRole::Other] {
                of_role(config, role).for_each(|motor| self.stop(now, motor, config));
            }
        }
        if self.stop_next == Some(MotorRole::Puller) && !self.any_turns(config, MotorRole::Screw) {
            self.stop_next = None;
            of_role(config, MotorRole::Puller).for_each(|motor| self.stop(now, motor, config));
        }
    }

    /// Pulses and drives off now; the speeds that were set are forgotten.
    pub(crate) fn cut(&mut self) {
        for axis in &mut self.axes {
            axis.cut();
        }
        self.stop_next = None;
        self.on_speed = PerMotor::new(self.axes.len());
    }

    /// Starts a counted move of an idle motor. `cold`: it counts against the allowance.
    pub(crate) fn jog(
        &mut self,
        now: Micros,
        motor: Motor,
        (steps, rate): (i32, f64),
        cold: Option<f64>,
        config: &MachineConfig,
    ) {
        match cold {
            Some(turns) => self.cold_jogs[motor].take(now, turns),
            None => self.cold_jogs[motor] = ColdJogs::default(),
        }
        let asked = Asked { steps, rate, cold: cold.is_some() };
        self.axes[motor].start_jog(asked, config.motors[motor].microsteps, &config.motion);
    }

    /// Ends a counted move: within the STOP time of the motor, that of a feeder at once, so that it
    /// turns no further than it was told beside a screw that stands.
    pub(crate) fn stop_jog(&mut self, now: Micros, motor: Motor, config: &MachineConfig) {
        let (axis, role) = (&mut self.axes[motor], config.motors[motor].role);
        match role {
            MotorRole::Feeder => axis.cut_jog(),
            MotorRole::Screw | MotorRole::Puller | MotorRole::Other => {
                axis.stop_jog(now, stop_time(role, config));
            }
        }
    }

    pub(crate) fn stop_jogs(&mut self, now: Micros, config: &MachineConfig) {
        for motor in self.axes.ids() {
            self.stop_jog(now, motor, config);
        }
    }

    /// Moves every ramp on by `dt` seconds. `done`: the newest counted move that is over.
    pub(crate) fn advance(
        &mut self,
        now: Micros,
        dt: f64,
        config: &MachineConfig,
        done: impl Fn(Motor) -> Option<JogId>,
    ) {
        self.go_on_stopping(now, config);
        let leaves = PerMotor::from_fn(self.axes.len(), |motor| self.leave(motor, config));
        for (motor, leave) in leaves.entries() {
            let axis = &mut self.axes[motor];
            if *leave == Leave::Stand {
                axis.brake(STOP_FEED_S);
            }
            axis.advance(now, dt, &config.motion, *leave, done(motor));
        }
    }

    /// What the drive of a motor is to do this tick.
    pub(crate) fn drive(&self, motor: Motor, config: &MachineConfig) -> MotorDrive {
        self.axes[motor].drive(config.motors[motor].microsteps, self.is_held(motor, config))
    }
}
