//! Start, stop and emergency sequences with their devices found: what is left of them for the
//! controller.

use crate::sections::sequence::{Action, DeviceName, ExtruderSequence, SequenceStep};
use tve_machine::{Motor, Names};

/// What a step switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Device {
    /// A motor.
    Motor(Motor),
    /// The fan relay.
    Fan,
    /// The pump relay.
    Pump,
}

/// A step that is to be done.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct Step {
    /// Which device.
    pub device: Device,
    /// On or off.
    pub action: Action,
    /// Time from the begin of the sequence, s.
    pub delay: f64,
}

/// The steps of each sequence that are enabled, in their order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sequences {
    /// START.
    pub startup: Vec<Step>,
    /// STOP.
    pub shutdown: Vec<Step>,
    /// A TRIP.
    pub emergency: Vec<Step>,
}

impl Sequences {
    /// Those of the file, on a machine of these names.
    pub(super) fn of(file: &ExtruderSequence, names: &Names) -> Self {
        let step = |step: &SequenceStep| {
            let device = match step.device {
                DeviceName::Motor(name) => Device::Motor(names.motor(name.as_str())?),
                DeviceName::Fan => Device::Fan,
                DeviceName::Pump => Device::Pump,
            };
            Some(Step { device, action: step.action, delay: step.delay })
        };
        let list =
            |steps: &[SequenceStep]| steps.iter().filter(|s| s.enabled).filter_map(step).collect();
        Self {
            startup: list(&file.startup),
            shutdown: list(&file.shutdown),
            emergency: list(&file.emergency),
        }
    }
}
