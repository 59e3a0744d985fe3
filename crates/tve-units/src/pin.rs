//! Pins of the 40-pin header by their Broadcom number.

use crate::OutOfRange;

/// A GPIO of the 40-pin header by its Broadcom number, 0 to 27.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bcm(u8);

impl Bcm {
    /// How many GPIOs the header carries.
    pub const COUNT: usize = 28;

    /// The pin with Broadcom number `n`.
    ///
    /// # Errors
    /// [`OutOfRange`] beyond 27.
    pub fn new(n: u8) -> Result<Self, OutOfRange> {
        if usize::from(n) < Self::COUNT {
            Ok(Self(n))
        } else {
            Err(OutOfRange { quantity: "pin", value: f64::from(n), min: 0.0, max: 27.0 })
        }
    }

    /// The Broadcom number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The number as an index into a table of [`Bcm::COUNT`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Every pin in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT as u8).map(Self)
    }

    /// Whether the header reserves the pin for its two I2C buses (0 to 3).
    pub const fn is_i2c(self) -> bool {
        self.0 <= 3
    }
}

#[cfg(feature = "state")]
impl serde::Serialize for Bcm {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(self.0)
    }
}

#[cfg(feature = "state")]
impl<'de> serde::Deserialize<'de> for Bcm {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(u8::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

impl core::fmt::Display for Bcm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "GPIO{}", self.0)
    }
}
