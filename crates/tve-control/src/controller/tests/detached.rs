//! A sensor that is no longer where it was, and what is not held against one.

use super::*;

/// A hot barrel that is off, whose sensors fall by so many °C in 10 s.
fn after_a_fall_of(falls: [f64; 2]) -> Bench {
    let mut bench = Bench::at(200.0);
    for tenth in 1..=10 {
        for (channel, fall) in [1, 3].into_iter().zip(falls) {
            bench.channels[channel] = 200.0 - fall * f64::from(tenth) / 10.0;
        }
        bench.run(1.0);
    }
    bench.run(1.0);
    bench
}

#[test]
fn a_sensor_that_falls_faster_than_metal_cools_locks_its_zone_until_somebody_has_looked() {
    assert_eq!(after_a_fall_of([7.0, 0.0]).active(), Vec::<&str>::new());
    assert_eq!(after_a_fall_of([14.0, 14.0]).active(), Vec::<&str>::new(), "the supply moved");
    assert_eq!(after_a_fall_of([25.0, 25.0]).active(), ["SENSOR_DETACHED"; 2]);
    let mut bench = after_a_fall_of([14.0, 0.0]);
    assert_eq!(bench.active(), ["SENSOR_DETACHED"]);
    // The metal may have cooled to what the sensor shows by now: it has lied all the same.
    bench.run(60.0);
    assert_eq!(bench.refused("CLEAR_ALARM", json!({})), RefusalCode::CausePresent);
    assert_eq!(bench.refused("SET_TARGET", json!({"z1": 100})), RefusalCode::AlarmActive);
    bench.ok("SET_TARGET", json!({"z2": 100}));
    bench.ok("RELEASE_ZONE", json!({"zone": "z1", "reason": "screwed in again"}));
    bench.run(1.0);
    assert_eq!(bench.active(), Vec::<&str>::new());
    bench.ok("SET_TARGET", json!({"z1": 100}));
}

#[test]
fn a_sensor_that_went_silent_hot_and_comes_back_cold_has_lost_its_zone() {
    let mut bench = Bench::at(200.0);
    bench.channels[1] = -60.0;
    bench.run(5.0);
    bench.channels[1] = 80.0;
    bench.run(5.0);
    assert_eq!(bench.active(), ["HEATER_SENSOR_FAILURE", "SENSOR_DETACHED"]);
    // Silent for long enough to have cooled: nothing speaks against it.
    let mut bench = Bench::at(200.0);
    bench.channels[1] = -60.0;
    bench.run(600.0);
    bench.channels[1] = 80.0;
    bench.run(5.0);
    assert!(!bench.active().contains(&"SENSOR_DETACHED"), "{:?}", bench.active());
}

#[test]
fn a_sensor_that_is_calibrated_anew_is_not_held_against_what_it_showed_before() {
    let mut bench = Bench::at(200.0);
    let points = json!([{"x": 0, "y": -4.9}, {"x": 200, "y": 185.2}]);
    let params = json!({"channel": 1, "cal_points": points});
    bench.ok("SET_SENSOR_CALIBRATION", json!({"params": params}));
    bench.run(5.0);
    assert_eq!(bench.active(), ["SAFETY_CHANGED"]);
}
