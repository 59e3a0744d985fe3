//! What commands and buttons do, and when they are refused.

use super::*;
use tve_config::PidGains;

#[test]
fn a_cold_screw_is_refused_and_latches_nothing() {
    let mut bench = Bench::at(169.0);
    let cold = RefusalCode::ColdExtrusionProtection;
    assert_eq!(bench.refused("SET_MOTOR", json!({"motor": "main", "rpm": 5})), cold);
    assert_eq!(bench.refused("START", json!(null)), cold);
    bench.ok("SET_MOTOR", json!({"motor": "main", "rpm": 0}));
    assert!(bench.active().is_empty());
}

#[test]
fn cold_jogs_add_up_to_a_quarter_turn_and_are_renewed_after_ten_minutes() {
    let mut bench = Bench::at(25.0);
    let jog = |steps: i32| json!({"motor": "main", "steps": steps, "speed": 1000});
    let mut id = 0;
    let mut finish = |bench: &mut Bench| {
        id += 1;
        bench.inputs.motors[SCREW].jog_done = Some(tve_hal::JogId(id));
        bench.tick();
    };
    bench.ok("MOVE_MOTOR_STEPS", jog(500));
    assert_eq!(bench.refused("MOVE_MOTOR_STEPS", jog(1)), RefusalCode::MachineBusy);
    finish(&mut bench);
    assert_eq!(bench.refused("MOVE_MOTOR_STEPS", jog(-301)), RefusalCode::ColdExtrusionProtection);
    bench.ok("MOVE_MOTOR_STEPS", jog(-300));
    finish(&mut bench);
    bench.run(590.0);
    assert_eq!(bench.refused("MOVE_MOTOR_STEPS", jog(1)), RefusalCode::ColdExtrusionProtection);
    bench.run(20.0);
    bench.ok("MOVE_MOTOR_STEPS", jog(800));
}

#[test]
fn start_runs_the_sequence_and_stop_ends_with_both_motors_at_zero_whatever_it_holds() {
    let mut bench = Bench::at(200.0);
    bench.ok(
        "UPDATE_EXTRUDER_SEQ",
        json!({"sequence": {"shutdown": [
            {"device": "feed_motor", "action": "off", "delay": 0, "enabled": false},
            {"device": "main_motor", "action": "on", "delay": 0.5},
        ]}}),
    );
    bench.ok("START", json!(null));
    bench.tick();
    assert_eq!(bench.shown().status, Status::Starting);
    assert_eq!(bench.refused("START", json!(null)), RefusalCode::MachineBusy);
    bench.run(2.5);
    let shown = bench.shown();
    assert_eq!(
        (shown.status, shown.motors.map(|_, rpm| rpm.get())),
        (Status::Running, [10.0, 10.0].into())
    );
    bench.ok("STOP", json!(null));
    bench.tick();
    assert_eq!(bench.shown().status, Status::Stopping);
    bench.run(4.0);
    assert_eq!(bench.shown().status, Status::Ready);
    assert!(bench.controller.is_at_rest());
}

#[test]
fn on_means_the_last_speed_that_was_set() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_MOTOR", json!({"motor": "feed", "rpm": 33}));
    bench.ok("SET_MOTOR", json!({"motor": "feed", "rpm": 0}));
    bench.run(2.0);
    bench.ok("START", json!(null));
    bench.run(2.5);
    assert_eq!(bench.shown().motors.map(|_, rpm| rpm.get()), [10.0, 33.0]);
}

#[test]
fn buttons_start_and_stop_and_a_cold_start_button_does_nothing() {
    let mut bench = Bench::at(200.0);
    // What was pressed is told at one tick, with what came of it.
    let presses = |bench: &mut Bench| -> Vec<(Pressed, Option<RefusalCode>)> {
        let presses = (0..10).filter_map(|_| {
            bench.run(0.01);
            bench.controller.press()
        });
        presses.map(|press| (press.button, press.refused)).collect()
    };
    bench.inputs.buttons.start = true;
    assert_eq!(presses(&mut bench), [(Pressed::Start, None)]);
    assert_eq!(bench.shown().status, Status::Starting);
    bench.inputs.buttons.start = false;
    bench.inputs.buttons.stop = true;
    assert_eq!(presses(&mut bench), [(Pressed::Stop, None)]);
    assert_eq!(bench.shown().status, Status::Stopping);
    let mut cold = Bench::at(25.0);
    cold.inputs.buttons.start = true;
    let refused = Some(RefusalCode::ColdExtrusionProtection);
    assert_eq!(presses(&mut cold), [(Pressed::Start, refused)]);
    assert_eq!(cold.shown().status, Status::Ready);
    assert!(cold.active().is_empty());
}

#[test]
fn switching_modes_leaves_the_duty_where_it_was() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_TARGET", json!({"z1": 200, "z2": 190}));
    bench.run(5.0);
    let duties = |bench: &Bench| bench.shown().heater_duty.map(|_, duty| duty.get());
    for mode in ["MANUAL", "AUTO", "MANUAL", "AUTO"] {
        let before = duties(&bench);
        bench.ok("SET_MODE", json!({"mode": mode}));
        bench.run(0.3);
        for (a, b) in before.iter().zip(duties(&bench)) {
            assert!((a - b).abs() <= 0.5, "{mode}: {a} became {b}");
        }
        bench.run(5.0);
    }
}

#[test]
fn manual_begins_in_a_warm_up_with_what_holds_the_target_and_at_a_target_with_what_runs() {
    let mut bench = Bench::at(100.0);
    bench.ok("SET_TARGET", json!({"z1": 210, "z2": 0}));
    bench.run(5.0);
    assert_eq!(bench.shown().heater_duty[Z1].get(), 100.0);
    bench.ok("SET_MODE", json!({"mode": "MANUAL"}));
    bench.run(0.1);
    // (210 - 23) of 430 °C.
    let duties = bench.shown().heater_duty.map(|_, duty| duty.get());
    assert!((duties[Z1] - 43.5).abs() < 0.1, "{duties:?}");
    assert_eq!(bench.shown().heater_duty[Z1], bench.shown().manual_duty[Z1]);
}

#[test]
fn a_target_from_which_a_stuck_heater_could_not_be_caught_is_refused_with_the_sum() {
    let mut config = Config::embedded();
    config.safety.zone_gain = 860.0;
    let mut bench = Bench::with(config, 30.0, Restored::default());
    let refusal = bench.send("SET_TARGET", json!({"z1": 200, "z2": 265})).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::TargetNotCatchable);
    let reason = refusal.reason.unwrap();
    assert!(reason.starts_with("z2: 265 °C + 21.2 until a stuck heater is seen + "), "{reason}");
    let highest: f64 = reason.rsplit(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(bench.shown().targets.map(|_, t| t.get()), [0.0, 0.0], "refused as a whole");
    assert_eq!(bench.refused("SET_TARGET", json!({"z1": highest + 1.0})), refusal.code);
    bench.ok("SET_TARGET", json!({"z1": highest}));
    let tune = json!({"zone": "z1", "setpoint": 250.0});
    let tune = parse_tune_start(&tune, &bench.controller.machine().names).unwrap();
    let answer = carry_out(&mut bench.controller, &mut bench.file, bench.now, tune);
    assert_eq!(answer.unwrap_err().code, refusal.code);
    let mut default = Bench::at(30.0);
    default.ok("SET_TARGET", json!({"z1": 265, "z2": 265}));
}

#[test]
fn new_gains_do_not_move_the_duty() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_TARGET", json!({"z1": 205}));
    bench.run(5.0);
    let before = bench.shown().heater_duty[Z1].get();
    bench.ok("UPDATE_PID", json!({"zone": "z1", "params": {"kp": 9, "ki": 0.01, "kd": 30}}));
    bench.run(0.3);
    assert!((bench.shown().heater_duty[Z1].get() - before).abs() <= 0.5);
}

#[test]
fn gains_of_the_original_are_converted_until_new_ones_come() {
    let field = r#"{"z1": {"kp": 5, "ki": 0.1, "kd": 10}, "z2": {"kp": 5, "ki": 0.1, "kd": 10}}"#;
    let mut bench = Bench::with(Config::parse(field).unwrap(), 100.0, Restored::default());
    assert!(bench.active().is_empty(), "nothing is said before heat is asked for");
    bench.ok("SET_TARGET", json!({"z1": 150}));
    bench.run(1.0);
    assert_eq!(bench.active(), ["TUNE_NEEDED"]);
    let converted = PidGains { kp: 5.0, ki: 0.025, kd: 100.0 };
    assert_eq!(crate::thermal::effective_gains(bench.controller.machine()), [converted; 2]);
    bench.ok("UPDATE_PID", json!({"zone": "z1", "params": {"kp": 4, "ki": 0.02, "kd": 80}}));
    assert!(bench.active().is_empty());
    assert_eq!(bench.file.z2, converted, "the other zone keeps what it runs with");
    assert_eq!(bench.file.control.law, 2);
}

#[test]
fn relays_debounce_changes_and_answer_no_change() {
    let mut bench = Bench::at(25.0);
    let fan = |state: bool| json!({"relay": "fan", "state": state});
    bench.ok("SET_RELAY", fan(true));
    assert_eq!(bench.refused("SET_RELAY", fan(false)), RefusalCode::RelayDebounce);
    assert_eq!(bench.refused("SET_RELAY", fan(true)), RefusalCode::RelayDebounce);
    bench.run(0.26);
    assert_eq!(bench.send("SET_RELAY", fan(true)), Ok(Reply::msg("NO_CHANGE")));
    bench.ok("SET_RELAY", fan(false));
    bench.run(0.3);
    bench.ok("SET_PWM_OUTPUT", json!({"name": "fan", "duty": 30}));
    let shown = bench.shown();
    assert!(shown.relays[0]);
    bench.tick();
    assert_eq!(bench.controller.outputs().pwm[0].get(), 30.0);
}

#[test]
fn outputs_that_the_controller_drives_are_not_for_raw_writes() {
    let mut bench = Bench::at(25.0);
    for name in ["z1", "z2", "peltier", "led_status"] {
        let value = json!({"name": name, "duty": 10});
        assert_eq!(bench.refused("SET_PWM_OUTPUT", value), RefusalCode::PinInUse, "{name}");
    }
    for pin in [0, 1, 2, 3, 8, 20, 21, 23, 24, 25, 26] {
        let value = json!({"pin": pin, "state": 1});
        assert_eq!(bench.refused("GPIO_WRITE", value), RefusalCode::PinInUse, "{pin}");
    }
    bench.ok("GPIO_WRITE", json!({"pin": 5, "state": 1}));
    let read = bench.send("GPIO_READ", json!({"pin": 5})).unwrap();
    assert_eq!(read.value, Some(true));
    assert_eq!(
        bench.refused("GPIO_WRITE", json!({"pin": 5, "state": 0})),
        RefusalCode::GpioDebounce
    );
}

#[test]
fn known_functions_move_only_while_idle_and_labels_never_onto_owned_pins() {
    let mut bench = Bench::at(25.0);
    bench.ok("UPDATE_PINS", json!({"pins": {"led_red": 16, "warp_core": 12}}));
    assert_eq!(bench.file.gpio_labels.len(), 1);
    assert_eq!(
        bench.refused("SET_PIN_NAME", json!({"pin": 16, "name": "mine"})),
        RefusalCode::PinInUse
    );
    assert_eq!(
        bench.refused("UPDATE_PINS", json!({"pins": {"led_green": 16}})),
        RefusalCode::InvalidValue
    );
    assert_eq!(
        bench.refused("UPDATE_PINS", json!({"pins": {"led_green": 2}})),
        RefusalCode::InvalidValue
    );
    bench.ok("SET_TARGET", json!({"z1": 100}));
    assert_eq!(
        bench.refused("UPDATE_PINS", json!({"pins": {"led_red": 17}})),
        RefusalCode::MachineBusy
    );
    bench.ok("UPDATE_PINS", json!({"pins": {"led_red": 16}}));
}

#[test]
fn a_speed_beyond_the_pulse_rate_names_the_highest_possible() {
    let mut bench = Bench::at(200.0);
    let refusal = bench.send("SET_MOTOR", json!({"motor": "main", "rpm": 1900})).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::PulseRate);
    assert!(refusal.reason.unwrap().contains("1875.0 rpm"));
    bench.ok("SET_MOTOR", json!({"motor": "main", "rpm": 1875}));
}

#[test]
fn a_device_that_is_not_fitted_is_refused_on_real_hardware() {
    let config = Config::embedded();
    let mut controller =
        Controller::new(config.machine(), MachineKind::RaspberryPi, Restored::default());
    let send = |c: &mut Controller, body: Value| {
        parse_control(&body, &c.machine().names)
            .and_then(|command| c.command(Micros::ZERO, command))
    };
    let feed = json!({"command": "SET_MOTOR", "value": {"motor": "feed", "rpm": 5}});
    assert_eq!(send(&mut controller, feed).unwrap_err().code, RefusalCode::NotFitted);
    let peltier = json!({"command": "SET_PELTIER", "value": {"duty": 5}});
    assert_eq!(send(&mut controller, peltier).unwrap_err().code, RefusalCode::NotFitted);
    let zero = json!({"command": "SET_MOTOR", "value": {"motor": "feed", "rpm": 0}});
    assert!(send(&mut controller, zero).is_ok());
}

#[test]
fn a_tune_is_busy_in_manual_and_twice_and_a_zero_target_ends_it() {
    let mut bench = Bench::at(100.0);
    let tune = |bench: &mut Bench, setpoint: f64| {
        parse_tune_start(&json!({"zone": "z1", "setpoint": setpoint}), &Config::embedded().names())
            .and_then(|c| bench.controller.command(bench.now, c))
            .map_err(|r| r.code)
    };
    assert_eq!(tune(&mut bench, 49.0), Err(RefusalCode::InvalidSetpoint));
    assert_eq!(tune(&mut bench, 251.0), Err(RefusalCode::InvalidSetpoint));
    bench.ok("SET_MODE", json!({"mode": "MANUAL"}));
    assert_eq!(tune(&mut bench, 150.0), Err(RefusalCode::TuneBusy));
    bench.ok("SET_MODE", json!({"mode": "AUTO"}));
    assert!(tune(&mut bench, 150.0).is_ok());
    assert_eq!(tune(&mut bench, 150.0), Err(RefusalCode::TuneBusy));
    bench.run(1.0);
    assert!(bench.shown().tune.status.is_running());
    bench.ok("SET_TARGET", json!({"z1": 0}));
    assert!(!bench.shown().tune.status.is_running());
    let apply = carry_out(&mut bench.controller, &mut bench.file, bench.now, Command::TuneApply);
    assert_eq!(apply.unwrap_err().code, RefusalCode::NoResult);
}

#[test]
fn calibration_needs_the_heaters_off() {
    let mut bench = Bench::at(100.0);
    let params = json!({"params": {"channel": 1, "beta": 3435}});
    bench.ok("SET_TARGET", json!({"z1": 150}));
    assert_eq!(bench.refused("SET_SENSOR_CALIBRATION", params.clone()), RefusalCode::MachineBusy);
    bench.ok("SET_TARGET", json!({"z1": 0}));
    bench.tick();
    bench.ok("SET_SENSOR_CALIBRATION", params);
}

#[test]
fn a_refused_command_changes_nothing_that_is_shown() {
    let mut bench = Bench::at(169.0);
    bench.ok("SET_TARGET", json!({"z1": 170}));
    bench.tick();
    let before = bench.shown();
    for (name, value) in [
        ("SET_TARGET", json!({"z1": 100, "z2": 999})),
        ("SET_MOTOR", json!({"motor": "main", "rpm": 5})),
        ("UPDATE_PINS", json!({"pins": {"led_red": 16, "led_green": 16}})),
        ("SET_MODE", json!({"mode": "?"})),
        ("ACKNOWLEDGE_ALARM", json!({"alarm_id": 9})),
    ] {
        let _ = bench.refused(name, value);
        assert!(bench.shown() == before, "{name}");
    }
}
