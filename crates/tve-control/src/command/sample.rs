//! Random values of commands, drawn from the table: what fuzzers and random walks send.
//!
//! Most are good, some are wrong, so that both the parser and what lies behind it are reached. A
//! command that is added to the table is drawn like the others.

use super::CommandKind;
use serde_json::{Map, Value, json};
use tve_machine::Names;

/// One in so many values is of no kind that was asked for.
const WRONG: usize = 12;

/// A random value for a command to a machine of these names; `draw(n)` gives a whole number from 0
/// to `n - 1`.
pub fn random_value(
    kind: CommandKind,
    names: &Names,
    draw: &mut dyn FnMut(usize) -> usize,
) -> Value {
    let mut value = Map::new();
    for parameter in kind.parameters(names) {
        let there = if parameter.shape.required { draw(WRONG) > 0 } else { draw(2) == 0 };
        if there {
            value.insert(parameter.key.into_owned(), of_schema(&parameter.shape.schema, draw));
        }
    }
    value.into()
}

fn pick<'a>(list: &'a [Value], draw: &mut dyn FnMut(usize) -> usize) -> &'a Value {
    list.get(draw(list.len().max(1))).unwrap_or(&Value::Null)
}

/// A value that `schema` allows, or one of the wrong ones.
fn of_schema(schema: &Value, draw: &mut dyn FnMut(usize) -> usize) -> Value {
    if draw(WRONG) == 0 {
        let wrong = [
            json!(null),
            json!(""),
            json!("NaN"),
            json!("4.7k"),
            json!(-1),
            json!(1e300),
            json!([]),
            json!({}),
            json!("ключ\u{0}"),
        ];
        return pick(&wrong, draw).clone();
    }
    let list = |key: &str| schema[key].as_array();
    if let Some(alternatives) = list("anyOf").or_else(|| list("oneOf")) {
        return of_schema(pick(alternatives, draw), draw);
    }
    if let Some(values) = list("enum") {
        return pick(values, draw).clone();
    }
    let kinds = list("type");
    let kind = kinds.map_or(&schema["type"], |kinds| pick(kinds, draw));
    match kind.as_str() {
        Some("boolean") => json!(draw(2) == 0),
        Some("number") => json!(number(schema, draw)),
        Some("integer") => json!(libm::trunc(number(schema, draw)) as i64),
        Some("string") => json!(text(schema, draw)),
        Some("array") => (0..draw(4)).map(|_| of_schema(&schema["items"], draw)).collect(),
        Some("object") => object(schema, draw),
        _ => Value::Null,
    }
}

/// A number in the range of `schema`, at its bounds more often than by chance.
fn number(schema: &Value, draw: &mut dyn FnMut(usize) -> usize) -> f64 {
    const PARTS: usize = 1000;
    let bound = |key: &str, default: f64| schema[key].as_f64().unwrap_or(default);
    let (min, max) = (bound("minimum", 0.0), bound("maximum", 100.0));
    match draw(6) {
        0 => min,
        1 => max,
        // Near zero, where the range allows it, most machines do something else than at the far end.
        2 | 3 => min.max(0.0) + (max - min).min(10.0) * draw(PARTS) as f64 / PARTS as f64,
        _ => min + (max - min) * draw(PARTS) as f64 / PARTS as f64,
    }
}

/// One of the alternatives of a pattern that is a list of words in any case, or a short text.
fn text(schema: &Value, draw: &mut dyn FnMut(usize) -> usize) -> String {
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    let Some(words) = pattern.strip_prefix("^(").and_then(|p| p.strip_suffix(")$")) else {
        let word = ["all", "lamp", "0", "x"][draw(4)];
        let least = schema["minLength"].as_u64().unwrap_or(1) as usize;
        return word.repeat(least.div_ceil(word.len()));
    };
    let words: Vec<&str> = words.split('|').collect();
    let word = words[draw(words.len())];
    let letters = word.split(['[', ']']).filter(|letter| !letter.is_empty());
    letters.filter_map(|cases| cases.chars().nth(draw(cases.chars().count().max(1)))).collect()
}

fn object(schema: &Value, draw: &mut dyn FnMut(usize) -> usize) -> Value {
    let mut value = Map::new();
    let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        // A few keys of many: the more there are, the likelier one is wrong.
        if required.iter().any(|name| name == key) || draw(4) == 0 {
            value.insert(key.clone(), of_schema(schema, draw));
        }
    }
    if schema["additionalProperties"].is_object() && draw(4) == 0 {
        value.insert("my lamp".to_owned(), of_schema(&schema["additionalProperties"], draw));
    }
    value.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Endpoint;

    #[test]
    fn every_command_from_outside_is_drawn_good_and_bad() {
        let mut state = 1_u64;
        let mut draw = |n: usize| {
            // Knuth's linear congruential generator; the high bits are the better ones.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % n
        };
        let names = tve_config::Config::embedded().names();
        for kind in CommandKind::ALL.iter().filter(|kind| kind.row().endpoint != Endpoint::Inside) {
            let (mut good, mut bad) = (0, 0);
            for _ in 0..400 {
                match kind.parse(Some(&random_value(*kind, &names, &mut draw)), &names) {
                    Ok(_) => good += 1,
                    Err(_) => bad += 1,
                }
            }
            let name = kind.row().name;
            assert!(good >= 40, "{name}: {good} of 400 are good");
            assert_eq!(
                bad > 0,
                !kind.parameters(&names).is_empty(),
                "{name}: {bad} of 400 are bad"
            );
        }
    }
}
