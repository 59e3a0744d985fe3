//! Quantities held as a finite `f64` in one unit each.

use crate::OutOfRange;
use core::fmt;

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $label:literal, $unit:literal, $min:expr, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
        pub struct $name(f64);

        impl $name {
            /// Least value, in the unit of the type.
            pub const MIN: f64 = $min;
            /// Greatest value, in the unit of the type.
            pub const MAX: f64 = $max;
            /// Zero in the unit of the type.
            pub const ZERO: Self = Self(0.0);

            /// The quantity, when `value` is finite and within [`Self::MIN`] and [`Self::MAX`].
            ///
            /// # Errors
            /// [`OutOfRange`] with the rejected number.
            pub fn new(value: f64) -> Result<Self, OutOfRange> {
                if (Self::MIN..=Self::MAX).contains(&value) {
                    // Adding zero turns -0.0 into 0.0, which is what a reader expects to see.
                    Ok(Self(value + 0.0))
                } else {
                    Err(OutOfRange { quantity: $label, value, min: Self::MIN, max: Self::MAX })
                }
            }

            /// The nearest representable quantity; NaN becomes zero.
            pub fn clamped(value: f64) -> Self {
                if value.is_nan() { Self::ZERO } else { Self(value.clamp(Self::MIN, Self::MAX)) }
            }

            /// The number, in the unit of the type.
            #[inline]
            pub const fn get(self) -> f64 {
                self.0
            }

            /// Whether the value is exactly zero.
            #[inline]
            pub fn is_zero(self) -> bool {
                self.0 == 0.0
            }
        }

        #[cfg(feature = "state")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_f64(self.0)
            }
        }

        #[cfg(feature = "state")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::new(f64::deserialize(from)?).map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if let Some(precision) = f.precision() {
                    write!(f, "{:.*} {}", precision, self.0, $unit)
                } else {
                    write!(f, "{} {}", self.0, $unit)
                }
            }
        }
    };
}

quantity!(
    /// Temperature in degrees Celsius.
    Celsius, "temperature", "°C", -273.15, 10_000.0
);
quantity!(
    /// Share of full power in percent, 0 to 100.
    Duty, "duty", "%", 0.0, 100.0
);
quantity!(
    /// Speed of a motor shaft in revolutions per minute, -5000 to 5000; the sign is the direction.
    Rpm, "rpm", "rpm", -5000.0, 5000.0
);
quantity!(
    /// Electrical potential in volts.
    Volts, "voltage", "V", -1000.0, 1000.0
);
quantity!(
    /// Electrical resistance in ohms.
    Ohms, "resistance", "Ω", 0.0, 1e12
);
quantity!(
    /// Step pulses per second, signed by direction.
    StepRate, "step rate", "steps/s", -1e7, 1e7
);

impl Duty {
    /// Full power.
    pub const FULL: Self = Self(100.0);

    /// The smaller of two duties.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_refuses_what_its_type_cannot_mean() {
        assert!(Duty::new(100.0).is_ok());
        for bad in [f64::NAN, f64::INFINITY, -0.1, 100.1] {
            assert!(Duty::new(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Rpm::new(5000.1).unwrap_err().to_string(),
            "rpm must be between -5000 and 5000, not 5000.1"
        );
    }

    #[test]
    fn clamping_never_yields_a_number_that_is_not_finite() {
        for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert!(Duty::clamped(x).get().is_finite());
        }
    }

    #[test]
    fn negative_zero_reads_as_zero() {
        assert!(Rpm::new(-0.0).unwrap().get().is_sign_positive());
    }
}
