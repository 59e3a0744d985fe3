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
        bench.run(0.5);
    }
    assert_eq!(bench.active(), Vec::<&str>::new(), "it may be cold for 5 s");
    bench.run(5.5);
    assert_eq!(bench.active(), ["COLD_ZONE"]);
    bench.run(2.0);
    assert!(!bench.tick().motors[0].is_moving());
}

#[test]
fn a_feeder_that_jogs_does_not_mind_a_cold_zone() {
    let mut bench = Bench::at(200.0);
    bench.ok("MOVE_MOTOR_STEPS", long_jog("feed"));
    bench.channels = [30.0, 195.0, 30.0, 195.0];
    bench.run(1.0);
    for t in (150..195).rev() {
        bench.channels = [30.0, f64::from(t), 30.0, f64::from(t)];
        bench.run(0.5);
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
    assert!(bench.tick().motors[0].is_moving());
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
