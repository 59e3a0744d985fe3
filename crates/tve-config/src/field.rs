//! How one value of a section is read, checked, merged, written and described.
//!
//! A *spec* is the description of one field: [`Num`], [`Int`], [`Flag`], ... Everything that has
//! to agree about a field (file validation, settings commands, documentation) asks its spec.

use crate::issue::{Issue, shown};
use serde_json::{Value, json};

/// How forgiving the reader of a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leniency {
    /// Files: numbers are JSON numbers, booleans are JSON booleans.
    Strict,
    /// Commands: also numeric strings, `0`/`1` and `"true"`/`"false"`, and ohms as `"4.7k"`.
    Lenient,
}

/// What documentation says about a field.
pub(crate) struct Shape {
    /// Kind of value, as a person names it.
    pub(crate) kind: String,
    /// Accepted values; empty when the kind says it all.
    pub(crate) range: String,
    /// Unit, empty for pure numbers and texts.
    pub(crate) unit: &'static str,
    /// JSON Schema of the value.
    pub(crate) schema: Value,
    /// The fields of a nested section.
    pub(crate) fields: Vec<Descriptor>,
    /// Keys of a nested section that are accepted without being fields.
    pub(crate) also: &'static [&'static str],
    /// What stands between the section and its fields in a path, such as `N.`.
    pub(crate) prefix: &'static str,
}

impl Shape {
    pub(crate) fn new(kind: &str, range: String, unit: &'static str, schema: Value) -> Self {
        Self {
            kind: kind.to_owned(),
            range,
            unit,
            schema,
            fields: Vec::new(),
            also: &[],
            prefix: "",
        }
    }
}

/// One key of a section, as documentation shows it.
pub(crate) struct Descriptor {
    pub(crate) key: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) default: Value,
    pub(crate) shape: Shape,
}

/// The description of a field of type `V` that patches of type `P` change.
pub(crate) trait Spec<V, P = V> {
    /// The patch that `value` asks for; `None` after adding to `errors`.
    fn read(&self, value: &Value, how: Leniency, path: &str, errors: &mut Vec<Issue>) -> Option<P>;
    /// Change `current` as `patch` says.
    fn merge(&self, current: &mut V, patch: &P);
    /// The value as the file holds it; reading it back gives the same value.
    fn write(&self, value: &V) -> Value;
    /// For the documentation.
    fn shape(&self) -> Shape;
    /// Whether a file could hold `value`, which code may have set without reading it.
    fn recheck(&self, value: &V, key: &str, errors: &mut Vec<Issue>) {
        self.read(&self.write(value), Leniency::Strict, key, errors);
    }
}

/// A spec whose patch is simply the new value, and whose faults need no path of their own.
pub(crate) trait Scalar<V> {
    fn parse(&self, value: &Value, how: Leniency) -> Result<V, String>;
    fn print(&self, value: &V) -> Value;
    fn describe(&self) -> Shape;
}

impl<V: Clone, S: Scalar<V>> Spec<V, V> for S {
    fn read(&self, value: &Value, how: Leniency, path: &str, errors: &mut Vec<Issue>) -> Option<V> {
        self.parse(value, how).map_err(|reason| errors.push(Issue::new(path, reason))).ok()
    }

    fn merge(&self, current: &mut V, patch: &V) {
        current.clone_from(patch);
    }

    fn write(&self, value: &V) -> Value {
        self.print(value)
    }

    fn shape(&self) -> Shape {
        self.describe()
    }
}

/// `" V"` for a unit of volts, nothing for none.
fn spaced(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" {unit}") }
}

/// A number as commands and files carry it.
fn number(value: &Value, how: Leniency) -> Result<f64, String> {
    let x = match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) if how == Leniency::Lenient => s.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    };
    // Adding zero turns -0.0 into 0.0, which is what a reader expects to see.
    x.filter(|x| x.is_finite())
        .map(|x| x + 0.0)
        .ok_or_else(|| format!("must be a number, not {}", shown(value)))
}

fn within(x: f64, min: f64, max: f64, unit: &str) -> Result<f64, String> {
    if x >= min && x <= max {
        Ok(x)
    } else {
        Err(format!("must be between {min} and {max}{}, not {x}", spaced(unit)))
    }
}

/// A finite number from `min` to `max`.
pub(crate) struct Num {
    min: f64,
    max: f64,
    unit: &'static str,
}

/// A finite number from `min` to `max` in `unit`.
pub(crate) const fn num(min: f64, max: f64, unit: &'static str) -> Num {
    Num { min, max, unit }
}

impl Scalar<f64> for Num {
    fn parse(&self, value: &Value, how: Leniency) -> Result<f64, String> {
        within(number(value, how)?, self.min, self.max, self.unit)
    }

    fn print(&self, value: &f64) -> Value {
        json!(value)
    }

    fn describe(&self) -> Shape {
        let Self { min, max, unit } = self;
        let schema = json!({"type": "number", "minimum": min, "maximum": max});
        Shape::new("number", format!("{min} to {max}"), unit, schema)
    }
}

/// A resistance: a number, in commands also `"4.7k"` or `"1M"`.
pub(crate) struct Ohm {
    min: f64,
    max: f64,
}

/// A resistance from `min` to `max` ohm.
pub(crate) const fn ohm(min: f64, max: f64) -> Ohm {
    Ohm { min, max }
}

impl Scalar<f64> for Ohm {
    fn parse(&self, value: &Value, how: Leniency) -> Result<f64, String> {
        let scaled = match (value, how) {
            (Value::String(s), Leniency::Lenient) => {
                let s = s.trim();
                // "m" would be milli: only the letters a resistor carries.
                let suffix = [("k", 1e3), ("K", 1e3), ("M", 1e6)];
                suffix.into_iter().find_map(|(letter, factor)| {
                    let digits = s.strip_suffix(letter)?.trim_end();
                    Some(digits.parse::<f64>().ok()? * factor)
                })
            }
            _ => None,
        };
        let x = match scaled {
            Some(x) if x.is_finite() => x,
            _ => number(value, how)?,
        };
        within(x, self.min, self.max, "ohm")
    }

    fn print(&self, value: &f64) -> Value {
        json!(value)
    }

    fn describe(&self) -> Shape {
        Num { min: self.min, max: self.max, unit: "ohm" }.describe()
    }
}

/// A whole number from `min` to `max`.
pub(crate) struct Int {
    min: u64,
    max: u64,
    unit: &'static str,
}

/// Greatest whole number that every JSON reader keeps exactly (2^53 - 1).
pub(crate) const MAX_EXACT: u64 = (1 << 53) - 1;

/// A whole number from `min` to `max` in `unit`.
pub(crate) const fn int(min: u64, max: u64, unit: &'static str) -> Int {
    Int { min, max, unit }
}

impl Int {
    fn whole(&self, value: &Value, how: Leniency) -> Result<u64, String> {
        let Self { min, max, unit } = self;
        // 3200.0 is the same number as 3200 to JSON, and some writers know only floats.
        let x = number(value, how)?;
        if x.fract() == 0.0 && x >= *min as f64 && x <= *max as f64 {
            Ok(x as u64)
        } else {
            let unit = spaced(unit);
            Err(format!("must be a whole number between {min} and {max}{unit}, not {x}"))
        }
    }
}

macro_rules! whole {
    ($($ty:ty),+) => {$(
        impl Scalar<$ty> for Int {
            fn parse(&self, value: &Value, how: Leniency) -> Result<$ty, String> {
                let n = self.whole(value, how)?;
                <$ty>::try_from(n).map_err(|_| format!("must be at most {}, not {n}", <$ty>::MAX))
            }

            fn print(&self, value: &$ty) -> Value {
                json!(value)
            }

            fn describe(&self) -> Shape {
                let Self { min, max, unit } = self;
                let schema = json!({"type": "integer", "minimum": min, "maximum": max});
                Shape::new("whole number", format!("{min} to {max}"), unit, schema)
            }
        }
    )+};
}
whole!(u8, u32, u64);

/// Yes or no.
pub(crate) struct Flag;

impl Scalar<bool> for Flag {
    fn parse(&self, value: &Value, how: Leniency) -> Result<bool, String> {
        let lenient = how == Leniency::Lenient;
        match value {
            Value::Bool(b) => Some(*b),
            Value::Number(n) if lenient && n.as_f64() == Some(0.0) => Some(false),
            Value::Number(n) if lenient && n.as_f64() == Some(1.0) => Some(true),
            Value::String(s) if lenient && s == "false" => Some(false),
            Value::String(s) if lenient && s == "true" => Some(true),
            Value::Null
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => None,
        }
        .ok_or_else(|| format!("must be true or false, not {}", shown(value)))
    }

    fn print(&self, value: &bool) -> Value {
        json!(value)
    }

    fn describe(&self) -> Shape {
        Shape::new("boolean", String::new(), "", json!({"type": "boolean"}))
    }
}

macro_rules! one_of {
    ($(#[$meta:meta])+ $name:ident, $ty:ty, $kind:literal, $json:literal) => {
        $(#[$meta])+
        pub(crate) struct $name {
            pub(crate) choices: &'static [$ty],
            pub(crate) unit: &'static str,
        }

        impl $name {
            fn list(&self) -> String {
                self.choices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            }
        }

        impl Scalar<$ty> for $name {
            fn parse(&self, value: &Value, how: Leniency) -> Result<$ty, String> {
                let x = number(value, how)?;
                self.choices.iter().copied().find(|choice| f64::from(*choice) == x).ok_or_else(
                    || format!("must be one of {}{}, not {x}", self.list(), spaced(self.unit)),
                )
            }

            fn print(&self, value: &$ty) -> Value {
                json!(value)
            }

            fn describe(&self) -> Shape {
                let schema = json!({"type": $json, "enum": self.choices});
                Shape::new($kind, self.list(), self.unit, schema)
            }
        }
    };
}
one_of!(
    /// One of a few numbers.
    OneOf,
    f64,
    "number",
    "number"
);
one_of!(
    /// One of a few whole numbers.
    WholeOf,
    u32,
    "whole number",
    "integer"
);

/// A value or null.
pub(crate) struct Nullable<S>(pub(crate) S);

impl<V, S: Scalar<V>> Scalar<Option<V>> for Nullable<S> {
    fn parse(&self, value: &Value, how: Leniency) -> Result<Option<V>, String> {
        if value.is_null() { Ok(None) } else { self.0.parse(value, how).map(Some) }
    }

    fn print(&self, value: &Option<V>) -> Value {
        value.as_ref().map_or(Value::Null, |v| self.0.print(v))
    }

    fn describe(&self) -> Shape {
        let inner = self.0.describe();
        Shape {
            kind: format!("{} or null", inner.kind),
            schema: json!({"anyOf": [inner.schema, {"type": "null"}]}),
            ..inner
        }
    }
}

/// An enum whose variants have names on the wire.
pub(crate) trait Named: Copy + Sized + 'static {
    const NAMES: &'static [&'static str];
    fn wire(self) -> &'static str;
    fn find(name: &str) -> Option<Self>;
}

/// One of the names of `E`.
pub(crate) struct Choice;

impl<E: Named> Scalar<E> for Choice {
    fn parse(&self, value: &Value, _: Leniency) -> Result<E, String> {
        value
            .as_str()
            .and_then(E::find)
            .ok_or_else(|| format!("must be one of {}, not {}", quoted(E::NAMES), shown(value)))
    }

    fn print(&self, value: &E) -> Value {
        json!(value.wire())
    }

    fn describe(&self) -> Shape {
        Shape::new("text", quoted(E::NAMES), "", json!({"enum": E::NAMES}))
    }
}

/// `"a", "b"` for messages and documentation.
pub(crate) fn quoted(names: &[&str]) -> String {
    names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ")
}

/// An enum with names on the wire: `name()`, `from_name()` and `ALL`.
macro_rules! choice {
    ($(#[$meta:meta])+ pub enum $name:ident {
        $($(#[$vmeta:meta])+ $variant:ident = $wire:literal,)+
    }) => {
        $(#[$meta])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])+ $variant,)+ }

        impl $name {
            /// Every variant, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in the file and on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $wire,)+ }
            }

            /// The variant with a name from the wire.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.name() == name)
            }
        }

        impl $crate::field::Named for $name {
            const NAMES: &'static [&'static str] = &[$($wire),+];
            fn wire(self) -> &'static str {
                self.name()
            }
            fn find(name: &str) -> Option<Self> {
                Self::from_name(name)
            }
        }
    };
}
pub(crate) use choice;

#[cfg(test)]
mod tests {
    use super::*;
    use Leniency::{Lenient, Strict};

    #[test]
    fn a_file_holds_numbers_as_numbers_and_a_command_may_quote_them() {
        let spec = num(0.0, 10.0, "V");
        assert_eq!(spec.parse(&json!("2.5"), Lenient), Ok(2.5));
        assert!(spec.parse(&json!("2.5"), Strict).unwrap_err().contains("must be a number"));
        for bad in [json!("nan"), json!("inf"), json!("1e999"), json!([1]), json!(true), json!("")]
        {
            assert!(spec.parse(&bad, Lenient).is_err(), "{bad}");
        }
        assert_eq!(
            spec.parse(&json!(10.5), Strict).unwrap_err(),
            "must be between 0 and 10 V, not 10.5"
        );
    }

    #[test]
    fn negative_zero_is_kept_as_zero() {
        let zero = num(-1.0, 1.0, "").parse(&json!(-0.0), Strict).unwrap();
        assert!(zero.is_sign_positive());
    }

    #[test]
    fn booleans_have_three_spellings_in_commands_and_one_in_files() {
        for (value, want) in [
            (json!(true), true),
            (json!(0), false),
            (json!(1), true),
            (json!("true"), true),
            (json!("false"), false),
        ] {
            assert_eq!(Flag.parse(&value, Lenient), Ok(want), "{value}");
            assert_eq!(Flag.parse(&value, Strict).is_ok(), value.is_boolean(), "{value}");
        }
        for bad in [json!("1"), json!("yes"), json!(2), json!(null), json!("True")] {
            assert!(Flag.parse(&bad, Lenient).is_err(), "{bad}");
        }
    }

    #[test]
    fn ohms_take_the_letters_of_a_resistor() {
        let spec = ohm(1.0, 1e7);
        assert_eq!(spec.parse(&json!("4.7k"), Lenient), Ok(4700.0));
        assert_eq!(spec.parse(&json!(" 1 M "), Lenient), Ok(1e6));
        assert_eq!(spec.parse(&json!("220"), Lenient), Ok(220.0));
        for bad in [json!("4.7m"), json!("k"), json!("infk"), json!("11M"), json!("0.0001k")] {
            assert!(spec.parse(&bad, Lenient).is_err(), "{bad}");
        }
        assert!(spec.parse(&json!("4.7k"), Strict).is_err());
    }

    #[test]
    fn whole_numbers_take_no_fractions() {
        let spec = int(1, 51_200, "steps/rev");
        assert_eq!(Scalar::<u32>::parse(&spec, &json!(3200.0), Lenient), Ok(3200));
        for bad in [json!(3200.5), json!(0), json!(-1), json!(51_201), json!(1e300)] {
            assert!(Scalar::<u32>::parse(&spec, &bad, Lenient).is_err(), "{bad}");
        }
    }

    #[test]
    fn null_is_a_value_only_where_it_means_something() {
        assert_eq!(Nullable(num(0.0, 1.0, "")).parse(&json!(null), Strict), Ok(None));
        assert!(num(0.0, 1.0, "").parse(&json!(null), Lenient).is_err());
    }
}
