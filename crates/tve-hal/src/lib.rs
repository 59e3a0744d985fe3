//! The hardware trait and the values that cross it: inputs, outputs, sensor quality.
//!
//! The control thread owns the one [`Hardware`] and repeats `read → step → apply`. Nothing here
//! does I/O; the simulator and the Raspberry Pi implement the trait.

pub mod conformance;
mod inputs;
mod outputs;
mod reading;

pub use inputs::{AdcReading, Buttons, Contact, Inputs, JogId, MotorFeedback};
pub use outputs::{Leds, MotorDrive, Outputs, Pull, UserPin};
pub use reading::Reading;

use tve_config::Config;
use tve_units::Micros;

/// How many ADC channels the converter has.
pub const ADC_CHANNELS: usize = 4;
/// How many outputs the PWM expander has.
pub const PWM_CHANNELS: usize = 16;

/// Which machine is behind the trait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum MachineKind {
    /// The deterministic plant model.
    Simulator,
    /// Real pins.
    RaspberryPi,
}

impl MachineKind {
    /// The name in `state.machine`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simulator => "simulator",
            Self::RaspberryPi => "raspberry-pi",
        }
    }
}

/// One of the two heated barrel zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Zone {
    /// Zone 1, measured by t2.
    Z1,
    /// Zone 2, measured by t3.
    Z2,
}

impl Zone {
    /// Both zones, feed side first.
    pub const ALL: [Self; 2] = [Self::Z1, Self::Z2];

    /// Index into a pair.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Z1 => "z1",
            Self::Z2 => "z2",
        }
    }

    /// The zone with a name from the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|z| z.name() == name)
    }

    /// The neighbour.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Z1 => Self::Z2,
            Self::Z2 => Self::Z1,
        }
    }

    /// The sensor that measures the zone.
    pub const fn sensor(self) -> Sensor {
        match self {
            Self::Z1 => Sensor::T2,
            Self::Z2 => Sensor::T3,
        }
    }
}

/// One of the two stepper-driven shafts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Motor {
    /// The extruder screw.
    Main,
    /// The feeder.
    Feed,
}

impl Motor {
    /// Screw, then feeder.
    pub const ALL: [Self; 2] = [Self::Main, Self::Feed];

    /// Index into a pair.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Feed => "feed",
        }
    }

    /// The motor with a name from the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }
}

/// A thermistor by what it measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Sensor {
    /// Feed throat.
    T1,
    /// Barrel zone 1.
    T2,
    /// Barrel zone 2, nozzle.
    T3,
    /// Screw motor.
    Motor,
}

impl Sensor {
    /// Every sensor, in the order of the arrays indexed by it.
    pub const ALL: [Self; 4] = [Self::T1, Self::T2, Self::T3, Self::Motor];

    /// Index into an array of four.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in `sensors.N.logical` and in `temps`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::T1 => "t1",
            Self::T2 => "t2",
            Self::T3 => "t3",
            Self::Motor => "motor",
        }
    }

    /// The sensor with a name from the configuration.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// The heated zone that the sensor measures.
    pub const fn zone(self) -> Option<Zone> {
        match self {
            Self::T2 => Some(Zone::Z1),
            Self::T3 => Some(Zone::Z2),
            Self::T1 | Self::Motor => None,
        }
    }
}

/// What went wrong at the machine.
#[derive(Debug, thiserror::Error)]
pub enum HardwareError {
    /// The machine is not there, or not usable.
    #[error("{what}; {remedy}")]
    Missing {
        /// What was looked for.
        what: String,
        /// What a person can do about it.
        remedy: String,
    },
    /// A transfer or a pin failed.
    #[error("{what} failed")]
    Io {
        /// The operation, with address or pin.
        what: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

/// A machine: read its inputs, apply outputs to it, make it safe.
///
/// One thread owns it. `read` and `apply` are called every tick and must not block or allocate.
pub trait Hardware: Send {
    /// Which machine this is.
    fn kind(&self) -> MachineKind;

    /// Take over pins, buses and drive settings from `config`. Pins that lose their function are
    /// made safe first. Called at start and whenever a command has changed the configuration.
    ///
    /// # Errors
    /// When a device of the configuration is not there; the machine is then safe and inert.
    fn configure(&mut self, config: &Config) -> Result<(), HardwareError>;

    /// Bring `inputs` up to date as of `now`. Leaves [`Inputs::wall`] alone.
    ///
    /// # Errors
    /// Only when the machine as a whole is lost; a failing sensor is a value in `inputs`.
    fn read(&mut self, now: Micros, inputs: &mut Inputs) -> Result<(), HardwareError>;

    /// Drive the machine with `outputs` from `now` on.
    ///
    /// # Errors
    /// When an output could not be driven. The caller then turns everything off.
    fn apply(&mut self, now: Micros, outputs: &Outputs) -> Result<(), HardwareError>;

    /// Every heater, pulse, drive and Peltier off, whatever state the machine is in.
    fn safe(&mut self);
}
