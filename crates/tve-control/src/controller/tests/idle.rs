//! A machine that is alone with itself: what it does with its heat, and what ends that.

use super::*;
use tve_units::Duty;

/// A machine that is turned down after two minutes and off after four, held at 200 °C.
/// The bench holds its temperatures whatever the heaters do: of a barrel as slow as this, nobody
/// expects otherwise within the time of a test, s.
const SLOW: f64 = 6000.0;

fn short() -> Config {
    let mut config = Config::embedded();
    config.safety.idle_setback_min = 2.0;
    config.safety.idle_off_min = 4.0;
    config.safety.zone_time_constant = SLOW;
    config
}

fn bench(config: Config) -> Bench {
    Bench::with(config, 200.0, Restored::default())
}

fn by_hand(duty: f64) -> Bench {
    let mut bench = bench(short());
    bench.ok("SET_MODE", json!({"mode": "MANUAL"}));
    for zone in ["z1", "z2"] {
        bench.ok("SET_HEATER", json!({"zone": zone, "duty": duty}));
    }
    bench
}

fn targets(bench: &Bench) -> [f64; 2] {
    [Z1, Z2].map(|zone| bench.shown().targets[zone].get())
}

fn duties(bench: &Bench) -> [f64; 2] {
    [Z1, Z2].map(|zone| bench.shown().heater_duty[zone].get())
}

/// The alarms raised since the last look, by name.
fn events(bench: &mut Bench) -> Vec<&'static str> {
    let raised = |event| match event {
        AlarmEvent::Raised(record) => Some(record.code.name()),
        AlarmEvent::Acknowledged { .. } | AlarmEvent::Cleared { .. } => None,
    };
    std::iter::from_fn(|| bench.controller.pop_event()).filter_map(raised).collect()
}

#[test]
fn heat_by_hand_that_nobody_attends_to_is_turned_down_and_then_off() {
    let mut bench = by_hand(45.0);
    bench.run(61.0);
    assert_eq!((events(&mut bench), duties(&bench)), (vec!["IDLE_SOON"], [45.0; 2]));
    bench.run(60.0);
    // 40 °C less of 430 °C at full duty.
    let lower = 45.0 - 40.0 / 430.0 * 100.0;
    assert_eq!(events(&mut bench), ["IDLE_SETBACK", "IDLE_SOON"], "the next stage in two minutes");
    assert!(duties(&bench).iter().all(|duty| (duty - lower).abs() < 1e-9), "{:?}", duties(&bench));
    bench.run(120.0);
    assert_eq!(events(&mut bench), ["IDLE_OFF"]);
    assert_eq!((duties(&bench), bench.shown().manual_duty), ([0.0; 2], [Duty::ZERO; 2].into()));
    assert_eq!(bench.shown().mode, crate::Mode::Manual);
    assert_eq!(bench.active(), ["IDLE_SETBACK", "IDLE_OFF"], "nothing is announced any more");
    bench.ok("SET_HEATER", json!({"zone": "z1", "duty": 10}));
    assert_eq!(bench.active(), Vec::<&str>::new());
}

#[test]
fn targets_that_nobody_attends_to_are_lowered_and_then_zero_each_with_its_event() {
    let mut bench = bench(short());
    bench.ok("SET_TARGET", json!({"z1": 200, "z2": 190}));
    bench.run(121.0);
    assert_eq!(targets(&bench), [160.0, 150.0]);
    bench.run(120.0);
    assert_eq!(targets(&bench), [0.0, 0.0]);
    let heat = |name: &&str| name.starts_with("IDLE");
    let seen: Vec<&str> = events(&mut bench).into_iter().filter(heat).collect();
    assert_eq!(seen, ["IDLE_SOON", "IDLE_SETBACK", "IDLE_SOON", "IDLE_OFF"]);
}

#[test]
fn any_command_of_a_person_starts_the_time_anew_and_reading_does_not() {
    let mut bench = bench(short());
    bench.ok("SET_TARGET", json!({"z1": 200, "z2": 200}));
    for (command, value) in [
        ("SET_RELAY", json!({"relay": "fan", "state": true})),
        ("SET_FILL_TARGET", json!({"level": 3})),
        ("UPDATE_PID", json!({"zone": "z1", "params": {"kp": 4}})),
        ("STOP", json!(null)),
    ] {
        bench.run(100.0);
        assert_eq!(bench.active(), ["IDLE_SOON"], "before {command}");
        bench.ok(command, value);
        assert_eq!(bench.active(), Vec::<&str>::new(), "after {command}");
    }
    assert_eq!(targets(&bench), [200.0, 200.0]);
    bench.run(100.0);
    bench.inputs.buttons.stop = true;
    bench.run(0.1);
    bench.inputs.buttons.stop = false;
    assert_eq!(bench.active(), Vec::<&str>::new(), "a button of the panel");
    bench.run(100.0);
    bench.ok("GPIO_READ", json!({"pin": 5}));
    let cold = bench.refused("MOVE_MOTOR_STEPS", json!({"motor": "main", "steps": 1, "speed": 0}));
    assert_eq!(cold, RefusalCode::InvalidSpeed);
    bench.run(21.0);
    assert_eq!(targets(&bench), [160.0, 160.0]);
}

#[test]
fn a_screw_that_turns_is_company_and_a_feeder_that_waits_for_it_is_none() {
    let mut bench = bench(short());
    bench.ok("SET_TARGET", json!({"z1": 200, "z2": 200}));
    bench.ok("SET_MOTOR", json!({"motor": "main", "rpm": 10}));
    bench.run(300.0);
    assert_eq!(targets(&bench), [200.0, 200.0]);
    bench.ok("SET_MOTOR", json!({"motor": "main", "rpm": 0}));
    bench.ok("SET_MOTOR", json!({"motor": "feed", "rpm": 10}));
    bench.run(125.0);
    assert_eq!(targets(&bench), [160.0, 160.0]);
}

#[test]
fn a_tune_is_left_to_itself_and_the_time_begins_when_it_is_over() {
    let mut bench = bench(short());
    bench.ok("SET_TARGET", json!({"z2": 200}));
    let tune = parse_tune_start(&json!({"zone": "z1", "setpoint": 200}), &bench.file.names());
    bench.controller.command(bench.now, tune.unwrap()).unwrap();
    bench.run(300.0);
    assert!(bench.shown().tune.status.is_running());
    let idle = |bench: &Bench| bench.active().iter().any(|name| name.starts_with("IDLE"));
    assert!(!idle(&bench));
}

#[test]
fn the_machine_of_the_field_is_turned_down_by_default_and_one_without_a_screw_is_not() {
    for (step_main, expected) in [(Some(21), 160.0), (None, 200.0)] {
        let mut config = Config::parse("{}").unwrap();
        config.pins.set("step_main", step_main.map(|pin| tve_units::Bcm::new(pin).unwrap()));
        let kind = MachineKind::RaspberryPi;
        let mut bench = Bench::of(config, kind, 200.0, Restored::default());
        bench.ok("SET_TARGET", json!({"z1": 200, "z2": 200}));
        bench.run(1801.0);
        assert_eq!(targets(&bench), [expected; 2]);
    }
}

#[test]
fn melt_that_stands_hot_too_long_is_a_note_and_again_after_it_was_turned_out() {
    let mut config = Config::embedded();
    config.safety.residence_min = 2.0;
    config.safety.zone_time_constant = SLOW;
    let mut bench = bench(config);
    bench.run(118.0);
    assert_eq!(bench.active(), Vec::<&str>::new());
    bench.run(3.0);
    assert_eq!(bench.active(), ["RESIDENCE"]);
    let message = bench.shown().alarms.iter().next().unwrap().to_string();
    assert!(message.contains("120."), "{message}");
    bench.ok("CLEAR_ALARM", json!(null));
    bench.run(60.0);
    assert_eq!(bench.active(), Vec::<&str>::new(), "somebody knows");
    bench.ok("SET_MOTOR", json!({"motor": "main", "rpm": 60}));
    bench.run(30.0);
    bench.ok("SET_MOTOR", json!({"motor": "main", "rpm": 0}));
    bench.run(118.0);
    assert_eq!(bench.active(), Vec::<&str>::new());
    bench.run(4.0);
    assert_eq!(bench.active(), ["RESIDENCE"]);
}
