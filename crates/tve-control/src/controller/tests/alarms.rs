//! What alarms do to the machine, and what it takes to end them.

use super::*;
use tve_units::{Bcm, Celsius};

#[test]
fn a_trip_switches_everything_off_in_the_same_tick_and_a_reset_restarts_nothing() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_TARGET", json!({"z1": 240, "z2": 240}));
    bench.ok("SET_MOTOR", json!({"motor": "main", "rpm": 60}));
    bench.ok("SET_PELTIER", json!({"duty": 50}));
    bench.run(3.0);
    assert!(bench.controller.outputs().is_energised());
    bench.ok("EMERGENCY_STOP", json!(null));
    assert!(!bench.controller.outputs().is_energised());
    assert!(!bench.tick().is_energised());
    assert!(!bench.tick().contactor);
    bench.ok("CLEAR_ALARM", json!(null));
    bench.run(10.0);
    let shown = bench.shown();
    assert_eq!(shown.status, Status::Ready);
    assert_eq!(shown.targets, [Celsius::ZERO; 2]);
    assert!(!bench.controller.outputs().is_energised());
}

#[test]
fn while_a_trip_is_latched_only_what_makes_safer_is_accepted() {
    let mut bench = Bench::at(200.0);
    bench.ok("EMERGENCY_STOP", json!(null));
    for (name, value) in [
        ("START", json!(null)),
        ("SET_MODE", json!({"mode": "MANUAL"})),
        ("SET_TARGET", json!({"z1": 100})),
        ("SET_TARGET", json!({"z1": 0, "z2": 100})),
        ("SET_TARGET", json!({})),
        ("SET_HEATER", json!({"zone": "z1", "duty": 1})),
        ("SET_MOTOR", json!({"motor": "main", "rpm": 1})),
        ("SET_RELAY", json!({"relay": "fan", "state": true})),
        ("SET_PELTIER", json!({"duty": 1})),
        ("UPDATE_PID", json!({"zone": "z1", "params": {}})),
        ("GPIO_WRITE", json!({"pin": 5, "state": 1})),
        ("SAVE_CONFIG", json!(null)),
        ("MOVE_MOTOR_STEPS", json!({"motor": "main", "steps": 1})),
    ] {
        assert_eq!(bench.refused(name, value.clone()), RefusalCode::AlarmActive, "{name} {value}");
    }
    for (name, value) in [
        ("STOP", json!(null)),
        ("SET_TARGET", json!({"z1": 0})),
        ("SET_HEATER", json!({"zone": "z1", "duty": 0})),
        ("SET_MOTOR", json!({"motor": "main", "rpm": 0})),
        ("SET_PELTIER", json!({"duty": 0})),
        ("STOP_MANUAL_MOVE", json!({"motor": "feed"})),
        ("GPIO_READ", json!({"pin": 5})),
        ("ACKNOWLEDGE_ALARM", json!({"alarm_id": "all"})),
        ("EMERGENCY_STOP", json!(null)),
    ] {
        bench.ok(name, value);
    }
}

#[test]
fn a_zone_trip_takes_one_zone_and_the_motors_and_leaves_the_other_zone_to_hold() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_TARGET", json!({"z1": 200, "z2": 200}));
    bench.ok("SET_MOTOR", json!({"motor": "main", "rpm": 60}));
    bench.run(5.0);
    bench.channels[1] = -60.0; // the wire of t2 breaks
    bench.run(0.75);
    assert_eq!(bench.active(), ["HEATER_SENSOR_FAILURE"]);
    let shown = bench.shown();
    assert_eq!(shown.targets.map(|_, t| t.get()), [0.0, 200.0]);
    assert_eq!(shown.status, Status::Alarm);
    bench.run(2.0);
    let shown = bench.shown();
    assert!(shown.motors_actual.iter().all(|m| m.is_zero()));
    assert!(shown.heater_duty[Z1].is_zero() && !shown.heater_duty[Z2].is_zero());
    bench.ok("SET_TARGET", json!({"z2": 210}));
    assert_eq!(bench.refused("SET_TARGET", json!({"z1": 210})), RefusalCode::AlarmActive);
    assert_eq!(bench.refused("CLEAR_ALARM", json!(null)), RefusalCode::CausePresent);
    bench.channels[1] = 190.0;
    bench.run(2.0);
    bench.ok("CLEAR_ALARM", json!(null));
    assert_eq!(bench.shown().status, Status::Ready);
}

#[test]
fn a_stop_alarm_brings_feed_then_screw_to_rest_within_two_seconds_and_heat_goes_on() {
    let mut bench = Bench::at(200.0);
    bench.ok("UPDATE_MOTION_CONFIG", json!({"params": {"max_accel": 5000, "ramp_down": 60}}));
    bench.ok("SET_TARGET", json!({"z1": 215, "z2": 215}));
    for motor in ["main", "feed"] {
        bench.ok("SET_MOTOR", json!({"motor": motor, "rpm": 1500}));
    }
    bench.run(3.0);
    assert_eq!(bench.shown().motors_actual.map(|_, rpm| rpm.get()), [1500.0; 2]);
    bench.inputs.drive_alarm = true;
    bench.tick();
    bench.inputs.drive_alarm = false;
    assert_eq!(bench.active(), ["DRIVER_FAULT"]);
    let mut feed_stood_at = None;
    for tick in 0..200 {
        bench.tick();
        let actual = bench.shown().motors_actual.map(|_, rpm| rpm.get());
        let [main, feed] = *actual.as_slice() else { panic!("two motors") };
        if feed == 0.0 && feed_stood_at.is_none() {
            feed_stood_at = Some(tick);
            assert!(main > 1000.0, "the screw must not stop before the feed");
        }
    }
    assert!(feed_stood_at.is_some());
    assert!(bench.controller.is_at_rest());
    let shown = bench.shown();
    assert!(shown.heater_duty.iter().all(|d| !d.is_zero()));
    assert_eq!(bench.controller.outputs().motors[SCREW], MotorDrive::Disabled);
    assert_eq!(
        bench.refused("SET_MOTOR", json!({"motor": "feed", "rpm": 5})),
        RefusalCode::AlarmActive
    );
    bench.ok("SET_TARGET", json!({"z1": 200}));
}

#[test]
fn a_screw_that_was_just_told_to_turn_does_not_begin_after_a_stop() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_MOTOR", json!({"motor": "feed", "rpm": 60}));
    bench.run(2.0);
    bench.ok("SET_MOTOR", json!({"motor": "main", "rpm": 120}));
    bench.inputs.drive_alarm = true;
    for _ in 0..200 {
        let outputs = bench.tick();
        assert!(!outputs.motors[SCREW].is_moving());
    }
    assert!(bench.controller.is_at_rest());
}

#[test]
fn a_pressed_emergency_button_cannot_be_cleared_and_clears_after_release() {
    let mut bench = Bench::at(25.0);
    bench.inputs.estop = Contact::Open;
    bench.tick();
    assert_eq!(bench.active(), ["EMERGENCY_STOP_BTN"]);
    assert_eq!(bench.refused("CLEAR_ALARM", json!(null)), RefusalCode::EmergencyBtnActive);
    bench.inputs.estop = Contact::Closed;
    bench.tick();
    bench.ok("CLEAR_ALARM", json!(null));
    assert!(bench.active().is_empty());
}

#[test]
fn clearing_names_what_remains_and_clears_the_rest() {
    let mut bench = Bench::at(25.0);
    bench.ok("EMERGENCY_STOP", json!(null));
    bench.inputs.drive_alarm = true;
    bench.tick();
    let refusal = bench.send("CLEAR_ALARM", json!(null)).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::CausePresent);
    assert_eq!(refusal.reason.as_deref(), Some("DRIVER_FAULT"));
    assert_eq!(bench.active(), ["DRIVER_FAULT"]);
}

#[test]
fn a_zone_that_reads_far_too_cold_is_not_cleared_while_it_does() {
    let mut bench = Bench::at(4.0);
    bench.ok("SET_TARGET", json!({"z1": 100}));
    bench.run(1.5);
    assert_eq!(bench.active(), ["HEATER_UNDER_TEMPERATURE"]);
    assert_eq!(bench.refused("CLEAR_ALARM", json!(null)), RefusalCode::CausePresent);
    assert_eq!(bench.active(), ["HEATER_UNDER_TEMPERATURE"]);
    bench.channels[1] = 6.0;
    bench.run(1.0);
    bench.ok("CLEAR_ALARM", json!(null));
    assert!(bench.active().is_empty());
}

#[test]
fn a_latched_alarm_that_nobody_can_read_trips_by_its_name_until_somebody_has_seen_it() {
    let latched = vec![RestoredAlarm {
        id: 7,
        code: AlarmCode::JournalUnreadable,
        cause: Cause::Unread(UnreadName::new("GEARBOX_ON_FIRE")),
        wall: WallMillis::new(5),
        acknowledged: false,
    }];
    let restored = Restored { latched, next_alarm_id: 8, ..Restored::default() };
    let mut bench = Bench::with(Config::embedded(), 200.0, restored);
    let message = bench.shown().alarms.iter().next().map(ToString::to_string).unwrap();
    assert!(message.contains("GEARBOX_ON_FIRE"), "{message}");
    assert_eq!(bench.refused("SET_TARGET", json!({"z1": 100})), RefusalCode::AlarmActive);
    assert!(!bench.tick().is_energised());
    assert_eq!(bench.refused("CLEAR_ALARM", json!(null)), RefusalCode::CausePresent);
    bench.ok("ACKNOWLEDGE_ALARM", json!({"alarm_id": 7}));
    bench.ok("CLEAR_ALARM", json!(null));
}

#[test]
fn a_configuration_fault_locks_the_outputs_and_cannot_be_cleared() {
    let restored = Restored { config_fault: true, ..Restored::default() };
    let mut bench = Bench::with(Config::embedded(), 200.0, restored);
    assert_eq!(bench.active(), ["CONFIG_FAULT"]);
    assert_eq!(bench.refused("SET_TARGET", json!({"z1": 100})), RefusalCode::AlarmActive);
    assert_eq!(bench.refused("CLEAR_ALARM", json!(null)), RefusalCode::CausePresent);
    assert!(!bench.tick().is_energised());
}

#[test]
fn an_unclean_stop_with_something_on_is_acknowledged_before_it_is_cleared() {
    let restored = Restored { unclean: Some(Unclean { energised: true }), ..Restored::default() };
    let mut bench = Bench::with(Config::embedded(), 200.0, restored);
    assert_eq!(bench.shown().status, Status::Alarm);
    assert_eq!(bench.refused("CLEAR_ALARM", json!(null)), RefusalCode::CausePresent);
    bench.ok("ACKNOWLEDGE_ALARM", json!({"alarm_id": "all"}));
    bench.ok("CLEAR_ALARM", json!(null));
    let idle = Restored { unclean: Some(Unclean { energised: false }), ..Restored::default() };
    let bench = Bench::with(Config::embedded(), 200.0, idle);
    assert_eq!((bench.shown().status, bench.active()), (Status::Ready, vec!["UNCLEAN_STOP"]));
}

/// The alarms of a machine whose zone 1 was lost at 230 °C, after `seconds`.
fn after_losing_zone_1(config: Config, seconds: f64) -> Bench {
    let mut bench = Bench::with(config, 230.0, Restored::default());
    bench.ok("SET_TARGET", json!({"z1": 230, "z2": 230}));
    bench.run(1.0);
    bench.channels[1] = 5000.0;
    bench.run(seconds);
    bench
}

#[test]
fn a_contactor_opens_before_a_stuck_relay_could_have_overheated_a_zone_that_nobody_sees() {
    let mut config = Config::embedded();
    config.pins.set("contactor", Some(Bcm::new(17).unwrap()));
    let mut bench = after_losing_zone_1(config, 145.0);
    assert_eq!(bench.active(), ["HEATER_SENSOR_FAILURE"]);
    assert!(bench.tick().contactor, "the other zone holds on meanwhile");
    bench.run(12.0);
    assert_eq!(bench.active(), ["HEATER_SENSOR_FAILURE", "HEATER_OVER_TEMPERATURE"]);
    assert!(!bench.tick().contactor);
    let message = bench.shown().alarms.iter().last().unwrap().to_string();
    assert!(message.contains("t2 has failed for so long"), "{message}");
    assert_eq!(bench.refused("CLEAR_ALARM", json!(null)), RefusalCode::CausePresent);
    bench.channels[1] = 220.0;
    bench.run(3.0);
    bench.ok("CLEAR_ALARM", json!(null));
}

#[test]
fn without_a_contactor_the_other_zone_holds_on_however_long_one_is_lost() {
    let bench = after_losing_zone_1(Config::embedded(), 600.0);
    assert_eq!(bench.active(), ["HEATER_SENSOR_FAILURE"]);
    assert_eq!(bench.shown().targets[Z2].get(), 230.0);
}

/// The alarms of a machine that is too hot after a process in which these came.
fn too_hot_after(past: &[(AlarmCode, About)]) -> Vec<&'static str> {
    let past = past.iter().zip(1..).map(|(&(code, about), id)| RestoredAlarm {
        id,
        code,
        cause: Cause::Restored(about),
        wall: WallMillis::new(1_000_000),
        acknowledged: true,
    });
    let (past, wall) = (past.collect(), WallMillis::new(1_600_000));
    let restored = Restored { past, wall, next_alarm_id: 9, ..Restored::default() };
    let mut bench = Bench::with(Config::embedded(), 200.0, restored);
    bench.channels[1] = 209.0;
    while bench.channels[1] < 290.0 {
        bench.run(1.0);
        bench.channels[1] += 9.0;
    }
    bench.run(1.0);
    bench.active()
}

#[test]
fn a_fault_of_heat_counts_across_a_restart_by_zone_and_kind_until_the_zone_was_released() {
    use AlarmCode::{HeaterOverTemperature, HeaterStuckOn, SensorDetached, ZoneLocked};
    let [z1, z2] = [Z1, Z2].map(About::Zone);
    let locked = |past: &[_]| too_hot_after(past).contains(&"ZONE_LOCKED");
    assert!(!locked(&[]));
    assert!(locked(&[(HeaterOverTemperature, z1)]));
    assert!(locked(&[(HeaterOverTemperature, About::Machine)]), "nobody knows which zone");
    assert!(!locked(&[(HeaterOverTemperature, z2), (HeaterStuckOn, z1)]));
    for released in [ZoneLocked, SensorDetached] {
        assert!(!locked(&[(HeaterOverTemperature, z1), (released, z1)]));
        assert!(locked(&[(HeaterOverTemperature, z1), (released, z2)]));
    }
}

/// One zone on t2, and two motors with a sensor each: `motor` and t3.
fn two_measured_motors() -> Config {
    let file = json!({
        "zones": [{"name": "z1", "sensor": "t2"}],
        "motors": [
            {"name": "main", "role": "screw", "sensor": "motor"},
            {"name": "feed", "role": "feeder", "sensor": "t3"},
        ],
        "sensors": {
            "0": {"logical": "t1"},
            "1": {"logical": "t2"},
            "2": {"logical": "motor"},
            "3": {"logical": "t3"},
        },
    });
    Config::parse(&file.to_string()).unwrap()
}

/// Lets the motor on a channel get as warm as that, slowly enough to be believed.
fn warm_motor(bench: &mut Bench, channel: usize, t: f64) {
    while bench.channels[channel] < t {
        bench.channels[channel] = (bench.channels[channel] + 5.0).min(t);
        bench.run(0.4);
    }
    bench.run(1.0);
}

#[test]
fn a_second_motor_that_is_too_hot_is_an_alarm_of_its_own_and_is_cleared_by_itself() {
    let mut bench = Bench::with(two_measured_motors(), 30.0, Restored::default());
    warm_motor(&mut bench, 2, 70.0);
    assert_eq!(bench.active(), ["MOTOR_OVERHEAT"]);
    warm_motor(&mut bench, 3, 70.0);
    assert_eq!(bench.active(), ["MOTOR_OVERHEAT", "MOTOR_OVERHEAT"]);
    let sentences: Vec<_> = bench.shown().alarms.iter().map(ToString::to_string).collect();
    assert!(sentences[0].starts_with("motor reads"), "{sentences:?}");
    assert!(sentences[1].starts_with("t3 reads"), "{sentences:?}");
    bench.channels[2] = 62.0;
    bench.run(1.0);
    assert_eq!(bench.refused("CLEAR_ALARM", json!(null)), RefusalCode::CausePresent);
    let left: Vec<_> = bench.shown().alarms.iter().map(|alarm| alarm.subject.about).collect();
    assert_eq!(left, [About::Motor(Motor::at(1))]);
}

#[test]
fn a_second_motor_sensor_that_fails_is_an_alarm_of_its_own() {
    let mut bench = Bench::with(two_measured_motors(), 30.0, Restored::default());
    for (channel, alarms) in [(2, 1), (3, 2)] {
        bench.channels[channel] = 5000.0;
        bench.run(2.0);
        assert_eq!(bench.active(), vec!["MOTOR_SENSOR_FAILURE"; alarms]);
    }
}

#[test]
fn an_alarm_of_a_motor_that_nobody_knows_any_more_stands_for_every_motor() {
    let latched = vec![RestoredAlarm {
        id: 3,
        code: AlarmCode::MotorOverheat,
        cause: Cause::Restored(About::Machine),
        wall: WallMillis::new(5),
        acknowledged: false,
    }];
    let restored = Restored { latched, next_alarm_id: 4, ..Restored::default() };
    let mut bench = Bench::with(two_measured_motors(), 30.0, restored);
    warm_motor(&mut bench, 3, 70.0);
    assert_eq!(bench.active(), ["MOTOR_OVERHEAT"]);
    assert_eq!(bench.refused("CLEAR_ALARM", json!(null)), RefusalCode::CausePresent);
}

#[test]
fn a_latched_trip_survives_a_restart() {
    let latched = vec![RestoredAlarm {
        id: 41,
        code: AlarmCode::HeaterOverTemperature,
        cause: Cause::Restored(About::Zone(Z1)),
        wall: WallMillis::new(5),
        acknowledged: false,
    }];
    let restored = Restored { latched, next_alarm_id: 42, ..Restored::default() };
    let mut bench = Bench::with(Config::embedded(), 200.0, restored);
    assert_eq!(bench.refused("SET_TARGET", json!({"z1": 100})), RefusalCode::AlarmActive);
    bench.ok("ACKNOWLEDGE_ALARM", json!({"alarm_id": "41"}));
    assert_eq!(
        bench.refused("ACKNOWLEDGE_ALARM", json!({"alarm_id": "7"})),
        RefusalCode::AlarmNotFound
    );
    bench.ok("CLEAR_ALARM", json!(null));
}

/// What is latched of `code` at the start of a machine that is `t` °C warm, before any sample.
fn just_restarted(code: AlarmCode, about: About, t: f64) -> Bench {
    let latched = vec![RestoredAlarm {
        id: 41,
        code,
        cause: Cause::Restored(about),
        wall: WallMillis::new(5),
        acknowledged: true,
    }];
    let restored = Restored { latched, next_alarm_id: 42, ..Restored::default() };
    Bench::unsampled(Config::embedded(), MachineKind::Simulator, t, restored)
}

#[test]
fn a_latched_alarm_of_a_sensor_is_not_cleared_before_the_sensor_has_been_judged() {
    let zone = About::Zone(Zone::at(0));
    let motor = About::Motor(Motor::at(0));
    for (code, about) in [
        (AlarmCode::HeaterSensorFailure, zone),
        (AlarmCode::TempDataStale, zone),
        (AlarmCode::HeaterOverTemperature, zone),
        (AlarmCode::HeaterUnderTemperature, zone),
        (AlarmCode::HeaterStuckOn, zone),
        (AlarmCode::SensorFrozen, zone),
        (AlarmCode::MotorOverheat, motor),
        (AlarmCode::MotorSensorFailure, motor),
        (AlarmCode::FeedThroatHot, About::Machine),
        (AlarmCode::FeedSensorFailure, About::Machine),
    ] {
        let mut bench = just_restarted(code, about, 200.0);
        for _ in 0..2 {
            bench.tick();
            let refusal = bench.send("CLEAR_ALARM", json!(null)).expect_err(code.name());
            assert_eq!(refusal.code, RefusalCode::CausePresent);
            assert_eq!(bench.active(), [code.name()]);
        }
        bench.run(3.0);
        bench.ok("CLEAR_ALARM", json!(null));
        assert!(bench.active().is_empty(), "{}", code.name());
    }
}

#[test]
fn a_barrel_that_is_still_too_hot_after_a_restart_stays_latched() {
    let zone = About::Zone(Zone::at(0));
    let mut bench = just_restarted(AlarmCode::HeaterOverTemperature, zone, 290.0);
    for _ in 0..100 {
        bench.tick();
        assert_eq!(bench.refused("CLEAR_ALARM", json!(null)), RefusalCode::CausePresent);
    }
}

#[test]
fn a_stall_of_the_loop_trips() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_TARGET", json!({"z1": 220, "z2": 220}));
    bench.run(1.0);
    bench.now = bench.now + Micros::from_millis(600);
    assert!(!bench.tick().is_energised());
    assert!(bench.active().contains(&"CONTROL_OVERRUN"));
}

#[test]
fn alarms_are_reported_to_the_journal_in_their_order_of_life() {
    let mut bench = Bench::at(25.0);
    bench.ok("EMERGENCY_STOP", json!(null));
    let id = bench.shown().alarms.iter().next().unwrap().id;
    let selector = AlarmSelector::Id(id);
    bench.controller.command(bench.now, Command::AcknowledgeAlarm(selector)).unwrap();
    bench.ok("CLEAR_ALARM", json!(null));
    let events: Vec<AlarmEvent> = std::iter::from_fn(|| bench.controller.pop_event()).collect();
    assert!(matches!(
        events[..],
        [AlarmEvent::Raised(a), AlarmEvent::Acknowledged { id: b }, AlarmEvent::Cleared { id: c }]
            if a.id == b && b == c && a.cause == Cause::Plain
    ));
}

#[test]
fn what_can_blind_a_trip_stands_as_a_note_until_somebody_has_seen_it_and_nothing_waits_for_it() {
    let mut bench = Bench::at(30.0);
    let shifted = |by: f64| {
        let points = json!([{"x": 0, "y": by}, {"x": 200, "y": 200.0 + by}]);
        json!({"params": {"channel": 1, "cal_points": points}})
    };
    bench.ok("SET_SENSOR_CALIBRATION", json!({"params": {"channel": 1, "decimals": 1}}));
    assert_eq!(bench.active(), [""; 0]);
    bench.ok("SET_SENSOR_CALIBRATION", shifted(2.0));
    assert_eq!(bench.active(), ["SAFETY_CHANGED"]);
    assert_ne!(bench.shown().status, crate::Status::Alarm, "it stops nothing");
    // Other alarms are cleared beside it, and nobody is refused for it.
    bench.ok("EMERGENCY_STOP", Value::Null);
    bench.ok("CLEAR_ALARM", Value::Null);
    assert_eq!(bench.active(), ["SAFETY_CHANGED"]);
    bench.ok("ACKNOWLEDGE_ALARM", json!({"alarm_id": "all"}));
    // The next change is one more that nobody has seen.
    bench.ok("SET_SENSOR_CALIBRATION", shifted(0.0));
    bench.ok("CLEAR_ALARM", Value::Null);
    assert_eq!(bench.active(), ["SAFETY_CHANGED"]);
    bench.ok("ACKNOWLEDGE_ALARM", json!({"alarm_id": "all"}));
    bench.ok("CLEAR_ALARM", Value::Null);
    assert_eq!(bench.active(), [""; 0]);
}
