//! The layout of incident files has a number, and nobody changes it without noticing.
//!
//! What a file is made of goes through one hash: the file around its segments, the records, the
//! bytes of every command and alarm, and the outline of the state, which is its text with every
//! value struck out.

use super::codec::{self, CommandImage, Writer};
use super::file::{self, FORMAT};
use super::kept::Kept;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use tve_config::Config;
use tve_control::AlarmCode;
use tve_hal::{Inputs, Outputs};
use tve_rig::Rig;
use tve_units::Micros;

/// The fingerprint of the layout that [`FORMAT`] stands for.
const FINGERPRINT: (u32, &str) =
    (2, "4c8b182e1f38860994bcc66a93e15a19dd6f2102e1f69db9df896a8c21147963");

/// The JSON text of a value with every number and truth `0` and every text `""`: names and nesting
/// are left.
fn outline(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap();
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => rest[1..].find('"').unwrap() + 2,
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            _ => rest.find([',', '}', ']']).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        out.push_str(match first {
            '"' if !after.starts_with(':') => "\"\"",
            '"' | '{' | '}' | '[' | ']' | ',' | ':' | 'n' => token,
            _ => "0",
        });
        rest = after;
    }
    out
}

/// A machine that has been told `orders`, a second each.
fn told(orders: &[(&str, serde_json::Value)]) -> Rig {
    let mut rig = Rig::new(&Config::embedded());
    rig.soak(200.0);
    rig.run_for(2.0);
    for (name, value) in orders {
        rig.command(name, value).unwrap();
        rig.run_for(1.0);
    }
    rig
}

fn fingerprint() -> String {
    let mut hash = Sha256::new();
    let mut part = |name: &str, bytes: &[u8]| {
        hash.update(format!("{name} {}\n", bytes.len()));
        hash.update(bytes);
    };

    let kept = Kept {
        bytes: Box::from(*b"staterecords"),
        state_len: 5,
        config: Arc::new(Config::embedded()),
        began: Micros::from_secs(1),
        ended: Micros::from_secs(2),
        continues: true,
    };
    let composed = file::compose(&[&kept], &[]).unwrap();
    let (header, _) = file::parse(&composed).unwrap();
    part("header", outline(&file::Header { configs: Vec::new(), ..header }).as_bytes());
    let length = u32::from_le_bytes(composed[8..12].try_into().unwrap()) as usize;
    part("magic", &composed[..8]);
    part("segments", &composed[12 + length..composed.len() - 32]);

    let mut records = Vec::new();
    let mut writer = Writer::new(Micros::ZERO);
    for command in codec::kept_commands() {
        let image = CommandImage::of(&command);
        assert!(writer.command(&mut records, Micros::from_secs(1), &image, true));
    }
    let machine = Config::embedded().machine();
    let (zones, motors) = (machine.zones.len(), machine.motors.len());
    let inputs = Inputs::unread(motors, machine.sensors.len());
    let outputs = Outputs::off(zones, motors);
    assert!(writer.tick(&mut records, Micros::from_secs(2), &inputs, &outputs));
    writer.shut_down(&mut records, Micros::from_secs(3));
    part("records", &records);
    part("inputs", outline(&inputs).as_bytes());
    part("outputs", outline(&outputs).as_bytes());
    // By name: rows that change places have the same numbers.
    let alarms: Vec<_> = AlarmCode::ALL.iter().map(|code| (code, code.name())).collect();
    part("alarms", &postcard::to_allocvec(&alarms).unwrap());

    let heat = ("SET_TARGET", json!({"z1": 200, "z2": 200}));
    let turn = ("SET_MOTOR", json!({"motor": "main", "rpm": 60}));
    let tune = ("TUNE_START", json!({"zone": "z1", "setpoint": 200}));
    let jog = ("MOVE_MOTOR_STEPS", json!({"motor": "feed", "steps": 32000, "speed": 100}));
    let stop = ("EMERGENCY_STOP", serde_json::Value::Null);
    for orders in
        [vec![], vec![heat.clone(), turn.clone()], vec![tune], vec![jog], vec![heat, turn, stop]]
    {
        part("state", outline(&told(&orders).controller).as_bytes());
    }
    part(
        "a fresh state",
        &postcard::to_allocvec(&Rig::new(&Config::embedded()).controller)
            .unwrap()
            .len()
            .to_le_bytes(),
    );
    // Hexadecimal digits, as `sha256sum` prints them.
    hash.finalize().iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

fn digit(nibble: u8) -> char {
    char::from_digit(nibble.into(), 16).unwrap()
}

#[test]
fn a_changed_layout_has_another_number() {
    let found = fingerprint();
    assert_eq!(
        (FORMAT, found.as_str()),
        FINGERPRINT,
        "the layout of incident files has changed: raise FORMAT in file.rs, then put its number \
         and this hash into FINGERPRINT, and say in CHANGELOG.md that older files are refused"
    );
}

#[test]
fn an_outline_keeps_names_and_nesting_alone() {
    let value = json!({"a": [1.5e-3, null, true], "b": {"c": "text: {x}", "d": ["e"]}});
    let outlined = r#"{"a":[0,null,0],"b":{"c":"","d":[""]}}"#;
    assert_eq!(outline(&value), outlined);
}
