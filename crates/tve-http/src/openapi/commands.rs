//! The schemas of command bodies: one alternative per command, as lenient as the parser.

use serde_json::{Map, Value, json};

/// A body of `POST /api/control`.
pub(super) fn control() -> Value {
    let config = tve_config::json_schema();
    let section = |name: &str| lenient(&config["properties"][name]);
    let params = |name: &str| object(&[("params", section(name))], &["params"]);
    let plain = || any_object();
    let motor = || json!({"enum": ["main", "feed"]});
    let zone = || json!({"enum": ["z1", "z2"]});
    let duty = || number(0.0, 100.0);
    let mut calibration = lenient(&config["properties"]["sensors"]["properties"]["0"]);
    calibration["properties"]["channel"] = whole(0, 3);
    calibration["required"] = json!(["channel"]);
    let mut pins = section("pins");
    // Other names are labels.
    pins["additionalProperties"] = json!({"anyOf": [pin(), {"type": "null"}]});
    let alternatives = [
        ("START", plain()),
        ("STOP", plain()),
        ("EMERGENCY_STOP", json!({"description": "Never looked at."})),
        ("CLEAR_ALARM", plain()),
        ("SAVE_CONFIG", plain()),
        (
            "ACKNOWLEDGE_ALARM",
            object(&[("alarm_id", json!({"type": ["integer", "string"]}))], &["alarm_id"]),
        ),
        ("SET_MODE", object(&[("mode", json!({"enum": ["AUTO", "MANUAL"]}))], &["mode"])),
        (
            "SET_TARGET",
            nullable(object(&[("z1", number(0.0, 265.0)), ("z2", number(0.0, 265.0))], &[])),
        ),
        ("SET_HEATER", object(&[("zone", zone()), ("duty", duty())], &["zone", "duty"])),
        (
            "SET_MOTOR",
            object(&[("motor", motor()), ("rpm", number(-5000.0, 5000.0))], &["motor", "rpm"]),
        ),
        (
            "SET_RELAY",
            object(
                &[("relay", json!({"enum": ["fan", "pump"]})), ("state", boolean())],
                &["relay", "state"],
            ),
        ),
        ("SET_PELTIER", object(&[("duty", duty())], &["duty"])),
        ("SET_PWM_OUTPUT", object(&[("name", channel()), ("duty", duty())], &["name", "duty"])),
        ("SET_FILL_TARGET", object(&[("level", number(0.0, 1000.0))], &["level"])),
        (
            "MOVE_MOTOR_STEPS",
            object(
                &[
                    ("motor", motor()),
                    ("steps", whole(-10_000_000, 10_000_000)),
                    ("speed", number(1.0, 20_000.0)),
                ],
                &["motor", "steps"],
            ),
        ),
        ("STOP_MANUAL_MOVE", object(&[("motor", motor())], &["motor"])),
        ("UPDATE_PID", object(&[("zone", zone()), ("params", section("z1"))], &["zone", "params"])),
        ("UPDATE_PINS", object(&[("pins", pins)], &["pins"])),
        (
            "SET_PIN_NAME",
            object(&[("pin", pin()), ("name", json!({"type": ["string", "null"]}))], &["pin"]),
        ),
        (
            "UPDATE_EXTRUDER_SEQ",
            object(&[("sequence", section("extruder_sequence"))], &["sequence"]),
        ),
        ("UPDATE_DM556", params("dm556")),
        ("SET_TEMP_SETTINGS", params("temp_settings")),
        ("SET_LOGGING_SETTINGS", params("logging")),
        ("UPDATE_MOTION_CONFIG", params("motion")),
        ("SET_HISTORY_SETTINGS", params("history")),
        ("SET_SENSOR_CALIBRATION", object(&[("params", calibration)], &["params"])),
        (
            "GPIO_CONFIG",
            object(
                &[
                    ("pin", pin()),
                    (
                        "direction",
                        json!({"type": "string", "pattern": "^([iI][nN]|[oO][uU][tT])$"}),
                    ),
                    ("pull", pull()),
                ],
                &["pin"],
            ),
        ),
        ("GPIO_WRITE", object(&[("pin", pin()), ("state", boolean())], &["pin", "state"])),
        ("GPIO_READ", object(&[("pin", pin())], &["pin"])),
    ];
    one_of(alternatives.into_iter())
}

/// A body of `POST /api/gpio`.
pub(super) fn gpio() -> Value {
    let mode = json!({"type": "string", "pattern": "^([iI][nN]|[oO][uU][tT])$"});
    let mode =
        object(&[("pin", pin()), ("mode", mode), ("pull_up_down", pull())], &["pin", "mode"]);
    let value = object(&[("pin", pin()), ("value", boolean())], &["pin", "value"]);
    one_of([("SET_GPIO_MODE", mode), ("SET_GPIO_VALUE", value)].into_iter())
}

/// A body of `POST /api/tune/start`.
pub(super) fn tune_start() -> Value {
    let methods = ["tyreus_luyben", "ziegler_nichols", "no_overshoot"];
    object(
        &[
            ("zone", json!({"enum": ["z1", "z2"]})),
            ("setpoint", number(50.0, 250.0)),
            ("method", json!({"enum": methods})),
        ],
        &["zone", "setpoint"],
    )
}

/// A body of `POST /api/config/restore`.
pub(super) fn restore() -> Value {
    let number = json!({"type": "integer", "minimum": 1, "description": "1 for the newest."});
    object(&[("generation", number)], &["generation"])
}

/// A parameter of a path or query by its name.
pub(super) fn parameter(name: &str) -> Value {
    match name {
        "file" => json!({"type": "string"}),
        "since" => or_empty(&json!({"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX})),
        "points" => or_empty(&json!({"type": "integer", "minimum": 1, "maximum": 86_400})),
        "generation" => json!({"type": "integer", "minimum": 1, "maximum": 10}),
        _ => or_empty(&json!({"type": "integer", "minimum": 0, "maximum": u64::MAX})),
    }
}

/// An empty parameter of a query counts as none.
fn or_empty(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "string", "maxLength": 0}]})
}

fn one_of(commands: impl Iterator<Item = (&'static str, Value)>) -> Value {
    let alternatives: Vec<Value> = commands
        .map(|(name, value)| {
            let required: &[&str] =
                if value.get("required").is_some() { &["command", "value"] } else { &["command"] };
            json!({
                "title": name,
                "type": "object",
                "required": required,
                "properties": {"command": {"const": name}, "value": value},
            })
        })
        .collect();
    json!({"oneOf": alternatives})
}

fn object(properties: &[(&str, Value)], required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        properties.iter().map(|(key, schema)| ((*key).to_owned(), schema.clone())).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// Null counts as no members.
fn nullable(mut schema: Value) -> Value {
    schema["type"] = json!(["object", "null"]);
    schema
}

/// The channels that a new machine has.
fn channel() -> Value {
    let channels = tve_config::Config::embedded().pwm.channels;
    let names: Vec<_> = channels.keys().collect();
    json!({"enum": names, "description": "A name of pwm.channels; these are the default's."})
}

fn any_object() -> Value {
    json!({"type": ["object", "null"]})
}

fn boolean() -> Value {
    json!({"enum": [true, false, 0, 1, "true", "false"]})
}

fn number(min: f64, max: f64) -> Value {
    or_text(json!({"type": "number", "minimum": min, "maximum": max}), min, max)
}

fn whole(min: i64, max: i64) -> Value {
    let schema = json!({"type": "integer", "minimum": min, "maximum": max});
    or_text(schema, min as f64, max as f64)
}

fn pin() -> Value {
    whole(0, 27)
}

fn pull() -> Value {
    let names = "^([uU][pP]|[dD][oO][wW][nN]|[oO][fF][fF]|[nN][oO][nN][eE])$";
    json!({"anyOf": [{"type": "string", "pattern": names}, {"type": "null"}]})
}

/// A number may also come as a text. A pattern cannot say a range, so it names those texts that are
/// in range by their length alone.
fn or_text(schema: Value, min: f64, max: f64) -> Value {
    let digits = (max.max(0.0) as u64).to_string().len();
    let pattern = match digits {
        1 if max < 1.0 || min > 1.0 => return schema,
        1 => format!("^[1-{}]$", max as u64),
        _ if min <= 0.0 => format!("^[0-9]{{1,{}}}$", digits - 1),
        _ if min <= 1.0 => format!("^[1-9][0-9]{{0,{}}}$", digits - 2),
        _ => return schema,
    };
    let text = json!({
        "type": "string",
        "pattern": pattern,
        "description": "Any numeric text in the range is accepted; this names some of them.",
    });
    json!({"anyOf": [schema, text]})
}

/// A section as commands take it: numbers and booleans may come as texts.
fn lenient(schema: &Value) -> Value {
    let Value::Object(members) = schema else {
        return match schema {
            Value::Array(list) => list.iter().map(lenient).collect(),
            other => other.clone(),
        };
    };
    let bound = |key: &str| members.get(key).and_then(Value::as_f64);
    match members.get("type").and_then(Value::as_str) {
        Some("boolean") => boolean(),
        Some("number" | "integer") => match (bound("minimum"), bound("maximum")) {
            (Some(min), Some(max)) => or_text(schema.clone(), min, max),
            _ => schema.clone(),
        },
        _ => members
            .iter()
            .map(|(key, value)| {
                let value = match key.as_str() {
                    "enum" | "const" | "default" | "required" | "type" => value.clone(),
                    _ => lenient(value),
                };
                (key.clone(), value)
            })
            .collect::<Map<_, _>>()
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_control::parse_control;

    #[test]
    fn every_alternative_is_a_command_that_the_parser_knows() {
        for alternative in control()["oneOf"].as_array().unwrap() {
            let name = alternative["properties"]["command"]["const"].as_str().unwrap();
            let answer = parse_control(&json!({"command": name}));
            let unknown = answer.is_err_and(|r| r.code.name() == "UNKNOWN_COMMAND");
            assert!(!unknown, "{name}");
        }
    }

    #[test]
    fn texts_that_stand_for_numbers_are_in_range() {
        for (min, max, inside) in [
            (0.0, 100.0, vec!["0", "99"]),
            (1.0, 20_000.0, vec!["1", "9999"]),
            (0.1, 5.0, vec!["1", "5"]),
        ] {
            let schema = number(min, max);
            let pattern = schema["anyOf"][1]["pattern"].as_str().unwrap();
            for text in inside {
                let value: f64 = text.parse().unwrap();
                assert!((min..=max).contains(&value), "{pattern} {text}");
            }
        }
        assert!(number(50.0, 250.0).get("anyOf").is_none());
    }
}
