//! The rig as the proof looks at it: what its sensors say by the proof's own reckoning, and what an
//! alarm or a tick's outputs mean for a machine that must be safe.

pub(crate) use tve_rig::{Rig, TICK};

use crate::thermometer;
use tve_config::Config;
use tve_control::{AlarmRecord, Reaction};
use tve_hal::{AdcReading, Inputs, MotorDrive, Outputs, Sensor, Zone};
use tve_units::Micros;

/// A conversion as the converter gave it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) at: Micros,
    pub(crate) code: i16,
    /// `None` beyond both ends of the divider.
    pub(crate) celsius: Option<f64>,
}

/// The newest conversions, judged anew from their codes.
pub(crate) trait Sampled {
    /// The newest sample of a sensor.
    fn sample(&self, sensor: Sensor) -> Option<Sample>;

    /// The same of the healthy twin.
    fn twin_sample(&self, sensor: Sensor) -> Option<Sample>;
}

impl Sampled for Rig {
    fn sample(&self, sensor: Sensor) -> Option<Sample> {
        sample_of(&self.inputs, self.config(), sensor)
    }

    fn twin_sample(&self, sensor: Sensor) -> Option<Sample> {
        sample_of(self.twin_inputs()?, self.config(), sensor)
    }
}

fn sample_of(inputs: &Inputs, config: &Config, sensor: Sensor) -> Option<Sample> {
    let channel = channel_of(config, sensor)?;
    let AdcReading::Sample { code, taken_at } = inputs.adc[channel] else {
        return None;
    };
    let tap = thermometer::Tap::of(code, config.adc.fsr, &config.sensors[channel]);
    Some(Sample { at: taken_at, code, celsius: tap.celsius() })
}

/// What the newest sample of a sensor means, °C.
pub(crate) fn temperature(inputs: &Inputs, config: &Config, sensor: Sensor) -> Option<f64> {
    sample_of(inputs, config, sensor)?.celsius
}

/// The converter's channel that a sensor is configured on.
pub(crate) fn channel_of(config: &Config, sensor: Sensor) -> Option<usize> {
    config.sensors.iter().position(|s| s.enabled && s.logical == *sensor.name())
}

/// Whether some pulses are asked for.
pub(crate) fn is_moving(outputs: &Outputs) -> bool {
    outputs.motors.iter().any(|m: &MotorDrive| m.is_moving())
}

/// Whether an alarm is about a zone, or about no zone in particular.
pub(crate) fn concerns(record: &AlarmRecord, zone: Zone) -> bool {
    record.zone().is_none_or(|z| z == zone)
}

/// Whether an alarm stops more than nothing.
pub(crate) fn stops(record: &AlarmRecord) -> bool {
    record.code.row().reaction > Reaction::Note
}
