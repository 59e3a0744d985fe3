//! JSON as a configuration file or a command may hold it: every key once.

use crate::issue::{ConfigErrors, Issue, join, printable};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Parse `text`, which is no configuration as yet.
///
/// # Errors
/// The fault of the text, or every key that stands twice in its object, with its path.
pub fn parse_json(text: &str) -> Result<Value, ConfigErrors> {
    parse(text).map_err(ConfigErrors)
}

/// Parse `text`; a key that stands twice in its object is an issue with its path.
pub(crate) fn parse(text: &str) -> Result<Value, Vec<Issue>> {
    let mut duplicates = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(text);
    let seed = Unique { path: String::new(), duplicates: &mut duplicates };
    let value = seed
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| vec![Issue::new("", format!("not valid JSON: {error}"))])?;
    if duplicates.is_empty() { Ok(value) } else { Err(duplicates) }
}

struct Unique<'a> {
    path: String,
    duplicates: &'a mut Vec<Issue>,
}

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Number(n.into()))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        Ok(Value::Number(n.into()))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Value, E> {
        Ok(Number::from_f64(n).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, s: &str) -> Result<Value, E> {
        Ok(Value::String(s.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let Self { path, duplicates } = self;
        let mut list = Vec::new();
        loop {
            let path = format!("{path}[{}]", list.len());
            match items.next_element_seed(Unique { path, duplicates })? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let Self { path, duplicates } = self;
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let path = join(&path, &key);
            if map.contains_key(&key) {
                let reason = format!("\"{}\" is given twice; remove one", printable(&key));
                duplicates.push(Issue::new(&path, reason));
            }
            let value = members.next_value_seed(Unique { path, duplicates })?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_given_twice_is_named_with_its_path() {
        let issues = parse(r#"{"a": [{"b": 1, "b": 2}], "a": 3}"#).unwrap_err();
        let lines: Vec<String> = issues.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            ["a[0].b: \"b\" is given twice; remove one", "a: \"a\" is given twice; remove one"]
        );
    }

    #[test]
    fn a_text_reads_as_the_plain_parser_reads_it() {
        let text = r#"{"a": [1, -2, 2.5, 1e300, "x\u00e9", null, true], "b": {}}"#;
        assert_eq!(parse(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        for bad in ["", "{", "{} x", "[1,]", "nul", "{\"a\":1e999}"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
