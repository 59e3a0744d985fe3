//! The controller as a whole, on inputs made by hand.

use super::*;
use crate::{
    AlarmSelector, Cause, Command, Refusal, RefusalCode, Reply, Snapshot, UnreadName,
    parse_control, parse_tune_start,
};
use serde_json::{Value, json};
use tve_hal::{AdcReading, Contact, MotorDrive};

/// A controller whose sensors read what the test says.
struct Bench {
    controller: Controller,
    now: Micros,
    inputs: Inputs,
    /// t1, t2, motor, t3: by converter channel.
    channels: [f64; 4],
}

impl Bench {
    fn at(t: f64) -> Self {
        Self::with(Config::embedded(), t, Restored::default())
    }

    fn with(config: Config, t: f64, restored: Restored) -> Self {
        let controller = Controller::new(config, MachineKind::Simulator, restored);
        let inputs = Inputs { estop: Contact::Closed, ..Inputs::default() };
        let mut bench =
            Self { controller, now: Micros::ZERO, inputs, channels: [30.0, t, 30.0, t] };
        bench.run(1.0);
        bench
    }

    fn run(&mut self, seconds: f64) {
        for _ in 0..(seconds * 100.0).round() as u32 {
            self.tick();
        }
    }

    fn tick(&mut self) -> Outputs {
        self.now = self.now + Micros::from_millis(10);
        let tick = self.now.get() / 10_000;
        let channel = (tick % 20 / 5) as usize;
        if tick.is_multiple_of(5) {
            let sensor = &self.controller.config.sensors[channel];
            let inverse = 1.0 / (self.channels[channel] + 273.15) - 1.0 / 298.15;
            let r = sensor.r_25 * libm::exp(sensor.beta * inverse);
            let v = sensor.v_ref * r / (r + sensor.r_fixed);
            let code =
                (v * 32768.0 / self.controller.config.adc.fsr) as i16 + (tick / 20 % 2) as i16;
            self.inputs.adc[channel] = AdcReading::Sample { code, taken_at: self.now };
        }
        *self.controller.step(self.now, &self.inputs)
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads better at sixty calls")]
    fn send(&mut self, name: &str, value: Value) -> Result<Reply, Refusal> {
        let command = parse_control(&json!({"command": name, "value": value}))?;
        self.controller.command(self.now, command)
    }

    fn ok(&mut self, name: &str, value: Value) {
        let asked = format!("{name} {value}");
        let reply = self.send(name, value);
        assert!(reply.is_ok(), "{asked}: {reply:?}");
    }

    fn refused(&mut self, name: &str, value: Value) -> RefusalCode {
        self.send(name, value).expect_err(name).code
    }

    fn shown(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.controller.snapshot(&mut snapshot);
        snapshot
    }

    fn active(&self) -> Vec<&'static str> {
        self.shown().alarms.iter().map(|a| a.code.name()).collect()
    }
}

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
    assert_eq!(shown.targets.map(Celsius::get), [0.0, 200.0]);
    assert_eq!(shown.status, Status::Alarm);
    bench.run(2.0);
    let shown = bench.shown();
    assert!(shown.motors_actual.iter().all(|m| m.is_zero()));
    assert!(shown.heater_duty[0].is_zero() && !shown.heater_duty[1].is_zero());
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
    assert_eq!(bench.shown().motors_actual.map(Rpm::get), [1500.0; 2]);
    bench.inputs.drive_alarm = true;
    bench.tick();
    bench.inputs.drive_alarm = false;
    assert_eq!(bench.active(), ["DRIVER_FAULT"]);
    let mut feed_stood_at = None;
    for tick in 0..200 {
        bench.tick();
        let [main, feed] = bench.shown().motors_actual.map(Rpm::get);
        if feed == 0.0 && feed_stood_at.is_none() {
            feed_stood_at = Some(tick);
            assert!(main > 1000.0, "the screw must not stop before the feed");
        }
    }
    assert!(feed_stood_at.is_some());
    assert!(bench.controller.is_at_rest());
    let shown = bench.shown();
    assert!(shown.heater_duty.iter().all(|d| !d.is_zero()));
    assert_eq!(bench.controller.outputs().motors[0], MotorDrive::Disabled);
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
        assert!(!outputs.motors[0].is_moving());
    }
    assert!(bench.controller.is_at_rest());
}

#[test]
fn a_cold_screw_is_refused_and_latches_nothing() {
    let mut bench = Bench::at(169.0);
    let cold = RefusalCode::ColdExtrusionProtection;
    assert_eq!(bench.refused("SET_MOTOR", json!({"motor": "main", "rpm": 5})), cold);
    assert_eq!(bench.refused("START", json!(null)), cold);
    bench.ok("SET_MOTOR", json!({"motor": "main", "rpm": 0}));
    assert!(bench.active().is_empty());
}

#[test]
fn cold_jogs_add_up_to_a_quarter_turn_and_are_renewed_after_ten_minutes() {
    let mut bench = Bench::at(25.0);
    let jog = |steps: i32| json!({"motor": "main", "steps": steps, "speed": 1000});
    let mut id = 0;
    let mut finish = |bench: &mut Bench| {
        id += 1;
        bench.inputs.motors[0].jog_done = Some(tve_hal::JogId(id));
        bench.tick();
    };
    bench.ok("MOVE_MOTOR_STEPS", jog(500));
    assert_eq!(bench.refused("MOVE_MOTOR_STEPS", jog(1)), RefusalCode::MachineBusy);
    finish(&mut bench);
    assert_eq!(bench.refused("MOVE_MOTOR_STEPS", jog(-301)), RefusalCode::ColdExtrusionProtection);
    bench.ok("MOVE_MOTOR_STEPS", jog(-300));
    finish(&mut bench);
    bench.run(590.0);
    assert_eq!(bench.refused("MOVE_MOTOR_STEPS", jog(1)), RefusalCode::ColdExtrusionProtection);
    bench.run(20.0);
    bench.ok("MOVE_MOTOR_STEPS", jog(800));
}

#[test]
fn start_runs_the_sequence_and_stop_ends_with_both_motors_at_zero_whatever_it_holds() {
    let mut bench = Bench::at(200.0);
    bench.ok(
        "UPDATE_EXTRUDER_SEQ",
        json!({"sequence": {"shutdown": [
            {"device": "feed_motor", "action": "off", "delay": 0, "enabled": false},
            {"device": "main_motor", "action": "on", "delay": 0.5},
        ]}}),
    );
    bench.ok("START", json!(null));
    bench.tick();
    assert_eq!(bench.shown().status, Status::Starting);
    assert_eq!(bench.refused("START", json!(null)), RefusalCode::MachineBusy);
    bench.run(2.5);
    let shown = bench.shown();
    assert_eq!((shown.status, shown.motors.map(Rpm::get)), (Status::Running, [10.0, 10.0]));
    bench.ok("STOP", json!(null));
    bench.tick();
    assert_eq!(bench.shown().status, Status::Stopping);
    bench.run(4.0);
    assert_eq!(bench.shown().status, Status::Ready);
    assert!(bench.controller.is_at_rest());
}

#[test]
fn on_means_the_last_speed_that_was_set() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_MOTOR", json!({"motor": "feed", "rpm": 33}));
    bench.ok("SET_MOTOR", json!({"motor": "feed", "rpm": 0}));
    bench.run(2.0);
    bench.ok("START", json!(null));
    bench.run(2.5);
    assert_eq!(bench.shown().motors.map(Rpm::get), [10.0, 33.0]);
}

#[test]
fn buttons_start_and_stop_and_a_cold_start_button_does_nothing() {
    let mut bench = Bench::at(200.0);
    bench.inputs.buttons.start = true;
    bench.run(0.1);
    assert_eq!(bench.shown().status, Status::Starting);
    bench.inputs.buttons.start = false;
    bench.inputs.buttons.stop = true;
    bench.run(0.1);
    assert_eq!(bench.shown().status, Status::Stopping);
    let mut cold = Bench::at(25.0);
    cold.inputs.buttons.start = true;
    cold.run(0.1);
    assert_eq!(cold.shown().status, Status::Ready);
    assert!(cold.active().is_empty());
}

#[test]
fn switching_modes_leaves_the_duty_where_it_was() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_TARGET", json!({"z1": 205, "z2": 203}));
    bench.run(5.0);
    let duties = |bench: &Bench| bench.shown().heater_duty.map(Duty::get);
    for mode in ["MANUAL", "AUTO", "MANUAL", "AUTO"] {
        let before = duties(&bench);
        bench.ok("SET_MODE", json!({"mode": mode}));
        bench.run(0.3);
        for (a, b) in before.iter().zip(duties(&bench)) {
            assert!((a - b).abs() <= 0.5, "{mode}: {a} became {b}");
        }
        bench.run(5.0);
    }
}

#[test]
fn new_gains_do_not_move_the_duty() {
    let mut bench = Bench::at(200.0);
    bench.ok("SET_TARGET", json!({"z1": 205}));
    bench.run(5.0);
    let before = bench.shown().heater_duty[0].get();
    bench.ok("UPDATE_PID", json!({"zone": "z1", "params": {"kp": 9, "ki": 0.01, "kd": 30}}));
    bench.run(0.3);
    assert!((bench.shown().heater_duty[0].get() - before).abs() <= 0.5);
}

#[test]
fn gains_of_the_original_are_converted_until_new_ones_come() {
    let field = r#"{"z1": {"kp": 5, "ki": 0.1, "kd": 10}, "z2": {"kp": 5, "ki": 0.1, "kd": 10}}"#;
    let mut bench = Bench::with(Config::parse(field).unwrap(), 100.0, Restored::default());
    assert!(bench.active().is_empty(), "nothing is said before heat is asked for");
    bench.ok("SET_TARGET", json!({"z1": 150}));
    bench.run(1.0);
    assert_eq!(bench.active(), ["TUNE_NEEDED"]);
    let converted = PidGains { kp: 5.0, ki: 0.025, kd: 100.0 };
    assert_eq!(bench.controller.gains, [converted; 2]);
    bench.ok("UPDATE_PID", json!({"zone": "z1", "params": {"kp": 4, "ki": 0.02, "kd": 80}}));
    assert!(bench.active().is_empty());
    assert_eq!(bench.controller.config().z2, converted, "the other zone keeps what it runs with");
    assert_eq!(bench.controller.config().control.law, 2);
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
    assert_eq!(refusal.detail.as_deref(), Some("DRIVER_FAULT"));
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
    config.pins.contactor = Some(Bcm::new(17).unwrap());
    let mut bench = after_losing_zone_1(config, 145.0);
    assert_eq!(bench.active(), ["HEATER_SENSOR_FAILURE"]);
    assert!(bench.tick().contactor, "the other zone holds on meanwhile");
    bench.run(12.0);
    assert_eq!(bench.active(), ["HEATER_SENSOR_FAILURE", "HEATER_OVER_TEMPERATURE"]);
    assert!(!bench.tick().contactor);
    let message = bench.controller.alarms.iter().last().unwrap().to_string();
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
    assert_eq!(bench.shown().targets[1].get(), 230.0);
}

#[test]
fn a_latched_trip_survives_a_restart() {
    let latched = vec![RestoredAlarm {
        id: 41,
        code: AlarmCode::HeaterOverTemperature,
        cause: Cause::Restored(Some(Zone::Z1)),
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
fn relays_debounce_changes_and_answer_no_change() {
    let mut bench = Bench::at(25.0);
    let fan = |state: bool| json!({"relay": "fan", "state": state});
    bench.ok("SET_RELAY", fan(true));
    assert_eq!(bench.refused("SET_RELAY", fan(false)), RefusalCode::RelayDebounce);
    assert_eq!(bench.refused("SET_RELAY", fan(true)), RefusalCode::RelayDebounce);
    bench.run(0.26);
    assert_eq!(bench.send("SET_RELAY", fan(true)), Ok(Reply::msg("NO_CHANGE")));
    bench.ok("SET_RELAY", fan(false));
    bench.run(0.3);
    bench.ok("SET_PWM_OUTPUT", json!({"name": "fan", "duty": 30}));
    let shown = bench.shown();
    assert!(shown.relays[0]);
    bench.tick();
    assert_eq!(bench.controller.outputs().pwm[0].get(), 30.0);
}

#[test]
fn outputs_that_the_controller_drives_are_not_for_raw_writes() {
    let mut bench = Bench::at(25.0);
    for name in ["z1", "z2", "peltier", "led_status"] {
        let value = json!({"name": name, "duty": 10});
        assert_eq!(bench.refused("SET_PWM_OUTPUT", value), RefusalCode::PinInUse, "{name}");
    }
    for pin in [0, 1, 2, 3, 8, 20, 21, 23, 24, 25, 26] {
        let value = json!({"pin": pin, "state": 1});
        assert_eq!(bench.refused("GPIO_WRITE", value), RefusalCode::PinInUse, "{pin}");
    }
    bench.ok("GPIO_WRITE", json!({"pin": 5, "state": 1}));
    let read = bench.send("GPIO_READ", json!({"pin": 5})).unwrap();
    assert_eq!(read.value, Some(true));
    assert_eq!(
        bench.refused("GPIO_WRITE", json!({"pin": 5, "state": 0})),
        RefusalCode::GpioDebounce
    );
}

#[test]
fn known_functions_move_only_while_idle_and_labels_never_onto_owned_pins() {
    let mut bench = Bench::at(25.0);
    bench.ok("UPDATE_PINS", json!({"pins": {"led_red": 16, "warp_core": 12}}));
    assert_eq!(bench.controller.config().gpio_labels.len(), 1);
    assert_eq!(
        bench.refused("SET_PIN_NAME", json!({"pin": 16, "name": "mine"})),
        RefusalCode::PinInUse
    );
    assert_eq!(
        bench.refused("UPDATE_PINS", json!({"pins": {"led_green": 16}})),
        RefusalCode::Invalid
    );
    assert_eq!(
        bench.refused("UPDATE_PINS", json!({"pins": {"led_green": 2}})),
        RefusalCode::Invalid
    );
    bench.ok("SET_TARGET", json!({"z1": 100}));
    assert_eq!(
        bench.refused("UPDATE_PINS", json!({"pins": {"led_red": 17}})),
        RefusalCode::MachineBusy
    );
    bench.ok("UPDATE_PINS", json!({"pins": {"led_red": 16}}));
}

#[test]
fn a_speed_beyond_the_pulse_rate_names_the_highest_possible() {
    let mut bench = Bench::at(200.0);
    let refusal = bench.send("SET_MOTOR", json!({"motor": "main", "rpm": 1900})).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::PulseRate);
    assert!(refusal.detail.unwrap().contains("1875.0 rpm"));
    bench.ok("SET_MOTOR", json!({"motor": "main", "rpm": 1875}));
}

#[test]
fn a_device_that_is_not_fitted_is_refused_on_real_hardware() {
    let config = Config::embedded();
    let mut controller = Controller::new(config, MachineKind::RaspberryPi, Restored::default());
    let send = |c: &mut Controller, body: Value| {
        parse_control(&body).and_then(|command| c.command(Micros::ZERO, command))
    };
    let feed = json!({"command": "SET_MOTOR", "value": {"motor": "feed", "rpm": 5}});
    assert_eq!(send(&mut controller, feed).unwrap_err().code, RefusalCode::NotFitted);
    let peltier = json!({"command": "SET_PELTIER", "value": {"duty": 5}});
    assert_eq!(send(&mut controller, peltier).unwrap_err().code, RefusalCode::NotFitted);
    let zero = json!({"command": "SET_MOTOR", "value": {"motor": "feed", "rpm": 0}});
    assert!(send(&mut controller, zero).is_ok());
}

#[test]
fn a_tune_is_busy_in_manual_and_twice_and_a_zero_target_ends_it() {
    let mut bench = Bench::at(100.0);
    let tune = |bench: &mut Bench, setpoint: f64| {
        parse_tune_start(&json!({"zone": "z1", "setpoint": setpoint}))
            .and_then(|c| bench.controller.command(bench.now, c))
            .map_err(|r| r.code)
    };
    assert_eq!(tune(&mut bench, 49.0), Err(RefusalCode::InvalidSetpoint));
    assert_eq!(tune(&mut bench, 251.0), Err(RefusalCode::InvalidSetpoint));
    bench.ok("SET_MODE", json!({"mode": "MANUAL"}));
    assert_eq!(tune(&mut bench, 150.0), Err(RefusalCode::TuneBusy));
    bench.ok("SET_MODE", json!({"mode": "AUTO"}));
    assert!(tune(&mut bench, 150.0).is_ok());
    assert_eq!(tune(&mut bench, 150.0), Err(RefusalCode::TuneBusy));
    bench.run(1.0);
    assert!(bench.shown().tune.status.is_running());
    bench.ok("SET_TARGET", json!({"z1": 0}));
    assert!(!bench.shown().tune.status.is_running());
    let apply = bench.controller.command(bench.now, Command::TuneApply);
    assert_eq!(apply.unwrap_err().code, RefusalCode::NoResult);
}

#[test]
fn calibration_needs_the_heaters_off() {
    let mut bench = Bench::at(100.0);
    let params = json!({"params": {"channel": 1, "beta": 3435}});
    bench.ok("SET_TARGET", json!({"z1": 150}));
    assert_eq!(bench.refused("SET_SENSOR_CALIBRATION", params.clone()), RefusalCode::MachineBusy);
    bench.ok("SET_TARGET", json!({"z1": 0}));
    bench.tick();
    bench.ok("SET_SENSOR_CALIBRATION", params);
}

#[test]
fn a_refused_command_changes_nothing_that_is_shown() {
    let mut bench = Bench::at(169.0);
    bench.ok("SET_TARGET", json!({"z1": 170}));
    bench.tick();
    let before = bench.shown();
    for (name, value) in [
        ("SET_TARGET", json!({"z1": 100, "z2": 999})),
        ("SET_MOTOR", json!({"motor": "main", "rpm": 5})),
        ("UPDATE_PINS", json!({"pins": {"led_red": 16, "led_green": 16}})),
        ("SET_MODE", json!({"mode": "?"})),
        ("ACKNOWLEDGE_ALARM", json!({"alarm_id": 9})),
    ] {
        let _ = bench.refused(name, value);
        assert!(bench.shown() == before, "{name}");
    }
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
