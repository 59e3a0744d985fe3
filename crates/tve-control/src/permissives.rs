//! What must hold before the screw may turn: one object that gates the commands and is shown.
//!
//! *Permissive*: a condition for starting. It refuses a start; it does not stop a machine that
//! runs (alarms do that).

use crate::refusal::{Refusal, RefusalCode};
use core::ops::Deref;
use tve_hal::PerMotor;
use tve_machine::{MAX_ZONES, Zone};

/// One condition of the screw permissive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionKind {
    /// Every zone sensor is fresh and good.
    SensorsFresh,
    /// The zone is at or above its `min_temp_for_motor`.
    ZoneWarm(Zone),
    /// Every zone within `safety.soak_band` of their targets for `safety.soak_time`.
    Soak,
    /// No TRIP, ZONE TRIP or STOP alarm is latched.
    NoAlarm,
    /// On real hardware an emergency stop is mapped, or `safety.estop` declares a hard-wired one.
    EstopDeclared,
}

impl ConditionKind {
    /// Every condition of a machine of these zones, in the order in which a refusal names them.
    pub fn all(zones: impl Iterator<Item = Zone>) -> impl Iterator<Item = Self> {
        let before = [Self::NoAlarm, Self::SensorsFresh];
        before.into_iter().chain(zones.map(Self::ZoneWarm)).chain([Self::Soak, Self::EstopDeclared])
    }

    /// Name on the wire; zones are counted from 1.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SensorsFresh => "sensors_fresh",
            Self::ZoneWarm(zone) => ZONE_WARM[zone.index()],
            Self::Soak => "soak",
            Self::NoAlarm => "no_alarm",
            Self::EstopDeclared => "estop_declared",
        }
    }

    /// The refusal that an unmet condition causes.
    pub const fn refusal(self) -> RefusalCode {
        match self {
            Self::SensorsFresh => RefusalCode::TempDataStale,
            Self::ZoneWarm(_) | Self::Soak => RefusalCode::ColdExtrusionProtection,
            Self::NoAlarm => RefusalCode::AlarmActive,
            Self::EstopDeclared => RefusalCode::EstopNotDeclared,
        }
    }
}

/// Names of the conditions of zones.
const ZONE_WARM: [&str; MAX_ZONES] = [
    "zone1_warm",
    "zone2_warm",
    "zone3_warm",
    "zone4_warm",
    "zone5_warm",
    "zone6_warm",
    "zone7_warm",
    "zone8_warm",
];

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

/// Conditions in order, in place.
#[derive(Clone, Copy)]
pub struct Conditions {
    list: [Condition; MAX_CONDITIONS],
    len: usize,
}

/// One a zone, and four of the machine.
const MAX_CONDITIONS: usize = MAX_ZONES + 4;

impl Conditions {
    /// Each of `kinds`, judged; what is beyond the bound of zones does not exist.
    pub(crate) fn judge(
        kinds: impl Iterator<Item = ConditionKind>,
        mut judge: impl FnMut(ConditionKind) -> Condition,
    ) -> Self {
        let mut conditions = Self::default();
        for (slot, kind) in conditions.list.iter_mut().zip(kinds) {
            *slot = judge(kind);
            conditions.len += 1;
        }
        conditions
    }
}

impl Default for Conditions {
    fn default() -> Self {
        let none = Condition {
            kind: ConditionKind::NoAlarm,
            ok: false,
            value: None,
            limit: None,
            time_left_s: None,
        };
        Self { list: [none; MAX_CONDITIONS], len: 0 }
    }
}

impl Deref for Conditions {
    type Target = [Condition];

    fn deref(&self) -> &[Condition] {
        &self.list[..self.len]
    }
}

impl PartialEq for Conditions {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl core::fmt::Debug for Conditions {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The screw permissive.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Permissives {
    /// In the order of [`ConditionKind::all`].
    pub conditions: Conditions,
    /// Share of a turn left for cold jogs, by motor, 0 to 0.25; `None` while warm (no limit).
    pub cold_jog_turns_left: PerMotor<Option<f64>>,
}

impl Permissives {
    /// Nothing holds, on a machine of so many zones and motors that nobody has looked at yet.
    pub(crate) fn unmet(zones: usize, motors: usize) -> Self {
        let kinds = ConditionKind::all((0..zones).map(Zone::at));
        let judge =
            |kind| Condition { kind, ok: false, value: None, limit: None, time_left_s: None };
        Self {
            conditions: Conditions::judge(kinds, judge),
            cold_jog_turns_left: PerMotor::from_fn(motors, |_| Some(0.0)),
        }
    }

    /// Whether the screw may turn.
    pub fn granted(&self) -> bool {
        !self.conditions.is_empty() && self.conditions.iter().all(|c| c.ok)
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
