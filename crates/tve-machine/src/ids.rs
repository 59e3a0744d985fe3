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

    /// The id at a position, below the bound of its kind.
    fn at(index: usize) -> Self;
}

macro_rules! ids {
    ($($id:ident),*) => {$(
        impl Id for $id {
            #[inline]
            fn index(self) -> usize {
                Self::index(self)
            }

            #[inline]
            fn at(index: usize) -> Self {
                Self::ALL[index]
            }
        }
    )*};
}

ids!(Zone, Motor, Sensor);

/// One of the two heated barrel zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Zone {
    /// Zone 1, measured by t2.
    Z1,
    /// Zone 2, measured by t3.
    Z2,
}

impl Zone {
    /// Both zones, feed side first.
    pub const ALL: [Self; 2] = [Self::Z1, Self::Z2];

    /// Index into a pair.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Z1 => "z1",
            Self::Z2 => "z2",
        }
    }

    /// The zone with a name from the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|z| z.name() == name)
    }

    /// The neighbour.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Z1 => Self::Z2,
            Self::Z2 => Self::Z1,
        }
    }

    /// The sensor that measures the zone.
    pub const fn sensor(self) -> Sensor {
        match self {
            Self::Z1 => Sensor::T2,
            Self::Z2 => Sensor::T3,
        }
    }
}

/// One of the two stepper-driven shafts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Motor {
    /// The extruder screw.
    Main,
    /// The feeder.
    Feed,
}

impl Motor {
    /// Screw, then feeder.
    pub const ALL: [Self; 2] = [Self::Main, Self::Feed];

    /// Index into a pair.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Feed => "feed",
        }
    }

    /// The motor with a name from the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }
}

/// A thermistor by what it measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Sensor {
    /// Feed throat.
    T1,
    /// Barrel zone 1.
    T2,
    /// Barrel zone 2, nozzle.
    T3,
    /// Screw motor.
    Motor,
}

impl Sensor {
    /// Every sensor, in the order of the arrays indexed by it.
    pub const ALL: [Self; 4] = [Self::T1, Self::T2, Self::T3, Self::Motor];

    /// Index into an array of four.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in `sensors.N.logical` and in `temps`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::T1 => "t1",
            Self::T2 => "t2",
            Self::T3 => "t3",
            Self::Motor => "motor",
        }
    }

    /// The sensor with a name from the configuration.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// The heated zone that the sensor measures.
    pub const fn zone(self) -> Option<Zone> {
        match self {
            Self::T2 => Some(Zone::Z1),
            Self::T3 => Some(Zone::Z2),
            Self::T1 | Self::Motor => None,
        }
    }
}
