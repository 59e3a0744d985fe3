//! The schemas of command bodies: one alternative per command, as lenient as the parser.

use serde_json::{Map, Value, json};
use tve_control::{CommandKind, Endpoint, Param, RefusalCode};
use tve_machine::Names;

/// A body of `POST /api/control`.
pub(super) fn control(names: &Names) -> Value {
    by_name(Endpoint::Control, names)
}

/// A body of `POST /api/gpio`.
pub(super) fn gpio(names: &Names) -> Value {
    by_name(Endpoint::Gpio, names)
}

/// A body of `POST /api/tune/start`.
pub(super) fn tune_start(names: &Names) -> Value {
    value_of(CommandKind::TuneStart, names)
}

/// The codes of refusals: each by itself, and the one that a key follows.
pub(super) fn codes() -> Value {
    let lines = RefusalCode::ALL.iter().map(|c| format!("- `{}`: {}", c.name(), c.meaning()));
    let names: Vec<&str> = RefusalCode::ALL.iter().map(|c| c.name()).collect();
    let invalid = RefusalCode::InvalidValue.name();
    json!({
        "type": "string",
        "pattern": format!(r"^({}|{invalid}:[A-Za-z0-9_.\[\]]+)$", names.join("|")),
        "description": lines.collect::<Vec<_>>().join("\n"),
    })
}

/// A body of `POST /api/config/restore`.
pub(super) fn restore() -> Value {
    let number = json!({"type": "integer", "minimum": 1, "description": "1 for the newest."});
    object(&[("generation", number)], &["generation"])
}

/// A body of `POST /api/config/confirm`.
pub(super) fn confirm() -> Value {
    let code = json!({"type": "string", "description": "The code that the refusal told."});
    object(&[("code", code)], &["code"])
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

/// The commands that come in at `endpoint` by their names, one alternative each, on a machine of
/// these names.
fn by_name(endpoint: Endpoint, names: &Names) -> Value {
    let kinds = CommandKind::ALL.iter().filter(|kind| kind.row().endpoint == endpoint);
    let alternatives: Vec<Value> = kinds
        .map(|kind| {
            let row = kind.row();
            let value = value_of(*kind, names);
            let required: &[&str] =
                if value.get("required").is_some() { &["command", "value"] } else { &["command"] };
            json!({
                "title": row.name,
                "description": row.doc,
                "type": "object",
                "required": required,
                "properties": {"command": {"const": row.name}, "value": value},
            })
        })
        .collect();
    json!({"oneOf": alternatives})
}

/// The value of a command.
fn value_of(kind: CommandKind, names: &Names) -> Value {
    if kind.ignores_value() {
        return json!({"description": "Never looked at."});
    }
    let mut required = Vec::new();
    let mut properties = Map::new();
    for Param { key, doc, shape } in kind.parameters(names) {
        if shape.required {
            required.push(key.clone());
        }
        let mut schema = lenient(&shape.schema);
        schema["description"] = json!(doc);
        properties.insert(key.into_owned(), schema);
    }
    // Null counts as no members.
    let types = if required.is_empty() { json!(["object", "null"]) } else { json!("object") };
    let mut schema = json!({"type": types});
    if !properties.is_empty() {
        schema["properties"] = properties.into();
    }
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if kind.is_closed() {
        schema["additionalProperties"] = json!(false);
    }
    schema
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

fn boolean() -> Value {
    json!({"enum": [true, false, 0, 1, "true", "false"]})
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
        let list = schema.as_array().map(|list| list.iter().map(lenient).collect());
        return list.unwrap_or_else(|| schema.clone());
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

    #[test]
    fn every_command_from_outside_is_described_once() {
        let names = tve_config::Config::embedded().names();
        let named = [control(&names), gpio(&names)];
        let mut names: Vec<&str> = named
            .iter()
            .flat_map(|schema| schema["oneOf"].as_array().unwrap())
            .map(|alternative| alternative["properties"]["command"]["const"].as_str().unwrap())
            .collect();
        let mut table: Vec<&str> = CommandKind::ALL
            .iter()
            .map(|kind| kind.row())
            .filter(|row| matches!(row.endpoint, Endpoint::Control | Endpoint::Gpio))
            .map(|row| row.name)
            .collect();
        names.sort_unstable();
        table.sort_unstable();
        assert_eq!(names, table);
    }

    #[test]
    fn the_codes_of_refusals_are_those_that_the_service_says() {
        let pattern = codes()["pattern"].as_str().unwrap().to_owned();
        for code in RefusalCode::ALL {
            assert!(pattern.contains(code.name()), "{}", code.name());
        }
        assert!(pattern.ends_with(r"|INVALID_VALUE:[A-Za-z0-9_.\[\]]+)$"), "{pattern}");
    }

    fn number(min: f64, max: f64) -> Value {
        lenient(&json!({"type": "number", "minimum": min, "maximum": max}))
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

    #[test]
    fn a_value_whose_keys_are_zones_is_described_without_others() {
        let names = tve_config::Config::embedded().names();
        let of = |kind| value_of(kind, &names)["additionalProperties"].clone();
        assert_eq!(of(CommandKind::SetTarget), json!(false));
        assert_eq!(of(CommandKind::SetHeater), Value::Null);
    }
}
