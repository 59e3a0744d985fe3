//! What the machine tells the controller each tick.

use crate::{PerMotor, PerSensor, Sensor};
use tve_units::{Micros, WallMillis};

/// The newest word of an ADS1115 about one of its inputs, for the machines that have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AdcReading {
    /// No conversion yet.
    #[default]
    None,
    /// A finished conversion: the signed 16-bit code, full scale 32768, and when it was sampled.
    Sample {
        /// Conversion result, -32768 to 32767.
        code: i16,
        /// When the sample was taken.
        taken_at: Micros,
    },
    /// The bus or the converter does not answer.
    BusError,
}

/// What a sensor's converter has measured.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Quantity {
    /// The voltage of a divider, V. Its share of the supply belongs to the calibration of the
    /// sensor, which may change while this sample stands.
    Volts(f64),
    /// A resistance that the converter has measured itself, ohm.
    Ohms(f64),
    /// A temperature that the converter has worked out itself, °C.
    Celsius(f64),
}

/// What a converter says about its sensor's wires, where it can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Quality {
    /// Nothing is known to be wrong.
    #[default]
    Plausible,
    /// The converter found the wire broken.
    Open,
    /// The converter found the input outside its supply, or its wires touching.
    Shorted,
    /// The converter measured, and says that the value is outside what it can convert.
    OutOfRange,
}

/// The newest word about one sensor, whatever converter it hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum SensorInput {
    /// No conversion yet, or no converter.
    #[default]
    None,
    /// A finished conversion.
    Sample {
        /// What was measured.
        quantity: Quantity,
        /// What the converter says about it.
        quality: Quality,
        /// The converter's own count, in its own steps: what a frozen sensor is judged by.
        raw: i32,
        /// When the sample was taken; its age is the time since.
        taken_at: Micros,
    },
    /// The bus or the converter does not answer.
    BusError,
}

impl SensorInput {
    /// A reading of the ADS1115 whose full scale is `fsr` V.
    pub fn of_adc(reading: AdcReading, fsr: f64) -> Self {
        match reading {
            AdcReading::None => Self::None,
            AdcReading::BusError => Self::BusError,
            AdcReading::Sample { code, taken_at } => Self::Sample {
                quantity: Quantity::Volts(f64::from(code) * fsr / ADC_FULL_SCALE),
                quality: Quality::Plausible,
                raw: code.into(),
                taken_at,
            },
        }
    }

    /// When the sample was taken, where there is one.
    pub const fn taken_at(self) -> Option<Micros> {
        match self {
            Self::Sample { taken_at, .. } => Some(taken_at),
            Self::None | Self::BusError => None,
        }
    }
}

/// Counts of the ADS1115 at full scale.
const ADC_FULL_SCALE: f64 = 32768.0;

/// An electrical contact as it stands, without judging whether that is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Contact {
    /// No input is wired for it.
    #[default]
    NotMapped,
    /// The contact conducts.
    Closed,
    /// The contact is open (or its wire broken).
    Open,
}

/// Push buttons on the panel: `true` while pressed, not debounced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct Buttons {
    /// Start.
    pub start: bool,
    /// Stop.
    pub stop: bool,
}

/// Names one counted move; ids grow by one per move of a motor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct JogId(pub u32);

/// What a pulse generator reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct MotorFeedback {
    /// The newest counted move whose last pulse is out (or that was cut off).
    pub jog_done: Option<JogId>,
    /// Its drive reports a fault, or did so since the last tick.
    pub drive_alarm: bool,
}

/// Everything the controller knows about the machine at one tick.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct Inputs {
    /// Wall clock of this tick: stamps records, decides nothing. Set by the owner of the loop.
    pub wall: WallMillis,
    /// By sensor; a machine that has not been read yet has none.
    pub sensors: PerSensor<SensorInput>,
    /// Panel buttons.
    pub buttons: Buttons,
    /// The emergency-stop contact.
    pub estop: Contact,
    /// The auxiliary contact of the main contactor.
    pub contactor: Contact,
    /// A drive reports a fault, or did so since the last tick.
    pub drive_alarm: bool,
    /// By motor.
    pub motors: PerMotor<MotorFeedback>,
    /// A PWM register did not hold what was written, at this many read-backs in a row.
    pub pwm_mismatches: u8,
    /// Hopper level in cm; `None` without a sensor.
    pub fill_level_cm: Option<f64>,
    /// Levels of GPIO 0 to 27, one bit each.
    pub pin_levels: u32,
}

impl Inputs {
    /// The newest word about a sensor; of a machine that has not been read yet there is none.
    pub fn sensor(&self, sensor: Sensor) -> SensorInput {
        self.sensors.get(sensor).copied().unwrap_or_default()
    }

    /// Of a machine with so many motors and sensors, before it was read.
    pub fn unread(motors: usize, sensors: usize) -> Self {
        Self {
            wall: WallMillis::default(),
            sensors: PerSensor::new(sensors),
            buttons: Buttons::default(),
            estop: Contact::NotMapped,
            contactor: Contact::NotMapped,
            drive_alarm: false,
            motors: PerMotor::new(motors),
            pwm_mismatches: 0,
            fill_level_cm: None,
            pin_levels: 0,
        }
    }
}
