//! The ids: zones, motors, sensors.

/// Most heated zones of a machine.
pub const MAX_ZONES: usize = 8;
/// Most driven shafts of a machine.
pub const MAX_MOTORS: usize = 4;
/// Most sensors of a machine.
pub const MAX_SENSORS: usize = 16;

/// Something that is counted: ids of one kind index the lists of that kind.
pub trait Id: Copy {
    /// The position.
    fn index(self) -> usize;

    /// The id at a position.
    ///
    /// # Panics
    /// When the position is not below the bound of the kind; a checked configuration has none.
    fn at(index: usize) -> Self;
}

macro_rules! id {
    ($(#[doc = $doc:literal])+ $id:ident, $max:ident) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(
            feature = "state",
            derive(serde::Serialize, serde::Deserialize),
            serde(try_from = "u8", into = "u8")
        )]
        pub struct $id(u8);

        impl $id {
            /// The position in the lists of the configuration.
            #[inline]
            pub const fn index(self) -> usize {
                self.0 as usize
            }

            /// The id at a position.
            ///
            /// # Panics
            /// When the position is not below the bound of the kind; a checked configuration has
            /// none.
            #[inline]
            pub const fn at(index: usize) -> Self {
                assert!(index < $max, "beyond the bound of its kind");
                Self(index as u8)
            }
        }

        impl Id for $id {
            #[inline]
            fn index(self) -> usize {
                Self::index(self)
            }

            #[inline]
            fn at(index: usize) -> Self {
                Self::at(index)
            }
        }

        impl From<$id> for u8 {
            fn from(id: $id) -> Self {
                id.0
            }
        }

        impl TryFrom<u8> for $id {
            type Error = OutOfBounds;

            fn try_from(index: u8) -> Result<Self, OutOfBounds> {
                if usize::from(index) < $max { Ok(Self(index)) } else { Err(OutOfBounds(index)) }
            }
        }
    };
}

/// A position that no machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfBounds(pub u8);

impl core::fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} is beyond the bound of its kind", self.0)
    }
}

impl core::error::Error for OutOfBounds {}

id! {
    /// A heated zone; the first is at the feed side, the last at the die.
    Zone, MAX_ZONES
}
id! {
    /// A driven shaft; the first screw is the one that the permissives guard.
    Motor, MAX_MOTORS
}
id! {
    /// A temperature sensor by what it measures: the feed throat, then the zones in their order,
    /// then the motors in theirs, then what is only shown. A sensor that the configuration leaves
    /// out keeps its place.
    Sensor, MAX_SENSORS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_below_the_bound_of_its_kind_and_says_its_place() {
        assert_eq!(Zone::at(7).index(), 7);
        assert_eq!(Motor::try_from(3), Ok(Motor::at(3)));
        assert_eq!(Motor::try_from(4), Err(OutOfBounds(4)));
        assert!(std::panic::catch_unwind(|| Zone::at(MAX_ZONES)).is_err());
    }
}
