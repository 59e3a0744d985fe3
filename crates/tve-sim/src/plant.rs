//! The physics: heat on its way from the heater bands through the barrel into the sensors.
//!
//! ```text
//!   heater on-share ─► dead time ─► band lag ─► metal (time constant) ─► sensor lag ─► sensor
//!                                                 │ ▲ coupling
//!                                                 ▼ │
//!                          throat ◄────────── zone 1 ─ zone 2 ─ ... ─ die
//! ```
//!
//! All heat is in °C of long-run lift: a flow of 1 °C lifts the zone by 1 °C in the end. Per zone
//! `time_constant dT/dt = gain w + shear - (T - ambient) - sum of coupling (T - T_neighbour) -
//! draught - cooler`, with a neighbour on each side that has one. With all zones at one temperature
//! the coupling terms are zero, so full power lifts all of one gain by `gain`; of two zones, the one
//! without heat follows the other with the ratio `coupling / (1 + coupling)`.

use tve_config::Plant as PlantConfig;
use tve_hal::{Motor, PerMotor, PerSensor, PerZone, Sensor, Zone};
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

/// How much more heat a zone loses while its cooler blows.
const COOLER_FACTOR: f64 = 1.0;

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

/// What a sensor sits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Place {
    /// The air of the room.
    #[default]
    Room,
    /// The feed throat.
    Throat,
    /// The metal of a zone.
    Zone(Zone),
    /// The housing of a motor.
    Motor(Motor),
}

/// How a zone is built.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ZoneBuild {
    /// Rise above the room at full power in all zones of the same gain, °C.
    pub(crate) gain: f64,
    /// Time constant of its metal, s.
    pub(crate) time_constant: f64,
    /// Time before it answers its heater, s.
    pub(crate) dead_time: f64,
}

/// How a machine is built.
#[derive(Debug, Clone)]
pub(crate) struct Build {
    /// What all zones have in common.
    pub(crate) params: PlantConfig,
    pub(crate) zones: PerZone<ZoneBuild>,
    /// What each sensor sits in.
    pub(crate) places: PerSensor<Place>,
    /// How many motors there are; the first is the screw.
    pub(crate) motors: usize,
    /// The motor that empties the hopper.
    pub(crate) feeder: Option<Motor>,
}

/// What a drive does to its motor and to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Shaft {
    /// Speed, rpm.
    pub(crate) rpm: f64,
    /// The power stage is on.
    pub(crate) powered: bool,
}

/// What acts on the plant during one step.
#[derive(Debug, Clone)]
pub(crate) struct Drive {
    /// Mean heater power of each zone as a share of nominal full power.
    pub(crate) power: PerZone<f64>,
    /// The cooler of each zone blows.
    pub(crate) coolers: PerZone<bool>,
    /// By motor.
    pub(crate) shafts: PerMotor<Shaft>,
    pub(crate) fan: bool,
    pub(crate) pump: bool,
    /// Peltier drive, 0 to 1.
    pub(crate) peltier: f64,
    /// Extra loss, °C at [`DRAUGHT_REFERENCE`].
    pub(crate) draught: f64,
    /// The screw's winding fails.
    pub(crate) motor_hot: bool,
    pub(crate) throat_hot: bool,
    /// Share of the way from the room to what it sits in that a sensor shows.
    pub(crate) contact: PerSensor<f64>,
}

impl Drive {
    /// Nothing acts on a machine built like this.
    pub(crate) fn none(build: &Build) -> Self {
        Self {
            power: PerZone::new(build.zones.len()),
            coolers: PerZone::new(build.zones.len()),
            shafts: PerMotor::new(build.motors),
            fan: false,
            pump: false,
            peltier: 0.0,
            draught: 0.0,
            motor_hot: false,
            throat_hot: false,
            contact: PerSensor::from_fn(build.places.len(), |_| 1.0),
        }
    }

    /// Speed of a motor, rpm; zero where the machine has no such motor.
    fn rpm(&self, motor: Option<Motor>) -> f64 {
        motor.and_then(|motor| self.shafts.get(motor)).map_or(0.0, |shaft| shaft.rpm)
    }
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
    metal: PerZone<f64>,
    sensor: f64,
    motor: f64,
    throat: f64,
    fault: f64,
}

/// Power of past steps, a ring as long as the dead time; empty without dead time.
#[derive(Debug, Clone, Default)]
struct UnderWay {
    past: Vec<f64>,
    oldest: usize,
}

impl UnderWay {
    /// Nothing under way for `dead_time` s.
    fn of(dead_time: f64) -> Self {
        Self { past: vec![0.0; libm::round(dead_time / STEP_S) as usize], oldest: 0 }
    }

    /// The power of one dead time ago, and `power` put on its way.
    fn pass(&mut self, power: f64) -> f64 {
        let length = self.past.len();
        let Some(slot) = self.past.get_mut(self.oldest) else {
            return power;
        };
        self.oldest += 1;
        if self.oldest == length {
            self.oldest = 0;
        }
        core::mem::replace(slot, power)
    }
}

/// State of the machine's heat and of its hopper.
#[derive(Debug, Clone)]
pub(crate) struct Plant {
    ambient: f64,
    gains: PerZone<f64>,
    coupling: f64,
    start_level: f64,
    places: PerSensor<Place>,
    feeder: Option<Motor>,
    shares: Shares,
    /// Power on its way into each zone.
    under_way: PerZone<UnderWay>,
    /// Power that has passed dead time and band lag.
    band: PerZone<f64>,
    metal: PerZone<f64>,
    throat: f64,
    motors: PerMotor<f64>,
    /// Temperature of the sensors themselves.
    probes: PerSensor<f64>,
    level: f64,
    /// The level as its sensor resolves it, cm.
    level_shown: f64,
}

impl Plant {
    /// The barrel at the starting temperature, no heat under way, the motors at ambient.
    pub(crate) fn new(build: &Build) -> Self {
        let params = &build.params;
        let zones = build.zones.len();
        let mut plant = Self {
            ambient: params.ambient,
            gains: build.zones.map(|_, zone| zone.gain),
            coupling: params.coupling,
            start_level: params.fill_level,
            places: build.places,
            feeder: build.feeder,
            shares: Shares {
                band: share_per_step(params.second_lag),
                metal: build.zones.map(|_, zone| share_per_step(zone.time_constant)),
                sensor: share_per_step(params.sensor_lag),
                motor: share_per_step(MOTOR_TIME_CONSTANT),
                throat: share_per_step(THROAT_TIME_CONSTANT),
                fault: share_per_step(FAULT_TIME_CONSTANT),
            },
            under_way: build.zones.map(|_, zone| UnderWay::of(zone.dead_time)),
            band: PerZone::new(zones),
            metal: PerZone::from_fn(zones, |_| params.ambient),
            throat: params.ambient,
            motors: PerMotor::from_fn(build.motors, |_| params.ambient),
            probes: build.places.map(|_, _| params.ambient),
            level: params.fill_level,
            level_shown: resolved(params.fill_level),
        };
        plant.settle_barrel(params.start_temp);
        plant
    }

    /// Let one [`STEP`] pass.
    pub(crate) fn step(&mut self, drive: &Drive) {
        // The first motor is the screw.
        let screw_rpm = drive.shafts.iter().next().map_or(0.0, |shaft| shaft.rpm);
        let shear = (SHEAR_PER_RPM * screw_rpm.abs()).min(SHEAR_MAX);
        let draught = drive.draught / DRAUGHT_REFERENCE;
        let before = self.metal;
        let before = before.as_slice();
        for zone in self.metal.ids() {
            let z = zone.index();
            let power = self.under_way[zone].pass(drive.power[zone]);
            self.band[zone] += self.shares.band * (power - self.band[zone]);
            let lift = before[z] - self.ambient;
            let mut flow = self.gains[zone] * self.band[zone] + shear - lift * (1.0 + draught);
            if let Some(left) = z.checked_sub(1) {
                flow -= self.coupling * (before[z] - before[left]);
            }
            if let Some(right) = before.get(z + 1) {
                flow -= self.coupling * (before[z] - right);
            }
            if drive.coolers[zone] {
                flow -= COOLER_FACTOR * lift;
            }
            self.metal[zone] += self.shares.metal[zone] * flow;
        }
        self.step_throat(drive);
        self.step_motors(drive);
        self.step_probes(drive);
        self.step_level(drive);
    }

    /// The throat takes heat from the first zone without cooling it: the zone's own loss contains
    /// it.
    fn step_throat(&mut self, drive: &Drive) {
        if drive.throat_hot {
            self.throat += self.shares.fault * (THROAT_HOT_C - self.throat);
            return;
        }
        let loss = if drive.pump { THROAT_PUMP_FACTOR } else { 1.0 };
        let beside = self.metal.iter().next().copied().unwrap_or(self.ambient);
        let flow = self.coupling * (beside - self.throat)
            - loss * (self.throat - self.ambient)
            - THROAT_PELTIER_SINK * drive.peltier;
        self.throat += self.shares.throat * flow;
    }

    fn step_motors(&mut self, drive: &Drive) {
        let loss = if drive.fan { MOTOR_FAN_FACTOR } else { 1.0 };
        for motor in self.motors.ids() {
            let housing = &mut self.motors[motor];
            if drive.motor_hot && motor.index() == 0 {
                *housing += self.shares.fault * (MOTOR_HOT_C - *housing);
                continue;
            }
            let Shaft { rpm, powered } = drive.shafts[motor];
            let running = (MOTOR_LIFT_PER_RPM * rpm.abs()).min(MOTOR_RUNNING_LIFT_MAX);
            let heat = if powered { MOTOR_HOLDING_LIFT + running } else { 0.0 };
            *housing += self.shares.motor * (heat - loss * (*housing - self.ambient));
        }
    }

    fn step_probes(&mut self, drive: &Drive) {
        for sensor in self.probes.ids() {
            let around = match drive.contact[sensor] {
                1.0 => self.true_temperature(sensor),
                contact => self.ambient + contact * (self.true_temperature(sensor) - self.ambient),
            };
            self.probes[sensor] += self.shares.sensor * (around - self.probes[sensor]);
        }
    }

    fn step_level(&mut self, drive: &Drive) {
        /// Revolutions in one step at one rpm.
        const REVOLUTIONS_PER_RPM: f64 = STEP_S / 60.0;
        let rpm = drive.rpm(self.feeder);
        if rpm > 0.0 {
            self.level -= LEVEL_PER_REVOLUTION * REVOLUTIONS_PER_RPM * rpm;
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
        let ambient = self.ambient;
        let holding = self.gains.map(|_, gain| ((celsius - ambient) / gain).clamp(0.0, 1.0));
        for (under_way, power) in self.under_way.iter_mut().zip(&holding) {
            under_way.past.fill(*power);
        }
        self.band = holding;
        self.settle_barrel(celsius);
    }

    /// Metal, throat and their sensors as they settle with all zones at `celsius`.
    fn settle_barrel(&mut self, celsius: f64) {
        self.metal = self.metal.map(|_, _| celsius);
        let throat_share = self.coupling / (1.0 + self.coupling);
        self.throat = self.ambient + (celsius - self.ambient) * throat_share;
        for sensor in self.probes.ids() {
            match self.places[sensor] {
                Place::Throat | Place::Zone(_) => {
                    self.probes[sensor] = self.true_temperature(sensor);
                }
                Place::Motor(_) | Place::Room => {}
            }
        }
    }

    /// The sensors of a zone and the one after it.
    pub(crate) fn neighbour_sensors(&self, zone: Zone) -> Option<(Sensor, Sensor)> {
        let of = |index: usize| {
            let sits = |place: &Place| matches!(place, Place::Zone(z) if z.index() == index);
            self.places.entries().find(|(_, place)| sits(place)).map(|(sensor, _)| sensor)
        };
        of(zone.index()).zip(of(zone.index() + 1))
    }

    /// Temperature of what the sensor is meant to measure, °C.
    pub(crate) fn true_temperature(&self, sensor: Sensor) -> f64 {
        match self.places[sensor] {
            Place::Room => self.ambient,
            Place::Throat => self.throat,
            Place::Zone(zone) => self.metal[zone],
            Place::Motor(motor) => self.motors[motor],
        }
    }

    /// Temperature of the sensor itself, °C.
    pub(crate) fn probe(&self, sensor: Sensor) -> f64 {
        self.probes[sensor]
    }

    /// Hopper level as its sensor resolves it, cm.
    pub(crate) const fn level_cm(&self) -> f64 {
        self.level_shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A barrel of zones with these gains and a sensor in each, cold, without dead time.
    fn barrel(gains: &[f64]) -> (Build, Plant) {
        let params = PlantConfig::default();
        let build = Build {
            params,
            zones: PerZone::from_fn(gains.len(), |z: Zone| ZoneBuild {
                gain: gains[z.index()],
                time_constant: params.time_constant,
                dead_time: 0.0,
            }),
            places: PerSensor::from_fn(gains.len(), |s: Sensor| Place::Zone(Zone::at(s.index()))),
            motors: 1,
            feeder: None,
        };
        let plant = Plant::new(&build);
        (build, plant)
    }

    /// Rise of each zone above the room after being heated for so long that nothing changes.
    fn settled(gains: &[f64], power: &[f64]) -> Vec<f64> {
        let (build, mut plant) = barrel(gains);
        let mut drive = Drive::none(&build);
        drive.power = PerZone::from_fn(power.len(), |z: Zone| power[z.index()]);
        for _ in 0..400_000 {
            plant.step(&drive);
        }
        plant.metal.iter().map(|t| t - build.params.ambient).collect()
    }

    #[test]
    fn zones_of_one_gain_at_one_duty_rise_by_it_however_many_there_are() {
        for zones in 1..=8 {
            for rise in settled(&vec![430.0; zones], &vec![0.5; zones]) {
                assert!((rise - 215.0).abs() < 0.01, "{zones} zones: {rise}");
            }
        }
    }

    #[test]
    fn heat_reaches_the_neighbours_and_through_them_the_next() {
        let rise = settled(&[430.0; 5], &[0.0, 0.0, 0.5, 0.0, 0.0]);
        assert!((rise[0] - rise[4]).abs() < 1e-6 && (rise[1] - rise[3]).abs() < 1e-6, "{rise:?}");
        // The last zone has one neighbour: it follows with the ratio c / (1 + c).
        let coupling = PlantConfig::default().coupling;
        let ratio = coupling / (1.0 + coupling);
        assert!((rise[4] / rise[3] - ratio).abs() < 1e-6, "{rise:?}");
        // All that goes in is lost to the room: coupling moves heat and makes none.
        let sum: f64 = rise.iter().sum();
        assert!((sum - 215.0).abs() < 0.01, "{rise:?}");
    }

    #[test]
    fn a_zone_heats_by_its_own_gain() {
        let alone = |gain: f64| settled(&[gain], &[0.5])[0];
        assert!((alone(300.0) - 150.0).abs() < 0.01 && (alone(600.0) - 300.0).abs() < 0.01);
        let rise = settled(&[300.0, 600.0], &[0.5, 0.5]);
        assert!(150.0 < rise[0] && rise[0] < rise[1] && rise[1] < 300.0, "{rise:?}");
    }

    #[test]
    fn a_cooler_takes_as_much_again_as_the_room() {
        let (build, mut plant) = barrel(&[430.0]);
        let mut drive = Drive::none(&build);
        drive.power = PerZone::from_fn(1, |_| 0.5);
        drive.coolers = PerZone::from_fn(1, |_| true);
        for _ in 0..400_000 {
            plant.step(&drive);
        }
        let rise = plant.metal[Zone::at(0)] - build.params.ambient;
        assert!((rise - 215.0 / 2.0).abs() < 0.01, "{rise}");
    }
}
