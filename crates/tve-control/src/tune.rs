//! An autotune as others see it: how it is asked for, where it stands, what it has found.

use tve_hal::Zone;

/// How a tune turns its measurement into gains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum TuneMethod {
    /// Kp = 0.4545 Ku, Ti = 2.2 Pu, Td = Pu / 6.3 (Tyreus and Luyben, 1992).
    #[default]
    TyreusLuyben,
    /// Kp = 0.6 Ku, Ti = Pu / 2, Td = Pu / 8 (Ziegler and Nichols, 1942).
    ZieglerNichols,
    /// Kp = 0.2 Ku, Ti = Pu / 2, Td = Pu / 3.
    NoOvershoot,
}

impl TuneMethod {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::TyreusLuyben, Self::ZieglerNichols, Self::NoOvershoot];

    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TyreusLuyben => "tyreus_luyben",
            Self::ZieglerNichols => "ziegler_nichols",
            Self::NoOvershoot => "no_overshoot",
        }
    }

    /// The method with a name from the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// Where an autotune stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum TuneStatus {
    /// None has run.
    #[default]
    Idle,
    /// Approaching the setpoint.
    Starting,
    /// Relay high.
    Heating,
    /// Relay low.
    Cooling,
    /// A result waits.
    Done,
    /// Given up or stopped.
    Failed,
}

impl TuneStatus {
    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "IDLE",
            Self::Starting => "STARTING",
            Self::Heating => "HEATING",
            Self::Cooling => "COOLING",
            Self::Done => "DONE",
            Self::Failed => "FAILED",
        }
    }

    /// Whether a tune is under way.
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Starting | Self::Heating | Self::Cooling)
    }
}

/// Gains that a tune proposes, with what it measured.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct TuneResult {
    /// Zone.
    pub zone: Zone,
    /// Rule.
    pub method: TuneMethod,
    /// %/°C.
    pub kp: f64,
    /// %/(°C s).
    pub ki: f64,
    /// % s/°C.
    pub kd: f64,
    /// Ultimate gain, %/°C.
    pub ku: f64,
    /// Ultimate period, s.
    pub pu: f64,
}

/// The tune as shown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct TuneView {
    /// Where it stands.
    pub status: TuneStatus,
    /// Finished relay cycles.
    pub cycle: u8,
    /// The newest result.
    pub result: Option<TuneResult>,
}
