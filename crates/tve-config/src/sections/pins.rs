//! Which header pin carries which signal.

use crate::field::{Descriptor, Leniency, Scalar, Shape, Spec};
use crate::issue::{Issue, join, shown, unknown};
use crate::section::object;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tve_machine::{Each, Names, SIGNALS, Signal, SignalRow};
use tve_units::Bcm;

/// First pin that is free of the header's I2C buses.
const FIRST_FREE: u8 = 4;
/// Last pin of the header.
const LAST: u8 = Bcm::COUNT as u8 - 1;

/// A pin from 4 to 27, or null for "not fitted".
struct PinSpec;

impl Scalar<Option<Bcm>> for PinSpec {
    fn parse(&self, value: &Value, how: Leniency) -> Result<Option<Bcm>, String> {
        if value.is_null() {
            return Ok(None);
        }
        let number: Result<u8, _> = crate::field::int(0, LAST.into(), "").parse(value, how);
        match number.map(Bcm::new) {
            Ok(Ok(pin)) if pin.is_i2c() => {
                Err(format!("pin {} is reserved for I2C; use {FIRST_FREE} to {LAST}", pin.get()))
            }
            Ok(Ok(pin)) => Ok(Some(pin)),
            Ok(Err(_)) | Err(_) => {
                let value = shown(value);
                Err(format!("must be a pin from {FIRST_FREE} to {LAST} or null, not {value}"))
            }
        }
    }

    fn print(&self, value: &Option<Bcm>) -> Value {
        json!(value.map(Bcm::get))
    }

    fn describe(&self) -> Shape {
        let schema = json!({"anyOf": [
            {"type": "integer", "minimum": FIRST_FREE, "maximum": LAST},
            {"type": "null"},
        ]});
        Shape::new("pin or null", format!("{FIRST_FREE} to {LAST}"), "BCM", schema)
    }
}

/// The wiring of the machines in the field.
const FIELD: [(&str, u8); 7] = [
    ("ssr_z1", 23),
    ("ssr_z2", 24),
    ("ssr_fan", 25),
    ("ssr_pump", 8),
    ("step_main", 21),
    ("dir_main", 20),
    ("en_main", 26),
];

/// The header pin of each signal by Broadcom number; null is not fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Pins {
    /// Every signal that is shown, wired or not.
    signals: BTreeMap<String, Option<Bcm>>,
}

/// Changes to [`Pins`]: signals that it does not name stay.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PinsPatch {
    changes: BTreeMap<String, Option<Bcm>>,
}

impl PinsPatch {
    /// What becomes of a signal: `Some(None)` takes its pin away, `None` leaves it alone.
    pub fn get(&self, name: &str) -> Option<Option<Bcm>> {
        self.changes.get(name).copied()
    }
}

impl Default for Pins {
    fn default() -> Self {
        let mut pins = Self::unwired(&crate::classic::classic_names());
        for (name, pin) in FIELD {
            pins.set(name, Bcm::new(pin).ok());
        }
        pins
    }
}

impl Pins {
    /// No pin for any signal of a machine of these names.
    pub(crate) fn unwired(names: &Names) -> Self {
        let mut pins = Self { signals: BTreeMap::new() };
        pins.complete(names);
        pins
    }

    /// Shows every signal that a machine of these names always shows.
    pub(crate) fn complete(&mut self, names: &Names) {
        for name in always_shown(names) {
            self.signals.entry(name).or_insert(None);
        }
    }

    /// Read the changes that `map` asks for; faults go to `errors` with their path below `path`.
    ///
    /// Names are taken that could be a signal's on some machine; whether they are one's on this is
    /// known to [`Config::validate`](crate::Config::validate).
    pub fn patch_from(
        map: &Map<String, Value>,
        how: Leniency,
        path: &str,
        errors: &mut Vec<Issue>,
    ) -> PinsPatch {
        let mut patch = PinsPatch::default();
        for (name, value) in map {
            let path = join(path, name);
            if !SIGNALS.iter().any(|row| could_be(row, name)) {
                // Whose machine this is may stand further down in the file.
                let known: Vec<String> = always_shown(&crate::classic::classic_names()).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                errors.push(Issue::new(path, unknown("key", name, &known)));
            } else if let Some(pin) = PinSpec.read(value, how, &path, errors) {
                patch.changes.insert(name.clone(), pin);
            }
        }
        patch
    }

    /// Make the changes of `patch`.
    pub fn apply(&mut self, patch: &PinsPatch) {
        for (name, pin) in &patch.changes {
            self.set(name, *pin);
        }
    }

    /// Wires a signal to a pin, or takes its pin away.
    pub fn set(&mut self, name: &str, pin: Option<Bcm>) {
        self.signals.insert(name.to_owned(), pin);
    }

    /// Every signal that is shown with its pin, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<Bcm>)> {
        self.signals.iter().map(|(name, pin)| (name.as_str(), *pin))
    }

    /// The pin of a signal; `None` also when no such signal is known.
    pub fn get(&self, name: &str) -> Option<Bcm> {
        self.signals.get(name).copied().flatten()
    }

    /// The signal that a pin carries.
    pub fn owner_of(&self, pin: Bcm) -> Option<&str> {
        self.iter().find(|(_, owned)| *owned == Some(pin)).map(|(name, _)| name)
    }

    /// Every signal with its pin, as the file holds it.
    pub fn to_json(&self) -> Value {
        let member = |(name, pin): (&str, Option<Bcm>)| (name.to_owned(), PinSpec.print(&pin));
        Value::Object(self.iter().map(member).collect())
    }
}

/// The signals that a machine of these names shows whether or not a pin serves them.
fn always_shown(names: &Names) -> impl Iterator<Item = String> + use<'_> {
    Signal::all(names).filter(|(_, signal)| signal.is_classic()).map(|(name, _)| name)
}

/// Whether some machine has a signal of this row with this name.
fn could_be(row: &SignalRow, name: &str) -> bool {
    match row.each {
        Each::One(_) => name == row.pattern,
        Each::Lamp(_) => Signal::from_name(name, &Names::default()).is_some(),
        Each::Zone(_) | Each::Motor(_) => {
            let subject = row.pattern.split('{').next().and_then(|head| name.strip_prefix(head));
            subject.is_some_and(|subject| tve_machine::Name::new(subject).is_ok())
        }
    }
}

/// The section as a whole.
pub(crate) struct Wiring;

impl Spec<Pins, PinsPatch> for Wiring {
    fn read(
        &self,
        value: &Value,
        how: Leniency,
        path: &str,
        errors: &mut Vec<Issue>,
    ) -> Option<PinsPatch> {
        Some(Pins::patch_from(object(value, path, errors)?, how, path, errors))
    }

    fn merge(&self, current: &mut Pins, patch: &PinsPatch) {
        current.apply(patch);
    }

    fn write(&self, value: &Pins) -> Value {
        value.to_json()
    }

    fn recheck(&self, value: &Pins, key: &str, errors: &mut Vec<Issue>) {
        for (name, pin) in value.iter() {
            // A pin of its type can only be one of the buses'.
            if pin.is_some_and(Bcm::is_i2c) {
                PinSpec.read(&PinSpec.print(&pin), Leniency::Strict, &join(key, name), errors);
            }
        }
    }

    fn shape(&self) -> Shape {
        let pin = PinSpec.describe();
        let of_classic = crate::classic::classic_names();
        let default = |row: &SignalRow| {
            let pins = Pins::default();
            let mut values = Signal::all(&of_classic)
                .filter(|(_, signal)| signal.row().pattern == row.pattern)
                .filter_map(|(name, _)| pins.get(&name).map(|pin| (name, json!(pin.get()))));
            match row.each {
                Each::One(_) => values.next().map_or(Value::Null, |(_, pin)| pin),
                Each::Zone(_) | Each::Motor(_) | Each::Lamp(_) => {
                    let members: Map<String, Value> = values.collect();
                    if members.is_empty() { Value::Null } else { Value::Object(members) }
                }
            }
        };
        let member = |row: &SignalRow| {
            let mut schema = pin.schema.clone();
            schema["description"] = json!(row.doc.trim());
            schema
        };
        let (mut properties, mut patterns) = (Map::new(), Map::new());
        for row in SIGNALS {
            match row.each {
                Each::One(_) => {
                    properties.insert(row.pattern.to_owned(), member(row));
                }
                Each::Lamp(_) => {
                    for lamp in tve_machine::Lamp::ALL {
                        properties.insert(row.pattern.replace("{lamp}", lamp.name()), member(row));
                    }
                }
                Each::Zone(_) | Each::Motor(_) => {
                    let head = row.pattern.split('{').next().unwrap_or_default();
                    patterns.insert(format!("^{head}[a-z][a-z0-9_]*$"), member(row));
                }
            }
        }
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "properties": properties,
            "patternProperties": patterns,
        });
        let fields = SIGNALS
            .iter()
            .map(|row| Descriptor {
                key: row.pattern,
                doc: row.doc.trim(),
                default: default(row),
                shape: PinSpec.describe(),
            })
            .collect();
        Shape { fields, ..Shape::new("object", String::new(), "", schema) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a file without lists of zones and motors has always shown.
    const SHOWN: [&str; 21] = [
        "pca_oe",
        "contactor",
        "ssr_z1",
        "ssr_z2",
        "en_main",
        "en_feed",
        "step_main",
        "step_feed",
        "dir_main",
        "dir_feed",
        "peltier",
        "ssr_fan",
        "ssr_pump",
        "led_status",
        "led_red",
        "led_yellow",
        "led_green",
        "btn_emergency",
        "btn_start",
        "btn_stop",
        "alm_main",
    ];

    #[test]
    fn a_file_without_lists_shows_the_signals_of_the_machines_in_the_field() {
        let mut shown = SHOWN;
        shown.sort_unstable();
        let pins = Pins::default();
        assert_eq!(pins.iter().map(|(name, _)| name).collect::<Vec<_>>(), shown);
    }
}
