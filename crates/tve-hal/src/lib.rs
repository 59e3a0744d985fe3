//! The hardware trait and the values that cross it: inputs, outputs, sensor quality.
//!
//! The control thread owns the one [`Hardware`] and repeats `read → step → apply`. Nothing here
//! does I/O; the simulator and the Raspberry Pi implement the trait.

pub mod conformance;
mod inputs;
mod outputs;
mod reading;
mod travel;

pub use inputs::{
    AdcReading, Buttons, Contact, Inputs, JogId, MotorFeedback, Quality, Quantity, SensorInput,
};
pub use outputs::{Leds, MotorDrive, Outputs, Pull, UserPin};
pub use reading::Reading;
pub use travel::Travel;
pub use tve_machine::{
    Id, Lamp, Motor, Name, Names, PerMotor, PerSensor, PerZone, Sensor, Signal, Zone,
};

use std::sync::Arc;
use tve_config::MachineConfig;
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
    /// made safe first. Called at start and whenever a command has changed the configuration, on the
    /// thread that ticks: it opens no bus and waits for no device.
    ///
    /// # Errors
    /// When a device of the configuration is not there, as far as that is known at once; otherwise
    /// the next [`Self::read`] tells it. The machine is then safe and inert.
    fn configure(&mut self, config: &Arc<MachineConfig>) -> Result<(), HardwareError>;

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
