//! What may be said of a sensor, when, and what is done with one that cannot be what is said of it.

use super::*;

const Z1_SENSOR: tve_hal::Sensor = tve_hal::Sensor::at(1);

fn calibration(params: &Value) -> Value {
    json!({ "params": params })
}

fn first(bench: &Bench) -> crate::AlarmRecord {
    *bench.shown().alarms.iter().next().unwrap()
}

/// Points on a line.
fn points(slope: f64, offset: f64) -> Value {
    let at = |x: f64| json!({"x": x, "y": slope * x + offset});
    json!([at(0.0), at(200.0)])
}

/// Makes `t2` known as another sensor than the one that the bench simulates.
fn lie(bench: &mut Bench, params: &Value) {
    bench.ok("SET_SENSOR_CALIBRATION", calibration(params));
    bench.run(2.0);
}

fn hottest_duty(bench: &mut Bench) -> f64 {
    let mut most: f64 = 0.0;
    for mode in ["AUTO", "MANUAL"] {
        bench.ok("SET_MODE", json!({ "mode": mode }));
        bench.ok("SET_TARGET", json!({"z1": 240}));
        if mode == "MANUAL" {
            bench.ok("SET_HEATER", json!({"zone": "z1", "duty": 100}));
        }
        bench.run(3.0);
        most = most.max(bench.shown().heater_duty[Z1].get());
    }
    bench.ok("SET_HEATER", json!({"zone": "z1", "duty": 0}));
    bench.ok("SET_TARGET", json!({"z1": 0}));
    bench.run(1.0);
    most
}

#[test]
fn a_calibration_is_entered_only_with_heaters_off_motors_still_and_its_zone_without_fault() {
    let params = calibration(&json!({"channel": 1, "cal_points": points(1.02, 1.0)}));
    let mut bench = Bench::at(200.0);
    bench.ok("SET_MOTOR", json!({"motor": "main", "rpm": 20}));
    bench.run(1.0);
    assert_eq!(bench.refused("SET_SENSOR_CALIBRATION", params.clone()), RefusalCode::MachineBusy);
    bench.ok("SET_MOTOR", json!({"motor": "main", "rpm": 0}));
    bench.run(3.0);
    // The plug of t2 is drawn.
    bench.channels[1] = -80.0;
    bench.run(3.0);
    assert!(bench.active().contains(&"HEATER_SENSOR_FAILURE"), "{:?}", bench.active());
    assert_eq!(bench.refused("SET_SENSOR_CALIBRATION", params.clone()), RefusalCode::AlarmActive);
    // What changes nothing is accepted, and does nothing.
    bench.ok("SET_SENSOR_CALIBRATION", calibration(&json!({"channel": 1, "cal_points": []})));
    assert_eq!(bench.refused("CLEAR_ALARM", json!(null)), RefusalCode::CausePresent);
    let mut changed = (*bench.file).clone();
    changed.sensors[1].decimals = 1;
    let command = Command::ReplaceConfig(Box::new(changed));
    let refused = carry_out(&mut bench.controller, &mut bench.file, bench.now, command);
    assert_eq!(refused.unwrap_err().code, RefusalCode::AlarmActive);
    // The other zone has no fault.
    bench.ok(
        "SET_SENSOR_CALIBRATION",
        calibration(&json!({"channel": 3, "cal_points": points(1.02, 1.0)})),
    );
    bench.channels[1] = 200.0;
    bench.run(3.0);
    bench.ok("CLEAR_ALARM", json!(null));
    bench.ok("SET_SENSOR_CALIBRATION", params);
}

/// What stands, but for the note that a sensor was changed at all.
fn doubts(bench: &Bench) -> Vec<&'static str> {
    bench.active().into_iter().filter(|name| *name != "SAFETY_CHANGED").collect()
}

#[test]
fn a_calibration_that_no_honest_sensor_needs_is_refused_by_command_and_in_a_whole_file() {
    let mut bench = Bench::at(25.0);
    for (slope, offset) in [(0.94, 0.0), (1.06, 0.0), (1.0, 5.1), (1.0, -5.1), (0.8, -12.0)] {
        let params = calibration(&json!({"channel": 1, "cal_points": points(slope, offset)}));
        let refusal = bench.send("SET_SENSOR_CALIBRATION", params).unwrap_err();
        assert_eq!(refusal.msg(), "INVALID_VALUE:sensors.1.cal_points");
        let mut file = (*bench.file).clone();
        let at = |x: f64| tve_config::CalPoint { x, y: slope * x + offset };
        file.sensors[1].cal_points = vec![at(0.0), at(200.0)];
        let command = Command::ReplaceConfig(Box::new(file));
        let refused = carry_out(&mut bench.controller, &mut bench.file, bench.now, command);
        assert_eq!(refused.unwrap_err().msg(), "INVALID_VALUE:sensors.1.cal_points");
    }
    for (slope, offset) in [(0.951, 0.0), (1.049, 0.0), (1.0, 4.9), (1.0, -4.9)] {
        lie(&mut bench, &json!({"channel": 1, "cal_points": points(slope, offset)}));
    }
    assert_eq!(doubts(&bench), [""; 0]);
}

#[test]
fn a_calibration_of_an_older_file_goes_on_and_its_zone_heats_at_a_part_until_it_is_replaced() {
    let mut file = Config::embedded();
    let at = |x: f64| tve_config::CalPoint { x, y: 0.8 * x - 12.0 };
    file.sensors[1].cal_points = vec![at(0.0), at(200.0)];
    let mut bench = Bench::with(file, 150.0, Restored::default());
    assert_eq!(doubts(&bench), ["SENSOR_DOUBTED"]);
    let text = first(&bench).to_string();
    assert!(text.contains("t2: its calibration of slope 0.800 and offset -12.0 °C"), "{text}");
    let reading = bench.shown().readings[Z1_SENSOR].value().unwrap().get();
    assert!((reading - 108.0).abs() < 1.0, "{reading}");
    assert_eq!(hottest_duty(&mut bench), 30.0);
    bench.ok("SET_MODE", json!({"mode": "AUTO"}));
    // A change of something else leaves it as it is.
    bench.ok("SET_SENSOR_CALIBRATION", calibration(&json!({"channel": 1, "decimals": 1})));
    assert_eq!(doubts(&bench), ["SENSOR_DOUBTED"]);
    lie(&mut bench, &json!({"channel": 1, "cal_points": []}));
    assert_eq!(doubts(&bench), [""; 0]);
    assert!(hottest_duty(&mut bench) > 90.0);
}

#[test]
fn constants_that_nobody_knows_are_accepted_and_their_zone_heats_at_a_part() {
    for unknown in [
        json!({"channel": 1, "r_25": "47k"}),
        json!({"channel": 1, "r_fixed": "4.7k", "beta": 3435}),
        json!({"channel": 1, "v_ref": 4.0}),
    ] {
        let mut bench = Bench::at(150.0);
        lie(&mut bench, &unknown);
        assert_eq!(doubts(&bench), ["SENSOR_DOUBTED"]);
        assert_eq!(bench.refused("CLEAR_ALARM", json!(null)), RefusalCode::CausePresent);
        assert_eq!(hottest_duty(&mut bench), 30.0);
        bench.ok("SET_MODE", json!({"mode": "AUTO"}));
        let known = json!({"channel": 1, "r_25": "100k", "beta": 3950, "v_ref": 3.3});
        lie(&mut bench, &known);
        assert_eq!(doubts(&bench), [""; 0]);
    }
}

#[test]
fn a_setting_that_disarms_a_rule_stands_as_a_note_until_it_is_another() {
    let change: [fn(&mut tve_config::Safety); 5] = [
        |safety| safety.min_temp_for_motor = 0.0,
        |safety| safety.open_ratio = 1.0,
        |safety| safety.not_heating_area = 10_000.0,
        |safety| safety.stuck_on_margin = 100.0,
        |safety| safety.soak_time = 60.0,
    ];
    let names =
        ["min_temp_for_motor", "open_ratio", "not_heating_area", "stuck_on_margin", "soak_time"];
    for (change, name) in change.into_iter().zip(names) {
        let mut file = Config::embedded();
        change(&mut file.safety);
        let mut bench = Bench::with(file, 25.0, Restored::default());
        assert_eq!(bench.active(), ["SAFETY_WEAK"], "{name}");
        let text = first(&bench).to_string();
        assert!(text.starts_with(&format!("safety.{name} is ")), "{text}");
        assert_eq!(bench.refused("CLEAR_ALARM", json!(null)), RefusalCode::CausePresent);
        // It is one note through changes of something else, and gone with its cause.
        let id = first(&bench).id;
        bench.ok("UPDATE_PID", json!({"zone": "z1", "params": {"kp": 3}}));
        assert_eq!(first(&bench).id, id);
        let mut file = (*bench.file).clone();
        file.safety = tve_config::Safety::default();
        let command = Command::ReplaceConfig(Box::new(file));
        carry_out(&mut bench.controller, &mut bench.file, bench.now, command).unwrap();
        assert_eq!(bench.active(), [""; 0]);
    }
}
