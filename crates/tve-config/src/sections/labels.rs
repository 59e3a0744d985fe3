//! Names that users give to header pins.

use crate::field::{Leniency, Shape, Spec};
use crate::issue::{Issue, join, shown};
use crate::section::object;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tve_units::Bcm;

/// Longest label in characters: what fits a line of the operator panel.
const LABEL_CHARS: usize = 32;

/// Whether `label` may name a pin: 1 to 32 characters, none of them a control character.
///
/// # Errors
/// The rule as a sentence.
pub fn check_label(label: &str) -> Result<(), String> {
    let length = label.chars().count();
    if length == 0 || length > LABEL_CHARS {
        Err(format!("a label must have 1 to {LABEL_CHARS} characters, not {length}"))
    } else if label.chars().any(char::is_control) {
        Err("a label must not contain control characters".to_owned())
    } else {
        Ok(())
    }
}

/// Broadcom number to label; a patch replaces all of them.
pub(crate) struct Labels;

impl Spec<BTreeMap<Bcm, String>> for Labels {
    fn read(
        &self,
        value: &Value,
        _: Leniency,
        path: &str,
        errors: &mut Vec<Issue>,
    ) -> Option<BTreeMap<Bcm, String>> {
        let mut labels = BTreeMap::new();
        for (key, value) in object(value, path, errors)? {
            let path = join(path, key);
            // "07" and "+7" would be second spellings of one key.
            let pin = Bcm::all().find(|pin| pin.get().to_string() == *key);
            let Some(pin) = pin else {
                errors.push(Issue::new(path, "the key must be a pin from 0 to 27"));
                continue;
            };
            let checked = match value.as_str() {
                Some(label) => check_label(label).map(|()| label.to_owned()),
                None => Err(format!("must be a text, not {}", shown(value))),
            };
            match checked {
                Ok(label) => {
                    labels.insert(pin, label);
                }
                Err(reason) => errors.push(Issue::new(path, reason)),
            }
        }
        Some(labels)
    }

    fn merge(&self, current: &mut BTreeMap<Bcm, String>, patch: &BTreeMap<Bcm, String>) {
        current.clone_from(patch);
    }

    fn write(&self, value: &BTreeMap<Bcm, String>) -> Value {
        let members: Map<String, Value> =
            value.iter().map(|(pin, label)| (pin.get().to_string(), json!(label))).collect();
        Value::Object(members)
    }

    fn shape(&self) -> Shape {
        let schema = json!({
            "type": "object",
            "propertyNames": {"pattern": "^(1?[0-9]|2[0-7])$"},
            "additionalProperties": {"type": "string", "minLength": 1, "maxLength": LABEL_CHARS},
        });
        Shape::new("object of pin to text", format!("1 to {LABEL_CHARS} characters"), "", schema)
    }
}
