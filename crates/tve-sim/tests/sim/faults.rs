//! Each kind of fault changes what it must, while it lasts and no longer.

use crate::bench::{Bench, MOTOR, SENSORS, T1, T2, T3, Z1, ZONES, near};
use tve_hal::{Contact, PerSensor, Quantity, SensorInput, Zone};
use tve_sim::{Fault, FaultKind, SimPowers};
use tve_units::Micros;

/// Long enough for every channel to be sampled once more, s.
const A_ROUND: f64 = 0.2;

/// Hold 195 °C for `seconds`.
fn hold(bench: &mut Bench, seconds: f64) {
    bench.heat([40, 40], seconds);
}

fn readings(bench: &Bench) -> [f64; 4] {
    SENSORS.map(|s| bench.reading(s))
}

/// Run a fault for 2 s on a barrel held at 195 °C; `check` sees the machine during it. Before
/// and after every sensor must read as on a machine that never had the fault.
fn during(kind: FaultKind, check: impl FnOnce(&mut Bench)) {
    let mut healthy = Bench::at(195.0);
    let mut bench = Bench::at(195.0);
    for b in [&mut healthy, &mut bench] {
        hold(b, 2.0);
    }
    assert_eq!(bench.inputs, healthy.inputs, "{kind:?}");
    bench.fault(kind, 2.0);
    hold(&mut bench, 1.99);
    hold(&mut healthy, 1.99);
    check(&mut bench);
    // A lag may have carried some of it beyond its end.
    hold(&mut bench, 60.0);
    hold(&mut healthy, 60.0);
    for (sensor, (a, b)) in
        SENSORS.into_iter().zip(readings(&bench).into_iter().zip(readings(&healthy)))
    {
        assert!(near(a, b, 3.0), "{sensor:?} reads {a}, not {b} °C, after {kind:?}");
    }
    for inputs in [&mut bench.inputs, &mut healthy.inputs] {
        inputs.sensors = PerSensor::default();
    }
    assert_eq!(bench.inputs, healthy.inputs, "after {kind:?}");
}

#[test]
fn a_sensor_with_an_offset_reads_that_much_too_high_or_low() {
    for celsius in [-12.5, 8.0] {
        during(FaultKind::SensorOffset(T2, celsius), |bench| {
            assert!(near(bench.reading(T2), 195.0 + celsius, 0.5));
            assert!(near(bench.reading(T3), 195.0, 0.5));
        });
    }
}

#[test]
fn each_sensor_says_the_voltage_of_its_count() {
    let mut bench = Bench::at(195.0);
    bench.run(1.0);
    for sensor in SENSORS {
        let SensorInput::Sample { quantity: Quantity::Volts(volts), raw, .. } =
            bench.inputs.sensors[sensor]
        else {
            panic!("{sensor:?} has {:?}", bench.inputs.sensors[sensor])
        };
        assert_eq!(volts, f64::from(raw) * bench.config.adc.fsr / 32_768.0);
    }
}

#[test]
fn an_open_sensor_reads_the_supply() {
    for sensor in SENSORS {
        during(FaultKind::SensorOpen(sensor), |bench| {
            for other in SENSORS {
                assert_eq!(bench.ratio(other) > 0.996, other == sensor, "{sensor:?} {other:?}");
            }
        });
    }
}

#[test]
fn a_shorted_sensor_reads_nothing() {
    for sensor in SENSORS {
        during(FaultKind::SensorShorted(sensor), |bench| {
            for other in SENSORS {
                assert_eq!(bench.ratio(other) < 0.005, other == sensor, "{sensor:?} {other:?}");
            }
        });
    }
}

#[test]
fn a_frozen_sensor_keeps_its_code_while_samples_go_on() {
    let mut bench = Bench::with(|config| config.plant.noise_lsb = 3.0);
    bench.heat([100, 100], 60.0);
    let before = bench.code(T2);
    bench.fault(FaultKind::SensorFrozen(T2), 30.0);
    for _ in 0..140 {
        bench.heat([100, 100], A_ROUND);
        assert_eq!(bench.code(T2), before);
        assert!(bench.now.since(bench.taken_at(T2)) <= Micros::from_millis(200));
    }
    assert!(bench.reading(T3) > bench.reading(T2) + 5.0, "the other one moves");
    bench.heat([100, 100], 5.0);
    assert!(near(bench.reading(T2), bench.reading(T3), 1.0), "it follows again");
}

#[test]
fn a_fallen_out_sensor_falls_to_ambient_through_its_lag() {
    let mut bench = Bench::at(195.0);
    bench.fault(FaultKind::SensorFallenOut(T3), 60.0);
    hold(&mut bench, 5.0);
    let expected = 23.0 + 172.0 / core::f64::consts::E;
    assert!(near(bench.reading(T3), expected, 4.0), "{}", bench.reading(T3));
    hold(&mut bench, 54.0);
    assert!(near(bench.reading(T3), 23.0, 0.5));
    assert!(near(bench.reading(T2), 195.0, 0.5));
    hold(&mut bench, 60.0);
    assert!(near(bench.reading(T3), 195.0, 0.5), "put back");
}

#[test]
fn a_jumping_sensor_alternates_by_50_degrees_either_way() {
    during(FaultKind::SensorJumping(T2), |bench| {
        let mut seen = [0.0; 4];
        let from = bench.sim.elapsed();
        bench.sim.inject(Fault::between(
            FaultKind::SensorJumping(T2),
            from,
            from + Micros::from_secs(2),
        ));
        for value in &mut seen {
            hold(bench, A_ROUND);
            *value = bench.reading(T2);
        }
        let sign = (seen[0] - 195.0).signum();
        for (i, value) in seen.into_iter().enumerate() {
            let expected = 195.0 + 50.0 * if i % 2 == 0 { sign } else { -sign };
            assert!(near(value, expected, 1.5), "{seen:?}");
        }
        assert!(near(bench.reading(T3), 195.0, 0.5));
        hold(bench, 2.0);
    });
}

#[test]
fn swapped_sensors_show_each_other_s_zone() {
    let mut bench = Bench::new();
    bench.heat([40, 0], 600.0);
    let (z1, z2) = (bench.reading(T2), bench.reading(T3));
    assert!(z1 > z2 + 50.0);
    bench.fault(FaultKind::SensorsSwapped(Zone::at(0)), 1.0);
    bench.heat([40, 0], 0.9);
    assert!(near(bench.reading(T2), z2, 1.0) && near(bench.reading(T3), z1, 1.0));
    bench.heat([40, 0], 0.4);
    assert!(near(bench.reading(T2), z1, 1.5) && near(bench.reading(T3), z2, 1.5));
}

#[test]
fn a_rail_that_is_off_scales_every_ratio() {
    for percent in [3.0, -1.0] {
        during(FaultKind::RailOff { percent }, |bench| {
            for sensor in [T2, T3, MOTOR, T1] {
                let mut reference = Bench::at(195.0);
                hold(&mut reference, 3.99);
                let ratio = bench.ratio(sensor) / reference.ratio(sensor);
                assert!(near(ratio, 1.0 + percent / 100.0, 0.002), "{sensor:?} {ratio}");
            }
        });
    }
}

/// °C that both zones gain in 120 s from cold at 50 % on both.
fn gain_under(kind: Option<FaultKind>) -> [f64; 2] {
    let mut bench = Bench::new();
    if let Some(kind) = kind {
        bench.fault(kind, 1000.0);
    }
    bench.heat([50, 50], 120.0);
    [T2, T3].map(|s| bench.truth(s) - bench.config.plant.ambient)
}

#[test]
fn heater_faults_change_the_heat_of_their_zone() {
    let [healthy, _] = gain_under(None);
    assert!(healthy > 20.0, "{healthy}");
    for (zone, other) in [(0, 1), (1, 0)] {
        for (kind, factor) in [
            (FaultKind::HeaterDead(ZONES[zone]), 0.0),
            (FaultKind::HeaterPower(ZONES[zone], 0.5), 0.5),
            (FaultKind::SsrStuckOn(ZONES[zone]), 2.0),
        ] {
            let gained = gain_under(Some(kind));
            // The coupling moves a little heat between unequal zones.
            assert!(near(gained[zone], factor * healthy, 0.6), "{kind:?}: {gained:?} of {healthy}");
            assert!(near(gained[other], healthy, 0.6), "{kind:?}: {gained:?} of {healthy}");
        }
    }
}

#[test]
fn heater_power_goes_with_the_square_of_the_mains() {
    let [healthy, _] = gain_under(None);
    for percent in [90.0_f64, 110.0] {
        for gained in gain_under(Some(FaultKind::MainsVoltage { percent })) {
            let expected = healthy * (percent / 100.0).powi(2);
            assert!(near(gained, expected, 0.05), "{gained}, not {expected}");
        }
    }
}

#[test]
fn a_heater_fault_is_over_at_its_end() {
    let mut bench = Bench::new();
    bench.fault(FaultKind::SsrStuckOn(Z1), 10.0);
    bench.run(200.0);
    let peak = bench.truth(T2);
    assert!((25.0..32.0).contains(&peak), "10 s of full power gave {peak} °C");
    bench.run(60.0);
    assert!(bench.truth(T2) < peak, "it cools again");
}

#[test]
fn a_draught_takes_heat_in_proportion_to_the_lift() {
    let sunk = |celsius: f64| {
        let mut bench = Bench::at(celsius);
        bench.fault(FaultKind::DoorDraught { celsius: 40.0 }, 60.0);
        let mut calm = Bench::at(celsius);
        bench.run(60.0);
        calm.run(60.0);
        calm.truth(T2) - bench.truth(T2)
    };
    // 40 °C of loss for a tenth of the time constant.
    assert!(near(sunk(200.0), 4.0, 0.4), "{}", sunk(200.0));
    assert!(near(sunk(111.5), sunk(200.0) / 2.0, 0.1));
    assert!(near(sunk(23.0), 0.0, 1e-9), "never under ambient");
}

#[test]
fn a_converter_that_is_gone_answers_nothing_and_comes_back_with_new_samples() {
    let mut bench = Bench::at(195.0);
    bench.run(1.0);
    bench.fault(FaultKind::AdcGone, 1.0);
    for _ in 0..99 {
        bench.tick();
        assert_eq!(bench.inputs.sensors, [SensorInput::BusError; 4]);
    }
    let back = bench.now;
    bench.run(0.21);
    for sensor in SENSORS {
        assert!(bench.taken_at(sensor) > back);
    }
}

#[test]
fn a_converter_that_stopped_leaves_its_last_samples_to_age() {
    let mut bench = Bench::at(195.0);
    bench.run(1.0);
    let last = bench.inputs.sensors;
    bench.fault(FaultKind::AdcStopped, 3.0);
    for _ in 0..299 {
        bench.tick();
        assert_eq!(bench.inputs.sensors, last);
    }
    bench.run(0.21);
    for (new, old) in bench.inputs.sensors.into_iter().zip(last) {
        assert_ne!(new, old);
    }
}

#[test]
fn lost_pwm_writes_count_up_at_each_read_back() {
    let mut bench = Bench::new();
    bench.run(1.0);
    bench.fault(FaultKind::PwmWriteLost, 61.0);
    bench.run(0.4);
    assert_eq!(bench.inputs.pwm_mismatches, 2);
    bench.run(60.0);
    assert_eq!(bench.inputs.pwm_mismatches, u8::MAX, "without wrapping");
    bench.run(1.0);
    assert_eq!(bench.inputs.pwm_mismatches, 0);
}

#[test]
fn a_drive_alarm_is_seen_even_when_it_falls_between_two_ticks() {
    let mut bench = Bench::new();
    let from = bench.sim.elapsed() + Micros::new(2_000);
    bench.sim.inject(Fault::between(FaultKind::DriveAlarm, from, from + Micros::new(3_000)));
    assert!(!bench.inputs.drive_alarm);
    bench.tick();
    assert!(bench.inputs.drive_alarm);
    bench.tick();
    assert!(!bench.inputs.drive_alarm);
}

#[test]
fn a_drive_in_alarm_does_not_turn_the_screw() {
    let shear = |alarm: bool| {
        let mut bench = Bench::new();
        bench.turn(300.0);
        if alarm {
            bench.fault(FaultKind::DriveAlarm, 1000.0);
        }
        bench.run(300.0);
        bench.truth(T2) - bench.config.plant.ambient
    };
    assert!(shear(false) > 3.0);
    assert!(near(shear(true), 0.0, 1e-9));
}

#[test]
fn hot_faults_drive_motor_and_throat_past_their_limits_and_let_them_cool_again() {
    for (kind, sensor, limit, end) in
        [(FaultKind::MotorHot, MOTOR, 65.0, 90.0), (FaultKind::FeedThroatHot, T1, 80.0, 100.0)]
    {
        let mut bench = Bench::new();
        bench.fault(kind, 600.0);
        bench.run(A_ROUND);
        let mut last = bench.reading(sensor);
        while bench.now.secs() < 600.0 {
            bench.run(A_ROUND);
            let reading = bench.reading(sensor);
            assert!((reading - last).abs() < 5.0, "{kind:?}: no jump a sensor judge would refuse");
            last = reading;
            if bench.now.secs() > 150.0 {
                assert!(reading > limit, "{kind:?}: {reading} °C");
            }
        }
        assert!(near(last, end, 1.0), "{kind:?}: {last} °C");
        bench.run(9000.0);
        assert!(near(bench.reading(sensor), 23.0, 0.5), "{kind:?}: {}", bench.reading(sensor));
    }
}

#[test]
fn buttons_and_loop_move_only_their_own_input() {
    during(FaultKind::ButtonStart, |bench| {
        assert!(bench.inputs.buttons.start && !bench.inputs.buttons.stop);
    });
    during(FaultKind::ButtonStop, |bench| {
        assert!(!bench.inputs.buttons.start && bench.inputs.buttons.stop);
    });
    during(FaultKind::EstopOpen, |bench| {
        assert_eq!(bench.inputs.estop, Contact::Open);
    });
}

#[test]
fn clearing_lifts_active_and_coming_faults() {
    let mut bench = Bench::new();
    bench.sim.inject(Fault::always(FaultKind::ButtonStart));
    let later = Micros::from_secs(1);
    bench.sim.inject(Fault { kind: FaultKind::EstopOpen, from: later, until: None });
    bench.tick();
    assert!(bench.inputs.buttons.start);
    bench.sim.clear_faults();
    bench.tick();
    assert!(!bench.inputs.buttons.start);
    bench.run(2.0);
    assert_eq!(bench.inputs.estop, Contact::Closed);
}
