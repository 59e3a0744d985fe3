//! Reading single values of a command: one rule a kind.

use serde_json::Value;
use tve_units::Bcm;

/// A finite number, given as a number or as a numeric string.
pub(super) fn finite(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(n) => n.as_f64()?,
        Value::String(s) => s.trim().parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    // Adding zero turns -0.0 into 0.0.
    number.is_finite().then_some(number + 0.0)
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
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

/// A header pin.
pub(super) fn pin(value: &Value) -> Option<Bcm> {
    Bcm::new(u8::try_from(whole(value)?).ok()?).ok()
}
