//! Files as they are in the field, as they are shipped, and as they must not be.

use serde_json::{Value, json};
use tve_config::{
    Action, Axis, Config, DeviceName, EstopContact, Leniency, Role, SensorConfig, Series,
};
use tve_machine::Name;
use tve_units::Bcm;

const ORIGINAL: &str = include_str!("data/original-config.json");
const SHIPPED: &str = include_str!("../../../config/default.json");

/// The lines that refuse `value` as a file.
fn refused(value: &Value) -> Vec<String> {
    match Config::parse(&value.to_string()) {
        Ok(_) => panic!("accepted: {value}"),
        Err(errors) => errors.to_string().lines().map(str::to_owned).collect(),
    }
}

fn accepted(value: &Value) -> Config {
    Config::parse(&value.to_string()).unwrap_or_else(|e| panic!("{value} refused: {e}"))
}

/// Whether every member of `part` is in `whole` with the same value.
fn device(motor: &str) -> DeviceName {
    DeviceName::Motor(Name::new(motor).unwrap())
}

fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(k, v)| whole.get(k).is_some_and(|w| contains(w, v)))
        }
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}

#[test]
fn the_configuration_in_the_field_is_accepted_unchanged() {
    let config = Config::parse(ORIGINAL).unwrap();
    let original: Value = serde_json::from_str(ORIGINAL).unwrap();
    assert!(contains(&config.to_json(), &original));
    assert_eq!(config.z1.kp, 5.0);
    assert_eq!(config.pins.get("step_main").map(Bcm::get), Some(21));
    assert_eq!(config.control.law, 1);
    assert_eq!(config.safety.estop_contact(), EstopContact::Nc);
}

#[test]
fn the_shipped_configuration_is_complete_and_warns_of_the_step_pin_and_the_missing_contactor() {
    let config = Config::embedded();
    assert_eq!(config, Config::parse(SHIPPED).unwrap());
    let shipped: Value = serde_json::from_str(SHIPPED).unwrap();
    assert!(contains(&shipped, &config.to_json()), "a key is missing");
    let paths: Vec<String> = config.warnings().into_iter().map(|w| w.path).collect();
    let betas = ["sensors.1.beta", "sensors.3.beta"];
    assert_eq!(paths, ["pins.contactor", betas[0], betas[1], "pins.step_main"]);
    assert_eq!((config.control.law, config.sensors[0].r_fixed), (2, 4700.0));
    assert_eq!(config.plant.r_fixed, 4700.0);
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(accepted(&json!({})), Config::default());
    assert_eq!(accepted(&Config::default().to_json()), Config::default());
    let config = Config::default();
    let logical: Vec<&str> = config.sensors.iter().map(|s| s.logical.as_str()).collect();
    assert_eq!(logical, ["t1", "t2", "motor", "t3"]);
}

#[test]
fn every_fault_of_a_file_is_named_with_its_path() {
    for (file, line) in [
        (json!(3), "must be an object, not 3"),
        (json!({"z1": 3}), "z1: must be an object, not 3"),
        (json!({"z1": {"kp": -1}}), "z1.kp: must be between 0 and 1000 %/°C, not -1"),
        (json!({"z1": {"kp": "4"}}), "z1.kp: must be a number, not \"4\""),
        (json!({"z1": {"kp": null}}), "z1.kp: must be a number, not null"),
        (json!({"z1": {"kq": 1}}), "z1.kq: unknown key, nearest known is \"kp\""),
        (json!({"safty": {}}), "safty: unknown key, nearest known is \"safety\""),
        (json!({"dm556": {"idle_half": 1}}), "dm556.idle_half: must be true or false, not 1"),
        (
            json!({"pins": {"ssr_z1": 99}}),
            "pins.ssr_z1: must be a pin from 4 to 27 or null, not 99",
        ),
        (json!({"pins": {"ssr_z1": 2}}), "pins.ssr_z1: pin 2 is reserved for I2C; use 4 to 27"),
        (
            json!({"pins": {"step_main": 12, "step_feed": 18}}),
            "pins.step_feed: pin 18 shares one channel of the hardware PWM with step_main on pin 12, so the motors could not turn at two speeds; take one of 12, 18 and one of 13, 19",
        ),
        (json!({"pins": {"led_red": 24}}), "pins.led_red: pin 24 already serves ssr_z2"),
        (json!({"pwm": {"channels": {"a": 1, "b": 1}}}), "pwm.channels.b: channel 1 already is a"),
        (
            json!({"pwm": {"channels": {"a b": 1}}}),
            "pwm.channels.a b: a name must be 1 to 32 letters, digits or \"_\"",
        ),
        (json!({"pwm": {"address": 72}}), "adc.address: 72 on bus 1 already is the PWM board"),
        (json!({"sensors": {"4": {}}}), "sensors.4: unknown channel; there are \"0\" to \"3\""),
        (
            json!({"sensors": {"0": {"logical": "t2"}}}),
            "sensors.1.logical: t2 is already measured by channel 0",
        ),
        (
            json!({"sensors": {"1": {"cal_points": [{"x": 1, "y": 1}]}}}),
            "sensors.1.cal_points: needs two points with different readings (x), or none to \
             clear it",
        ),
        (
            json!({"sensors": {"1": {"thermistor": "generic_3960"}}}),
            "sensors.1.thermistor: must be one of \"generic_3950\", \"epcos_b57560g104f\", \"semitec_104gt_2\", \"semitec_104nt_4\", not \"generic_3960\"",
        ),
        (
            json!({"sensors": {"1": {"rt_points": [{"t": 25, "r": 1e5}]}}}),
            "sensors.1.rt_points: must be three points or none, not 1",
        ),
        (
            json!({"sensors": {"1": {"rt_points": [
                {"t": 25, "r": 1e5}, {"t": 150, "r": 1770}, {"t": 160, "r": 1400}]}}}),
            "sensors.1.rt_points: must rise by 20 °C from point to point, not 150 to 160",
        ),
        (
            json!({"sensors": {"1": {"rt_points": [
                {"t": 25, "r": 1e5}, {"t": 150, "r": 17_700}, {"t": 250, "r": 230}]}}}),
            "sensors.1.rt_points: 100000 ohm at 25 °C and 17700 ohm at 150 °C make a beta of 1748 K, which is none of a thermistor (2000 to 6000 K)",
        ),
        (
            json!({"sensors": {"1": {"thermistor": "generic_3950", "rt_points": [
                {"t": 25, "r": 1e5}, {"t": 150, "r": 1770}, {"t": 250, "r": 230}]}}}),
            "sensors.1.rt_points: is in the way of `thermistor`: give the name or the points",
        ),
        (
            json!({"adc": {"fsr": 4.0}}),
            "adc.fsr: must be one of 0.256, 0.512, 1.024, 2.048, 4.096, 6.144 V, not 4",
        ),
        (
            json!({"safety": {"over_temperature": 270}}),
            "safety.max_target: must be at most 255 °C, 15 °C below over_temperature, not 265",
        ),
        (
            json!({"safety": {"frozen_after": 5}}),
            "safety.frozen_uncertain_after: must be at most frozen_after (5 s), not 10",
        ),
        (
            json!({"safety": {"idle_setback_min": 30, "idle_off_min": 10}}),
            "safety.idle_off_min: must be 0 or at least idle_setback_min (30), not 10",
        ),
        (
            json!({"safety": {"local_stop": true}, "pins": {"btn_stop": 5}}),
            "safety.local_stop: needs pins.btn_start: only that button releases what the stop button locks",
        ),
        (
            json!({"history": {"y_left_min": 5, "y_left_max": 5}}),
            "history.y_left_min: must be below y_left_max (5), not 5",
        ),
        (
            json!({"history": {"series_axis": {"t9": "left"}}}),
            "history.series_axis.t9: unknown series, nearest known is \"t1\"",
        ),
        (
            json!({"security": {"users": {"eva": "secret"}}}),
            "security.users.eva: plain-text passwords are refused; run `tve hash-password` and \
             put its output here",
        ),
        (
            json!({"server": {"allowed_origins": ["*"]}}),
            "server.allowed_origins: origin \"*\" must begin with http:// or https://",
        ),
        (
            json!({"control": {"mains_hz": 55}}),
            "control.mains_hz: must be one of 50, 60 Hz, not 55",
        ),
        (json!({"gpio_labels": {"07": "x"}}), "gpio_labels.07: the key must be a pin from 0 to 27"),
        (
            json!({"gpio_labels": {"7": ""}}),
            "gpio_labels.7: a label must have 1 to 32 characters, not 0",
        ),
    ] {
        assert_eq!(refused(&file), [line], "{file}");
    }
}

#[test]
fn all_faults_are_reported_at_once() {
    let lines = refused(&json!({"z1": {"kp": -1, "ki": "x"}, "logging": {"interval": 0}}));
    assert_eq!(lines.len(), 3, "{lines:?}");
}

#[test]
fn a_key_given_twice_refuses_the_file() {
    let errors = Config::parse(r#"{"z1": {"kp": 1, "kp": 2}}"#).unwrap_err();
    assert_eq!(errors.to_string(), "z1.kp: \"kp\" is given twice; remove one");
}

#[test]
fn a_refused_password_is_never_repeated() {
    for hash in ["hunter2", "scrypt:", "$argon2id$hunter2 x"] {
        let lines = refused(&json!({"security": {"users": {"eva": {"hash": hash}}}}));
        assert!(lines.iter().all(|line| !line.contains("hunter2")), "{lines:?}");
    }
}

#[test]
fn a_plain_hash_makes_an_admin_and_an_object_says_the_role() {
    let config = accepted(&json!({"security": {"users": {
        "eva": "pbkdf2:sha256:600000$salt$00",
        "tom": {"hash": "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA", "role": "viewer"},
    }}}));
    assert_eq!(config.security.users["eva"].role, Role::Admin);
    assert_eq!(config.security.users["tom"].role, Role::Viewer);
    assert_eq!(accepted(&config.to_json()), config);
}

#[test]
fn trusted_proxies_are_addresses_and_stay_private() {
    let config = accepted(&json!({"security": {"trusted_proxies": ["127.0.0.1", "fd00::2"]}}));
    assert_eq!(config.security.trusted_proxies.len(), 2);
    assert_eq!(accepted(&config.to_json()), config);
    assert!(!config.to_public_json().to_string().contains("fd00"));
    for wrong in [json!("127.0.0.1"), json!(["localhost"]), json!(["10.0.0.0/8"]), json!([7])] {
        let lines = refused(&json!({"security": {"trusted_proxies": wrong}}));
        assert!(lines[0].starts_with("security.trusted_proxies: "), "{lines:?}");
    }
}

#[test]
fn the_public_view_holds_no_secret() {
    let config = accepted(&json!({
        "security": {"enabled": true, "users": {"eva": "scrypt:32768:8:1$salt$beef"}},
        "server": {"tls": {"cert": "/etc/tve/cert.pem", "key": "/etc/tve/private.pem"}},
        "safety": {"stale_after": 2.0},
    }));
    let public = config.to_public_json();
    let text = public.to_string();
    for secret in ["eva", "beef", "private.pem", "users"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let security = json!({"enabled": true, "protect_reads": false, "stop_needs_login": false});
    assert_eq!(public["security"], security);
    assert_eq!(public["server"]["tls"], json!({"cert": "/etc/tve/cert.pem"}));
    assert_eq!(public["temp_settings"]["freshness_timeout"], json!(2.0));
    assert!(!format!("{config:?}").contains("beef"));
}

#[test]
fn a_sequence_of_a_file_is_merged_by_device() {
    let config = accepted(&json!({"extruder_sequence": {
        "startup": [{"device": "feed_motor", "delay": 9}, {"device": "feed_motor", "delay": 7}],
        "stop_delay_motor": 11.0,
    }}));
    let startup = &config.extruder_sequence.startup;
    let feed = startup.iter().find(|s| s.device == device("feed")).unwrap();
    assert_eq!((feed.delay, feed.action, feed.enabled), (7.0, Action::On, true));
    assert_eq!(startup.len(), 4, "the other devices stay");
    assert_eq!(startup[0].device, device("main"), "a partial list leaves the order alone");
    let shutdown = &config.extruder_sequence.shutdown;
    let main = shutdown.iter().find(|s| s.device == device("main")).unwrap();
    assert_eq!((main.delay, main.action), (11.0, Action::Off));
}

#[test]
fn a_complete_sequence_list_keeps_its_order() {
    let list: Vec<Value> = ["pump", "fan", "feed_motor", "main_motor"]
        .iter()
        .map(|d| json!({"device": d, "action": "off", "delay": 0, "enabled": true}))
        .collect();
    let config = accepted(&json!({"extruder_sequence": {"shutdown": list}}));
    let order: Vec<_> =
        config.extruder_sequence.shutdown.iter().map(|s| s.device.to_string()).collect();
    assert_eq!(order, ["pump", "fan", "feed_motor", "main_motor"]);
    assert_eq!(accepted(&config.to_json()), config);
}

#[test]
fn curves_that_a_file_does_not_name_keep_their_axis() {
    let config = accepted(&json!({"history": {"series_axis": {"t1": "none"}}}));
    let axes = &config.history.series_axis;
    assert_eq!((axes[&Series::T1], axes[&Series::T2]), (Axis::None, Axis::Left));
    assert_eq!((axes[&Series::TargetZ2], axes[&Series::PumpState]), (Axis::Left, Axis::Right));
}

#[test]
fn what_deserves_a_look_is_warned_of() {
    let paths = |file: Value| -> Vec<String> {
        accepted(&file).warnings().into_iter().map(|w| w.path).collect()
    };
    let clean = json!({
        "pins": {"step_main": 12, "contactor": 7},
        "sensors": {
            "0": {"r_fixed": 4700}, "1": {"r_fixed": 4700, "thermistor": "generic_3950"},
            "2": {"r_fixed": 4700}, "3": {"r_fixed": 4700, "thermistor": "generic_3950"},
        },
        "control": {"law": 2},
    });
    assert_eq!(paths(clean.clone()), [""; 0]);
    for (pointer, change, path) in [
        ("/sensors/2", json!({"r_fixed": 1000}), "sensors.2.r_fixed"),
        ("/sensors/2", json!({"r_fixed": 4700, "v_ref": 5}), "sensors.2.v_ref"),
        ("/pins", json!({"step_main": 21, "contactor": 7}), "pins.step_main"),
        (
            "/pins",
            json!({"step_main": 12, "btn_emergency": 5, "contactor": 7}),
            "safety.estop_contact",
        ),
        ("/pins", json!({"step_main": 12}), "pins.contactor"),
        ("/sensors/1", json!({"r_fixed": 4700, "r_25": 47_000}), "sensors.1"),
        ("/sensors/1", json!({"r_fixed": 4700}), "sensors.1.beta"),
        (
            "/sensors/1",
            json!({
                "r_fixed": 4700,
                "thermistor": "semitec_104gt_2",
                "cal_points": [{"x": 0, "y": 0}, {"x": 200, "y": 188}],
            }),
            "sensors.1",
        ),
        ("/safety", json!({"min_temp_for_motor": 0}), "safety.min_temp_for_motor"),
        ("/safety", json!({"cold_zone_margin": 60}), "safety.cold_zone_margin"),
        ("/safety", json!({"open_ratio": 1}), "safety.open_ratio"),
        ("/safety", json!({"jump_limit": 100}), "safety.jump_limit"),
        ("/safety", json!({"frozen_after": 600}), "safety.frozen_after"),
        ("/safety", json!({"not_heating_area": 10_000}), "safety.not_heating_area"),
        ("/safety", json!({"stuck_on_margin": 100}), "safety.stuck_on_margin"),
        ("/safety", json!({"soak_time": 600}), "safety.soak_time"),
        ("/pwm", json!({"channels": {"z1": 3}}), "pwm.channels.z1"),
        ("/control", json!({"law": 1}), "control.law"),
        (
            "/extruder_sequence",
            json!({"check_temp_before_start": false}),
            "extruder_sequence.check_temp_before_start",
        ),
        (
            "/extruder_sequence",
            json!({"shutdown": [{"device": "main_motor", "action": "off", "delay": 58.5}]}),
            "extruder_sequence.shutdown[1].delay",
        ),
        ("/safety", json!({"max_target": 150}), "safety.min_temp_for_motor"),
        ("/security", json!({"enabled": true}), "security.users"),
    ] {
        let mut file = clean.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        file.pointer_mut(parent).unwrap()[key] = change;
        assert_eq!(paths(file), [path]);
    }
}

#[test]
fn a_machine_without_contactor_hears_what_a_stuck_relay_does_to_it() {
    let reason = |file: Value| {
        let warnings = accepted(&file).warnings();
        warnings.into_iter().find(|w| w.path == "pins.contactor").map(|w| w.reason)
    };
    let said = reason(json!({})).unwrap();
    assert!(said.contains("about 453 °C"), "{said}");
    let said = reason(json!({"safety": {"zone_gain": 394, "ambient": 23}})).unwrap();
    assert!(said.contains("about 417 °C"), "{said}");
    assert_eq!(reason(json!({"pins": {"contactor": 7}})), None);
}

#[test]
fn the_step_pin_warning_names_the_highest_speed() {
    let warnings = accepted(&json!({"dm556": {"microsteps": 51_200}})).warnings();
    let step = warnings.iter().find(|w| w.path == "pins.step_main").unwrap();
    // 5000 steps/s * 60 s/min / 51200 steps/rev, under the default 10 rpm of a start.
    assert!(step.reason.contains("highest rpm is 5.9"), "{step}");
    assert!(step.reason.contains("start_rpm 10 will be refused"), "{step}");
}

#[test]
fn a_calibration_is_the_least_squares_line() {
    let calibrated = |points: &Value| {
        let value = json!({"cal_points": points});
        let mut errors = Vec::new();
        let map = value.as_object().unwrap();
        let patch = SensorConfig::patch_from(map, Leniency::Lenient, "", &mut errors);
        assert_eq!(errors, []);
        let mut sensor = SensorConfig::default();
        sensor.apply(&patch);
        sensor
    };
    let line = |points: Value| calibrated(&points).calibration();
    let identity = line(json!([])).unwrap();
    assert_eq!((identity.slope, identity.offset), (1.0, 0.0));
    let two = line(json!([{"x": 0, "y": 2}, {"raw_temp": "100", "true_temp": 112}])).unwrap();
    assert!((two.slope - 1.1).abs() < 1e-12 && (two.offset - 2.0).abs() < 1e-9, "{two:?}");
    // The line through (0,1), (100,101), (200,207) by hand: slope 1.03, offset 0.
    let three =
        line(json!([{"x": 0, "y": 1}, {"x": 100, "y": 101}, {"x": 200, "y": 207}])).unwrap();
    assert!((three.at(100.0) - 103.0).abs() < 1e-9 && three.offset.abs() < 1e-9, "{three:?}");
    // What a file of before may still hold nobody can enter any more.
    for (points, word) in [
        (json!([{"x": 0, "y": 0}, {"x": 100, "y": 94}]), "slope 0.940 is outside 0.95 to 1.05"),
        (json!([{"x": 0, "y": 0}, {"x": 100, "y": 106}]), "slope 1.060"),
        (json!([{"x": 0, "y": 5.1}, {"x": 100, "y": 105.1}]), "offset 5.1 °C is beyond 5 °C"),
        (json!([{"x": 0, "y": -5.1}, {"x": 100, "y": 94.9}]), "offset -5.1"),
    ] {
        let sensor = calibrated(&points);
        assert!(sensor.calibration().is_ok());
        let reason = sensor.honest_calibration().unwrap_err();
        assert!(reason.contains(word), "{reason}");
    }
    assert!(
        calibrated(&json!([{"x": 0, "y": 4.9}, {"x": 100, "y": 100}])).honest_calibration().is_ok()
    );
    for (points, word) in [
        (json!([{"x": 5, "y": 5}, {"x": 5, "y": 6}]), "different readings"),
        (json!([{"x": 0, "y": 0}, {"x": 100, "y": 130}]), "slope 1.300"),
        (json!([{"x": 0, "y": 0}, {"x": 100, "y": 70}]), "slope 0.700"),
        (json!([{"x": 0, "y": 16}, {"x": 100, "y": 116}]), "offset 16.0"),
        (json!([{"x": 0, "y": -16}, {"x": 100, "y": 84}]), "offset -16.0"),
    ] {
        let reason = line(points).unwrap_err();
        assert!(reason.contains(word), "{reason}");
    }
}
