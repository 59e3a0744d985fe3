//! What happens at the pins, seen through the seam.

mod four_zones;

use super::*;
use crate::fake::{FakeBoard, config};
use std::time::{Duration, Instant};
use tve_hal::{JogId, Leds, Names, Quality, Quantity, Sensor, SensorInput, Zone};
use tve_units::StepRate;

/// Without chips, so that only pins and pulses are at work.
const PINS_ONLY: &str = r#"{"pwm": {"enabled": false}, "adc": {"enabled": false}}"#;
/// How long a test waits for a thread before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn machine(text: &str) -> (FakeBoard, RpiHardware) {
    let board = FakeBoard::new();
    let machine = RpiHardware::on(Arc::new(board.clone()), &config(text)).unwrap();
    board.clear_log();
    (board, machine)
}

/// All off, on the machine of the defaults.
fn off() -> Outputs {
    let Names { zones, motors } = config("{}").names();
    Outputs::off(zones.len(), motors.len())
}

/// The inputs of that machine before it is read.
fn unread() -> Inputs {
    let machine = config("{}").machine();
    Inputs::unread(machine.motors.len(), machine.sensors.len())
}

/// Its screw.
const SCREW: Motor = Motor::at(0);

/// Ticks until `done`, as the control thread would.
fn tick_until(
    machine: &mut RpiHardware,
    outputs: &Outputs,
    mut done: impl FnMut(&Inputs) -> bool,
) -> Inputs {
    let began = Instant::now();
    let mut inputs = unread();
    loop {
        let now = Micros::new(began.elapsed().as_micros() as u64);
        machine.read(now, &mut inputs).unwrap();
        machine.apply(now, outputs).unwrap();
        if done(&inputs) {
            return inputs;
        }
        assert!(began.elapsed() < PATIENCE, "the threads did not get there: {inputs:?}");
        std::thread::yield_now();
    }
}

fn everything_on() -> Outputs {
    Outputs {
        heaters: [true; 2].into(),
        contactor: true,
        fan: true,
        pump: true,
        peltier: Duty::FULL,
        pwm: [Duty::FULL; PWM_CHANNELS],
        motors: [MotorDrive::Run(StepRate::ZERO); 2].into(),
        leds: Leds { status: true, red: true, yellow: true, green: true },
        ..off()
    }
}

/// Every output fitted.
const FULL: &str = r#"{
    "pins": {"ssr_z1": 23, "ssr_z2": 24, "ssr_fan": 25, "ssr_pump": 8, "step_main": 21,
        "dir_main": 20, "en_main": 26, "step_feed": 16, "dir_feed": 7, "en_feed": 11,
        "led_status": 4, "led_red": 5, "led_green": 6, "led_yellow": 9, "peltier": 10,
        "contactor": 22, "pca_oe": 27, "btn_emergency": 17, "btn_start": 12, "btn_stop": 13,
        "alm_main": 19},
    "pwm": {"channels": {"z1": 0, "fan": 1, "extra": 15}}}"#;
const OUTPUTS: [(u8, bool); 17] = [
    (23, false),
    (24, false),
    (25, false),
    (8, false),
    (21, false),
    (20, false),
    (26, true),
    (16, false),
    (7, false),
    (11, true),
    (4, false),
    (5, false),
    (6, false),
    (9, false),
    (10, false),
    (22, false),
    (27, true),
];

fn assert_at_rest(board: &FakeBoard) {
    for (pin, level) in OUTPUTS {
        assert!(board.is_driven_to(pin, level), "pin {pin} must rest at {level}");
    }
}

#[test]
fn everything_is_at_rest_before_the_first_apply_and_inputs_are_pulled_up() {
    let board = FakeBoard::new();
    let machine = RpiHardware::on(Arc::new(board.clone()), &config(FULL)).unwrap();
    assert_at_rest(&board);
    let log = board.log();
    assert!(log.iter().take(OUTPUTS.len()).all(|line| line.starts_with("drive ")), "{log:?}");
    for pin in [17, 12, 13, 19] {
        assert!(log.contains(&format!("listen {pin} up")), "{pin}");
    }
    assert_eq!(board.pwm_writes()[0], [0xFD, 0x10], "the PWM board is off before it is set up");
    drop(machine);
}

#[test]
fn each_output_drives_its_pin_in_its_sense() {
    let (board, mut machine) = machine(FULL);
    machine.apply(Micros::ZERO, &everything_on()).unwrap();
    for (pin, rest) in OUTPUTS {
        let moved_by_pulses = [21, 20, 16, 7].contains(&pin);
        assert!(moved_by_pulses || board.is_driven_to(pin, !rest), "pin {pin}");
    }
    board.clear_log();
    machine.apply(Micros::from_millis(10), &everything_on()).unwrap();
    assert_eq!(board.log(), [""; 0], "an unchanged level is not driven again");
}

#[test]
fn safe_drop_and_a_panic_in_between_end_at_rest() {
    let (board, mut machine) = machine(FULL);
    machine.apply(Micros::ZERO, &everything_on()).unwrap();
    machine.safe();
    assert_at_rest(&board);
    machine.apply(Micros::from_millis(10), &everything_on()).unwrap();
    drop(machine);
    assert_at_rest(&board);
    // The full-off bit outranks what else the registers may still hold.
    assert_eq!(board.pwm_channel_registers(0)[3], 0x10);

    let (board, mut machine) = self::machine(FULL);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        machine.apply(Micros::ZERO, &everything_on()).unwrap();
        std::panic::resume_unwind(Box::new("a tick that panics"));
    }));
    assert!(panicked.is_err());
    assert_at_rest(&board);
}

#[test]
fn heaters_on_the_board_follow_the_slots_and_other_channels_their_duty() {
    let (board, mut machine) = machine(FULL);
    let mut outputs = Outputs { heaters: [true, false].into(), ..off() };
    outputs.pwm[0] = Duty::new(33.0).unwrap();
    outputs.pwm[15] = Duty::new(50.0).unwrap();
    tick_until(&mut machine, &outputs, |_| {
        board.pwm_channel_registers(0) == [0, 0x10, 0, 0]
            && board.pwm_channel_registers(15) == [0, 0, 0, 8]
    });
    tick_until(&mut machine, &off(), |_| board.pwm_channel_registers(0) == [0, 0, 0, 0x10]);
}

#[test]
fn readings_arrive_per_channel_and_a_dead_bus_is_a_value() {
    let (board, mut machine) = machine("{}");
    let inputs = tick_until(&mut machine, &off(), |inputs| {
        inputs.sensors.iter().all(|input| matches!(input, SensorInput::Sample { .. }))
    });
    for (name, code) in [("t1", 0), ("t2", 0x100), ("motor", 0x200), ("t3", 0x300)] {
        let sensor = config("{}").machine().sensor_named(name).unwrap();
        let SensorInput::Sample { raw, .. } = inputs.sensors[sensor] else { panic!("{name}") };
        assert_eq!(raw, code, "{name}");
    }
    board.take_bus_away(true);
    let lost = tick_until(&mut machine, &off(), |inputs| {
        inputs.sensors == [SensorInput::BusError; 4] && inputs.pwm_mismatches >= DISOBEYS
    });
    assert_eq!(lost.sensors, [SensorInput::BusError; 4]);
    board.take_bus_away(false);
    tick_until(&mut machine, &off(), |inputs| {
        inputs.sensors.iter().all(|s| matches!(s, SensorInput::Sample { .. }))
            && inputs.pwm_mismatches == 0
    });
}

fn celsius_of(inputs: &Inputs, sensor: Sensor) -> Option<(f64, Quality)> {
    match inputs.sensors[sensor] {
        SensorInput::Sample { quantity: Quantity::Celsius(celsius), quality, .. } => {
            Some((celsius, quality))
        }
        SensorInput::None | SensorInput::Sample { .. } | SensorInput::BusError => None,
    }
}

#[test]
fn a_new_configuration_opens_nothing_on_the_control_thread() {
    let (board, mut machine) = machine(PINS_ONLY);
    let control = std::thread::current().name().unwrap_or_default().to_owned();
    let before = board.opened().len();
    let moved = r#"{"pins": {"step_main": 18, "ssr_pump": null}, "sensors": {"3": {"kind": "max31856"}},
        "pwm": {"channels": {"z1": 0}}}"#;
    machine.configure(&config(moved).machine()).unwrap();
    let inputs = tick_until(&mut machine, &off(), |inputs| {
        inputs.sensors.iter().all(|s| matches!(s, SensorInput::Sample { .. }))
            && board.pwm_channel_registers(0) == [0, 0, 0, 0x10]
            && board.opened().iter().any(|(what, _)| what == "pwm 18")
    });
    assert!(celsius_of(&inputs, config(moved).machine().sensor_named("t3").unwrap()).is_some());
    let opened = board.opened().split_off(before);
    assert_eq!(opened.len(), 4, "PWM board, converter, thermocouple, step pulses: {opened:?}");
    assert!(opened.iter().all(|(_, thread)| *thread != control), "{opened:?}");
}

#[test]
fn a_bus_that_a_new_configuration_names_in_vain_is_told_once_and_everything_rests() {
    let (board, mut machine) = machine(PINS_ONLY);
    machine.apply(Micros::ZERO, &Outputs { fan: true, ..off() }).unwrap();
    board.remove_bus_device();
    machine.configure(&config("{}").machine()).unwrap();
    let (began, mut inputs) = (Instant::now(), unread());
    let error = loop {
        match machine.read(Micros::ZERO, &mut inputs) {
            Ok(()) => assert!(began.elapsed() < PATIENCE, "nobody noticed"),
            Err(error) => break error.to_string(),
        }
        std::thread::yield_now();
    };
    assert!(error.contains("/dev/i2c-1"), "{error}");
    assert!(board.is_driven_to(25, false) && board.is_driven_to(26, true));
    let error = machine.read(Micros::ZERO, &mut inputs).unwrap_err().to_string();
    assert!(error.contains("not wired"), "{error}");
    machine.configure(&config(PINS_ONLY).machine()).unwrap();
    machine.read(Micros::ZERO, &mut inputs).unwrap();
}

#[test]
fn a_board_that_disobeys_is_cut_off_by_its_output_enable_when_it_can_heat() {
    let (board, mut machine) = machine(FULL);
    tick_until(&mut machine, &off(), |inputs| {
        inputs.pwm_mismatches == 0 && board.is_driven_to(27, false)
    });
    board.take_bus_away(true);
    tick_until(&mut machine, &off(), |_| board.is_driven_to(27, true));
}

#[test]
fn what_a_killed_process_has_left_on_the_board_is_no_mismatch() {
    let board = FakeBoard::new();
    board.leave_fully_on(0);
    let mut machine = RpiHardware::on(Arc::new(board.clone()), &config(FULL)).unwrap();
    tick_until(&mut machine, &off(), |_| {
        // Two rounds of read-backs: the mode and three channels each.
        board.pwm_reads() >= 8
    });
    assert_eq!(board.pwm_channel_registers(0), [0, 0, 0, 0x10]);
    let all_off = board.pwm_writes().iter().filter(|write| **write == [0xFD, 0x10]).count();
    assert_eq!(all_off, 2, "once at the start and once at the set-up, never after a mismatch");
}

#[test]
fn contacts_are_closed_when_low_and_the_emergency_loop_is_reported_as_it_stands() {
    let (board, mut machine) = machine(FULL);
    let mut inputs = unread();
    machine.read(Micros::ZERO, &mut inputs).unwrap();
    assert_eq!((inputs.estop, inputs.drive_alarm), (Contact::Open, false));
    assert_eq!(inputs.buttons, Buttons::default());
    assert_ne!(inputs.pin_levels & 1 << 17, 0);
    for pin in [17, 12, 13, 19] {
        board.set_outside(pin, false);
    }
    machine.read(Micros::from_millis(10), &mut inputs).unwrap();
    assert_eq!((inputs.estop, inputs.drive_alarm), (Contact::Closed, true));
    assert_eq!(inputs.buttons, Buttons { start: true, stop: true });
    assert_eq!(inputs.pin_levels & 1 << 17, 0);
}

#[test]
fn an_input_that_is_not_mapped_says_so() {
    let (_board, mut machine) = machine(PINS_ONLY);
    let mut inputs = unread();
    machine.read(Micros::ZERO, &mut inputs).unwrap();
    assert_eq!((inputs.estop, inputs.drive_alarm), (Contact::NotMapped, false));
    assert_eq!(inputs.buttons, Buttons::default());
    assert_eq!(inputs.sensors, [SensorInput::None; 4], "no converter says anything of any sensor");
}

#[test]
fn a_move_makes_exactly_its_pulses_at_the_pin_and_sets_the_direction_first() {
    let (board, mut machine) = machine(
        r#"{"pins": {"en_main": null}, "pwm": {"enabled": false}, "adc": {"enabled": false}}"#,
    );
    let mut outputs = off();
    outputs.motors[SCREW] = MotorDrive::Jog { id: JogId(1), steps: -250, rate: 5000.0, accel: 1e6 };
    tick_until(&mut machine, &outputs, |inputs| inputs.motors[SCREW].jog_done == Some(JogId(1)));
    drop(machine);
    let log = board.log();
    let at = |line: &str| log.iter().position(|entry| entry == line);
    assert_eq!(log.iter().filter(|line| *line == "set 21 high").count(), 250);
    assert!(at("set 20 high") < at("set 21 high"), "direction before step");
    assert!(board.is_driven_to(21, false));
}

#[test]
fn a_jog_that_is_stopped_is_reported_as_over() {
    let (_board, mut machine) = machine(PINS_ONLY);
    let mut outputs = off();
    outputs.motors[SCREW] =
        MotorDrive::Jog { id: JogId(4), steps: 1_000_000, rate: 10.0, accel: 1e6 };
    tick_until(&mut machine, &outputs, |_| true);
    outputs.motors[SCREW] = MotorDrive::Disabled;
    // Whether or not the thread has seen the move before it was taken back, it is not under way:
    // a following one runs.
    tick_until(&mut machine, &outputs, |_| true);
    outputs.motors[SCREW] = MotorDrive::Jog { id: JogId(5), steps: 3, rate: 5000.0, accel: 1e6 };
    tick_until(&mut machine, &outputs, |inputs| inputs.motors[SCREW].jog_done == Some(JogId(5)));
}

#[test]
fn speeds_on_a_pin_with_hardware_pwm_come_from_it_and_end_with_the_machine() {
    let text = r#"{"pins": {"step_main": 18, "en_main": null}, "pwm": {"enabled": false},
        "adc": {"enabled": false}}"#;
    let (board, mut machine) = machine(text);
    let mut outputs = off();
    outputs.motors[SCREW] = MotorDrive::Run(StepRate::new(80_000.0).unwrap());
    tick_until(&mut machine, &outputs, |_| board.log().contains(&"hand 18 to pwm".to_owned()));
    assert!(board.log().contains(&"pwm 18 every 12500 ns".to_owned()));
    board.clear_log();
    drop(machine);
    assert!(board.log().contains(&"pwm 18 stop".to_owned()));
    assert!(board.is_driven_to(18, false));
}

#[test]
fn without_ticks_heaters_on_the_board_and_pulses_end_by_themselves() {
    let text = r#"{"pins": {"step_main": 18, "en_main": null}, "pwm": {"channels": {"z1": 0}}}"#;
    let (board, mut machine) = machine(text);
    let mut outputs = Outputs { heaters: [true, false].into(), ..off() };
    outputs.motors[SCREW] = MotorDrive::Run(StepRate::new(1000.0).unwrap());
    let stops = || board.log().iter().filter(|line| *line == "pwm 18 stop").count();
    tick_until(&mut machine, &outputs, |_| {
        board.pwm_channel_registers(0) == [0, 0x10, 0, 0]
            && board.log().contains(&"hand 18 to pwm".to_owned())
    });
    let before = stops();
    let began = Instant::now();
    while board.pwm_channel_registers(0) != [0, 0, 0, 0x10] || stops() == before {
        assert!(began.elapsed() < PATIENCE, "nobody noticed that the ticks have ended");
        std::thread::yield_now();
    }
    assert!(board.is_driven_to(18, false));
}

#[test]
fn a_bus_that_is_not_there_is_an_error_that_says_so_and_everything_rests() {
    let board = FakeBoard::new();
    board.remove_bus_device();
    let error = RpiHardware::on(Arc::new(board.clone()), &config(FULL)).err().unwrap();
    assert!(error.to_string().contains("/dev/i2c-1"), "{error}");
    assert_at_rest(&board);
}

#[test]
fn a_pin_that_loses_its_function_rests_and_then_becomes_an_input() {
    let (board, mut machine) = machine(PINS_ONLY);
    machine.apply(Micros::ZERO, &Outputs { fan: true, ..off() }).unwrap();
    board.clear_log();
    let moved =
        r#"{"pins": {"ssr_fan": 17}, "pwm": {"enabled": false}, "adc": {"enabled": false}}"#;
    machine.configure(&config(moved).machine()).unwrap();
    let log = board.log();
    let at = |line: &str| log.iter().position(|entry| entry == line);
    assert!(at("drive 25 low").is_some() && at("drive 25 low") < at("listen 25 off"), "{log:?}");
    assert!(board.is_input(25) && board.is_driven_to(17, false));
}

#[test]
fn a_configuration_with_the_same_wiring_touches_no_pin() {
    let (board, mut machine) = machine(PINS_ONLY);
    let gains = r#"{"z1": {"kp": 9.0}, "pwm": {"enabled": false}, "adc": {"enabled": false}}"#;
    machine.configure(&config(gains).machine()).unwrap();
    assert_eq!(board.log(), [""; 0]);
}

#[test]
fn user_pins_are_driven_and_return_to_input_at_the_end() {
    let (board, mut machine) = machine(PINS_ONLY);
    let mut outputs = off();
    outputs.user_pins[5] = UserPin::Output(true);
    outputs.user_pins[6] = UserPin::Input(Pull::Down);
    // Neither a bus nor a pin of the controller is ever a user's.
    outputs.user_pins[2] = UserPin::Output(true);
    outputs.user_pins[23] = UserPin::Output(true);
    machine.apply(Micros::ZERO, &outputs).unwrap();
    assert!(board.is_driven_to(5, true) && board.is_driven_to(23, false) && board.is_input(2));
    assert!(board.log().contains(&"listen 6 down".to_owned()));
    drop(machine);
    assert!(board.is_input(5));
}

#[test]
fn a_machine_switched_off_from_beside_must_be_told_off_before_it_heats_again() {
    let (board, mut machine) = machine(FULL);
    machine.apply(Micros::ZERO, &everything_on()).unwrap();
    machine.off_switch().off().unwrap();
    assert_at_rest(&board);
    let error = machine.apply(Micros::from_millis(10), &everything_on()).unwrap_err();
    assert!(error.to_string().contains("switched off"), "{error}");
    assert_at_rest(&board);
    machine.apply(Micros::from_millis(20), &off()).unwrap();
    machine.apply(Micros::from_millis(30), &everything_on()).unwrap();
    assert!(board.is_driven_to(23, true));
}

#[test]
fn a_peltier_on_a_pin_is_on_for_its_share_of_the_time() {
    for percent in [0.0, 7.0, 50.0, 100.0] {
        let duty = Duty::new(percent).unwrap();
        let mut slots = PeltierSlots::default();
        let on =
            (0..10_000).filter(|tick| slots.advance(Micros::from_millis(tick * 10), duty)).count();
        assert!((on as f64 / 100.0 - percent).abs() <= 1.0, "{percent} %: {on}");
    }
}

#[test]
fn a_locked_machine_drives_nothing_whatever_it_is_told() {
    let board = FakeBoard::new();
    let mut machine = RpiHardware::bare(Arc::new(board.clone()));
    machine.locked = true;
    machine.configure(&config(FULL).machine()).unwrap();
    machine.apply(Micros::ZERO, &everything_on()).unwrap();
    let mut inputs = unread();
    machine.read(Micros::ZERO, &mut inputs).unwrap();
    drop(machine);
    assert_eq!(board.log(), [""; 0]);
}

/// The machine over the fake board, on its own clock.
struct OnFakeBoard {
    machine: RpiHardware,
    began: Instant,
}

impl tve_hal::conformance::Bench for OnFakeBoard {
    fn machine(&mut self) -> &mut dyn Hardware {
        &mut self.machine
    }

    fn tick(&mut self) -> Micros {
        std::thread::yield_now();
        Micros::new(self.began.elapsed().as_micros() as u64)
    }
}

#[test]
fn the_machine_conforms_to_the_trait() {
    let (_board, machine) = machine(FULL);
    let mut bench = OnFakeBoard { machine, began: Instant::now() };
    let config = config(FULL);
    let motors: Vec<Motor> = config.machine().motors.ids().collect();
    tve_hal::conformance::check(&mut bench, &config, &motors, Micros::from_secs(20)).unwrap();
}
