//! [`MachineConfig`]: what controller and hardware need of a configuration, resolved and checked.
//!
//! [`Config`](crate::Config) is the file: names, optional keys, two ways to say the zones. A
//! `MachineConfig` is made of it outside the control thread
//! ([`Config::machine`](crate::Config::machine), [`Config::prepare`](crate::Config::prepare)) and
//! handed round as an [`Arc`](std::sync::Arc): every name is an id here, every limit stands beside
//! its zone, every pin beside its signal. It holds no password hash and no setting of HTTP.
//!
//! *Converter*: an ADS1115 with four inputs. *Channel*: the number of a sensor's key in the file;
//! converter `channel / 4`, input `channel % 4` unless the sensor has a converter of its own.

mod blinds;
mod changes;
mod doubt;
mod plan;
mod resolve;
mod sequences;
mod weak;

pub use blinds::Blinds;
pub use changes::{Changes, Prepared};
pub use doubt::Doubt;
pub use plan::{PwmBoard, PwmPlan, PwmUse, SignalPlan};
pub use sequences::{Device, Sequences, Step};
pub use weak::Weak;

use crate::{
    Control, DeviceName, Dm556, HardwareKind, History, Logging, Motion, MotorRole, PidGains, Plant,
    Safety, Security, SensorConfig, Server, TempSettings, Thermocouple,
};
use std::collections::BTreeMap;
use tve_machine::{Motor, Name, Names, PerMotor, PerSensor, PerZone, Sensor, Zone};
use tve_units::Bcm;

/// Limits of one zone, °C.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZoneLimits {
    /// Highest target.
    pub max_target: f64,
    /// Above this the zone trips.
    pub over_temperature: f64,
    /// Below this the zone trips while it is heated.
    pub under_temperature: f64,
    /// The screw may turn from here on.
    pub min_temp_for_motor: f64,
}

/// The first-order model of one zone that the safety rules use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZoneModel {
    /// Rise at 100 % duty in the long run, °C.
    pub gain: f64,
    /// Time constant, s.
    pub time_constant: f64,
    /// Time before the zone answers its heater, s.
    pub dead_time: f64,
}

/// A heated zone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZoneConfig {
    /// Its name in the file and on the wire.
    pub name: Name,
    /// What measures it.
    pub sensor: Sensor,
    /// Nominal power of its heater, W.
    pub power_w: f64,
    /// Gains of its heater PID as the file gives them, for the law that `control.law` says.
    pub gains: PidGains,
    /// Its limits.
    pub limits: ZoneLimits,
    /// Its model.
    pub model: ZoneModel,
    /// Whether it has a cooler.
    pub has_cooler: bool,
}

/// A driven shaft.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotorConfig {
    /// Its name in the file and on the wire.
    pub name: Name,
    /// What it turns.
    pub role: MotorRole,
    /// What measures its temperature.
    pub sensor: Option<Sensor>,
    /// Pulses per revolution.
    pub microsteps: u32,
    /// Highest speed in rpm.
    pub max_rpm: f64,
}

/// What a sensor is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Serves {
    /// It is shown, and nothing depends on it.
    #[default]
    Display,
    /// It guards the feed throat.
    FeedThroat,
    /// It measures a heated zone.
    Zone(Zone),
    /// It measures a motor.
    Motor(Motor),
}

/// Where the samples of a sensor come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// An input of an ADS1115.
    Adc {
        /// Index into [`MachineConfig::converters`].
        converter: u8,
        /// Input of it, 0 to 3.
        input: u8,
    },
    /// A MAX31856 of its own.
    Max31856(Thermocouple),
}

/// A sensor.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SensorPoint {
    /// Its name in the file and on the wire.
    pub name: Name,
    /// What it is there for.
    pub serves: Serves,
    /// Its key in `sensors`; `None` when no sensor of the file measures it.
    pub channel: Option<u8>,
    /// Where its samples come from; `None` when it is not connected.
    pub source: Option<Source>,
    /// Divider, thermistor, calibration, decimals.
    pub settings: SensorConfig,
    /// What is doubtful of the settings.
    pub doubt: Option<Doubt>,
}

/// An ADS1115.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Converter {
    /// Number of the I2C bus.
    pub bus: u8,
    /// Address on the bus.
    pub address: u8,
    /// Full-scale range, V.
    pub fsr: f64,
}

/// A machine, resolved and checked: all that its controller and its hardware need.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineConfig {
    /// What its zones and motors are called.
    pub names: Names,
    /// The file gives no list: the machine of two zones, screw and feeder, whose run files keep the
    /// columns of the original.
    pub classic: bool,
    /// Zones, feed side first.
    pub zones: PerZone<ZoneConfig>,
    /// Motors.
    pub motors: PerMotor<MotorConfig>,
    /// Sensors: feed throat, zones, motors, then what is only shown.
    pub sensors: PerSensor<SensorPoint>,
    /// What measures the feed throat.
    pub feed_throat: Option<Sensor>,
    /// Header pins by signal.
    pub signals: SignalPlan,
    /// Channels of the PWM board.
    pub pwm: PwmPlan,
    /// Converters with four inputs each.
    pub converters: Vec<Converter>,
    /// Limits, delays and the model behind the alarms, for what no zone says of its own.
    pub safety: Safety,
    /// Heater control.
    pub control: Control,
    /// Ramps of the motors.
    pub motion: Motion,
    /// Stepper drives.
    pub dm556: Dm556,
    /// Start, stop and emergency sequences.
    pub sequence: Sequences,
    /// Publishing of temperatures.
    pub temp_settings: TempSettings,
    /// The simulator's plant.
    pub plant: Plant,
    /// Which machine is driven; `None` leaves it to the command line.
    pub hardware: Option<HardwareKind>,
    /// Names of pins that serve no known function.
    pub gpio_labels: BTreeMap<Bcm, String>,
}

/// What the service around a machine needs: how it is reached, by whom, and what it keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceConfig {
    /// How the service is reached.
    pub server: Server,
    /// Authentication and limits.
    pub security: Security,
    /// Run logs.
    pub logging: Logging,
    /// History chart.
    pub history: History,
}

impl MachineConfig {
    /// The zone with a name.
    pub fn zone_named(&self, name: &str) -> Option<Zone> {
        self.names.zone(name)
    }

    /// The motor with a name.
    pub fn motor_named(&self, name: &str) -> Option<Motor> {
        self.names.motor(name)
    }

    /// The sensor with a name.
    pub fn sensor_named(&self, name: &str) -> Option<Sensor> {
        self.sensors.entries().find(|(_, point)| point.name == name).map(|(sensor, _)| sensor)
    }

    /// The sensor on a channel of the file.
    pub fn sensor_on(&self, channel: u8) -> Option<Sensor> {
        self.sensors
            .entries()
            .find(|(_, point)| point.channel == Some(channel))
            .map(|(sensor, _)| sensor)
    }

    /// The first screw, whose turning the permissives guard.
    pub fn screw(&self) -> Option<Motor> {
        self.motors
            .entries()
            .find(|(_, motor)| motor.role == MotorRole::Screw)
            .map(|(motor, _)| motor)
    }

    /// What measures a zone.
    pub fn sensor_of(&self, zone: Zone) -> &SensorPoint {
        &self.sensors[self.zones[zone].sensor]
    }

    /// A device of a sequence as the file names it.
    pub fn device_name(&self, device: Device) -> DeviceName {
        match device {
            Device::Motor(motor) => DeviceName::Motor(self.names.motors[motor]),
            Device::Fan => DeviceName::Fan,
            Device::Pump => DeviceName::Pump,
        }
    }

    /// Whether a pin belongs to a bus: I2C always, SPI where a thermocouple hangs on it.
    pub fn is_bus(&self, pin: Bcm) -> bool {
        pin.is_i2c()
            || self.sensors.iter().any(|point| match point.source {
                Some(Source::Max31856(chip)) => chip.pins().any(|used| used == pin),
                Some(Source::Adc { .. }) | None => false,
            })
    }

    /// Settings of `safety` that take away what they are there for.
    pub fn weak(&self) -> impl Iterator<Item = Weak> {
        Weak::of(self)
    }

    /// Whether a zone has a heater: a pin or a channel of the PWM board.
    pub fn has_heater(&self, zone: Zone) -> bool {
        self.signals.pin(tve_machine::Signal::Heater(zone)).is_some()
            || self.pwm.channel(tve_machine::PwmOutput::Heater(zone)).is_some()
    }
}

impl Default for ZoneConfig {
    /// A place in a list that no zone fills.
    fn default() -> Self {
        let safety = Safety::default();
        Self {
            name: Name::default(),
            sensor: Sensor::at(0),
            power_w: 0.0,
            gains: PidGains::default(),
            limits: ZoneLimits::of(&safety),
            model: ZoneModel::of(&safety),
            has_cooler: false,
        }
    }
}

impl ZoneLimits {
    /// Those of `safety`.
    pub const fn of(safety: &Safety) -> Self {
        Self {
            max_target: safety.max_target,
            over_temperature: safety.over_temperature,
            under_temperature: safety.under_temperature,
            min_temp_for_motor: safety.min_temp_for_motor,
        }
    }
}

impl ZoneModel {
    /// That of `safety`.
    pub const fn of(safety: &Safety) -> Self {
        Self {
            gain: safety.zone_gain,
            time_constant: safety.zone_time_constant,
            dead_time: safety.zone_dead_time,
        }
    }
}

impl Default for MotorConfig {
    /// A place in a list that no motor fills.
    fn default() -> Self {
        let microsteps = Dm556::default().microsteps;
        Self {
            name: Name::default(),
            role: MotorRole::default(),
            sensor: None,
            microsteps,
            max_rpm: 0.0,
        }
    }
}
