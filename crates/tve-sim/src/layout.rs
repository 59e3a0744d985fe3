//! How a configuration lays the simulated machine out: what is built once, and what may be set up
//! anew while it runs.

use crate::plant::{Build, Place};
use tve_config::{Config, EstopContact};
use tve_hal::{ADC_CHANNELS, Contact, Motor, PerMotor, PerSensor, PerZone, Sensor, Zone};

/// What the plugs of the default machine are put on. Fixed: mapping them is the configuration's
/// job, and a wrong mapping must show.
const DEFAULT_PLUGS: [Option<Sensor>; ADC_CHANNELS] =
    [Some(Sensor::T1), Some(Sensor::T2), Some(Sensor::Motor), Some(Sensor::T3)];

/// What sensors are plugged into, fixed when the machine is built.
#[derive(Debug, Clone)]
pub(crate) struct Plugs {
    /// By converter and input.
    pub(crate) adcs: Vec<[Option<Sensor>; ADC_CHANNELS]>,
    /// The sensor of each thermocouple converter.
    pub(crate) thermocouples: Vec<Sensor>,
}

/// Where the configuration looks for a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Input {
    /// Nowhere.
    #[default]
    Nowhere,
    /// At an input of a converter with dividers.
    Adc { converter: usize, input: usize },
    /// At its own thermocouple converter.
    Thermocouple,
}

/// What [`tve_hal::Hardware::configure`] takes over; the plant itself is fixed when it is built.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) microsteps: PerMotor<f64>,
    /// Full scale of each converter, V.
    pub(crate) full_scales: Vec<f64>,
    pub(crate) inputs: PerSensor<Input>,
    pub(crate) contactor_fitted: bool,
    pub(crate) estop_healthy: Contact,
    pub(crate) estop_pressed: Contact,
}

impl Setup {
    pub(crate) fn new(config: &Config) -> Self {
        let (estop_healthy, estop_pressed) = match config.safety.estop_contact() {
            EstopContact::Nc => (Contact::Closed, Contact::Open),
            EstopContact::No => (Contact::Open, Contact::Closed),
        };
        let input = |sensor: Sensor| {
            let measures = |input: &usize| {
                let settings = &config.sensors[*input];
                config.adc.enabled && settings.enabled && settings.logical.name() == sensor.name()
            };
            match (0..ADC_CHANNELS).find(measures) {
                Some(input) => Input::Adc { converter: 0, input },
                None => Input::Nowhere,
            }
        };
        Self {
            microsteps: PerMotor::from_fn(2, |_| f64::from(config.dm556.microsteps)),
            full_scales: vec![config.adc.fsr],
            inputs: PerSensor::from_fn(Sensor::ALL.len(), input),
            contactor_fitted: config.pins.contactor.is_some(),
            estop_healthy,
            estop_pressed,
        }
    }
}

/// The plant of a configuration.
pub(crate) fn build(config: &Config) -> Build {
    let place = |sensor: Sensor| match sensor.zone() {
        Some(zone) => Place::Zone(zone),
        None if sensor == Sensor::T1 => Place::Throat,
        None => Place::Motor(Motor::Main),
    };
    Build {
        params: config.plant,
        gains: PerZone::from_fn(Zone::ALL.len(), |_| config.plant.gain),
        places: PerSensor::from_fn(Sensor::ALL.len(), place),
        motors: Motor::ALL.len(),
        feeder: Some(Motor::Feed),
    }
}

/// What the sensors of a configuration are plugged into.
pub(crate) fn plugs(_config: &Config) -> Plugs {
    Plugs { adcs: vec![DEFAULT_PLUGS], thermocouples: Vec::new() }
}
