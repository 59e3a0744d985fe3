//! Shared set-up of the benchmarks: a machine in a named state.

use tve_config::Config;
use tve_control::{Controller, Restored, parse_control};
use tve_hal::{Hardware, Inputs, MachineKind};
use tve_sim::{SimHardware, SimPowers};
use tve_units::{Celsius, Micros};

/// Period of the control loop.
pub const TICK: Micros = Micros::from_millis(10);

/// Controller and simulated machine, joined in virtual time.
pub struct Machine {
    /// The controller.
    pub controller: Controller,
    /// The plant.
    pub hardware: SimHardware,
    /// Virtual time.
    pub now: Micros,
    /// What the controller saw last.
    pub inputs: Inputs,
}

impl Machine {
    /// A machine soaked at `celsius` °C that has run for two seconds.
    ///
    /// # Panics
    /// When the simulator refuses the embedded configuration.
    pub fn at(celsius: f64) -> Self {
        let config = Config::embedded();
        let mut hardware = SimHardware::new(&config);
        hardware.configure(&config).expect("the simulator takes its own default");
        hardware.set_temperature(Celsius::clamped(celsius));
        let controller = Controller::new(config, MachineKind::Simulator, Restored::default());
        let mut machine =
            Self { controller, hardware, now: Micros::ZERO, inputs: Inputs::default() };
        machine.run(2.0);
        machine
    }

    /// The same, both zones heating towards 240 °C and the screw turning.
    ///
    /// # Panics
    /// When a warm machine refuses to heat or turn.
    pub fn heating() -> Self {
        let mut machine = Self::at(200.0);
        machine.send(r#"{"command":"SET_TARGET","value":{"z1":240,"z2":240}}"#);
        machine.send(r#"{"command":"SET_MOTOR","value":{"motor":"main","rpm":60}}"#);
        machine.run(5.0);
        machine
    }

    /// The same in ALARM after an emergency stop.
    ///
    /// # Panics
    /// When an emergency stop is refused.
    pub fn in_alarm() -> Self {
        let mut machine = Self::heating();
        machine.send(r#"{"command":"EMERGENCY_STOP"}"#);
        machine.run(5.0);
        machine
    }

    /// Sends a body of POST /api/control.
    ///
    /// # Panics
    /// When it is refused.
    pub fn send(&mut self, body: &str) {
        let value = serde_json::from_str(body).expect("valid JSON");
        let command = parse_control(&value).expect("a known command");
        self.controller.command(self.now, command).expect("accepted");
    }

    /// One tick of machine and controller.
    ///
    /// # Panics
    /// Never: the simulator does not fail.
    pub fn tick(&mut self) {
        self.now = self.now + TICK;
        self.hardware.read(self.now, &mut self.inputs).expect("simulated");
        let outputs = self.controller.step(self.now, &self.inputs);
        self.hardware.apply(self.now, outputs).expect("simulated");
        while self.controller.pop_event().is_some() {}
    }

    /// Runs for a span of virtual time.
    pub fn run(&mut self, seconds: f64) {
        for _ in 0..(seconds / TICK.secs()) as u64 {
            self.tick();
        }
    }
}
