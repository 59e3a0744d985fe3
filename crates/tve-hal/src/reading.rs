//! What the controller believes about one thermistor: a value, or the cause why there is none.

use tve_units::Celsius;

/// A judged sensor reading. Safety code matches it exhaustively.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Reading {
    /// No sample has arrived yet; acquisition is starting.
    #[default]
    Starting,
    /// Fresh and plausible.
    Good(Celsius),
    /// Fresh, but the code has not moved although the heater should have moved it.
    Uncertain(Celsius),
    /// At the cold end of the divider, where a cold barrel and a broken wire look the same.
    ColdOrOpen,
    /// No sample within the freshness limit.
    Stale,
    /// The wire is broken or the connector off.
    Open,
    /// The wires touch.
    Shorted,
    /// Successive samples disagree more than heat can explain.
    Jumping,
    /// The code stands still although the heater should have moved it for long.
    Frozen,
    /// The converter does not answer.
    BusError,
    /// No channel of the configuration measures this.
    NotFitted,
}

impl Reading {
    /// The temperature, when there is one to act on.
    pub const fn value(self) -> Option<Celsius> {
        match self {
            Self::Good(t) | Self::Uncertain(t) => Some(t),
            Self::Starting
            | Self::ColdOrOpen
            | Self::Stale
            | Self::Open
            | Self::Shorted
            | Self::Jumping
            | Self::Frozen
            | Self::BusError
            | Self::NotFitted => None,
        }
    }

    /// Machine-readable name of the quality.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Good(_) => "good",
            Self::Uncertain(_) => "uncertain",
            Self::ColdOrOpen => "cold_or_open",
            Self::Stale => "stale",
            Self::Open => "open",
            Self::Shorted => "shorted",
            Self::Jumping => "jumping",
            Self::Frozen => "frozen",
            Self::BusError => "bus_error",
            Self::NotFitted => "not_fitted",
        }
    }
}
