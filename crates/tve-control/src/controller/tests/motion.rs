//! What turns, what that needs, and in which order it stops.

use super::*;

/// A counted move that does not end by itself in a test.
fn long_jog(motor: &str) -> Value {
    json!({"motor": motor, "steps": 10_000_000, "speed": 1000})
}

#[test]
fn a_jog_is_motion_to_status_and_start() {
    let mut bench = Bench::at(200.0);
    bench.ok("MOVE_MOTOR_STEPS", long_jog("main"));
    bench.tick();
    assert_eq!(bench.shown().status, Status::Running);
    assert_eq!(bench.refused("START", json!(null)), RefusalCode::MachineBusy);
    bench.ok("STOP_MANUAL_MOVE", json!({"motor": "main"}));
    bench.run(2.0);
    assert_eq!(bench.shown().status, Status::Ready);
}

#[test]
fn a_screw_that_jogs_in_a_zone_that_has_gone_cold_stops_like_one_that_runs() {
    let mut bench = Bench::at(200.0);
    bench.ok("MOVE_MOTOR_STEPS", long_jog("main"));
    bench.run(10.0);
    for t in (164..200).rev() {
        bench.channels = [30.0, f64::from(t), 30.0, 200.0];
        bench.run(2.0);
    }
    assert_eq!(bench.active(), Vec::<&str>::new(), "it may be cold for 5 s");
    bench.run(5.5);
    assert_eq!(bench.active(), ["COLD_ZONE"]);
    bench.run(2.0);
    assert!(!bench.tick().motors[SCREW].is_moving());
}

#[test]
fn a_feeder_that_jogs_does_not_mind_a_cold_zone() {
    let mut bench = Bench::at(200.0);
    bench.ok("MOVE_MOTOR_STEPS", long_jog("feed"));
    bench.channels = [30.0, 195.0, 30.0, 195.0];
    bench.run(1.0);
    for t in (150..195).rev() {
        bench.channels = [30.0, f64::from(t), 30.0, f64::from(t)];
        bench.run(2.0);
    }
    bench.run(10.0);
    assert_eq!(bench.active(), Vec::<&str>::new());
}

#[test]
fn a_short_jog_while_cold_raises_nothing_however_slow_it_is() {
    let mut bench = Bench::at(25.0);
    bench.ok("MOVE_MOTOR_STEPS", json!({"motor": "main", "steps": 800, "speed": 10}));
    bench.run(80.0);
    assert_eq!(bench.active(), Vec::<&str>::new());
    assert!(bench.tick().motors[SCREW].is_moving());
}

#[test]
fn a_machine_that_jogs_is_not_idle() {
    let mut config = Config::embedded();
    config.safety.idle_setback_min = 1.0;
    let mut bench = Bench::with(config, 200.0, Restored::default());
    bench.ok("SET_TARGET", json!({"z1": 200, "z2": 200}));
    bench.ok("MOVE_MOTOR_STEPS", long_jog("main"));
    bench.run(100.0);
    assert_eq!(bench.active(), Vec::<&str>::new());
}

/// Speeds of screw and feeder now.
fn speeds(bench: &Bench) -> [f64; 2] {
    [SCREW, FEEDER].map(|motor| bench.shown().motors_actual[motor].get())
}

fn set(motor: &str, rpm: f64) -> Value {
    json!({"motor": motor, "rpm": rpm})
}

fn held(bench: &Bench) -> [bool; 2] {
    [SCREW, FEEDER].map(|motor| bench.shown().held[motor])
}

#[test]
fn a_feed_setpoint_beside_a_standing_screw_is_accepted_and_held() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_MOTOR", set("feed", 30.0));
    assert_eq!(held(&bench), [false, true], "before the next tick already");
    bench.run(5.0);
    assert_eq!(speeds(&bench), [0.0, 0.0]);
    assert_eq!(bench.tick().motors[FEEDER], MotorDrive::Disabled);
    let shown = bench.shown();
    assert_eq!([SCREW, FEEDER].map(|motor| shown.motors[motor].get()), [0.0, 30.0]);
    assert_eq!(shown.status, Status::Ready, "nothing turns");
    bench.ok("SET_MOTOR", set("main", 60.0));
    bench.run(3.0);
    assert_eq!((speeds(&bench), held(&bench)), ([60.0, 30.0], [false, false]));
}

#[test]
fn the_feed_comes_to_rest_before_the_screw_whose_setpoint_goes_to_zero() {
    for ramp_down in [0, 60] {
        let mut bench = Bench::at(200.0);
        bench.ok("SET_MOTOR", set("main", 60.0));
        bench.ok("SET_MOTOR", set("feed", 30.0));
        bench.run(3.0);
        // Somebody has slowed the feed down first, by a ramp that takes a minute.
        bench.ok("UPDATE_MOTION_CONFIG", json!({"params": {"ramp_down": ramp_down}}));
        bench.ok("SET_MOTOR", set("feed", 20.0));
        bench.run(0.1);
        bench.ok("SET_MOTOR", set("main", 0.0));
        for _ in 0..45 {
            bench.tick();
            let [screw, feed] = speeds(&bench);
            assert!(feed == 0.0 || screw == 60.0, "screw {screw}, feed {feed}");
        }
        assert_eq!(speeds(&bench)[1], 0.0, "within 0.4 s");
        bench.run(61.0);
        assert_eq!((speeds(&bench), held(&bench)), ([0.0, 0.0], [false, true]));
    }
}

#[test]
fn the_feed_stands_while_the_screw_reverses() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_MOTOR", set("main", 60.0));
    bench.ok("SET_MOTOR", set("feed", 30.0));
    bench.run(3.0);
    bench.ok("SET_MOTOR", set("main", -60.0));
    let mut turned = false;
    for _ in 0..400 {
        bench.tick();
        let [screw, feed] = speeds(&bench);
        assert!(screw.abs() > 0.0 || feed == 0.0, "the feed runs onto a standing screw");
        turned |= screw < 0.0;
    }
    assert!(turned);
    assert_eq!(speeds(&bench), [-60.0, 30.0]);
}

#[test]
fn a_stop_sequence_that_takes_the_screw_off_first_stops_the_feed_first_all_the_same() {
    let mut bench = Bench::at(200.0);
    bench.ok(
        "UPDATE_EXTRUDER_SEQ",
        json!({"sequence": {"shutdown": [
            {"device": "main_motor", "action": "off", "delay": 0},
            {"device": "feed_motor", "action": "off", "delay": 20},
        ]}}),
    );
    bench.ok("SET_MOTOR", set("main", 60.0));
    bench.ok("SET_MOTOR", set("feed", 30.0));
    bench.run(3.0);
    bench.ok("STOP", json!(null));
    for _ in 0..2500 {
        bench.tick();
        let [screw, feed] = speeds(&bench);
        assert!(feed == 0.0 || screw > 0.0, "screw {screw}, feed {feed}");
    }
    assert!(bench.controller.is_at_rest());
}

#[test]
fn a_held_setpoint_keeps_nobody_from_a_start_and_a_stop_takes_it_away() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_MOTOR", set("feed", 30.0));
    bench.run(1.0);
    bench.ok("START", json!(null));
    bench.run(1.5);
    assert_eq!(speeds(&bench), [10.0, 0.0], "the sequence gives the feeder 2 s later");
    bench.run(3.5);
    assert_eq!(speeds(&bench), [10.0, 30.0]);
    bench.ok("SET_MOTOR", set("main", 0.0));
    bench.run(5.0);
    assert_eq!(held(&bench), [false, true]);
    bench.ok("STOP", json!(null));
    bench.run(8.0);
    assert!(bench.controller.is_at_rest());
}

#[test]
fn a_move_of_the_feeder_ends_when_the_screw_is_to_stop() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_MOTOR", set("main", 60.0));
    bench.run(2.0);
    bench.ok("MOVE_MOTOR_STEPS", long_jog("feed"));
    bench.run(1.0);
    bench.ok("SET_MOTOR", set("main", 0.0));
    bench.run(3.0);
    assert!(!bench.controller.outputs().motors[FEEDER].is_moving());
    assert_eq!(speeds(&bench), [0.0, 0.0]);
}

#[test]
fn without_a_screw_drive_a_feeder_turns_by_itself() {
    let mut config = Config::embedded();
    for (pin, at) in [("step_main", None), ("step_feed", Some(12)), ("btn_emergency", Some(5))] {
        config.pins.set(pin, at.map(|at| tve_units::Bcm::new(at).unwrap()));
    }
    let kind = MachineKind::RaspberryPi;
    let mut bench = Bench::of(config, kind, 200.0, Restored::default());
    bench.ok("SET_MOTOR", set("feed", 30.0));
    bench.run(3.0);
    assert_eq!(speeds(&bench), [0.0, 30.0]);
}

#[test]
fn a_stop_ends_within_its_time_whatever_the_sequence_says() {
    for limit in [5.0, 60.0] {
        let mut config = Config::embedded();
        config.safety.stop_max_s = limit;
        let mut bench = Bench::with(config, 200.0, Restored::default());
        bench.ok(
            "UPDATE_EXTRUDER_SEQ",
            json!({"sequence": {"shutdown": [
                {"device": "feed_motor", "action": "off", "delay": 3600},
                {"device": "main_motor", "action": "off", "delay": 3600},
            ]}}),
        );
        bench.ok("SET_MOTOR", set("main", 1500.0));
        bench.ok("SET_MOTOR", set("feed", 600.0));
        bench.run(30.0);
        bench.ok("STOP", json!(null));
        bench.run(limit - 3.0);
        assert_eq!(speeds(&bench), [1500.0, 600.0], "the sequence is obeyed until then");
        assert_eq!(bench.refused("SET_MOTOR", set("feed", 30.0)), RefusalCode::MachineBusy);
        bench.ok("STOP", json!(null));
        bench.run(3.02);
        assert!(bench.controller.is_at_rest(), "{:?} after {limit} s", speeds(&bench));
        assert_eq!(bench.shown().status, Status::Ready);
    }
}

#[test]
fn a_stop_alarm_that_was_cleared_at_once_is_not_undone_by_the_feeder() {
    for (command, value) in
        [("SET_MOTOR", set("feed", 30.0)), ("MOVE_MOTOR_STEPS", long_jog("feed"))]
    {
        let mut bench = Bench::at(200.0);
        bench.ok("SET_MOTOR", set("main", 600.0));
        bench.ok("SET_MOTOR", set("feed", 60.0));
        bench.run(12.0);
        bench.inputs.drive_alarm = true;
        bench.tick();
        bench.inputs.drive_alarm = false;
        bench.tick();
        bench.ok("CLEAR_ALARM", json!(null));
        assert_eq!(bench.refused(command, value), RefusalCode::MachineBusy, "{command}");
        bench.run(2.0);
        assert!(bench.controller.is_at_rest(), "{command}: {:?}", speeds(&bench));
    }
}

#[test]
fn no_shaft_turns_faster_than_it_may_by_any_way() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_MOTOR", set("main", 100.0));
    bench.ok("SET_MOTOR", set("feed", 80.0));
    bench.run(3.0);
    let limits = json!({"params": {"screw_max_rpm": 60, "feeder_max_rpm": 5}});
    bench.ok("UPDATE_MOTION_CONFIG", limits);
    bench.run(3.0);
    assert_eq!(speeds(&bench), [60.0, 5.0], "what turns comes down to it");
    for rpm in [60.1, -60.1] {
        let refusal = bench.send("SET_MOTOR", set("main", rpm)).unwrap_err();
        assert_eq!(refusal.msg(), "INVALID_VALUE:rpm");
        assert!(refusal.reason.unwrap().contains("at most 60 either way"));
    }
    bench.ok("SET_MOTOR", set("main", -60.0));
    bench.run(5.0);
    bench.ok("STOP", json!(null));
    bench.run(10.0);
    bench.ok("START", json!(null));
    bench.run(5.0);
    assert_eq!(speeds(&bench), [-60.0, 5.0], "a start gives 80 rpm no more");
    bench.ok("STOP", json!(null));
    bench.run(10.0);
    // 60 rpm of 3200 steps are 3200 steps/s, 5 rpm are 267.
    let jog = |motor: &str, speed: u32| json!({"motor": motor, "steps": 10, "speed": speed});
    for (motor, fastest, named) in [("main", 3200, "60 rpm"), ("feed", 266, "5 rpm")] {
        let refusal = bench.send("MOVE_MOTOR_STEPS", jog(motor, fastest + 1)).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::InvalidSpeed);
        assert!(refusal.reason.unwrap().contains(named));
        bench.ok("MOVE_MOTOR_STEPS", jog(motor, fastest));
    }
}

#[test]
fn a_start_gives_no_more_than_a_shaft_may_turn() {
    let mut config = Config::embedded();
    config.motion.feeder_max_rpm = 4.0;
    let mut bench = Bench::with(config, 200.0, Restored::default());
    bench.ok("START", json!(null));
    bench.run(5.0);
    assert_eq!(speeds(&bench), [10.0, 4.0]);
}

#[test]
fn a_jog_turns_up_and_its_stop_turns_down_within_the_time_of_a_stop() {
    let mut bench = Bench::at(200.0);
    let fast = json!({"motor": "main", "steps": 10_000_000, "speed": 20_000});
    bench.ok("MOVE_MOTOR_STEPS", fast);
    bench.run(1.01);
    assert!((speeds(&bench)[0] - 60.0).abs() < 1.0, "60 rpm/s: {:?}", speeds(&bench));
    bench.run(9.0);
    assert_eq!(speeds(&bench)[0], 375.0);
    bench.ok("STOP_MANUAL_MOVE", json!({"motor": "main"}));
    bench.tick();
    let slowed = speeds(&bench)[0];
    assert!((365.0..375.0).contains(&slowed), "not at once: {slowed}");
    bench.run(1.5);
    assert!(bench.controller.is_at_rest());
}

fn press(bench: &mut Bench, button: fn(&mut tve_hal::Buttons) -> &mut bool) {
    *button(&mut bench.inputs.buttons) = true;
    bench.run(0.1);
    *button(&mut bench.inputs.buttons) = false;
    bench.run(0.1);
}

/// A machine whose stop button locks, with screw and feeder turning, after that button.
fn locked() -> Bench {
    let mut config = Config::embedded();
    config.safety.local_stop = true;
    let mut bench = Bench::with(config, 200.0, Restored::default());
    bench.ok("SET_MOTOR", set("main", 600.0));
    bench.ok("SET_MOTOR", set("feed", 60.0));
    bench.run(12.0);
    press(&mut bench, |buttons| &mut buttons.stop);
    bench
}

#[test]
fn a_stop_at_the_panel_that_locks_cannot_be_lifted_from_afar() {
    let mut bench = locked();
    assert_eq!(bench.active(), ["LOCAL_STOP"]);
    bench.run(1.9);
    assert!(bench.controller.is_at_rest());
    for (command, value) in [
        ("START", json!(null)),
        ("SET_MOTOR", set("main", 5.0)),
        ("MOVE_MOTOR_STEPS", json!({"motor": "feed", "steps": 1})),
    ] {
        assert_eq!(bench.refused(command, value), RefusalCode::AlarmActive, "{command}");
    }
    let refusal = bench.send("CLEAR_ALARM", json!(null)).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.reason.as_deref()),
        (RefusalCode::CausePresent, Some("LOCAL_STOP"))
    );
    bench.ok("SET_TARGET", json!({"z1": 200}));
}

#[test]
fn the_start_button_releases_what_was_locked_and_starts_at_the_next_press() {
    let mut bench = locked();
    bench.run(2.0);
    bench.inputs.buttons.stop = true;
    bench.run(0.1);
    press(&mut bench, |buttons| &mut buttons.start);
    assert_eq!(bench.active(), ["LOCAL_STOP"], "the stop button is still down");
    bench.inputs.buttons.stop = false;
    bench.run(0.1);
    press(&mut bench, |buttons| &mut buttons.start);
    assert_eq!(bench.active(), Vec::<&str>::new());
    bench.run(2.0);
    assert!(bench.controller.is_at_rest());
    press(&mut bench, |buttons| &mut buttons.start);
    assert_eq!(bench.shown().status, Status::Starting);
}

#[test]
fn a_machine_that_was_locked_at_its_panel_is_locked_after_a_restart() {
    let latched = vec![RestoredAlarm {
        id: 3,
        code: AlarmCode::LocalStop,
        cause: Cause::Restored(About::Machine),
        wall: tve_units::WallMillis::new(5),
        acknowledged: true,
    }];
    let mut config = Config::embedded();
    config.safety.local_stop = true;
    let restored = Restored { latched, next_alarm_id: 4, ..Restored::default() };
    let mut bench = Bench::with(config, 200.0, restored);
    assert_eq!(bench.refused("CLEAR_ALARM", json!(null)), RefusalCode::CausePresent);
    assert_eq!(bench.refused("START", json!(null)), RefusalCode::AlarmActive);
    press(&mut bench, |buttons| &mut buttons.start);
    bench.ok("START", json!(null));
}

#[test]
fn a_configuration_without_the_lock_does_not_release_what_is_locked() {
    let mut bench = locked();
    bench.run(3.0);
    let mut config = (*bench.file).clone();
    config.safety.local_stop = false;
    let replace = Command::ReplaceConfig(Box::new(config));
    let refusal =
        carry_out(&mut bench.controller, &mut bench.file, bench.now, replace).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::MachineBusy);
    assert!(refusal.reason.unwrap().contains("locked at the panel"));
}
