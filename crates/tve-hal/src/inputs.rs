//! What the machine tells the controller each tick.

use crate::ADC_CHANNELS;
use tve_units::{Micros, WallMillis};

/// The newest word of the converter about one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
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
}

/// Everything the controller knows about the machine at one tick.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct Inputs {
    /// Wall clock of this tick: stamps records, decides nothing. Set by the owner of the loop.
    pub wall: WallMillis,
    /// By converter channel.
    pub adc: [AdcReading; ADC_CHANNELS],
    /// Panel buttons.
    pub buttons: Buttons,
    /// The emergency-stop contact.
    pub estop: Contact,
    /// The drive reports a fault, or did so since the last tick.
    pub drive_alarm: bool,
    /// By motor.
    pub motors: [MotorFeedback; 2],
    /// A PWM register did not hold what was written, at this many read-backs in a row.
    pub pwm_mismatches: u8,
    /// Hopper level in cm; `None` without a sensor.
    pub fill_level_cm: Option<f64>,
    /// Levels of GPIO 0 to 27, one bit each.
    pub pin_levels: u32,
}
