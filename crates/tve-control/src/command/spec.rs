//! Parameters of commands: what reads a value also says what it reads.
//!
//! A *spec* describes one parameter. The parser asks it to [`read`](Spec::read), everything that
//! documents commands asks for its [`shape`](Spec::shape): unit and range stand once.

use super::values::{boolean, finite, pin, whole};
use crate::refusal::{Refusal, RefusalCode};
use serde_json::{Value, json};
use std::borrow::Cow;
use tve_machine::{Id, Name, Per};
use tve_units::Bcm;

/// What documentation, forms and generators of requests say about a parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Kind of value, as a person names it.
    pub kind: &'static str,
    /// Accepted values; empty when the kind says it all.
    pub range: String,
    /// Unit, empty for pure numbers and texts.
    pub unit: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// JSON Schema of the value in its strict form: a number may also come as a numeric text, a
    /// boolean as 0, 1 or a text.
    pub schema: Value,
    /// The code of the refusal.
    pub code: RefusalCode,
}

/// One parameter of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Its key in the value of the command.
    pub key: Cow<'static, str>,
    /// What it means, in a sentence.
    pub doc: &'static str,
    /// What it may be.
    pub shape: Shape,
}

/// The description of a parameter.
pub(super) trait Spec: Sized {
    /// What it is read into.
    type Value;

    /// The value `found` at `key`; `None` where the key is missing.
    fn read(&self, found: Option<&Value>, key: &str) -> Result<Self::Value, Refusal>;

    /// For the documentation.
    fn shape(&self) -> Shape;

    /// The value in another type.
    fn map<T>(self, into: fn(Self::Value) -> T) -> Map<Self, T> {
        Map(self, into)
    }

    /// Refused by `code`, which names the parameter by itself.
    fn or(self, code: RefusalCode) -> Or<Self> {
        Or(self, code)
    }

    /// May be missing.
    fn optional(self) -> Optional<Self> {
        Optional(self)
    }

    /// May be missing, and then counts as `value`.
    fn unless_given(self, value: Self::Value) -> Default<Self>
    where
        Self::Value: Clone,
    {
        Default(self, value)
    }

    /// Described with the maximum that a configuration sets: its key and its default.
    fn up_to(self, key: &'static str, default: f64) -> UpTo<Self> {
        UpTo(self, key, default)
    }
}

fn shape(kind: &'static str, range: String, unit: &'static str, schema: Value) -> Shape {
    Shape { kind, range, unit, required: true, schema, code: RefusalCode::InvalidValue }
}

/// `" V"` for a unit of volts, nothing for none.
fn spaced(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" {unit}") }
}

/// A finite number from `min` to `max` in `unit`.
pub(super) const fn number(min: f64, max: f64, unit: &'static str) -> Number {
    Number { min, max, unit }
}

pub(super) struct Number {
    min: f64,
    max: f64,
    unit: &'static str,
}

impl Spec for Number {
    type Value = f64;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<f64, Refusal> {
        let Self { min, max, unit } = self;
        let unit = spaced(unit);
        let sentence = match found.map(finite) {
            Some(Some(n)) if (*min..=*max).contains(&n) => return Ok(n),
            Some(Some(n)) => format!("{key} must be between {min} and {max}{unit}, not {n}"),
            Some(None) => format!("{key} must be a finite number from {min} to {max}{unit}"),
            None => format!("{key} is missing: a number from {min} to {max}{unit}"),
        };
        Err(Refusal::invalid(key, sentence))
    }

    fn shape(&self) -> Shape {
        let Self { min, max, unit } = self;
        let schema = json!({"type": "number", "minimum": min, "maximum": max});
        shape("number", format!("{min} to {max}"), unit, schema)
    }
}

/// A whole number from `min` to `max` in `unit`.
pub(super) const fn whole_number(min: i32, max: i32, unit: &'static str) -> WholeNumber {
    WholeNumber { min, max, unit }
}

pub(super) struct WholeNumber {
    min: i32,
    max: i32,
    unit: &'static str,
}

impl Spec for WholeNumber {
    type Value = i32;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<i32, Refusal> {
        let Self { min, max, unit } = self;
        found
            .and_then(whole)
            .and_then(|n| i32::try_from(n).ok())
            .filter(|n| (min..=max).contains(&n))
            .ok_or_else(|| {
                let unit = spaced(unit);
                Refusal::invalid(key, format!("{key} must be whole, from {min} to {max}{unit}"))
            })
    }

    fn shape(&self) -> Shape {
        let Self { min, max, unit } = self;
        let schema = json!({"type": "integer", "minimum": min, "maximum": max});
        shape("whole number", format!("{min} to {max}"), unit, schema)
    }
}

/// `true` or `false`, `0` or `1`, `"true"` or `"false"`.
pub(super) struct Truth;

impl Spec for Truth {
    type Value = bool;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<bool, Refusal> {
        let sentence = || Refusal::invalid(key, format!("{key} must be true or false"));
        found.and_then(boolean).ok_or_else(sentence)
    }

    fn shape(&self) -> Shape {
        shape("boolean", String::new(), "", json!({"type": "boolean"}))
    }
}

/// The level of a pin: what a [`Truth`] is, and `"on"` or `"off"`.
pub(super) struct Level;

impl Spec for Level {
    type Value = bool;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<bool, Refusal> {
        match found.and_then(Value::as_str) {
            Some("on") => Ok(true),
            Some("off") => Ok(false),
            _ => Truth.read(found, key),
        }
    }

    fn shape(&self) -> Shape {
        let schema = json!({"enum": [true, false, 0, 1, "true", "false", "on", "off"]});
        shape("boolean", "also \"on\", \"off\"".to_owned(), "", schema)
    }
}

/// A pin of the header by its Broadcom number.
pub(super) struct Pin;

impl Spec for Pin {
    type Value = Bcm;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<Bcm, Refusal> {
        let last = Bcm::COUNT - 1;
        let sentence = || Refusal::invalid(key, format!("{key} must be BCM 0 to {last}"));
        found.and_then(pin).ok_or_else(sentence)
    }

    fn shape(&self) -> Shape {
        let last = Bcm::COUNT - 1;
        let schema = json!({"type": "integer", "minimum": 0, "maximum": last});
        shape("pin", format!("0 to {last}"), "BCM", schema)
    }
}

/// A zone or motor by its name.
pub(super) const fn named<I, const N: usize>(names: &Per<I, Name, N>) -> Named<'_, I, N> {
    Named(names)
}

pub(super) struct Named<'a, I, const N: usize>(&'a Per<I, Name, N>);

impl<I: Id, const N: usize> Named<'_, I, N> {
    fn list(&self) -> String {
        let names: Vec<String> = self.0.iter().map(|name| format!("\"{name}\"")).collect();
        names.join(", ")
    }
}

impl<I: Id, const N: usize> Spec for Named<'_, I, N> {
    type Value = I;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<I, Refusal> {
        let name = found.and_then(Value::as_str);
        let known = |text: &str| self.0.entries().find(|(_, name)| **name == *text);
        let found = name.and_then(known).map(|(id, _)| id);
        found.ok_or_else(|| Refusal::invalid(key, format!("{key} must be one of {}", self.list())))
    }

    fn shape(&self) -> Shape {
        let names: Vec<&str> = self.0.iter().map(Name::as_str).collect();
        shape("text", self.list(), "", json!({ "enum": names }))
    }
}

/// One of some names: `find` knows them, `names` lists them.
pub(super) const fn choice<T>(
    find: fn(&str) -> Option<T>,
    names: fn() -> Vec<&'static str>,
) -> Choice<T> {
    Choice { find, names, any_case: false }
}

pub(super) struct Choice<T> {
    find: fn(&str) -> Option<T>,
    names: fn() -> Vec<&'static str>,
    any_case: bool,
}

impl<T> Choice<T> {
    /// In capitals or not; `find` gets small letters.
    pub(super) const fn in_any_case(self) -> Self {
        Self { any_case: true, ..self }
    }

    fn list(&self) -> String {
        let names: Vec<String> = (self.names)().iter().map(|n| format!("\"{n}\"")).collect();
        names.join(", ")
    }
}

impl<T> Spec for Choice<T> {
    type Value = T;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<T, Refusal> {
        let name = found.and_then(Value::as_str);
        let found = match name {
            Some(name) if self.any_case => (self.find)(&name.to_ascii_lowercase()),
            Some(name) => (self.find)(name),
            None => None,
        };
        found.ok_or_else(|| Refusal::invalid(key, format!("{key} must be one of {}", self.list())))
    }

    fn shape(&self) -> Shape {
        let names = (self.names)();
        let schema = if self.any_case {
            let letter =
                |c: char| format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase());
            let name = |name: &&str| name.chars().map(letter).collect::<String>();
            let names: Vec<String> = names.iter().map(name).collect();
            json!({"type": "string", "pattern": format!("^({})$", names.join("|"))})
        } else {
            json!({ "enum": names })
        };
        shape("text", self.list(), "", schema)
    }
}

pub(super) struct Map<S: Spec, T>(S, fn(S::Value) -> T);

impl<S: Spec, T> Spec for Map<S, T> {
    type Value = T;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<T, Refusal> {
        self.0.read(found, key).map(self.1)
    }

    fn shape(&self) -> Shape {
        self.0.shape()
    }
}

pub(super) struct Or<S>(S, RefusalCode);

impl<S: Spec> Spec for Or<S> {
    type Value = S::Value;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<S::Value, Refusal> {
        self.0.read(found, key).map_err(|refusal| refusal.under(self.1))
    }

    fn shape(&self) -> Shape {
        Shape { code: self.1, ..self.0.shape() }
    }
}

pub(super) struct Optional<S>(S);

impl<S: Spec> Spec for Optional<S> {
    type Value = Option<S::Value>;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<Self::Value, Refusal> {
        found.map(|value| self.0.read(Some(value), key)).transpose()
    }

    fn shape(&self) -> Shape {
        Shape { required: false, ..self.0.shape() }
    }
}

pub(super) struct Default<S: Spec>(S, S::Value);

impl<S: Spec<Value: Clone>> Spec for Default<S> {
    type Value = S::Value;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<S::Value, Refusal> {
        found.map_or_else(|| Ok(self.1.clone()), |value| self.0.read(Some(value), key))
    }

    fn shape(&self) -> Shape {
        Shape { required: false, ..self.0.shape() }
    }
}

/// A value, or null for the type's default.
pub(super) struct Nullable<S>(pub(super) S);

impl<S: Spec<Value: std::default::Default>> Spec for Nullable<S> {
    type Value = S::Value;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<S::Value, Refusal> {
        match found {
            Some(Value::Null) => Ok(S::Value::default()),
            other => self.0.read(other, key),
        }
    }

    fn shape(&self) -> Shape {
        let shape = self.0.shape();
        Shape { schema: json!({"anyOf": [shape.schema, {"type": "null"}]}), ..shape }
    }
}

pub(super) struct UpTo<S>(S, &'static str, f64);

impl<S: Spec> Spec for UpTo<S> {
    type Value = S::Value;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<S::Value, Refusal> {
        self.0.read(found, key)
    }

    fn shape(&self) -> Shape {
        let mut shape = self.0.shape();
        shape.schema["maximum"] = json!(self.2);
        let min = shape.schema["minimum"].as_f64().unwrap_or_default();
        Shape { range: format!("{min} to {} (`{}`)", self.2, self.1), ..shape }
    }
}
