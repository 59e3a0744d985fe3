//! Controller and simulated machine in virtual time, driven by a test step by step.

use serde_json::Value;
use tve_config::Config;
use tve_control::{
    AlarmEvent, AlarmRecord, Controller, Refusal, Reply, Restored, Snapshot, parse_named,
};
use tve_hal::{Hardware, Inputs, MachineKind};
use tve_sim::SimHardware;
use tve_units::{Micros, WallMillis};

/// Time between two ticks.
const TICK: Micros = Micros::from_millis(10);

/// A controller with the machine that its configuration describes.
pub struct Bench {
    controller: Controller,
    machine: SimHardware,
    inputs: Inputs,
    now: Micros,
    revision: u64,
    alarms: Vec<AlarmRecord>,
}

impl Bench {
    /// Everything off, at time zero.
    pub fn new(config: &Config) -> Self {
        let controller =
            Controller::new(config.clone(), MachineKind::Simulator, Restored::default());
        Self {
            revision: controller.config_revision(),
            controller,
            machine: SimHardware::new(config),
            inputs: Inputs::default(),
            now: Micros::ZERO,
            alarms: Vec::new(),
        }
    }

    /// Machine time.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// The simulated machine, for faults and other powers that only tests have.
    pub fn machine(&mut self) -> &mut SimHardware {
        &mut self.machine
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        self.controller.config()
    }

    /// The machine as the controller sees it.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.controller.snapshot(&mut snapshot);
        snapshot
    }

    /// Every alarm raised so far, in order.
    pub fn alarms(&self) -> &[AlarmRecord] {
        &self.alarms
    }

    /// Lets `seconds` pass.
    pub fn run_for(&mut self, seconds: f64) {
        let end = self.now + Micros::from_secs_f64(seconds);
        while self.now < end {
            self.now = self.now + TICK;
            self.inputs.wall = WallMillis::new((self.now.get() / 1000).cast_signed());
            self.machine.read(self.now, &mut self.inputs).expect("the simulator is always there");
            let outputs = self.controller.step(self.now, &self.inputs);
            self.machine.apply(self.now, outputs).expect("the simulator is always there");
            self.take_events();
        }
    }

    /// A command as POST /api/control takes it.
    ///
    /// # Errors
    /// The refusal.
    pub fn command(&mut self, name: &str, value: &Value) -> Result<Reply, Refusal> {
        let command = parse_named(name, value)?;
        let answer = self.controller.command(self.now, command);
        self.take_events();
        if self.controller.config_revision() != self.revision {
            self.revision = self.controller.config_revision();
            self.machine
                .configure(self.controller.config())
                .expect("the simulator takes every configuration");
        }
        answer
    }

    fn take_events(&mut self) {
        while let Some(event) = self.controller.pop_event() {
            if let AlarmEvent::Raised(record) = event {
                self.alarms.push(record);
            }
        }
    }
}
