//! A machine that is not the one in the field: four zones, two converters, a thermocouple, a puller.

use super::*;

/// Four zones on two converters and one thermocouple, a screw and a puller.
const FOUR: &str = r#"{
    "zones": [{"name": "z1", "sensor": "b1"}, {"name": "z2", "sensor": "b2"},
        {"name": "z3", "sensor": "b3"}, {"name": "die", "sensor": "d1"}],
    "motors": [{"name": "main", "role": "screw", "sensor": "motor"},
        {"name": "puller", "role": "puller"}],
    "feed_throat": "throat",
    "pins": {"ssr_z1": 23, "ssr_z2": 24, "ssr_z3": 25, "ssr_die": 22, "ssr_fan": 16, "ssr_pump": 17,
        "step_main": 21, "dir_main": 20, "en_main": 26,
        "step_puller": 5, "dir_puller": 6, "en_puller": 27, "alm_puller": 4},
    "pwm": {"enabled": false},
    "adc": {"more": [{"address": 73}]},
    "sensors": {"0": {"logical": "throat"}, "1": {"logical": "b1"}, "2": {"logical": "motor"},
        "3": {"enabled": false}, "4": {"logical": "b2"}, "5": {"logical": "b3"},
        "8": {"kind": "max31856", "logical": "d1"}}}"#;

#[test]
fn sensors_on_two_converters_and_a_thermocouple_arrive_each_under_its_id() {
    let (board, mut machine) = machine(FOUR);
    let four = config(FOUR).machine();
    let rest = Outputs::off(4, 2);
    let all_there = |inputs: &Inputs| {
        inputs.sensors.len() == 6
            && inputs.sensors.iter().all(|s| matches!(s, SensorInput::Sample { .. }))
    };
    let inputs = tick_until(&mut machine, &rest, all_there);
    for (name, code) in
        [("throat", 0), ("b1", 0x100), ("motor", 0x200), ("b2", 0x400), ("b3", 0x500)]
    {
        let sensor = four.sensor_named(name).unwrap();
        let SensorInput::Sample { quantity, raw, .. } = inputs.sensors[sensor] else { panic!() };
        assert_eq!(raw, code, "{name}");
        assert_eq!(quantity, Quantity::Volts(f64::from(code) * 4.096 / 32_768.0), "{name}");
    }
    let die = four.sensor_named("d1").unwrap();
    assert_eq!(celsius_of(&inputs, die), Some((210.0, Quality::Plausible)));
    // A dip of its supply is noticed and mended; never are the zero degrees after it handed out.
    board.dip_thermocouple();
    let at = |inputs: &Inputs| inputs.sensors[die].taken_at();
    let before = at(&inputs);
    let again = tick_until(&mut machine, &rest, |inputs| {
        assert_eq!(celsius_of(inputs, die).map(|(celsius, _)| celsius), Some(210.0));
        at(inputs) > before
    });
    assert_eq!(celsius_of(&again, die), Some((210.0, Quality::Plausible)));
    board.take_bus_away(true);
    tick_until(&mut machine, &rest, |inputs| {
        inputs
            .sensors
            .entries()
            .all(|(sensor, input)| (*input == SensorInput::BusError) == (sensor != die))
    });
}

#[test]
fn each_of_four_heaters_and_of_both_motors_has_its_pin() {
    let (board, mut machine) = machine(FOUR);
    for (zone, pin) in [23, 24, 25, 22].into_iter().enumerate() {
        let mut outputs = Outputs::off(4, 2);
        outputs.heaters[Zone::at(zone)] = true;
        machine.apply(Micros::ZERO, &outputs).unwrap();
        for other in [23, 24, 25, 22] {
            assert!(board.is_driven_to(other, other == pin), "zone {zone}, pin {other}");
        }
    }
    let mut outputs = Outputs::off(4, 2);
    outputs.motors[Motor::at(1)] =
        MotorDrive::Jog { id: JogId(1), steps: 25, rate: 5000.0, accel: 1e6 };
    let inputs = tick_until(&mut machine, &outputs, |inputs| {
        inputs.motors[Motor::at(1)].jog_done == Some(JogId(1))
    });
    assert_eq!(inputs.motors[Motor::at(0)].jog_done, None);
    assert!(board.is_driven_to(27, false) && board.is_driven_to(26, true));
    assert_eq!(board.log().iter().filter(|line| *line == "set 5 high").count(), 25);
    board.set_outside(4, false);
    let inputs = tick_until(&mut machine, &outputs, |inputs| inputs.drive_alarm);
    assert!(inputs.motors[Motor::at(1)].drive_alarm && !inputs.motors[Motor::at(0)].drive_alarm);
    drop(machine);
    for pin in [23, 24, 25, 22, 5] {
        assert!(board.is_driven_to(pin, false), "{pin}");
    }
}

#[test]
fn the_pins_of_a_bus_in_use_are_neither_released_nor_a_users() {
    let board = FakeBoard::new();
    board.pins().drive(Bcm::new(8).unwrap(), true);
    let mut machine = RpiHardware::on(Arc::new(board.clone()), &config(FOUR)).unwrap();
    let mut outputs = Outputs::off(4, 2);
    for pin in [8, 9, 10, 11] {
        outputs.user_pins[pin] = UserPin::Output(false);
    }
    machine.apply(Micros::ZERO, &outputs).unwrap();
    assert!(board.is_driven_to(8, true), "the kernel drives the chip select");
    assert!(board.is_input(9) && board.is_input(10) && board.is_input(11));
}

#[test]
fn a_machine_of_four_zones_conforms_to_the_trait() {
    let config = config(include_str!("../../../../../config/machines/four-zone.json"));
    let machine = RpiHardware::on(Arc::new(FakeBoard::new()), &config).unwrap();
    let mut bench = OnFakeBoard { machine, began: Instant::now() };
    let motors: Vec<Motor> = config.machine().motors.ids().collect();
    tve_hal::conformance::check(&mut bench, &config, &motors, Micros::from_secs(20)).unwrap();
}
