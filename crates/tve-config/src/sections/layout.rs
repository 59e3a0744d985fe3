//! Zones and motors of a machine that is not the one of two zones, screw and feeder.

use crate::PidGains;
use crate::field::{Choice, Flag, Leniency, Nullable, Scalar, Shape, Spec, choice, int, num};
use crate::issue::{Issue, join, shown};
use crate::section::{Section, object, section, sub};
use serde_json::{Value, json};
use tve_machine::{MAX_MOTORS, MAX_ZONES, Name};

/// The name of a zone, motor or sensor.
pub(crate) struct NameText;

impl Scalar<Name> for NameText {
    fn parse(&self, value: &Value, _: Leniency) -> Result<Name, String> {
        let text = value.as_str().ok_or_else(|| format!("must be a name, not {}", shown(value)))?;
        Name::new(text).map_err(|rule| format!("{rule}, not {}", shown(value)))
    }

    fn print(&self, value: &Name) -> Value {
        json!(value.as_str())
    }

    fn describe(&self) -> Shape {
        let pattern = format!("^[a-z][a-z0-9_]{{0,{}}}$", Name::LONGEST - 1);
        let schema = json!({"type": "string", "pattern": pattern});
        Shape::new("name", format!("1 to {} of a-z, 0-9, _", Name::LONGEST), "", schema)
    }
}

choice! {
    /// What a motor turns.
    #[derive(Default)]
    #[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
    pub enum MotorRole {
        /// The extruder screw: turns only while the permissives hold.
        #[default]
        Screw = "screw",
        /// The feeder: stops before the screw does.
        Feeder = "feeder",
        /// The puller behind the die.
        Puller = "puller",
        /// Anything else.
        Other = "other",
    }
}

/// Nominal power of a heater that the file says nothing about, W.
pub(crate) const POWER_W: f64 = 300.0;

section! {
    /// A heated zone.
    pub struct ZoneEntry / ZoneEntryPatch : Copy {
        /// Its name, also in `pins` (`ssr_` and the name) and `pwm.channels`.
        name: Name = Name::default(), NameText;
        /// The sensor that measures it, by its `logical` name.
        sensor: Name = Name::default(), NameText;
        /// Nominal power of its heater in W.
        power_w: f64 = POWER_W, num(1.0, 20_000.0, "W");
        /// Proportional gain in % per °C.
        kp: f64 = PidGains::default().kp, num(0.0, 1000.0, "%/°C");
        /// Integral gain in % per °C and second.
        ki: f64 = PidGains::default().ki, num(0.0, 1000.0, "%/(°C s)");
        /// Derivative gain in % s per °C.
        kd: f64 = PidGains::default().kd, num(0.0, 1000.0, "% s/°C");
        /// Whether it has a cooler.
        cooler: bool = false, Flag;
        /// Its highest target, in °C; null takes `safety.max_target`.
        max_target: Option<f64> = None, Nullable(num(50.0, 265.0, "°C"));
        /// Above this it trips, in °C; null takes `safety.over_temperature`.
        over_temperature: Option<f64> = None, Nullable(num(100.0, 300.0, "°C"));
        /// Below this it trips while heated, in °C; null takes `safety.under_temperature`.
        under_temperature: Option<f64> = None, Nullable(num(-50.0, 50.0, "°C"));
        /// The screw may turn from here on, in °C; null takes `safety.min_temp_for_motor`.
        min_temp_for_motor: Option<f64> = None, Nullable(num(0.0, 300.0, "°C"));
        /// Its rise at 100 % duty in the long run, in °C; null takes `safety.zone_gain`.
        gain: Option<f64> = None, Nullable(num(50.0, 2000.0, "°C"));
        /// Its time constant in s; null takes `safety.zone_time_constant`.
        time_constant: Option<f64> = None, Nullable(num(30.0, 6000.0, "s"));
        /// Time before it answers its heater, in s; null takes `safety.zone_dead_time`.
        dead_time: Option<f64> = None, Nullable(num(1.0, 120.0, "s"));
    }
}

impl ZoneEntry {
    /// Gains of its heater PID.
    pub const fn gains(&self) -> PidGains {
        PidGains { kp: self.kp, ki: self.ki, kd: self.kd }
    }

    pub(crate) const fn set_gains(&mut self, gains: PidGains) {
        (self.kp, self.ki, self.kd) = (gains.kp, gains.ki, gains.kd);
    }
}

section! {
    /// A driven shaft.
    pub struct MotorEntry / MotorEntryPatch : Copy {
        /// Its name, also in `pins` (`step_` and the name) and in sequences (the name and `_motor`).
        name: Name = Name::default(), NameText;
        /// What it turns.
        role: MotorRole = MotorRole::Other, Choice;
        /// The sensor that measures it, by its `logical` name; null for none.
        sensor: Option<Name> = None, Nullable(NameText);
        /// Pulses per revolution; null takes `dm556.microsteps`.
        microsteps: Option<u32> = None, Nullable(int(1, 51_200, "steps/rev"));
        /// Highest speed in rpm; null takes `motion.screw_max_rpm` or `motion.feeder_max_rpm` by its role, else what drive and pin can do.
        max_rpm: Option<f64> = None, Nullable(num(0.1, 5000.0, "rpm"));
    }
}

/// A list of entries in their order; a patch replaces it.
pub(crate) struct ListOf<S>(std::marker::PhantomData<S>);

/// A list of entries.
pub(crate) const fn list_of<S>() -> ListOf<S> {
    ListOf(std::marker::PhantomData)
}

macro_rules! list {
    ($entry:ident / $patch:ident, $max:expr, $what:literal, needs $needs:expr) => {
        impl Spec<Option<Vec<$entry>>> for ListOf<$entry> {
            fn read(
                &self,
                value: &Value,
                how: Leniency,
                path: &str,
                errors: &mut Vec<Issue>,
            ) -> Option<Option<Vec<$entry>>> {
                if value.is_null() {
                    return Some(None);
                }
                let Some(list) = value.as_array().filter(|list| list.len() <= $max) else {
                    let not = shown(value);
                    let reason = format!("must be a list of at most {} {}, not {not}", $max, $what);
                    errors.push(Issue::new(path, reason));
                    return None;
                };
                let mut entries = Vec::new();
                for (i, value) in list.iter().enumerate() {
                    let path = format!("{path}[{i}]");
                    let Some(map) = object(value, &path, errors) else { continue };
                    for key in $needs {
                        if !map.contains_key(key) {
                            errors.push(Issue::new(join(&path, key), "is needed"));
                        }
                    }
                    let mut entry = $entry::default();
                    entry.apply(&$entry::patch_from(map, how, &path, errors));
                    entries.push(entry);
                }
                Some(Some(entries))
            }

            fn merge(&self, current: &mut Option<Vec<$entry>>, patch: &Option<Vec<$entry>>) {
                current.clone_from(patch);
            }

            fn write(&self, value: &Option<Vec<$entry>>) -> Value {
                value.as_ref().map_or(Value::Null, |list| list.iter().map($entry::to_json).collect())
            }

            fn shape(&self) -> Shape {
                let each = Spec::<$entry, $patch>::shape(&sub::<$entry>());
                let mut item = each.schema;
                item["required"] = json!($needs);
                let schema = json!({"anyOf": [
                    {"type": "array", "maxItems": $max, "items": item},
                    {"type": "null"},
                ]});
                let mut fields = $entry::fields();
                for field in &mut fields {
                    if $needs.contains(&field.key) {
                        field.default = Value::Null;
                    }
                }
                let range = format!("at most {}", $max);
                Shape { fields, prefix: "[i].", ..Shape::new("list", range, "", schema) }
            }

            fn recheck(&self, value: &Option<Vec<$entry>>, key: &str, errors: &mut Vec<Issue>) {
                for (i, entry) in value.iter().flatten().enumerate() {
                    let old = errors.len();
                    entry.recheck(errors);
                    for issue in &mut errors[old..] {
                        issue.path = format!("{key}[{i}].{}", issue.path);
                    }
                }
            }
        }
    };
}
list!(ZoneEntry / ZoneEntryPatch, MAX_ZONES, "zones", needs ["name", "sensor"]);
list!(MotorEntry / MotorEntryPatch, MAX_MOTORS, "motors", needs ["name", "role"]);

/// The text that `NameText` reads, for messages.
pub(crate) fn names_of<'a>(names: impl Iterator<Item = &'a Name>) -> String {
    let list: Vec<&str> = names.map(Name::as_str).collect();
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}
