//! The controller as a whole, on inputs made by hand.

mod alarms;
mod commands;
mod coolers;
mod detached;
mod idle;
mod motion;
mod sensors;

use super::*;
use crate::{
    About, AlarmSelector, Cause, Command, Refusal, RefusalCode, Reply, RestoredAlarm, Snapshot,
    UnreadName, carry_out, parse_control, parse_tune_start,
};
use serde_json::{Value, json};
use tve_config::Config;
use tve_hal::{AdcReading, Contact, MotorDrive, SensorInput, Zone};

/// The zones and motors of the machine that most tests are about: `z1`, `z2`, `main`.
const Z1: Zone = Zone::at(0);
const Z2: Zone = Zone::at(1);
const SCREW: Motor = Motor::at(0);
const FEEDER: Motor = Motor::at(1);

/// A controller whose sensors read what the test says.
struct Bench {
    controller: Controller,
    file: Arc<Config>,
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
        Self::of(config, MachineKind::Simulator, t, restored)
    }

    fn of(config: Config, kind: MachineKind, t: f64, restored: Restored) -> Self {
        let mut bench = Self::unsampled(config, kind, t, restored);
        bench.run(1.0);
        bench
    }

    /// Before its first tick.
    fn unsampled(config: Config, kind: MachineKind, t: f64, restored: Restored) -> Self {
        let controller = Controller::new(config.machine(), kind, restored);
        let file = Arc::new(config);
        let (motors, sensors) =
            (controller.machine().motors.len(), controller.machine().sensors.len());
        let inputs = Inputs { estop: Contact::Closed, ..Inputs::unread(motors, sensors) };
        Self { controller, file, now: Micros::ZERO, inputs, channels: [30.0, t, 30.0, t] }
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
            let sensor = &self.file.sensors[channel];
            let inverse = 1.0 / (self.channels[channel] + 273.15) - 1.0 / 298.15;
            let r = sensor.r_25 * libm::exp(sensor.beta * inverse);
            let v = sensor.v_ref * r / (r + sensor.r_fixed);
            let code = (v * 32768.0 / self.file.adc.fsr) as i16 + (tick / 20 % 2) as i16;
            let word = AdcReading::Sample { code, taken_at: self.now };
            let word = SensorInput::of_adc(word, self.file.adc.fsr);
            let mut points = self.controller.machine().sensors.entries();
            if let Some((id, _)) = points.find(|(_, at)| at.channel == Some(channel as u8)) {
                self.inputs.sensors[id] = word;
            }
        }
        *self.controller.step(self.now, &self.inputs)
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads better at sixty calls")]
    fn send(&mut self, name: &str, value: Value) -> Result<Reply, Refusal> {
        let command = parse_control(
            &json!({"command": name, "value": value}),
            &self.controller.machine().names,
        )?;
        carry_out(&mut self.controller, &mut self.file, self.now, command)
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
