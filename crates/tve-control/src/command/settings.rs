//! Parameters that are more than a plain value: sections of the configuration, pins, names, ids.

use super::AlarmSelector;
use super::spec::{Pin, Shape, Spec, WholeNumber, whole_number};
use crate::refusal::{Refusal, RefusalCode};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use tve_config::{
    Config, Issue, Leniency, Pins, PinsPatch, SensorConfig, SensorConfigPatch, check_label,
};
use tve_machine::{MAX_SENSORS, Names, Signal};
use tve_units::Bcm;

type Members = Map<String, Value>;
type PatchFrom<P> = fn(&Members, Leniency, &str, &mut Vec<Issue>) -> P;

/// Keys of the section `name` of the configuration; refused by `code` when it is no object.
pub(super) const fn section<P>(
    name: &'static str,
    from: PatchFrom<P>,
    code: RefusalCode,
) -> Section<P> {
    Section { name, from, code }
}

pub(super) struct Section<P> {
    name: &'static str,
    from: PatchFrom<P>,
    code: RefusalCode,
}

impl<P> Spec for Section<P> {
    type Value = P;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<P, Refusal> {
        patch(members(found, key, self.code)?, key, self.from)
    }

    fn shape(&self) -> Shape {
        keys_of(self.name, self.code, schema_of(self.name))
    }
}

fn keys_of(name: &str, code: RefusalCode, schema: Value) -> Shape {
    let range = format!("keys of `{name}`");
    Shape { kind: "object", range, unit: "", required: true, schema, code }
}

/// JSON Schema of a section of the configuration.
fn schema_of(name: &str) -> Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(tve_config::json_schema);
    SCHEMA["properties"][name].clone()
}

fn members<'a>(
    found: Option<&'a Value>,
    key: &str,
    code: RefusalCode,
) -> Result<&'a Members, Refusal> {
    let object = found.and_then(Value::as_object);
    object.ok_or_else(|| {
        let refusal = Refusal::invalid(key, format!("{key} must be an object"));
        if code == RefusalCode::InvalidValue { refusal } else { refusal.under(code) }
    })
}

fn patch<P>(map: &Members, path: &str, from: PatchFrom<P>) -> Result<P, Refusal> {
    let mut issues = Vec::new();
    let patch = from(map, Leniency::Lenient, path, &mut issues);
    if issues.is_empty() { Ok(patch) } else { Err(Refusal::of_issues(&issues)) }
}

/// Pins by function, and labels by pin: a name that is no known function is a label.
pub(super) struct PinMap<'a>(pub(super) &'a Names);

impl Spec for PinMap<'_> {
    type Value = (PinsPatch, Vec<(String, Option<Bcm>)>);

    fn read(&self, found: Option<&Value>, key: &str) -> Result<Self::Value, Refusal> {
        let mut functions = Map::new();
        let mut labels = Vec::new();
        for (name, value) in members(found, key, RefusalCode::InvalidPins)? {
            if Signal::from_name(name, self.0).is_some() {
                functions.insert(name.clone(), value.clone());
                continue;
            }
            let path = format!("{key}.{name}");
            check_label(name).map_err(|sentence| Refusal::invalid(&path, sentence))?;
            let pin = if value.is_null() { None } else { Some(Pin.read(Some(value), &path)?) };
            labels.push((name.clone(), pin));
        }
        Ok((patch(&functions, key, Pins::patch_from)?, labels))
    }

    fn shape(&self) -> Shape {
        let mut schema = schema_of("pins");
        // Other names are labels.
        schema["additionalProperties"] = json!({"anyOf": [Pin.shape().schema, {"type": "null"}]});
        let range = "keys of `pins`, and labels".to_owned();
        Shape { range, ..keys_of("pins", RefusalCode::InvalidPins, schema) }
    }
}

/// A channel of the PWM board by its name, which the controller looks up.
pub(super) struct PwmChannel;

impl Spec for PwmChannel {
    type Value = String;

    fn read(&self, found: Option<&Value>, _: &str) -> Result<String, Refusal> {
        let name = found.and_then(Value::as_str);
        name.map(str::to_owned).ok_or_else(|| RefusalCode::InvalidPwmChannel.into())
    }

    fn shape(&self) -> Shape {
        // Those that a new machine has.
        let channels = Config::embedded().pwm.channels;
        let names: Vec<_> = channels.keys().collect();
        Shape {
            kind: "text",
            range: "a key of `pwm.channels`".to_owned(),
            unit: "",
            required: true,
            schema: json!({ "enum": names }),
            code: RefusalCode::InvalidPwmChannel,
        }
    }
}

/// A name for a pin; missing, null or empty for none.
pub(super) struct Label;

impl Spec for Label {
    type Value = String;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<String, Refusal> {
        let name = match found {
            None | Some(Value::Null) => "",
            Some(Value::String(name)) => name.trim(),
            Some(_) => {
                let sentence = format!("{key} must be a text");
                return Err(Refusal::with(RefusalCode::InvalidArgs, sentence));
            }
        };
        if !name.is_empty() {
            check_label(name).map_err(|sentence| Refusal::invalid(key, sentence))?;
        }
        Ok(name.to_owned())
    }

    fn shape(&self) -> Shape {
        Shape {
            kind: "text or null",
            range: "a function of `pins`, or a label".to_owned(),
            unit: "",
            required: false,
            schema: json!({"type": ["string", "null"]}),
            code: RefusalCode::InvalidArgs,
        }
    }
}

/// Why somebody does what only a person can answer for.
pub(super) struct Reason;

impl Reason {
    /// Fewest and most characters: a word says nothing, a page is no reason.
    const LENGTH: (usize, usize) = (5, 200);
}

impl Spec for Reason {
    type Value = String;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<String, Refusal> {
        let (least, most) = Self::LENGTH;
        let text = found.and_then(Value::as_str).map(str::trim);
        text.filter(|text| (least..=most).contains(&text.chars().count()))
            .map(str::to_owned)
            .ok_or_else(|| {
                Refusal::invalid(
                    key,
                    format!("{key} must be a text of {least} to {most} characters"),
                )
            })
    }

    fn shape(&self) -> Shape {
        let (least, most) = Self::LENGTH;
        Shape {
            kind: "text",
            range: format!("{least} to {most} characters"),
            unit: "",
            required: true,
            schema: json!({"type": "string", "minLength": least, "maxLength": most}),
            code: RefusalCode::InvalidValue,
        }
    }
}

/// A sensor channel, and keys of its sensor.
pub(super) struct Calibration;

impl Calibration {
    const CHANNEL: WholeNumber = whole_number(0, (MAX_SENSORS as u32).cast_signed() - 1, "");
}

impl Spec for Calibration {
    type Value = (u8, SensorConfigPatch);

    fn read(&self, found: Option<&Value>, key: &str) -> Result<Self::Value, Refusal> {
        let params = members(found, key, RefusalCode::InvalidSensorParams)?;
        let channel = Self::CHANNEL.or(RefusalCode::InvalidSensorChannel);
        let channel = channel.read(params.get("channel"), "channel")?;
        let mut rest = params.clone();
        rest.remove("channel");
        Ok((channel as u8, patch(&rest, key, SensorConfig::patch_from)?))
    }

    fn shape(&self) -> Shape {
        // One schema serves every channel.
        let mut schema = schema_of("sensors")["patternProperties"]
            .as_object()
            .and_then(|channels| channels.values().next())
            .cloned()
            .unwrap_or_default();
        schema["properties"]["channel"] = Self::CHANNEL.shape().schema;
        schema["required"] = json!(["channel"]);
        let range = format!("channel ({}) and keys of `sensors.N`", Self::CHANNEL.shape().range);
        Shape { range, ..keys_of("sensors", RefusalCode::InvalidSensorParams, schema) }
    }
}

/// The id of an alarm, or `"all"`.
pub(super) struct AlarmId;

impl Spec for AlarmId {
    type Value = AlarmSelector;

    fn read(&self, found: Option<&Value>, key: &str) -> Result<AlarmSelector, Refusal> {
        let id = match found {
            Some(Value::String(s)) if s == "all" => return Ok(AlarmSelector::All),
            Some(Value::String(s)) => s.parse().ok(),
            Some(Value::Number(n)) => n.as_u64(),
            _ => {
                let sentence = format!("{key} must be an id or \"all\"");
                return Err(Refusal::invalid(key, sentence));
            }
        };
        id.map(AlarmSelector::Id).ok_or_else(|| RefusalCode::AlarmNotFound.into())
    }

    fn shape(&self) -> Shape {
        Shape {
            kind: "whole number or text",
            range: "an id, or \"all\"".to_owned(),
            unit: "",
            required: true,
            schema: json!({"type": ["integer", "string"]}),
            code: RefusalCode::AlarmNotFound,
        }
    }
}
