//! When the cooler of a zone runs: above its target, never beside its heater, never after a trip.

use super::*;

/// A zone with a cooler and one without, at `t` °C, with a target of 200 °C. Gains that leave no duty
/// above the target.
fn holding(t: f64) -> Bench {
    let file = json!({
        "zones": [
            {"name": "z1", "sensor": "t2", "cooler": true, "kp": 100.0, "ki": 0.0, "kd": 0.0},
            {"name": "z2", "sensor": "t3", "kp": 100.0, "ki": 0.0, "kd": 0.0},
        ],
        "motors": [{"name": "main", "role": "screw"}],
        "control": {"law": 2},
        "sensors": {
            "0": {"logical": "t1"},
            "1": {"logical": "t2"},
            "2": {"logical": "motor"},
            "3": {"logical": "t3"},
        },
    });
    let config = Config::parse(&file.to_string()).unwrap();
    let mut bench = Bench::with(config, t, Restored::default());
    bench.ok("SET_TARGET", json!({"z1": 200, "z2": 200}));
    bench.run(1.0);
    bench
}

impl Bench {
    /// Lets both zones read `t`, and says whether each cooler runs.
    fn coolers_at(&mut self, t: f64) -> Vec<bool> {
        (self.channels[1], self.channels[3]) = (t, t);
        self.run(1.0);
        self.controller.outputs().coolers.iter().copied().collect()
    }
}

#[test]
fn a_cooler_runs_from_five_degrees_above_the_target_down_to_two() {
    let mut bench = holding(203.0);
    assert_eq!(bench.coolers_at(204.5), [false, false]);
    assert_eq!(bench.coolers_at(205.5), [true, false], "the other zone has none");
    assert_eq!(bench.coolers_at(203.0), [true, false]);
    assert_eq!(bench.coolers_at(201.5), [false, false]);
    assert_eq!(bench.coolers_at(203.0), [false, false]);
}

#[test]
fn noise_at_the_limit_does_not_switch_a_cooler_with_every_sample() {
    let mut bench = holding(203.0);
    let mut switched = 0;
    let mut runs = false;
    for n in 0..40 {
        let now = bench.coolers_at(205.0 + if n % 2 == 0 { 0.4 } else { -0.4 })[0];
        switched += u32::from(now != runs);
        runs = now;
    }
    assert_eq!(switched, 1);
}

#[test]
fn a_cooler_never_runs_beside_a_duty() {
    let mut bench = holding(206.0);
    assert_eq!(bench.coolers_at(206.0), [true, false]);
    bench.ok("SET_MODE", json!({"mode": "MANUAL"}));
    bench.ok("SET_HEATER", json!({"zone": "z1", "duty": 5}));
    for _ in 0..200 {
        let outputs = bench.tick();
        assert!(!outputs.coolers[Z1]);
    }
    bench.ok("SET_HEATER", json!({"zone": "z1", "duty": 0}));
    assert_eq!(bench.coolers_at(206.0), [true, false]);
    bench.ok("SET_MODE", json!({"mode": "AUTO"}));
    bench.run(1.0);
    bench.ok("SET_TARGET", json!({"z1": 230}));
    bench.run(1.0);
    assert!(!bench.shown().heater_duty[Z1].is_zero());
    assert_eq!(bench.coolers_at(206.0), [false, false]);
}

#[test]
fn a_cooler_is_off_after_a_trip_without_a_target_and_where_nobody_sees_its_zone() {
    let mut bench = holding(206.0);
    assert_eq!(bench.coolers_at(206.0), [true, false]);
    bench.ok("EMERGENCY_STOP", json!(null));
    assert!(!bench.tick().coolers[Z1]);
    assert_eq!(bench.coolers_at(206.0), [false, false]);

    let mut bench = holding(206.0);
    bench.ok("SET_TARGET", json!({"z1": 0}));
    assert_eq!(bench.coolers_at(206.0), [false, false]);

    let mut bench = holding(206.0);
    bench.channels[1] = 5000.0;
    bench.run(2.0);
    assert_eq!(bench.active(), ["HEATER_SENSOR_FAILURE"]);
    assert!(!bench.tick().coolers[Z1]);
}
