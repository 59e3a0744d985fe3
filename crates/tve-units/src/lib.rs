//! Physical quantities as types: the unit is in the type, the range in the constructor.
//!
//! Every quantity holds an `f64` (or an integer) in one fixed unit, named in its documentation.
//! A value that is not finite, or outside the range of its type, cannot be built.

mod backoff;
mod pin;
mod quantity;
mod time;

pub use backoff::Backoff;
pub use pin::Bcm;
pub use quantity::{Celsius, Duty, Ohms, Rpm, StepRate, Volts};
pub use time::{Micros, WallMillis};

/// A number that does not fit its quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutOfRange {
    /// The quantity, as an operator would name it.
    pub quantity: &'static str,
    /// The rejected number, in the quantity's unit.
    pub value: f64,
    /// Least accepted number.
    pub min: f64,
    /// Greatest accepted number.
    pub max: f64,
}

impl core::fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { quantity, value, min, max } = self;
        if value.is_finite() {
            write!(f, "{quantity} must be between {min} and {max}, not {value}")
        } else {
            write!(f, "{quantity} must be a finite number between {min} and {max}")
        }
    }
}

impl core::error::Error for OutOfRange {}
