//! What each command accepts and refuses.

use super::*;
use serde_json::json;

fn control(name: &str, value: &Value) -> Result<Command, Refusal> {
    parse_control(&json!({"command": name, "value": value}))
}

fn msg(name: &str, value: &Value) -> String {
    control(name, value).expect_err("should be refused").msg().to_owned()
}

#[test]
fn numbers_may_come_as_numeric_strings_and_never_as_nan() {
    let accepted = control("SET_TARGET", &json!({"z1": "210.5"})).unwrap();
    let Command::SetTarget { zones } = accepted else { panic!("{accepted:?}") };
    assert_eq!(zones, [Some(Celsius::new(210.5).unwrap()), None]);
    for bad in [json!("NaN"), json!("inf"), json!([1]), json!(null), json!({}), json!(true)] {
        assert!(msg("SET_TARGET", &json!({"z1": bad})).contains("z1"), "{bad}");
    }
}

#[test]
fn a_bare_nan_in_the_body_is_reported_at_its_key() {
    let body = lenient_json(br#"{"command":"SET_MOTOR","value":{"motor":"main","rpm":-Infinity}}"#);
    let refusal = parse_control(&body.unwrap()).unwrap_err();
    assert!(refusal.msg().contains("rpm"), "{refusal}");
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
    assert_eq!(parse_control(&json!({})).unwrap_err().msg(), "UNKNOWN_COMMAND");
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
    assert!(msg("SET_TEMP_SETTINGS", &unknown).contains("pol_interval"));
}

#[test]
fn pins_with_functions_and_labels_are_told_apart() {
    let v = json!({"pins": {"led_red": 16, "warp_core": 12, "old": null}});
    let Ok(Command::UpdatePins { functions, labels }) = control("UPDATE_PINS", &v) else {
        panic!()
    };
    assert_eq!(functions.get("led_red"), Some(Some(Bcm::new(16).unwrap())));
    assert_eq!(labels, [("old".to_owned(), None), ("warp_core".to_owned(), Bcm::new(12).ok())]);
    assert!(msg("UPDATE_PINS", &json!({"pins": {"ssr_z1": 99}})).contains("pin"));
}

#[test]
fn gpio_bodies_refuse_with_their_own_code() {
    let gpio = |c: &str, v: Value| parse_gpio(&json!({"command": c, "value": v}));
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

use tve_units::Bcm;

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
