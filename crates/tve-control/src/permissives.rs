//! What must hold before the screw may turn: one object that gates the commands and is shown.
//!
//! *Permissive*: a condition for starting. It refuses a start; it does not stop a machine that
//! runs (alarms do that).

use crate::refusal::{Refusal, RefusalCode};
use crate::roles;
use tve_hal::PerMotor;

/// One condition of the screw permissive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionKind {
    /// Both zone sensors are fresh and good.
    SensorsFresh,
    /// Zone 1 at or above `safety.min_temp_for_motor`.
    Zone1Warm,
    /// Zone 2 at or above `safety.min_temp_for_motor`.
    Zone2Warm,
    /// Both zones within `safety.soak_band` of their targets for `safety.soak_time`.
    Soak,
    /// No TRIP, ZONE TRIP or STOP alarm is latched.
    NoAlarm,
    /// On real hardware an emergency stop is mapped, or `safety.estop` declares a hard-wired one.
    EstopDeclared,
}

impl ConditionKind {
    /// Every condition, in the order in which a refusal names them.
    pub const ALL: [Self; 6] = [
        Self::NoAlarm,
        Self::SensorsFresh,
        Self::Zone1Warm,
        Self::Zone2Warm,
        Self::Soak,
        Self::EstopDeclared,
    ];

    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SensorsFresh => "sensors_fresh",
            Self::Zone1Warm => "zone1_warm",
            Self::Zone2Warm => "zone2_warm",
            Self::Soak => "soak",
            Self::NoAlarm => "no_alarm",
            Self::EstopDeclared => "estop_declared",
        }
    }

    /// The refusal that an unmet condition causes.
    pub const fn refusal(self) -> RefusalCode {
        match self {
            Self::SensorsFresh => RefusalCode::TempDataStale,
            Self::Zone1Warm | Self::Zone2Warm | Self::Soak => RefusalCode::ColdExtrusionProtection,
            Self::NoAlarm => RefusalCode::AlarmActive,
            Self::EstopDeclared => RefusalCode::EstopNotDeclared,
        }
    }
}

/// A condition with its live value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// Which.
    pub kind: ConditionKind,
    /// Whether it holds.
    pub ok: bool,
    /// Live value: °C for the zones, age in s for the sensors, °C from target for the soak,
    /// number of alarms; `None` when it cannot be known or has no number.
    pub value: Option<f64>,
    /// The limit that `value` is held against, in the same unit.
    pub limit: Option<f64>,
    /// Seconds until it will hold if nothing changes, where that can be told (soak).
    pub time_left_s: Option<f64>,
}

/// The screw permissive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Permissives {
    /// In the order of [`ConditionKind::ALL`].
    pub conditions: [Condition; 6],
    /// Share of a turn left for cold jogs, by motor, 0 to 0.25; `None` while warm (no limit).
    pub cold_jog_turns_left: PerMotor<Option<f64>>,
}

impl Default for Permissives {
    fn default() -> Self {
        Self {
            conditions: ConditionKind::ALL.map(|kind| Condition {
                kind,
                ok: false,
                value: None,
                limit: None,
                time_left_s: None,
            }),
            cold_jog_turns_left: roles::per_motor(|_| Some(0.0)),
        }
    }
}

impl Permissives {
    /// Whether the screw may turn.
    pub fn granted(&self) -> bool {
        self.conditions.iter().all(|c| c.ok)
    }

    /// Passes, or names the first unmet condition with its numbers.
    ///
    /// # Errors
    /// The refusal of that condition.
    pub fn check(&self) -> Result<(), Refusal> {
        self.check_but(|_| false)
    }

    /// The same, but leaves out the temperature conditions: for short moves while cold.
    ///
    /// # Errors
    /// The refusal of the first other unmet condition.
    pub fn check_cold(&self) -> Result<(), Refusal> {
        self.check_but(|kind| kind.refusal() == RefusalCode::ColdExtrusionProtection)
    }

    fn check_but(&self, skip: impl Fn(ConditionKind) -> bool) -> Result<(), Refusal> {
        match self.conditions.iter().find(|c| !c.ok && !skip(c.kind)) {
            None => Ok(()),
            Some(c) => Err(Refusal::with(
                c.kind.refusal(),
                match (c.value, c.limit) {
                    (Some(v), Some(l)) => format!("{} is {v:.1}, limit {l:.1}", c.kind.name()),
                    _ => format!("{} does not hold", c.kind.name()),
                },
            )),
        }
    }
}
