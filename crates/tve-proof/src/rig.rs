//! The rig as the proof looks at it: what its sensors say by the proof's own reckoning, and what an
//! alarm or a tick's outputs mean for a machine that must be safe.

pub(crate) use tve_rig::{Rig, TICK};

use crate::thermometer::{self, Junction};
use std::sync::Arc;
use tve_config::{MachineConfig, MotorRole, Source};
use tve_control::{AlarmRecord, Reaction};
use tve_hal::{Inputs, MotorDrive, Outputs, Sensor, SensorInput, Zone};
use tve_units::Micros;

/// A conversion as the converter gave it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) at: Micros,
    /// In the converter's own steps.
    pub(crate) code: i32,
    /// `None` where the wires give no temperature.
    pub(crate) celsius: Option<f64>,
}

/// The newest conversion of a sensor, judged anew from its code.
pub(crate) fn sample(inputs: &Inputs, machine: &MachineConfig, sensor: Sensor) -> Option<Sample> {
    let SensorInput::Sample { raw, quality, taken_at, .. } = *inputs.sensors.get(sensor)? else {
        return None;
    };
    let celsius = match machine.sensors.get(sensor)?.source? {
        Source::Adc { .. } => thermometer::tap(raw, machine, sensor).and_then(|tap| tap.celsius()),
        Source::Max31856(_) => Junction { count: raw, quality }.celsius(),
    };
    Some(Sample { at: taken_at, code: raw, celsius })
}

/// What the newest sample of a sensor means, °C.
pub(crate) fn temperature(inputs: &Inputs, machine: &MachineConfig, sensor: Sensor) -> Option<f64> {
    sample(inputs, machine, sensor)?.celsius
}

/// The machine as the controller is configured now.
pub(crate) fn machine_of(rig: &Rig) -> Arc<MachineConfig> {
    Arc::clone(rig.controller.machine())
}

/// Whether some pulses are asked for.
pub(crate) fn is_moving(outputs: &Outputs) -> bool {
    outputs.motors.iter().any(|m: &MotorDrive| m.is_moving())
}

/// Whether a feeder is driven while no screw is, on a machine that has one.
pub(crate) fn feeds_a_standing_screw(outputs: &Outputs, machine: &MachineConfig) -> bool {
    let runs = |role: MotorRole| {
        let mut motors = machine.motors.entries().filter(move |(_, motor)| motor.role == role);
        motors.any(|(id, _)| {
            matches!(outputs.motors.get(id), Some(MotorDrive::Run(rate)) if !rate.is_zero())
        })
    };
    machine.screw().is_some() && runs(MotorRole::Feeder) && !runs(MotorRole::Screw)
}

/// Whether an alarm is about a zone, or about no zone in particular.
pub(crate) fn concerns(record: &AlarmRecord, zone: Zone) -> bool {
    record.zone().is_none_or(|z| z == zone)
}

/// Whether an alarm stops more than nothing.
pub(crate) fn stops(record: &AlarmRecord) -> bool {
    record.code.row().reaction > Reaction::Note
}
