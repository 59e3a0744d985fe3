//! Reading single values of a command: one rule a kind, one sentence a fault.

use crate::refusal::Refusal;
use serde_json::{Map, Value};
use tve_units::Bcm;

/// The object of a command; a missing or null value counts as `{}`.
pub(super) fn object(value: Option<&Value>) -> Result<Map<String, Value>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(_) => Err(Refusal::invalid("value must be an object")),
    }
}

/// A finite number, given as a number or as a numeric string.
pub(super) fn finite(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(n) => n.as_f64()?,
        Value::String(s) => s.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// A whole number, given as a number or as a numeric string.
pub(super) fn whole(value: &Value) -> Option<i64> {
    let number = finite(value)?;
    (number == libm::trunc(number) && number.abs() < 9e15).then_some(number as i64)
}

/// `true`/`false`, `0`/`1`, `"true"`/`"false"` and nothing else.
pub(super) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::Number(n) if n.as_f64() == Some(0.0) => Some(false),
        Value::Number(n) if n.as_f64() == Some(1.0) => Some(true),
        Value::String(s) if s == "true" => Some(true),
        Value::String(s) if s == "false" => Some(false),
        _ => None,
    }
}

/// A header pin.
pub(super) fn pin(value: Option<&Value>) -> Option<Bcm> {
    Bcm::new(u8::try_from(whole(value?)?).ok()?).ok()
}

/// A required number in a range, refused by a sentence that names the key.
pub(super) fn number_in(
    map: &Map<String, Value>,
    key: &str,
    min: f64,
    max: f64,
    unit: &str,
) -> Result<f64, Refusal> {
    let Some(value) = map.get(key) else {
        return Err(Refusal::invalid(format!(
            "{key} is missing: a number from {min} to {max} {unit}"
        )));
    };
    match finite(value) {
        Some(n) if (min..=max).contains(&n) => Ok(n + 0.0),
        Some(n) => {
            Err(Refusal::invalid(format!("{key} must be between {min} and {max} {unit}, not {n}")))
        }
        None => Err(Refusal::invalid(format!(
            "{key} must be a finite number from {min} to {max} {unit}"
        ))),
    }
}

/// A required boolean, refused by a sentence that names the key.
pub(super) fn required_bool(map: &Map<String, Value>, key: &str) -> Result<bool, Refusal> {
    map.get(key)
        .and_then(boolean)
        .ok_or_else(|| Refusal::invalid(format!("{key} must be true or false")))
}

/// A text, or `None` when the key is missing or another type.
pub(super) fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key).and_then(Value::as_str)
}
