//! The parts of replies that have a member for each zone, motor, sensor or channel, described by the
//! table of tags.

use serde_json::{Value, json};
use tve_machine::Name;
use tve_tags::{Place, Shape, TAGS, TagRow};

/// Describes the members of `schema`, a reply or a part of one, that follow the configuration.
pub(super) fn describe(schema: &mut Value) {
    for row in TAGS {
        for (place, key) in row.drop_in.wire {
            let object = place.object();
            match place {
                Place::Targets | Place::ManualDuties | Place::HeaterDuties => {
                    if let Some(members) = schema.as_object_mut() {
                        let patterns = members.entry("patternProperties").or_insert(json!({}));
                        patterns[pattern(key)] = value(row);
                    }
                }
                Place::Temps | Place::Motors | Place::MotorsActual | Place::Relays | Place::Pwm => {
                    if let Some(map) = schema["properties"].get_mut(object) {
                        let said = map["description"].as_str().unwrap_or_default();
                        map["description"] =
                            json!(format!("{said}\n- `{key}`: {}", row.doc.trim()));
                    }
                }
                // A field of the type itself.
                Place::Fields => {}
            }
        }
    }
}

/// The names that a key stands for.
fn pattern(key: &str) -> String {
    let before = key.split('{').next().unwrap_or_default();
    format!("^{before}[a-z][a-z0-9_]{{0,{}}}$", Name::LONGEST - 1)
}

/// What a tag says, or null: other fields may begin like a pattern, and are null at times.
fn value(row: &TagRow) -> Value {
    let mut schema = match row.shape {
        Shape::Number { min, max, .. } => {
            json!({"type": ["number", "null"], "minimum": min, "maximum": max})
        }
        Shape::Switch => json!({"type": "boolean"}),
        Shape::Name(names) => json!({"enum": names}),
        Shape::Counter => json!({"type": "integer", "minimum": 0}),
    };
    schema["description"] = json!(row.doc.trim());
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schemas() -> Value {
        let document: Value = serde_json::from_slice(&super::super::document()).unwrap();
        document["components"]["schemas"].clone()
    }

    #[test]
    fn fields_of_each_zone_are_described_by_their_pattern() {
        for reply in ["State", "HistorySample"] {
            let schema = &schemas()[reply];
            assert_eq!(schema["type"], "object", "{reply}");
            let patterns = schema["patternProperties"].as_object().unwrap();
            for wanted in ["^target_[a-z][a-z0-9_]{0,15}$", "^heater_duty_[a-z][a-z0-9_]{0,15}$"] {
                assert!(patterns.contains_key(wanted), "{reply} {wanted}");
            }
            let fixed = schema["properties"].as_object().unwrap();
            assert!(!fixed.contains_key("targets"), "the pattern stands for them");
        }
        assert_eq!(schemas()["State"]["patternProperties"].as_object().unwrap().len(), 3);
    }

    #[test]
    fn the_members_of_each_map_are_named() {
        let relays = schemas()["Data"]["properties"]["relays"].clone();
        let said = relays["description"].as_str().unwrap();
        for key in ["`fan`", "`pump`", "`ssr_{zone}`"] {
            assert!(said.contains(key), "{said}");
        }
        assert_eq!(relays["additionalProperties"]["type"], "boolean");
    }
}
