//! The physics: heat on its way from two heater bands through the barrel into four thermistors.
//!
//! ```text
//!   heater on-share ─► dead time ─► band lag ─► metal (time constant) ─► sensor lag ─► thermistor
//!                                                 │ ▲ coupling
//!                                                 ▼ │
//!                          throat ◄────────── zone 1 ─ zone 2
//! ```
//!
//! All heat is in °C of long-run lift: a flow of 1 °C lifts the zone by 1 °C in the end. Per zone
//! `time_constant dT/dt = gain w + shear - (T - ambient) - coupling (T - T_other) - draught`.
//! With both zones at one duty the coupling term is zero, so full power lifts both by `gain`; a
//! zone without heat follows its heated neighbour with the ratio `coupling / (1 + coupling)`.

use tve_config::Plant as PlantConfig;
use tve_hal::Sensor;
use tve_units::Micros;

/// Integration step. The fastest lag of the model is 5 s, a hundred steps.
pub(crate) const STEP: Micros = Micros::from_millis(50);
/// [`STEP`] in seconds.
const STEP_S: f64 = 0.05;

/// Shear heat of the turning screw per rpm, °C: 3 °C at a working 60 rpm.
const SHEAR_PER_RPM: f64 = 0.05;
/// Shear heat at most, °C: hot melt thins, so a faster screw adds no more.
const SHEAR_MAX: f64 = 20.0;
/// Barrel lift above ambient at which [`Drive::draught`] is the full figure, °C (200 °C in a
/// room of 23 °C).
const DRAUGHT_REFERENCE: f64 = 177.0;

/// Time constant of the motor's housing, s.
const MOTOR_TIME_CONSTANT: f64 = 900.0;
/// Lift of a powered, standing motor, °C (the holding current).
const MOTOR_HOLDING_LIFT: f64 = 8.0;
/// Further lift per rpm, °C; with the holding lift 30 °C at 1800 rpm, so 53 °C from 23 °C.
const MOTOR_LIFT_PER_RPM: f64 = MOTOR_RUNNING_LIFT_MAX / 1800.0;
/// Further lift at most, °C: above 1800 rpm back-EMF keeps the current, so the heat, down.
const MOTOR_RUNNING_LIFT_MAX: f64 = 22.0;
/// How much more heat the fan takes off the motor than still air.
const MOTOR_FAN_FACTOR: f64 = 1.6;
/// Where a failing winding drives the motor, °C.
const MOTOR_HOT_C: f64 = 90.0;

/// Time constant of the feed throat, s.
const THROAT_TIME_CONSTANT: f64 = 300.0;
/// Sink of the throat below its place without cooling at full Peltier, °C. Small enough that a
/// cold throat does not pass for an open sensor.
const THROAT_PELTIER_SINK: f64 = 12.0;
/// How much more heat the throat loses while the pump sends water round it.
const THROAT_PUMP_FACTOR: f64 = 2.0;
/// Where the hot-throat fault drives the throat, °C.
const THROAT_HOT_C: f64 = 100.0;
/// Time constant of both "driven hot" faults, s: fast against the healthy plant, slow against
/// the jump limit of a sensor.
const FAULT_TIME_CONSTANT: f64 = 60.0;

/// Level that a revolution of the feeder takes out of the hopper, cm: 1.8 cm/h at 60 rpm.
const LEVEL_PER_REVOLUTION: f64 = 0.0005;
/// Share of the starting level at which the operator fills the hopper up again.
const REFILL_BELOW: f64 = 0.1;
/// Resolution of the level sensor, steps per cm.
const LEVEL_STEPS_PER_CM: f64 = 10.0;

/// What acts on the plant during one step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drive {
    /// Mean heater power of each zone as a share of nominal full power.
    pub(crate) power: [f64; 2],
    /// Speed of the screw, rpm.
    pub(crate) screw_rpm: f64,
    /// The screw motor's power stage is on.
    pub(crate) screw_powered: bool,
    /// Speed of the feeder, rpm.
    pub(crate) feed_rpm: f64,
    pub(crate) fan: bool,
    pub(crate) pump: bool,
    /// Peltier drive, 0 to 1.
    pub(crate) peltier: f64,
    /// Extra loss, °C at [`DRAUGHT_REFERENCE`].
    pub(crate) draught: f64,
    pub(crate) motor_hot: bool,
    pub(crate) throat_hot: bool,
    /// Sensors that hang in the air, by [`Sensor::index`].
    pub(crate) fallen_out: [bool; 4],
}

/// Share of the way to its end that a first-order lag goes in one step.
fn share_per_step(time_constant: f64) -> f64 {
    if time_constant > 0.0 { 1.0 - libm::exp(-STEP_S / time_constant) } else { 1.0 }
}

/// A level in the steps of its sensor, cm.
fn resolved(level: f64) -> f64 {
    libm::round(level * LEVEL_STEPS_PER_CM) / LEVEL_STEPS_PER_CM
}

/// The lags as shares per step.
#[derive(Debug, Clone)]
struct Shares {
    band: f64,
    metal: f64,
    sensor: f64,
    motor: f64,
    throat: f64,
    fault: f64,
}

/// State of the machine's heat and of its hopper.
#[derive(Debug, Clone)]
pub(crate) struct Plant {
    ambient: f64,
    gain: f64,
    coupling: f64,
    start_level: f64,
    shares: Shares,
    /// Power of past steps, a ring as long as the dead time; empty without dead time.
    under_way: Vec<[f64; 2]>,
    oldest: usize,
    /// Power that has passed dead time and band lag.
    band: [f64; 2],
    metal: [f64; 2],
    throat: f64,
    motor: f64,
    /// Temperature of the thermistors themselves, by [`Sensor::index`].
    probes: [f64; 4],
    level: f64,
    /// The level as its sensor resolves it, cm.
    level_shown: f64,
}

impl Plant {
    /// The barrel at the starting temperature, no heat under way, the motor at ambient.
    pub(crate) fn new(params: &PlantConfig) -> Self {
        let steps = libm::round(params.dead_time / STEP_S) as usize;
        let mut plant = Self {
            ambient: params.ambient,
            gain: params.gain,
            coupling: params.coupling,
            start_level: params.fill_level,
            shares: Shares {
                band: share_per_step(params.second_lag),
                metal: share_per_step(params.time_constant),
                sensor: share_per_step(params.sensor_lag),
                motor: share_per_step(MOTOR_TIME_CONSTANT),
                throat: share_per_step(THROAT_TIME_CONSTANT),
                fault: share_per_step(FAULT_TIME_CONSTANT),
            },
            under_way: vec![[0.0; 2]; steps],
            oldest: 0,
            band: [0.0; 2],
            metal: [params.ambient; 2],
            throat: params.ambient,
            motor: params.ambient,
            probes: [params.ambient; 4],
            level: params.fill_level,
            level_shown: resolved(params.fill_level),
        };
        plant.settle_barrel(params.start_temp);
        plant
    }

    /// Let one [`STEP`] pass.
    pub(crate) fn step(&mut self, drive: &Drive) {
        let power = self.delayed(drive.power);
        let shear = (SHEAR_PER_RPM * drive.screw_rpm.abs()).min(SHEAR_MAX);
        let draught = drive.draught / DRAUGHT_REFERENCE;
        let before = self.metal;
        for z in 0..2 {
            self.band[z] += self.shares.band * (power[z] - self.band[z]);
            let lift = before[z] - self.ambient;
            let flow = self.gain * self.band[z] + shear
                - lift * (1.0 + draught)
                - self.coupling * (before[z] - before[1 - z]);
            self.metal[z] += self.shares.metal * flow;
        }
        self.step_throat(drive);
        self.step_motor(drive);
        self.step_probes(drive);
        self.step_level(drive);
    }

    /// The power of one dead time ago, and `power` put on its way.
    fn delayed(&mut self, power: [f64; 2]) -> [f64; 2] {
        let length = self.under_way.len();
        let Some(slot) = self.under_way.get_mut(self.oldest) else {
            return power;
        };
        self.oldest += 1;
        if self.oldest == length {
            self.oldest = 0;
        }
        core::mem::replace(slot, power)
    }

    /// The throat takes heat from zone 1 without cooling it: the zone's own loss contains it.
    fn step_throat(&mut self, drive: &Drive) {
        if drive.throat_hot {
            self.throat += self.shares.fault * (THROAT_HOT_C - self.throat);
            return;
        }
        let loss = if drive.pump { THROAT_PUMP_FACTOR } else { 1.0 };
        let flow = self.coupling * (self.metal[0] - self.throat)
            - loss * (self.throat - self.ambient)
            - THROAT_PELTIER_SINK * drive.peltier;
        self.throat += self.shares.throat * flow;
    }

    fn step_motor(&mut self, drive: &Drive) {
        if drive.motor_hot {
            self.motor += self.shares.fault * (MOTOR_HOT_C - self.motor);
            return;
        }
        let running = (MOTOR_LIFT_PER_RPM * drive.screw_rpm.abs()).min(MOTOR_RUNNING_LIFT_MAX);
        let heat = if drive.screw_powered { MOTOR_HOLDING_LIFT + running } else { 0.0 };
        let loss = if drive.fan { MOTOR_FAN_FACTOR } else { 1.0 };
        self.motor += self.shares.motor * (heat - loss * (self.motor - self.ambient));
    }

    fn step_probes(&mut self, drive: &Drive) {
        for sensor in Sensor::ALL {
            let i = sensor.index();
            let around =
                if drive.fallen_out[i] { self.ambient } else { self.true_temperature(sensor) };
            self.probes[i] += self.shares.sensor * (around - self.probes[i]);
        }
    }

    fn step_level(&mut self, drive: &Drive) {
        /// Revolutions in one step at one rpm.
        const REVOLUTIONS_PER_RPM: f64 = STEP_S / 60.0;
        if drive.feed_rpm > 0.0 {
            self.level -= LEVEL_PER_REVOLUTION * REVOLUTIONS_PER_RPM * drive.feed_rpm;
            if self.level < REFILL_BELOW * self.start_level {
                self.level = self.start_level;
            }
            self.level_shown = resolved(self.level);
        }
    }

    /// The barrel as after being held at `celsius` for long, see
    /// [`crate::SimPowers::set_temperature`].
    pub(crate) fn soak(&mut self, celsius: f64) {
        // A barrel below ambient needs no power, and none can hold it beyond full power.
        let holding = ((celsius - self.ambient) / self.gain).clamp(0.0, 1.0);
        self.under_way.fill([holding; 2]);
        self.band = [holding; 2];
        self.settle_barrel(celsius);
    }

    /// Metal, throat and their sensors as they settle with both zones at `celsius`.
    fn settle_barrel(&mut self, celsius: f64) {
        self.metal = [celsius; 2];
        let throat_share = self.coupling / (1.0 + self.coupling);
        self.throat = self.ambient + (celsius - self.ambient) * throat_share;
        for sensor in [Sensor::T1, Sensor::T2, Sensor::T3] {
            self.probes[sensor.index()] = self.true_temperature(sensor);
        }
    }

    /// Temperature of what the sensor is meant to measure, °C.
    pub(crate) const fn true_temperature(&self, sensor: Sensor) -> f64 {
        match sensor {
            Sensor::T1 => self.throat,
            Sensor::T2 => self.metal[0],
            Sensor::T3 => self.metal[1],
            // goes when the controller counts its zones
            _ => self.motor,
        }
    }

    /// Temperature of the thermistor itself, °C.
    pub(crate) const fn probe(&self, sensor: Sensor) -> f64 {
        self.probes[sensor.index()]
    }

    /// Hopper level as its sensor resolves it, cm.
    pub(crate) const fn level_cm(&self) -> f64 {
        self.level_shown
    }
}
