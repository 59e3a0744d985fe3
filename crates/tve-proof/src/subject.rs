//! [`Subject`]: the machine under proof, and what it calls its zones, motors and sensors.

use serde_json::{Map, Value};
use std::sync::Arc;
use tve_config::{Config, MachineConfig, MotorRole, PidGains, Serves};
use tve_hal::{Motor, Sensor, Signal, Zone};
use tve_units::Bcm;

/// A free pin for the contactor of the machines that have one.
const CONTACTOR_PIN: u8 = 5;
/// And for its auxiliary contact.
const FEEDBACK_PIN: u8 = 7;

/// A configuration with what it means. The certificate, the walks, the orders and the healthy hours
/// are about one of these, and know no machine of their own.
#[derive(Debug, Clone)]
pub struct Subject {
    config: Config,
    machine: Arc<MachineConfig>,
    base: Option<String>,
}

impl Subject {
    /// The machine of the embedded configuration.
    pub fn embedded() -> Self {
        Self::new(Config::embedded(), None)
    }

    /// Another machine. Scenarios that findings are written down as name it by `base`, the stem of
    /// its file in `config/machines`.
    pub fn of(config: Config, base: impl Into<String>) -> Self {
        Self::new(config, Some(base.into()))
    }

    /// The machine of four zones.
    #[cfg(test)]
    pub(crate) fn four_zones() -> Self {
        let text = include_str!("../../../config/machines/four-zone.json");
        Self::of(Config::parse(text).expect("a checked configuration"), "four-zone")
    }

    fn new(config: Config, base: Option<String>) -> Self {
        Self { machine: config.machine(), config, base }
    }

    /// The same machine with another configuration of the same lists.
    pub(crate) fn with(&self, config: Config) -> Self {
        Self::new(config, self.base.clone())
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn machine(&self) -> &MachineConfig {
        &self.machine
    }

    pub(crate) fn machine_arc(&self) -> Arc<MachineConfig> {
        Arc::clone(&self.machine)
    }

    /// What scenarios have as their `base`; the embedded configuration needs none.
    pub(crate) fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// The zones, feed side first.
    pub(crate) fn zones(&self) -> impl Iterator<Item = Zone> + use<> {
        self.machine.zones.ids()
    }

    /// The zone at the feed side, which is tuned where one is.
    pub(crate) fn first(&self) -> &str {
        self.machine.zones.as_slice().first().map_or("", |zone| zone.name.as_str())
    }

    pub(crate) fn zone_names(&self) -> Vec<&str> {
        self.machine.names.zones.iter().map(tve_machine::Name::as_str).collect()
    }

    pub(crate) fn motor_names(&self) -> Vec<&str> {
        self.machine.names.motors.iter().map(tve_machine::Name::as_str).collect()
    }

    /// The name of the motor that turns the screw; of the first one where none does.
    pub(crate) fn screw(&self) -> &str {
        let names = &self.machine.names.motors;
        let screw = self.machine.screw().and_then(|motor| names.get(motor));
        screw.or(names.as_slice().first()).map_or("", tve_machine::Name::as_str)
    }

    /// Every zone with the same number, as `SET_TARGET` takes it.
    pub(crate) fn every_zone(&self, x: f64) -> Value {
        self.each_zone(|_| x)
    }

    /// Every zone with a number of its own.
    pub(crate) fn each_zone(&self, x: impl Fn(Zone) -> f64) -> Value {
        let named = |(zone, name): (Zone, &tve_machine::Name)| (name.to_string(), x(zone).into());
        self.machine.names.zones.entries().map(named).collect::<Map<_, _>>().into()
    }

    /// The highest target that every zone takes, °C.
    pub(crate) fn highest_target(&self) -> f64 {
        let limits = self.machine.zones.iter().map(|zone| zone.limits.max_target);
        limits.fold(f64::INFINITY, f64::min)
    }
}

/// Gives a machine a contactor that has none, and its auxiliary contact, where the pins are free.
pub(crate) fn fit_contactor(config: &mut Config) {
    for (signal, pin) in
        [(Signal::Contactor, CONTACTOR_PIN), (Signal::ContactorFeedback, FEEDBACK_PIN)]
    {
        let pin = Bcm::new(pin).ok();
        let signals = &config.machine().signals;
        let free = pin.is_some_and(|pin| !signals.owns(pin));
        if free && signals.pin(signal).is_none() {
            config.pins.set(signal.row().pattern, pin);
        }
    }
}

/// Gives every zone the same gains.
pub(crate) fn set_gains(config: &mut Config, gains: PidGains) {
    let zones = config.names().zones;
    for zone in zones.ids() {
        config.set_gains(zone, gains);
    }
}

/// What measures a zone.
pub(crate) fn sensor_of(machine: &MachineConfig, zone: Zone) -> Sensor {
    machine.zones[zone].sensor
}

/// The sensors of motors, with the motor.
pub(crate) fn motor_sensors(machine: &MachineConfig) -> impl Iterator<Item = (Motor, Sensor)> {
    machine.sensors.entries().filter_map(|(sensor, point)| match point.serves {
        Serves::Motor(motor) => Some((motor, sensor)),
        Serves::Zone(_) | Serves::FeedThroat | Serves::Display => None,
    })
}

/// Whether a motor is guarded by the permissives of the screw.
pub(crate) fn is_screw(machine: &MachineConfig, motor: Motor) -> bool {
    machine.motors[motor].role == MotorRole::Screw
}

/// Whether something feeds the screw that stops before it.
pub(crate) fn has_feeder(machine: &MachineConfig) -> bool {
    machine.motors.iter().any(|motor| motor.role == MotorRole::Feeder)
}
