//! How near a healthy machine came to each rule, by readings, duties and codes seen from outside.

use super::Margin;
use crate::rig::{Rig, channel_of, temperature};
use tve_config::Config;
use tve_control::{Mode, Snapshot};
use tve_hal::{AdcReading, Sensor, Zone};
use tve_units::Micros;

/// Seconds of history that rules look back over.
const WINDOW: usize = 60;
/// Duty that counts as asking for all there is, %.
const HIGH_DUTY: f64 = 80.0;
/// At high duty for this long a zone must gain, s.
const APPROACH_S: u32 = 105;
/// Without heat for this long, what was stored has arrived, s.
const COAST_S: u32 = 120;

/// Extremes of one hour, by zone where a history is needed.
#[derive(Debug, Clone)]
pub(super) struct Nearest {
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
    last: [Option<(Micros, f64, i16, Micros)>; 2],
    past: [[f64; WINDOW + 1]; 2],
    seconds: u64,
    high_for: [u32; 2],
    zero_for: [u32; 2],
    targets: [f64; 2],
    reached: [bool; 2],
    snapshot: Snapshot,
}

impl Default for Nearest {
    fn default() -> Self {
        Self {
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
            last: [None; 2],
            past: [[f64::NAN; WINDOW + 1]; 2],
            seconds: 0,
            high_for: [0; 2],
            zero_for: [0; 2],
            targets: [0.0; 2],
            reached: [false; 2],
            snapshot: Snapshot::default(),
        }
    }
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
    /// After a tick.
    pub(super) fn look(&mut self, rig: &Rig) {
        /// Ticks in a second.
        const SECOND: u64 = 100;
        let config = rig.config();
        for zone in Zone::ALL {
            let i = zone.index();
            let Some(channel) = channel_of(config, zone.sensor()) else { continue };
            let AdcReading::Sample { code, taken_at } = rig.inputs.adc[channel] else { continue };
            raise(&mut self.age_s, rig.now().since(taken_at).secs());
            if self.last[i].is_some_and(|(at, ..)| at == taken_at) {
                continue;
            }
            let Some(t) = temperature(&rig.inputs, config, zone.sensor()) else {
                continue;
            };
            raise(&mut self.highest, t);
            let mut still = taken_at;
            if let Some((_, before, last_code, since)) = self.last[i] {
                raise(&mut self.jump, (t - before).abs());
                if last_code == code {
                    still = since;
                }
            }
            raise(&mut self.still_s, taken_at.since(still).secs());
            self.last[i] = Some((taken_at, t, code, still));
        }
        self.seconds += 1;
        if self.seconds.is_multiple_of(SECOND) {
            self.look_back(rig);
        }
    }

    /// Once a second: the rules with a memory.
    fn look_back(&mut self, rig: &Rig) {
        rig.controller.snapshot(&mut self.snapshot);
        let s = &self.snapshot;
        let value =
            |sensor: Sensor| s.readings[sensor.index()].value().map(tve_units::Celsius::get);
        raise(&mut self.motor, value(Sensor::Motor).unwrap_or(f64::NAN));
        raise(&mut self.throat, value(Sensor::T1).unwrap_or(f64::NAN));
        for zone in Zone::ALL {
            let i = zone.index();
            let t = value(zone.sensor()).unwrap_or(f64::NAN);
            self.past[i].rotate_left(1);
            self.past[i][WINDOW] = t;
            let gain = t - self.past[i][0];
            let duty = s.heater_duty[i].get();
            let target = if s.mode == Mode::Auto { s.targets[i].get() } else { 0.0 };
            if duty > 0.0 {
                lower(&mut self.lowest_heated, t);
            }
            if target != self.targets[i] {
                self.targets[i] = target;
                self.reached[i] = false;
                self.high_for[i] = 0;
            }
            self.reached[i] |= target > 0.0 && (t - target).abs() <= 5.0;
            let falling = t < self.past[i][WINDOW - 10];
            if self.reached[i] && !falling {
                raise(&mut self.above_target, t - target);
            }
            let asks = target > 0.0 && !self.reached[i] && duty >= HIGH_DUTY;
            self.high_for[i] = if asks { self.high_for[i] + 1 } else { 0 };
            if self.high_for[i] >= APPROACH_S {
                lower(&mut self.approach_gain, gain);
            }
            let quiet = duty == 0.0 && s.motors_actual[0].is_zero();
            self.zero_for[i] = if quiet { self.zero_for[i] + 1 } else { 0 };
            if self.zero_for[i] >= COAST_S {
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
    pub(super) fn margins(&self, config: &Config) -> Vec<Margin> {
        /// A healthy zone gains this in a minute at high duty, °C.
        const APPROACH_GAIN: f64 = 2.0;
        /// A rise without heat beyond this is a heater that is on, °C in a minute.
        const UNASKED_RISE: f64 = 10.0;
        let safety = &config.safety;
        let margin = |rule, nearest, limit, unit| Margin { rule, nearest, limit, unit };
        vec![
            margin("HEATER_OVER_TEMPERATURE", self.highest, safety.over_temperature, "°C"),
            margin("HEATER_UNDER_TEMPERATURE", self.lowest_heated, safety.under_temperature, "°C"),
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
            margin("SENSOR_FROZEN, code still", self.still_s, safety.frozen_after, "s"),
        ]
    }
}
