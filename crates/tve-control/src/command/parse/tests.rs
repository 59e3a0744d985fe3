//! What each command accepts and refuses.

use super::*;
use crate::command::{PinMode, Relay};
use serde_json::json;
use tve_hal::Pull;
use tve_units::{Bcm, Celsius};

fn names() -> Names {
    tve_config::Config::embedded().names()
}

fn control(name: &str, value: &Value) -> Result<Command, Refusal> {
    parse_control(&json!({"command": name, "value": value}), &names())
}

fn msg(name: &str, value: &Value) -> String {
    control(name, value).expect_err("should be refused").msg().into_owned()
}

#[test]
fn numbers_may_come_as_numeric_strings_and_never_as_nan() {
    let accepted = control("SET_TARGET", &json!({"z1": "210.5"})).unwrap();
    let Command::SetTarget { zones } = accepted else { panic!("{accepted:?}") };
    assert_eq!(zones, [Some(Celsius::new(210.5).unwrap()), None]);
    for bad in [json!("NaN"), json!("inf"), json!([1]), json!(null), json!({}), json!(true)] {
        assert_eq!(msg("SET_TARGET", &json!({"z1": bad})), "INVALID_VALUE:z1", "{bad}");
    }
    for value in [json!({"z9": 200}), json!({"z1": 200, "z9": 200}), json!({"z9": null})] {
        assert_eq!(msg("SET_TARGET", &value), "INVALID_VALUE:z9", "{value}");
    }
}

#[test]
fn a_bare_nan_in_the_body_is_reported_at_its_key() {
    let body = lenient_json(br#"{"command":"SET_MOTOR","value":{"motor":"main","rpm":-Infinity}}"#);
    let refusal = parse_control(&body.unwrap(), &names()).unwrap_err();
    assert_eq!(refusal.msg(), "INVALID_VALUE:rpm");
}

#[test]
fn a_key_that_is_given_twice_is_refused_wherever_it_stands_and_however_it_is_written() {
    for (body, path) in [
        (r#"{"command":"SET_TARGET","value":{"z1":100,"z1":100}}"#, "value.z1: "),
        (r#"{"command":"STOP","command":"START"}"#, "command: "),
        (r#"{"comm\u0061nd":"STOP","command":"START"}"#, "command: "),
        (r#"{"command":"START","value":NaN,"value":{}}"#, ""),
        (r#"[[{"a":0,"b":[],"a":0}]]"#, "[0][0].a: "),
    ] {
        let refusal = lenient_json(body.as_bytes()).unwrap_err();
        assert_eq!(refusal.msg(), "INVALID_JSON", "{body}");
        assert!(refusal.reason.unwrap_or_default().starts_with(path), "{body}");
    }
    let many = format!("{{{}\"a\":0}}", "\"a\":0,".repeat(10_000));
    assert!(lenient_json(many.as_bytes()).unwrap_err().to_string().len() < 200);
}

#[test]
fn a_nan_inside_a_text_is_left_alone() {
    let body = lenient_json(br#"{"a":"x NaN \" NaN","b":NaN}"#).unwrap();
    assert_eq!(body, json!({"a": "x NaN \" NaN", "b": "NaN"}));
}

#[test]
fn booleans_are_true_false_0_1_and_their_names() {
    let relay = |state: Value| control("SET_RELAY", &json!({"relay": "fan", "state": state}));
    for (value, on) in
        [(json!(true), true), (json!(0), false), (json!(1), true), (json!("false"), false)]
    {
        assert_eq!(relay(value), Ok(Command::SetRelay { relay: Relay::Fan, on }));
    }
    for bad in [json!("on"), json!(2), json!([1]), json!(null)] {
        assert!(relay(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn the_value_of_an_emergency_stop_is_never_looked_at() {
    for value in [json!(null), json!([1, 2]), json!("x"), json!({"a": 1})] {
        assert_eq!(control("EMERGENCY_STOP", &value), Ok(Command::EmergencyStop));
    }
}

#[test]
fn an_unknown_command_is_said_to_be_unknown_whatever_its_value() {
    assert_eq!(msg("MAKE_COFFEE", &json!([1])), "UNKNOWN_COMMAND");
    assert_eq!(parse_control(&json!({}), &names()).unwrap_err().msg(), "UNKNOWN_COMMAND");
}

#[test]
fn a_jog_is_checked_for_motor_then_speed_then_steps() {
    let jog = |v| msg("MOVE_MOTOR_STEPS", &v);
    assert_eq!(jog(json!({"motor": "x", "steps": 1.5, "speed": 0})), "INVALID_MOTOR");
    assert_eq!(jog(json!({"motor": "main", "steps": 1.5, "speed": 0})), "INVALID_SPEED");
    assert_eq!(jog(json!({"motor": "main", "steps": 1.5})), "INVALID_MOVE_PARAMS");
    assert_eq!(jog(json!({"motor": "main", "steps": 1e300})), "INVALID_MOVE_PARAMS");
}

#[test]
fn a_settings_command_accepts_what_status_shows_and_names_what_it_does_not_know() {
    let shown = json!({"params": {"poll_interval": 0.5, "freshness_timeout": 9}});
    assert!(control("SET_TEMP_SETTINGS", &shown).is_ok());
    let unknown = json!({"params": {"pol_interval": 0.5}});
    assert_eq!(msg("SET_TEMP_SETTINGS", &unknown), "INVALID_VALUE:params.pol_interval");
}

#[test]
fn pins_with_functions_and_labels_are_told_apart() {
    let v = json!({"pins": {"led_red": 16, "warp_core": 12, "old": null}});
    let Ok(Command::UpdatePins { functions, labels }) = control("UPDATE_PINS", &v) else {
        panic!()
    };
    assert_eq!(functions.get("led_red"), Some(Some(Bcm::new(16).unwrap())));
    assert_eq!(labels, [("old".to_owned(), None), ("warp_core".to_owned(), Bcm::new(12).ok())]);
    let wrong = json!({"pins": {"ssr_z1": 99}});
    assert_eq!(msg("UPDATE_PINS", &wrong), "INVALID_VALUE:pins.ssr_z1");
    let wrong = json!({"pins": {"warp_core": 99}});
    assert_eq!(msg("UPDATE_PINS", &wrong), "INVALID_VALUE:pins.warp_core");
}

#[test]
fn gpio_bodies_refuse_with_their_own_code() {
    let gpio = |c: &str, v: Value| parse_gpio(&json!({"command": c, "value": v}), &names());
    assert_eq!(gpio("BLINK", json!({})).unwrap_err().msg(), "UNKNOWN_GPIO_COMMAND");
    for v in [
        json!({"value": 1}),
        json!({"pin": 28, "value": 1}),
        json!({"pin": 4, "value": 7}),
        json!([1]),
    ] {
        assert_eq!(gpio("SET_GPIO_VALUE", v).unwrap_err().msg(), "INVALID_PIN_OR_VALUE");
    }
    let input = gpio("SET_GPIO_MODE", json!({"pin": 27, "mode": "IN", "pull_up_down": "down"}));
    let pin = Bcm::new(27).unwrap();
    assert_eq!(input, Ok(Command::GpioConfig { pin, mode: PinMode::In(Pull::Down) }));
}

#[test]
fn what_is_no_object_is_refused_by_the_code_that_clients_know() {
    for (name, value, code) in [
        ("UPDATE_PINS", json!({"pins": [17]}), "INVALID_PINS"),
        ("UPDATE_PINS", json!({}), "INVALID_PINS"),
        ("UPDATE_EXTRUDER_SEQ", json!({"sequence": 1}), "INVALID_SEQUENCE"),
        ("UPDATE_DM556", json!({"params": []}), "INVALID_DM556_PARAMS"),
        ("SET_TEMP_SETTINGS", json!({"params": "x"}), "INVALID_TEMP_SETTINGS"),
        ("SET_LOGGING_SETTINGS", json!({"params": null}), "INVALID_LOGGING_PARAMS"),
        ("SET_SENSOR_CALIBRATION", json!({"params": 7}), "INVALID_SENSOR_PARAMS"),
        ("UPDATE_MOTION_CONFIG", json!({"params": 7}), "INVALID_VALUE:params"),
        ("SET_TARGET", json!([200]), "INVALID_VALUE:value"),
    ] {
        assert_eq!(msg(name, &value), code, "{name} {value}");
    }
}

#[test]
fn a_pin_name_without_a_pin_is_refused_by_the_code_that_clients_know() {
    for value in [json!({"pin": "x", "name": "lamp"}), json!({"name": "lamp"}), json!({"pin": 28})]
    {
        assert_eq!(msg("SET_PIN_NAME", &value), "INVALID_ARGS", "{value}");
    }
    assert_eq!(msg("SET_PIN_NAME", &json!({"pin": 5, "name": 7})), "INVALID_ARGS");
    let long = json!({"pin": 5, "name": "x".repeat(33)});
    assert_eq!(msg("SET_PIN_NAME", &long), "INVALID_VALUE:name");
}

#[test]
fn a_pin_is_written_by_the_states_of_a_relay_and_by_on_and_off() {
    let pin = Bcm::new(5).unwrap();
    for (state, high) in [
        (json!(true), true),
        (json!(false), false),
        (json!(1), true),
        (json!(0), false),
        (json!("true"), true),
        (json!("false"), false),
        (json!("on"), true),
        (json!("off"), false),
    ] {
        let written = control("GPIO_WRITE", &json!({"pin": 5, "state": state}));
        assert_eq!(written, Ok(Command::GpioWrite { pin, high, debounced: true }), "{state}");
        let body = json!({"command": "SET_GPIO_VALUE", "value": {"pin": 5, "value": state}});
        let written = parse_gpio(&body, &names());
        assert_eq!(written, Ok(Command::GpioWrite { pin, high, debounced: false }), "{state}");
    }
    for bad in [json!("yes"), json!(2), json!([1]), json!(null), json!("1")] {
        assert_eq!(msg("GPIO_WRITE", &json!({"pin": 5, "state": bad})), "INVALID_GPIO_STATE");
    }
}

#[test]
fn a_body_says_its_kind_whatever_its_value_is() {
    let body = json!({"command": "SET_MOTOR", "value": [1]});
    assert_eq!(control_kind(&body), Ok(CommandKind::SetMotor));
    for (body, code) in [(json!([1]), "INVALID_BODY"), (json!({"command": 7}), "UNKNOWN_COMMAND")] {
        assert_eq!(control_kind(&body).unwrap_err().msg(), code);
    }
    // What the service alone sends has no name outside, nor a command the name of another endpoint.
    for name in ["REPORT_LOGGING", "REPLACE_CONFIG", "SET_GPIO_VALUE", "TUNE_APPLY"] {
        assert_eq!(msg(name, &json!({})), "UNKNOWN_COMMAND", "{name}");
    }
}

#[test]
fn only_stops_and_zero_setpoints_only_calm_the_machine() {
    let calms = |name: &str, value: Value| control(name, &value).unwrap().only_calms();
    for (name, value) in [
        ("EMERGENCY_STOP", json!({})),
        ("STOP", json!({})),
        ("STOP_MANUAL_MOVE", json!({"motor": "feed"})),
        ("SET_MOTOR", json!({"motor": "main", "rpm": 0})),
        ("SET_TARGET", json!({"z1": 0})),
        ("SET_TARGET", json!({"z1": 0, "z2": 0})),
        ("SET_HEATER", json!({"zone": "z1", "duty": 0})),
        ("SET_PELTIER", json!({"duty": 0})),
    ] {
        assert!(calms(name, value.clone()), "{name} {value}");
    }
    for (name, value) in [
        ("START", json!({})),
        ("CLEAR_ALARM", json!({})),
        ("SET_MOTOR", json!({"motor": "main", "rpm": -0.1})),
        ("SET_TARGET", json!({"z1": 0, "z2": 1})),
        ("SET_TARGET", json!({})),
        ("SET_HEATER", json!({"zone": "z1", "duty": 1})),
        ("SET_RELAY", json!({"relay": "fan", "state": false})),
        ("MOVE_MOTOR_STEPS", json!({"motor": "main", "steps": 0})),
    ] {
        assert!(!calms(name, value.clone()), "{name} {value}");
    }
}
