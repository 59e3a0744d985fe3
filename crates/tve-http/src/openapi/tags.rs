//! The parts of replies that have a member for each zone, motor, sensor or channel of a machine,
//! described by the table of tags.

use serde_json::{Map, Value, json};
use tve_tags::{Place, Shape, Tag, Tags};

/// The replies with members that follow the configuration, and which of those stand in the reply
/// itself and not in a map of it.
pub(super) const REPLIES: [(&str, &[Place]); 3] = [
    ("Data", &[]),
    ("State", &[Place::Targets, Place::ManualDuties, Place::HeaterDuties]),
    ("HistorySample", &[Place::Targets, Place::HeaterDuties]),
];

/// Describes the members of `reply` that follow the configuration; `fields` stand in it itself.
pub(super) fn describe(reply: &mut Value, fields: &[Place], tags: &Tags) {
    for place in Place::ALL {
        let group = tags.group(place);
        let named = group.keys.iter().zip(&group.tags);
        match place {
            Place::Targets | Place::HeaterDuties | Place::ManualDuties => {
                for (key, tag) in named.filter(|_| fields.contains(&place)) {
                    let number = described(&json!({"type": "number"}), *tag);
                    reply["properties"][&**key] = number;
                    if let Some(required) = reply["required"].as_array_mut() {
                        required.push(json!(key));
                    }
                }
            }
            Place::Temps
            | Place::Motors
            | Place::MotorsActual
            | Place::MotorsHeld
            | Place::Relays
            | Place::Pwm => {
                let Some(map) = reply["properties"].get_mut(place.object()) else { continue };
                let each = map["additionalProperties"].take();
                let members: Map<String, Value> =
                    named.map(|(key, tag)| (key.to_string(), described(&each, *tag))).collect();
                let said = map["description"].take();
                *map = json!({
                    "type": "object",
                    "description": said,
                    "properties": members,
                    "required": &group.keys[..],
                });
            }
            // A field of the type itself.
            Place::Fields => {}
        }
    }
}

/// The schema of a value with what the table says of its tag.
fn described(value: &Value, tag: Tag) -> Value {
    let row = tag.row();
    let mut schema = value.clone();
    schema["description"] = json!(row.doc.trim());
    match row.shape {
        Shape::Number { min, max, .. } => {
            schema["minimum"] = json!(min);
            schema["maximum"] = json!(max);
        }
        Shape::Name(names) => schema["enum"] = json!(names),
        Shape::Switch | Shape::Counter => {}
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_config::Config;

    fn schemas(config: &Config) -> Value {
        let tags = Tags::of(config.machine());
        let document: Value = serde_json::from_slice(&super::super::document(&tags)).unwrap();
        document["components"]["schemas"].clone()
    }

    fn four_zones() -> Config {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/machines/four-zone.json");
        Config::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn the_description_is_that_of_the_machine_that_runs() {
        let two = schemas(&Config::embedded());
        let four = schemas(&four_zones());
        let keys = |schemas: &Value, reply: &str, map: &str| {
            schemas[reply]["properties"][map]["required"].to_string()
        };
        assert_eq!(keys(&two, "Data", "relays"), r#"["fan","pump","ssr_z1","ssr_z2"]"#);
        assert_eq!(keys(&four, "Data", "motors"), r#"["main","puller"]"#);
        assert!(two["State"]["properties"]["target_z3"].is_null());
        for reply in ["State", "HistorySample"] {
            assert!(four[reply]["properties"]["target_z4"].is_object(), "{reply}");
            let required = four[reply]["required"].as_array().unwrap();
            assert!(required.contains(&json!("heater_duty_z3")), "{reply}");
        }
        assert!(four["HistorySample"]["properties"]["manual_duty_z1"].is_null());
        let commands = four["ControlRequest"].to_string();
        assert!(commands.contains(r#""z4""#) && commands.contains(r#""puller""#), "{commands}");
    }

    #[test]
    fn what_the_replies_hold_is_described_and_no_more() {
        let config = four_zones();
        let schemas = schemas(&config);
        let tags = Tags::of(config.machine());
        let mut snapshot = tve_control::Snapshot::of(&config.machine());
        // What is there only now and then is there.
        snapshot.held = snapshot.held.map(|_, _| true);
        let state = crate::view::state_json(&snapshot, &tags, "simulator", &[], b"[]");
        let data = crate::view::data_text(&snapshot, &tags);
        for (reply, body) in [("State", state), ("Data", data)] {
            let body: Map<String, Value> = serde_json::from_slice(&body).unwrap();
            let described = schemas[reply]["properties"].as_object().unwrap();
            assert!(body.keys().eq(described.keys()), "{reply}: {body:?} {described:?}");
        }
    }
}
