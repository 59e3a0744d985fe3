//! Settings of `safety` that are in range and take away what they are there for. They are accepted,
//! and never without being said.

use super::MachineConfig;
use crate::Safety;
use core::fmt;

/// One such setting, as it is set.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct Weak {
    row: u8,
    value: f64,
}

/// When a setting is weak, and what follows.
struct Rule {
    path: &'static str,
    /// Value of a machine whose setting is weak.
    weak: fn(&MachineConfig) -> Option<f64>,
    unit: &'static str,
    /// What it does to the machine.
    follows: &'static str,
}

/// Plastics for extrusion that melt at lower temperatures than this are none that we know, °C.
const NOTHING_MELTS: f64 = 50.0;

fn beyond(machine: &MachineConfig, of: fn(&Safety) -> f64, most: f64) -> Option<f64> {
    Some(of(&machine.safety)).filter(|value| *value > most)
}

const RULES: &[Rule] = &[
    Rule {
        path: "safety.min_temp_for_motor",
        weak: |machine| {
            let limits = machine.zones.iter().map(|zone| zone.limits.min_temp_for_motor);
            limits.reduce(f64::min).filter(|lowest| *lowest < NOTHING_MELTS)
        },
        unit: "°C",
        follows: "the screw may turn in a barrel in which nothing melts",
    },
    Rule {
        path: "safety.cold_zone_margin",
        weak: |machine| beyond(machine, |safety| safety.cold_zone_margin, 50.0),
        unit: "°C",
        follows: "a screw goes on turning while its zone freezes around it",
    },
    Rule {
        path: "safety.open_ratio",
        weak: |machine| beyond(machine, |safety| safety.open_ratio, 0.999),
        unit: "",
        follows: "a broken wire passes for a cold barrel, which is heated",
    },
    Rule {
        path: "safety.jump_limit",
        weak: |machine| beyond(machine, |safety| safety.jump_limit, 40.0),
        unit: "°C",
        follows: "a loose contact passes for a temperature",
    },
    Rule {
        path: "safety.frozen_after",
        weak: |machine| beyond(machine, |safety| safety.frozen_after, 120.0),
        unit: "s",
        follows: "a zone is heated for minutes by a sensor that hangs",
    },
    Rule {
        path: "safety.not_heating_area",
        weak: |machine| beyond(machine, |safety| safety.not_heating_area, 1000.0),
        unit: "°C s",
        follows: "a sensor that has fallen out is believed for minutes",
    },
    Rule {
        path: "safety.stuck_on_margin",
        weak: |machine| beyond(machine, |safety| safety.stuck_on_margin, 60.0),
        unit: "°C",
        follows: "a relay that sticks is seen late",
    },
    Rule {
        path: "safety.soak_time",
        weak: |machine| {
            let safety = &machine.safety;
            Some(safety.soak_time).filter(|time| *time > 0.0 && safety.soak_band == 0.0)
        },
        unit: "s",
        follows: "without soak_band there is nothing to wait for, and nobody waits",
    },
];

impl Weak {
    /// Those of a machine, in the order in which they are told.
    pub(super) fn of(machine: &MachineConfig) -> impl Iterator<Item = Self> {
        let found = |(row, rule): (usize, &Rule)| {
            (rule.weak)(machine).map(|value| Self { row: row as u8, value })
        };
        RULES.iter().enumerate().filter_map(found)
    }

    /// The key; of the section `safety`, also where a zone sets it for itself.
    pub fn path(self) -> &'static str {
        self.rule().path
    }

    /// What it is set to, and what follows.
    pub fn reason(self) -> impl fmt::Display {
        Reason(self)
    }

    fn rule(self) -> &'static Rule {
        &RULES[usize::from(self.row).min(RULES.len() - 1)]
    }
}

struct Reason(Weak);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rule, value) = (self.0.rule(), self.0.value);
        let unit = if rule.unit.is_empty() { "" } else { " " };
        write!(f, "{value}{unit}{}: {}", rule.unit, rule.follows)
    }
}
