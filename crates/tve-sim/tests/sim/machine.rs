//! The machine behind the trait: sampling, determinism, contacts, pins, pulses, power.

use crate::bench::{BY_CHANNEL, Bench, FEEDER, SCREW, T1, T2, T3, TICK, Z1, near, off, unread};
use tve_config::EstopContact;
use tve_hal::{
    Contact, Hardware, Inputs, JogId, MachineKind, MotorDrive, Outputs, PerSensor, Pull,
    SensorInput, UserPin,
};
use tve_sim::{Fault, FaultKind, SimHardware, SimPowers};
use tve_units::{Bcm, Duty, Micros, StepRate};

/// Every code and sample time of 60 s of a busy machine.
fn trace(seed: u64) -> Vec<PerSensor<SensorInput>> {
    let mut bench = Bench::with(|config| {
        config.plant.seed = seed;
        config.plant.noise_lsb = 2.0;
    });
    bench.turn(40.0);
    bench.fault(FaultKind::RailOff { percent: 1.0 }, 10.0);
    (0..6000_u32)
        .map(|tick| {
            bench.out.heaters = [tick % 3 == 0, tick % 5 == 0].into();
            bench.tick();
            bench.inputs.sensors
        })
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_codes_and_another_seed_others() {
    assert_eq!(trace(11), trace(11));
    assert_ne!(trace(11), trace(12));
}

#[test]
fn noise_has_the_deviation_that_was_asked_for() {
    let mut bench = Bench::with(|config| config.plant.noise_lsb = 2.0);
    let quiet = f64::from(Bench::new().code(T1));
    let n = 5000;
    let mut squares = 0.0;
    for _ in 0..n {
        bench.run(0.2);
        squares += (f64::from(bench.code(T1)) - quiet).powi(2);
    }
    let deviation = (squares / f64::from(n)).sqrt();
    // Rounding to codes adds 1/12 to the variance.
    assert!(near(deviation, 2.02, 0.1), "{deviation} LSB");
}

#[test]
fn every_channel_is_sampled_within_200_ms_and_every_200_ms_after() {
    let mut bench = Bench::new();
    let taken = BY_CHANNEL.map(|sensor| bench.inputs.sensors[sensor].taken_at());
    assert_eq!(taken, [Some(Micros::ZERO), None, None, None]);
    bench.run(0.15);
    let mut seen = [0; 4];
    for _ in 0..200 {
        for (channel, sensor) in BY_CHANNEL.into_iter().enumerate() {
            let taken_at = bench.taken_at(sensor);
            assert!(bench.now.since(taken_at) < Micros::from_millis(200));
            assert_eq!(taken_at.get() % 200_000, channel as u64 * 50_000);
            seen[channel] += u32::from(taken_at == bench.now);
        }
        bench.tick();
    }
    assert_eq!(seen, [10; 4]);
}

#[test]
fn sensors_looked_for_at_each_other_s_input_show_each_other_s_zone() {
    let mut bench = Bench::with(|config| {
        let (first, second) = (config.sensors[1].logical, config.sensors[3].logical);
        config.sensors[1].logical = second;
        config.sensors[3].logical = first;
    });
    bench.heat([40, 0], 300.0);
    bench.run(5.0);
    let (hot, cold) = (bench.truth(T2), bench.truth(T3));
    assert!(hot > cold + 20.0, "{hot} and {cold} °C");
    assert!(near(bench.reading(T3), hot, 3.0), "{} for {hot} °C", bench.reading(T3));
    assert!(near(bench.reading(T2), cold, 3.0), "{} for {cold} °C", bench.reading(T2));
}

#[test]
fn sample_times_are_those_of_the_caller_whatever_its_clock_starts_at() {
    let config = tve_config::Config::default();
    let mut sim = SimHardware::new(&config);
    let mut inputs = unread();
    let start = Micros::from_secs(1_000);
    sim.read(start, &mut inputs).unwrap();
    sim.read(start + Micros::from_millis(70), &mut inputs).unwrap();
    let taken = |i: usize, inputs: &Inputs| inputs.sensors[BY_CHANNEL[i]].taken_at();
    assert_eq!(taken(0, &inputs), Some(start));
    assert_eq!(taken(1, &inputs), Some(start + Micros::from_millis(50)));
    assert_eq!(sim.elapsed(), Micros::from_millis(70));
    // A new process counts from zero again: old samples are gone, the plant goes on.
    sim.read(Micros::ZERO, &mut inputs).unwrap();
    assert_eq!(inputs.sensors, [SensorInput::None; 4]);
    sim.read(Micros::from_millis(200), &mut inputs).unwrap();
    assert_eq!(sim.elapsed(), Micros::from_millis(270));
    assert!((0..4).all(|i| taken(i, &inputs).is_some_and(|t| t <= Micros::from_millis(200))));
}

#[test]
fn the_length_of_a_tick_changes_nothing_in_the_plant() {
    let config = tve_config::Config::default();
    let run = |ticks_us: &[u64]| {
        let mut sim = SimHardware::new(&config);
        let mut inputs = unread();
        let out = Outputs { heaters: [true, false].into(), ..off() };
        let mut now = Micros::ZERO;
        let mut ticks = ticks_us.iter().cycle();
        sim.apply(now, &out).unwrap();
        while now < Micros::from_secs(60) {
            now = (now + Micros::new(*ticks.next().unwrap())).min(Micros::from_secs(60));
            sim.read(now, &mut inputs).unwrap();
            sim.apply(now, &out).unwrap();
        }
        (inputs.sensors, sim.true_temperature(T2).to_bits())
    };
    assert_eq!(run(&[10_000]), run(&[9_999, 10_001, 20_003, 1, 777]));
    assert_eq!(run(&[10_000]), run(&[60_000_000]));
}

#[test]
fn everything_is_fitted_and_healthy() {
    let bench = Bench::new();
    assert_eq!(bench.sim.kind(), MachineKind::Simulator);
    assert_eq!(bench.inputs.estop, Contact::Closed);
    assert!(!bench.inputs.drive_alarm && !bench.inputs.buttons.start && !bench.inputs.buttons.stop);
    assert_eq!((bench.inputs.pwm_mismatches, bench.inputs.fill_level_cm), (0, Some(50.0)));
}

#[test]
fn the_emergency_stop_leaves_the_healthy_side_of_its_contact() {
    for (kind, healthy, pressed) in [
        (EstopContact::Nc, Contact::Closed, Contact::Open),
        (EstopContact::No, Contact::Open, Contact::Closed),
    ] {
        let mut bench = Bench::with(|config| config.safety.estop_contact = Some(kind));
        assert_eq!(bench.inputs.estop, healthy);
        bench.fault(FaultKind::EstopOpen, 0.1);
        bench.tick();
        assert_eq!(bench.inputs.estop, pressed);
        bench.run(0.1);
        assert_eq!(bench.inputs.estop, healthy);
    }
}

#[test]
fn a_fitted_contactor_must_be_closed_for_heat_even_through_a_stuck_relay() {
    let warmed = |fitted: bool, closed: bool, stuck: bool| {
        let mut bench = Bench::with(|config| {
            config.pins.set("contactor", fitted.then(|| Bcm::new(17).unwrap()));
        });
        bench.out.contactor = closed;
        bench.out.heaters = [!stuck; 2].into();
        if stuck {
            bench.fault(FaultKind::SsrStuckOn(Z1), 100.0);
        }
        bench.run(60.0);
        bench.truth(T2) > bench.config.plant.ambient + 5.0
    };
    for stuck in [false, true] {
        assert!(warmed(false, false, stuck), "no contactor, nothing to close");
        assert!(warmed(true, true, stuck));
        assert!(!warmed(true, false, stuck));
    }
}

#[test]
fn configuring_keeps_the_heat_and_takes_the_drive_and_converter_settings() {
    let mut bench = Bench::at(200.0);
    bench.turn(60.0);
    bench.run(1.0);
    let (hot, code) = (bench.truth(T2), bench.code(T2));
    bench.config.adc.fsr = 2.048;
    bench.sim.configure(&bench.config.machine()).unwrap();
    assert_eq!(bench.truth(T2), hot);
    bench.run(0.2);
    let doubled = bench.code(T2);
    assert!((i32::from(doubled) - 2 * i32::from(code)).abs() < 40, "{code} became {doubled}");
}

#[test]
fn jogs_are_counted_exactly_and_reported() {
    let mut bench = Bench::new();
    let main =
        MotorDrive::Jog { id: JogId(1), steps: 12_345, rate: 20_000.0, accel: f64::INFINITY };
    let feed = MotorDrive::Jog { id: JogId(1), steps: -7, rate: 3.0, accel: f64::INFINITY };
    bench.out.motors = [main, feed].into();
    bench.run(0.5);
    assert_eq!(bench.inputs.motors[SCREW].jog_done, None);
    assert_eq!(bench.sim.steps_done(SCREW), 10_000);
    bench.run(2.5);
    assert_eq!(bench.sim.steps_done(SCREW), 12_345);
    assert_eq!(bench.sim.steps_done(FEEDER), -7);
    for motor in bench.inputs.motors {
        assert_eq!(motor.jog_done, Some(JogId(1)));
    }
    bench.out.motors[SCREW] =
        MotorDrive::Jog { id: JogId(2), steps: 1000, rate: 1000.0, accel: f64::INFINITY };
    bench.run(0.5);
    bench.out.motors[SCREW] = MotorDrive::Disabled;
    bench.tick();
    assert_eq!(bench.inputs.motors[SCREW].jog_done, Some(JogId(2)), "cut off");
    bench.run(1.0);
    assert_eq!(bench.sim.steps_done(SCREW), 12_845);
}

#[test]
fn user_pins_show_what_they_are_driven_and_pulled_to() {
    let mut bench = Bench::new();
    let [out, low, up, down, off, outside] = [4, 5, 6, 7, 12, 13].map(|n| Bcm::new(n).unwrap());
    bench.out.user_pins[out.index()] = UserPin::Output(true);
    bench.out.user_pins[low.index()] = UserPin::Output(false);
    bench.out.user_pins[up.index()] = UserPin::Input(Pull::Up);
    bench.out.user_pins[down.index()] = UserPin::Input(Pull::Down);
    bench.out.user_pins[off.index()] = UserPin::Input(Pull::Off);
    bench.sim.set_pin_level(outside, true);
    bench.tick();
    let bit = |pin: Bcm| 1_u32 << pin.get();
    assert_eq!(bench.inputs.pin_levels, bit(out) | bit(up) | bit(outside));
    for pin in [up, low] {
        bench.sim.set_pin_level(pin, false);
    }
    bench.sim.set_pin_level(down, true);
    bench.sim.set_pin_level(out, false);
    bench.tick();
    assert_eq!(bench.inputs.pin_levels, bit(out) | bit(down) | bit(outside), "outputs win");
    bench.sim.safe();
    bench.sim.read(bench.now, &mut bench.inputs).unwrap();
    assert_eq!(bench.inputs.pin_levels, bit(down) | bit(outside), "outputs are inputs again");
}

/// Outputs with everything on.
fn all_on() -> Outputs {
    Outputs {
        heaters: [true; 2].into(),
        contactor: true,
        fan: true,
        pump: true,
        peltier: Duty::FULL,
        motors: [MotorDrive::Run(StepRate::clamped(5000.0)); 2].into(),
        ..off()
    }
}

#[test]
fn safe_ends_heat_pulses_and_cooling() {
    let mut bench = Bench::new();
    bench.out = all_on();
    bench.run(1.0);
    bench.sim.safe();
    let steps = bench.sim.steps_done(SCREW);
    assert!(steps > 0);
    let mut reference = Bench::new();
    reference.out = all_on();
    reference.run(1.0);
    reference.out = off();
    reference.sim.apply(reference.now, &reference.out).unwrap();
    for _ in 0..20_000 {
        for b in [&mut bench, &mut reference] {
            b.now = b.now + TICK;
            b.sim.read(b.now, &mut b.inputs).unwrap();
        }
    }
    assert_eq!(bench.sim.steps_done(SCREW), steps);
    assert_eq!(bench.inputs, reference.inputs, "as after applying all-off");
}

#[test]
fn a_new_controller_finds_its_machine_warm_and_off_and_may_number_its_moves_afresh() {
    let mut bench = Bench::at(200.0);
    let jog = MotorDrive::Jog { id: JogId(1), steps: 10, rate: 1000.0, accel: f64::INFINITY };
    bench.out.motors[SCREW] = jog;
    bench.sim.inject(Fault::always(FaultKind::ButtonStop));
    bench.run(0.5);
    bench.sim.restart_controller();
    bench.sim.read(bench.now, &mut bench.inputs).unwrap();
    assert_eq!(bench.inputs.sensors, [SensorInput::None; 4]);
    assert_eq!(bench.inputs.motors[SCREW].jog_done, None);
    assert!(bench.inputs.buttons.stop, "faults stay");
    bench.run(0.5);
    assert!(near(bench.reading(T2), 200.0, 1.0));
    assert_eq!(bench.sim.steps_done(SCREW), 20);
}
