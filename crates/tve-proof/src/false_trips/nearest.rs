//! How near a healthy machine came to each rule, by readings, duties and codes seen from outside.

use crate::rig::{Rig, sample};
use crate::subject::{motor_sensors, sensor_of};
use serde::Serialize;
use std::sync::Arc;
use tve_config::MachineConfig;
use tve_control::{Mode, Snapshot};
use tve_hal::{PerZone, Sensor};
use tve_units::{Celsius, Micros};

/// Seconds of history that rules look back over.
const WINDOW: usize = 60;
/// Duty that counts as asking for all there is, %.
const HIGH_DUTY: f64 = 80.0;
/// At high duty for this long a zone must gain, s.
const APPROACH_S: u32 = 105;
/// A change of duty that must show, %.
const SHOWS: f64 = 10.0;
/// Without heat for this long, what was stored has arrived, s.
const COAST_S: u32 = 120;

/// How near a rule was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Margin {
    /// The rule.
    pub rule: &'static str,
    /// The nearest value seen; none when the rule's condition never came up.
    pub nearest: Option<f64>,
    /// What would have been a fault.
    pub limit: f64,
    /// Unit of both.
    pub unit: &'static str,
}

/// What is remembered of one zone.
#[derive(Debug, Clone, Copy)]
struct Memory {
    /// The newest sample: when, its temperature and its code.
    last: Option<(Micros, f64, i32)>,
    /// The duty with which that code began to stand, %, and since when it has been another.
    stood_at: f64,
    changed: Option<Micros>,
    /// Temperatures second by second, oldest first.
    past: [f64; WINDOW + 1],
    high_for: u32,
    zero_for: u32,
    target: f64,
    reached: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            last: None,
            stood_at: 0.0,
            changed: None,
            past: [f64::NAN; WINDOW + 1],
            high_for: 0,
            zero_for: 0,
            target: 0.0,
            reached: false,
        }
    }
}

/// Extremes of one hour, and what is remembered of each zone.
#[derive(Debug, Clone)]
pub(super) struct Nearest {
    machine: Arc<MachineConfig>,
    highest: Option<f64>,
    lowest_heated: Option<f64>,
    jump: Option<f64>,
    age_s: Option<f64>,
    motor: Option<f64>,
    throat: Option<f64>,
    above_target: Option<f64>,
    approach_gain: Option<f64>,
    unasked_rise: Option<f64>,
    still_s: Option<f64>,
    zones: PerZone<Memory>,
    ticks: u64,
    snapshot: Snapshot,
}

fn raise(extreme: &mut Option<f64>, value: f64) {
    if value.is_finite() {
        *extreme = Some(extreme.map_or(value, |e| e.max(value)));
    }
}

fn lower(extreme: &mut Option<f64>, value: f64) {
    if value.is_finite() {
        *extreme = Some(extreme.map_or(value, |e| e.min(value)));
    }
}

impl Nearest {
    /// Of an hour that has not begun.
    pub(super) fn new(machine: &Arc<MachineConfig>) -> Self {
        Self {
            machine: Arc::clone(machine),
            highest: None,
            lowest_heated: None,
            jump: None,
            age_s: None,
            motor: None,
            throat: None,
            above_target: None,
            approach_gain: None,
            unasked_rise: None,
            still_s: None,
            zones: PerZone::new(machine.zones.len()),
            ticks: 0,
            snapshot: Snapshot::default(),
        }
    }

    /// After a tick.
    pub(super) fn look(&mut self, rig: &Rig) {
        /// Ticks in a second.
        const SECOND: u64 = 100;
        for zone in self.machine.zones.ids() {
            let newest = sample(&rig.inputs, &self.machine, sensor_of(&self.machine, zone));
            let Some(newest) = newest else { continue };
            raise(&mut self.age_s, rig.now().since(newest.at).secs());
            let memory = &mut self.zones[zone];
            if memory.last.is_some_and(|(at, ..)| at == newest.at) {
                continue;
            }
            let Some(t) = newest.celsius else { continue };
            raise(&mut self.highest, t);
            // As the newest look of [`Self::look_back`] saw it, at most a second ago.
            let duty = self.snapshot.heater_duty.get(zone).map_or(0.0, |duty| duty.get());
            if let Some((_, before, _)) = memory.last {
                raise(&mut self.jump, (t - before).abs());
            }
            if memory.last.is_none_or(|(.., code)| code != newest.code) {
                memory.stood_at = duty;
            }
            let differs = (duty - memory.stood_at).abs() >= SHOWS;
            memory.changed = differs.then(|| memory.changed.unwrap_or(newest.at));
            raise(&mut self.still_s, memory.changed.map_or(0.0, |at| newest.at.since(at).secs()));
            memory.last = Some((newest.at, t, newest.code));
        }
        self.ticks += 1;
        if self.ticks.is_multiple_of(SECOND) {
            self.look_back(rig);
        }
    }

    /// Once a second: the rules with a memory.
    fn look_back(&mut self, rig: &Rig) {
        rig.controller.snapshot(&mut self.snapshot);
        let (s, machine) = (&self.snapshot, &self.machine);
        let value = |sensor: Sensor| {
            s.readings.get(sensor).and_then(|r| r.value()).map_or(f64::NAN, Celsius::get)
        };
        for (_, sensor) in motor_sensors(machine) {
            raise(&mut self.motor, value(sensor));
        }
        if let Some(throat) = machine.feed_throat {
            raise(&mut self.throat, value(throat));
        }
        let screw = machine.screw().and_then(|screw| s.motors_actual.get(screw));
        let screw_stands = screw.is_none_or(|rpm| rpm.is_zero());
        for (zone, memory) in self.zones.ids().zip(&mut self.zones) {
            let t = value(sensor_of(machine, zone));
            memory.past.rotate_left(1);
            memory.past[WINDOW] = t;
            let gain = t - memory.past[0];
            let duty = s.heater_duty[zone].get();
            let target = if s.mode == Mode::Auto { s.targets[zone].get() } else { 0.0 };
            if duty > 0.0 {
                lower(&mut self.lowest_heated, t);
            }
            if target != memory.target {
                memory.target = target;
                memory.reached = false;
                memory.high_for = 0;
            }
            memory.reached |= target > 0.0 && (t - target).abs() <= 5.0;
            let falling = t < memory.past[WINDOW - 10];
            if memory.reached && !falling {
                raise(&mut self.above_target, t - target);
            }
            let asks = target > 0.0 && !memory.reached && duty >= HIGH_DUTY;
            memory.high_for = if asks { memory.high_for + 1 } else { 0 };
            if memory.high_for >= APPROACH_S {
                lower(&mut self.approach_gain, gain);
            }
            let quiet = duty == 0.0 && screw_stands;
            memory.zero_for = if quiet { memory.zero_for + 1 } else { 0 };
            if memory.zero_for >= COAST_S {
                raise(&mut self.unasked_rise, gain);
            }
        }
    }

    /// Takes the extremes of another hour in.
    pub(super) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.highest, other.highest),
            (&mut self.jump, other.jump),
            (&mut self.age_s, other.age_s),
            (&mut self.motor, other.motor),
            (&mut self.throat, other.throat),
            (&mut self.above_target, other.above_target),
            (&mut self.unasked_rise, other.unasked_rise),
            (&mut self.still_s, other.still_s),
        ] {
            raise(mine, theirs.unwrap_or(f64::NAN));
        }
        for (mine, theirs) in [
            (&mut self.lowest_heated, other.lowest_heated),
            (&mut self.approach_gain, other.approach_gain),
        ] {
            lower(mine, theirs.unwrap_or(f64::NAN));
        }
    }

    /// The nearest that each rule came.
    pub(super) fn margins(&self) -> Vec<Margin> {
        /// A healthy zone gains this in a minute at high duty, °C.
        const APPROACH_GAIN: f64 = 2.0;
        /// A rise without heat beyond this is a heater that is on, °C in a minute.
        const UNASKED_RISE: f64 = 10.0;
        let safety = &self.machine.safety;
        // Of limits that differ from zone to zone the nearer one.
        let limits = || self.machine.zones.iter().map(|zone| zone.limits);
        let over = limits().map(|l| l.over_temperature).fold(f64::INFINITY, f64::min);
        let under = limits().map(|l| l.under_temperature).fold(f64::NEG_INFINITY, f64::max);
        let margin = |rule, nearest, limit, unit| Margin { rule, nearest, limit, unit };
        vec![
            margin("HEATER_OVER_TEMPERATURE", self.highest, over, "°C"),
            margin("HEATER_UNDER_TEMPERATURE", self.lowest_heated, under, "°C"),
            margin("HEATER_SENSOR_FAILURE, jump", self.jump, safety.jump_limit, "°C"),
            margin("TEMP_DATA_STALE", self.age_s, safety.stale_after, "s"),
            margin("MOTOR_OVERHEAT", self.motor, safety.motor_max, "°C"),
            margin("FEED_THROAT_HOT", self.throat, safety.feed_throat_max, "°C"),
            margin(
                "HEATER_STUCK_ON, above target",
                self.above_target,
                safety.stuck_on_margin,
                "°C",
            ),
            margin("HEATER_STUCK_ON, without heat", self.unasked_rise, UNASKED_RISE, "°C/min"),
            margin("HEATER_NOT_HEATING, approach", self.approach_gain, APPROACH_GAIN, "°C/min"),
            margin(
                "SENSOR_FROZEN, still beside other heat",
                self.still_s,
                safety.frozen_after,
                "s",
            ),
        ]
    }
}
