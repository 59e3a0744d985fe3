//! How a configuration lays the simulated machine out: what is built once, and what may be set up
//! anew while it runs.

use crate::plant::{Build, Place, ZoneBuild};
use tve_config::{Config, EstopContact, MachineConfig, MotorRole, Serves, Source};
use tve_hal::{ADC_CHANNELS, Contact, Motor, PerMotor, PerSensor, Sensor, Signal, Zone};

/// What the plugs of a machine without a list of zones are put on, input by input. Fixed: mapping
/// them is the configuration's job, and a wrong mapping must show.
const DEFAULT_PLUGS: [Serves; ADC_CHANNELS] = [
    Serves::FeedThroat,
    Serves::Zone(Zone::at(0)),
    Serves::Motor(Motor::at(0)),
    Serves::Zone(Zone::at(1)),
];

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
    pub(crate) contactor_feedback: bool,
    pub(crate) estop_healthy: Contact,
    pub(crate) estop_pressed: Contact,
}

impl Setup {
    pub(crate) fn new(machine: &MachineConfig) -> Self {
        let (estop_healthy, estop_pressed) = match machine.safety.estop_contact() {
            EstopContact::Nc => (Contact::Closed, Contact::Open),
            EstopContact::No => (Contact::Open, Contact::Closed),
        };
        Self {
            microsteps: machine.motors.map(|_, motor| f64::from(motor.microsteps)),
            full_scales: machine.converters.iter().map(|converter| converter.fsr).collect(),
            inputs: machine.sensors.map(|_, point| match point.source {
                None => Input::Nowhere,
                Some(Source::Adc { converter, input }) => {
                    Input::Adc { converter: converter.into(), input: input.into() }
                }
                Some(Source::Max31856(_)) => Input::Thermocouple,
            }),
            contactor_fitted: machine.signals.pin(Signal::Contactor).is_some(),
            contactor_feedback: machine.signals.pin(Signal::ContactorFeedback).is_some(),
            estop_healthy,
            estop_pressed,
        }
    }
}

/// The plant of a machine. What the model behind the alarms says of one zone beside the others
/// holds for its metal too, so that the healthy machine fits its own model.
pub(crate) fn build(machine: &MachineConfig) -> Build {
    let (params, safety) = (machine.plant, &machine.safety);
    Build {
        params,
        zones: machine.zones.map(|_, zone| ZoneBuild {
            gain: params.gain * share(zone.model.gain, safety.zone_gain),
            time_constant: params.time_constant
                * share(zone.model.time_constant, safety.zone_time_constant),
            dead_time: params.dead_time * share(zone.model.dead_time, safety.zone_dead_time),
        }),
        places: machine.sensors.map(|_, point| match point.serves {
            Serves::Display => Place::Room,
            Serves::FeedThroat => Place::Throat,
            Serves::Zone(zone) => Place::Zone(zone),
            Serves::Motor(motor) => Place::Motor(motor),
        }),
        motors: machine.motors.len(),
        feeder: machine
            .motors
            .entries()
            .find(|(_, motor)| motor.role == MotorRole::Feeder)
            .map(|(motor, _)| motor),
    }
}

/// One zone's figure as a share of what all have; 1 when it is that, also of nothing.
fn share(own: f64, common: f64) -> f64 {
    if own == common { 1.0 } else { own / common }
}

/// What the sensors of a machine are plugged into.
pub(crate) fn plugs(config: &Config, machine: &MachineConfig) -> Plugs {
    let mut plugs = Plugs { adcs: Vec::new(), thermocouples: Vec::new() };
    if config.zones.is_none() {
        let there_for = |serves| {
            let mut sensors = machine.sensors.entries();
            sensors.find(|(_, point)| point.serves == serves).map(|(sensor, _)| sensor)
        };
        plugs.adcs.push(DEFAULT_PLUGS.map(there_for));
        return plugs;
    }
    plugs.adcs.resize(machine.converters.len(), [None; ADC_CHANNELS]);
    for (sensor, point) in machine.sensors.entries() {
        match point.source {
            None => {}
            Some(Source::Adc { converter, input }) => {
                if let Some(adc) = plugs.adcs.get_mut(usize::from(converter)) {
                    adc[usize::from(input)] = Some(sensor);
                }
            }
            Some(Source::Max31856(_)) => plugs.thermocouples.push(sensor),
        }
    }
    plugs
}
