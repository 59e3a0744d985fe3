//! The table of commands holds together.

use super::*;
use crate::command::parse_named;
use crate::refusal::RefusalCode;
use serde_json::{Value, json};
use tve_machine::Names;

fn names() -> Names {
    tve_config::Config::embedded().names()
}

#[test]
fn a_name_is_one_command_and_one_word_of_capitals() {
    for (i, kind) in CommandKind::ALL.iter().enumerate() {
        let row = kind.row();
        let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        assert!(row.name.bytes().all(plain), "{}", row.name);
        assert!(row.doc.ends_with('.'), "{}", row.name);
        assert!(!CommandKind::ALL[..i].iter().any(|k| k.row().name == row.name), "{}", row.name);
        for parameter in kind.parameters(&names()) {
            assert!(parameter.doc.ends_with('.'), "{} {}", row.name, parameter.key);
        }
    }
}

/// A value for each kind from outside: complete and in range.
fn example(kind: CommandKind) -> Value {
    match kind {
        CommandKind::AcknowledgeAlarm => json!({"alarm_id": "all"}),
        CommandKind::SetMode => json!({"mode": "AUTO"}),
        CommandKind::SetTarget => json!({"z1": 100}),
        CommandKind::SetHeater => json!({"zone": "z1", "duty": 10}),
        CommandKind::SetMotor => json!({"motor": "main", "rpm": 10}),
        CommandKind::SetRelay => json!({"relay": "fan", "state": true}),
        CommandKind::SetPeltier => json!({"duty": 10}),
        CommandKind::SetPwmOutput => json!({"name": "fan", "duty": 10}),
        CommandKind::SetFillTarget => json!({"level": 10}),
        CommandKind::MoveMotorSteps => json!({"motor": "main", "steps": 10}),
        CommandKind::StopManualMove => json!({"motor": "main"}),
        CommandKind::ReleaseZone => json!({"zone": "z1", "reason": "band replaced"}),
        CommandKind::UpdatePid => json!({"zone": "z1", "params": {}}),
        CommandKind::UpdatePins => json!({"pins": {}}),
        CommandKind::SetPinName => json!({"pin": 5}),
        CommandKind::UpdateExtruderSeq => json!({"sequence": {}}),
        CommandKind::UpdateDm556
        | CommandKind::SetTempSettings
        | CommandKind::SetLoggingSettings
        | CommandKind::UpdateMotionConfig
        | CommandKind::SetHistorySettings => json!({"params": {}}),
        CommandKind::SetSensorCalibration => json!({"params": {"channel": 0}}),
        CommandKind::GpioConfig | CommandKind::GpioRead => json!({"pin": 5}),
        CommandKind::GpioWrite => json!({"pin": 5, "state": "on"}),
        CommandKind::SetGpioMode => json!({"pin": 5, "mode": "IN"}),
        CommandKind::SetGpioValue => json!({"pin": 5, "value": 0}),
        CommandKind::TuneStart => json!({"zone": "z1", "setpoint": 200}),
        CommandKind::Start
        | CommandKind::Stop
        | CommandKind::EmergencyStop
        | CommandKind::ClearAlarm
        | CommandKind::SaveConfig
        | CommandKind::TuneStop
        | CommandKind::TuneApply
        | CommandKind::ReplaceConfig
        | CommandKind::Adopt
        | CommandKind::ReportLogging => json!({}),
    }
}

#[test]
fn a_command_belongs_to_the_row_that_it_came_by_or_to_one_with_the_same_right_and_effect() {
    for kind in CommandKind::ALL {
        let row = kind.row();
        let parsed = parse_named(row.name, &example(*kind), &names());
        if row.endpoint == Endpoint::Inside {
            assert_eq!(parsed, Err(RefusalCode::UnknownCommand.into()), "{}", row.name);
            continue;
        }
        let own = parsed.unwrap().kind();
        if own != *kind {
            let other = own.row();
            assert_eq!(
                (row.right, row.effect.name()),
                (other.right, other.effect.name()),
                "{} makes {}",
                row.name,
                other.name
            );
        }
    }
}

#[test]
fn a_required_parameter_that_is_missing_is_refused_by_its_code() {
    for kind in CommandKind::ALL.iter().filter(|kind| kind.row().endpoint != Endpoint::Inside) {
        for parameter in
            kind.parameters(&names()).iter().filter(|parameter| parameter.shape.required)
        {
            let mut value = example(*kind);
            value.as_object_mut().unwrap().remove(&*parameter.key);
            let refusal = kind.parse(Some(&value), &names()).unwrap_err();
            // An alarm that is not named is no alarm that is not found.
            let code = if *kind == CommandKind::AcknowledgeAlarm {
                RefusalCode::InvalidValue
            } else {
                parameter.shape.code
            };
            assert_eq!(refusal.code, code, "{} {}", kind.row().name, parameter.key);
        }
    }
}

#[test]
fn numbers_are_accepted_to_their_bounds_and_not_beyond() {
    for kind in CommandKind::ALL.iter().filter(|kind| kind.row().endpoint != Endpoint::Inside) {
        for parameter in kind.parameters(&names()) {
            let bound = |key: &str| parameter.shape.schema[key].as_f64();
            let (Some(min), Some(max)) = (bound("minimum"), bound("maximum")) else { continue };
            let with = |x: f64| {
                let mut value = example(*kind);
                value[&*parameter.key] = json!(x);
                kind.parse(Some(&value), &names())
            };
            let name = kind.row().name;
            assert!(with(min).is_ok() && with(max).is_ok(), "{name} {}", parameter.key);
            assert!(with(min - 1.0).is_err(), "{name} {}", parameter.key);
            // A maximum of the configuration is the controller's to judge.
            if !parameter.shape.range.contains("safety.max_target") {
                assert!(with(max + 1.0).is_err(), "{name} {}", parameter.key);
            }
        }
    }
}
