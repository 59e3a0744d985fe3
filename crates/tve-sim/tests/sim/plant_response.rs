//! The plant answers heat, screw and cooling as the machine it stands for.

use crate::bench::{Bench, FEEDER, MOTOR, SENSORS, T1, T2, T3, Z1, near};
use tve_units::Duty;

/// Long enough for the barrel to settle within 0.1 °C, s.
const SETTLED: f64 = 6000.0;
/// 1 - 1/e, the share of a first-order step after one time constant.
const STEP_SHARE: f64 = 0.632_120_558_828_557_7;

#[test]
fn full_power_lifts_both_zones_by_the_gain_with_the_time_constant_of_the_barrel() {
    let mut bench = Bench::new();
    let goal = bench.config.plant.ambient + bench.config.plant.gain * STEP_SHARE;
    let mut reached = None;
    while bench.now.secs() < SETTLED {
        bench.heat([100, 100], 1.0);
        if reached.is_none() && bench.reading(T2) >= goal {
            reached = Some(bench.now.secs());
        }
    }
    let lags = bench.config.plant.dead_time
        + bench.config.plant.second_lag
        + bench.config.plant.sensor_lag;
    let expected = bench.config.plant.time_constant + lags;
    let reached = reached.expect("the zone reaches 63 % of its lift");
    assert!(near(reached, expected, 0.05 * expected), "63 % after {reached} s, not {expected}");
    for sensor in [T2, T3] {
        let lift = bench.truth(sensor) - bench.config.plant.ambient;
        assert!(near(lift, 430.0, 4.0), "{sensor:?} lifted by {lift} °C");
    }
}

#[test]
fn forty_percent_holds_195_degrees() {
    let mut bench = Bench::new();
    bench.heat([40, 40], SETTLED);
    for sensor in [T2, T3] {
        assert!(near(bench.reading(sensor), 195.0, 3.0), "{sensor:?} {}", bench.reading(sensor));
    }
}

#[test]
fn nothing_warms_before_the_dead_time_and_soon_after_it_does() {
    let mut bench = Bench::new();
    bench.heat([100, 0], bench.config.plant.dead_time);
    assert_eq!(bench.truth(T2), bench.config.plant.ambient);
    bench.heat([100, 0], 2.0);
    assert!(bench.truth(T2) > bench.config.plant.ambient);
    bench.heat([100, 0], 10.0);
    let lift = bench.truth(T2) - bench.config.plant.ambient;
    assert!((0.5..5.0).contains(&lift), "{lift} °C after 12 s of warming");
}

#[test]
fn a_heater_slot_counts_exactly_as_long_as_it_was_on() {
    let mut slots = Bench::at(200.0);
    let mut steady = Bench::at(200.0);
    for _ in 0..60_000 {
        // 3 of 10 ticks, against the 50 ms steps of the plant.
        slots.out.heaters[Z1] = (slots.now.get() / 10_000) % 10 < 3;
        slots.tick();
    }
    steady.heat([30, 0], 600.0);
    let (a, b) = (slots.truth(T2), steady.truth(T2));
    assert!(near(a, b, 0.1), "{a} and {b} °C at the same 30 %");
}

#[test]
fn one_heated_zone_lifts_the_other_and_the_throat_by_the_coupling() {
    let mut bench = Bench::new();
    bench.heat([50, 0], 2.0 * SETTLED);
    let lift = |s| bench.truth(s) - bench.config.plant.ambient;
    let share = bench.config.plant.coupling / (1.0 + bench.config.plant.coupling);
    assert!(lift(T2) > 150.0, "zone 1 is hot");
    for neighbour in [T3, T1] {
        let ratio = lift(neighbour) / lift(T2);
        assert!(near(ratio, share, 0.002), "{neighbour:?} follows with {ratio}, not {share}");
    }
    // From the two heat balances with one heater: g (1 + c) / (1 + 2c).
    let expected = 0.5 * 430.0 * 1.1 / 1.2;
    assert!(near(lift(T2), expected, 1.0), "{} °C", lift(T2));
}

#[test]
fn an_unheated_barrel_goes_back_to_ambient() {
    let mut bench = Bench::at(230.0);
    bench.run(SETTLED);
    for sensor in SENSORS {
        assert!(near(bench.truth(sensor), bench.config.plant.ambient, 0.1), "{sensor:?}");
    }
}

#[test]
fn a_soaked_barrel_is_at_rest_under_its_holding_duty() {
    let mut bench = Bench::at(195.0);
    bench.heat([40, 40], 300.0);
    for sensor in [T2, T3] {
        assert!(near(bench.truth(sensor), 195.0, 0.2), "{sensor:?} {}", bench.truth(sensor));
        assert!(near(bench.reading(sensor), 195.0, 0.2));
    }
}

#[test]
fn the_turning_screw_heats_the_barrel_in_proportion_to_its_speed() {
    let lift = |rpm| {
        let mut bench = Bench::new();
        bench.turn(rpm);
        bench.run(SETTLED);
        bench.truth(T3) - bench.config.plant.ambient
    };
    let (slow, fast) = (lift(30.0), lift(60.0));
    assert!((2.0..5.0).contains(&fast), "{fast} °C at 60 rpm");
    assert!(near(fast, 2.0 * slow, 0.01), "{slow} and {fast} °C");
    assert!(near(lift(-60.0), fast, 1e-9), "either direction");
    assert!(lift(1800.0) < 25.0, "thin melt takes no more");
}

#[test]
fn the_motor_at_1800_rpm_settles_under_55_degrees_and_the_fan_helps() {
    let settled = |fan| {
        let mut bench = Bench::new();
        bench.turn(1800.0);
        bench.out.fan = fan;
        bench.run(SETTLED);
        bench.reading(MOTOR)
    };
    let (still, blown) = (settled(false), settled(true));
    assert!((45.0..55.0).contains(&still), "{still} °C");
    assert!(blown < still - 5.0, "{blown} °C with the fan, {still} without");
}

#[test]
fn peltier_and_pump_cool_the_throat() {
    let settled = |peltier, pump| {
        let mut bench = Bench::new();
        bench.out.peltier = Duty::new(peltier).unwrap();
        bench.out.pump = pump;
        bench.heat([40, 40], SETTLED);
        // `heat` leaves the other outputs alone.
        bench.reading(T1)
    };
    let warm = settled(0.0, false);
    assert!((35.0..45.0).contains(&warm), "{warm} °C beside a barrel of 195 °C");
    assert!(settled(100.0, false) < warm - 8.0);
    assert!(settled(50.0, false) < warm - 4.0);
    assert!(settled(0.0, true) < warm - 4.0);
}

#[test]
fn the_hopper_empties_with_the_feeder_and_is_refilled() {
    let mut bench = Bench::with(|config| config.plant.fill_level = 1.0);
    assert_eq!(bench.inputs.fill_level_cm, Some(1.0));
    let rate = 1800.0 * f64::from(bench.config.dm556.microsteps) / 60.0;
    bench.out.motors[FEEDER] = tve_hal::MotorDrive::Run(tve_units::StepRate::new(rate).unwrap());
    let mut levels = vec![1.0];
    for _ in 0..120 {
        bench.run(1.0);
        let level = bench.inputs.fill_level_cm.unwrap();
        if level != levels[levels.len() - 1] {
            levels.push(level);
        }
    }
    assert_eq!(levels[..3], [1.0, 0.9, 0.8]);
    let least = levels.iter().copied().fold(f64::MAX, f64::min);
    assert!(least > 0.0, "never empty: {levels:?}");
    assert!(levels[3..].contains(&1.0), "refilled: {levels:?}");
}

#[test]
fn a_plant_without_lags_follows_its_heater_at_once() {
    let mut bench = Bench::with(|config| {
        config.plant.dead_time = 0.0;
        config.plant.second_lag = 0.0;
        config.plant.sensor_lag = 0.0;
    });
    bench.heat([100, 100], 1.0);
    let expected = 430.0 / 600.0;
    assert!(near(bench.truth(T2) - 23.0, expected, 0.01), "{}", bench.truth(T2));
}

#[test]
fn a_hot_start_has_a_hot_barrel_and_a_cold_motor() {
    let bench = Bench::with(|config| config.plant.start_temp = 180.0);
    assert_eq!(bench.truth(T2), 180.0);
    assert_eq!(bench.truth(MOTOR), 23.0);
    assert!((30.0..45.0).contains(&bench.truth(T1)));
}
