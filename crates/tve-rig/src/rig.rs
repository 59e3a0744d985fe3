//! Controller and simulated machine under one clock, with the journal that outlives a restart.
//!
//! *Plant time* runs on for ever; *process time* starts anew with every restart of the controller.
//! The *journal* is kept from the controller's events alone, as the recorder keeps it on disk.

use core::fmt::{self, Write};
use serde_json::Value;
use std::sync::Arc;
use tve_config::Config;
use tve_control::{
    AlarmEvent, AlarmRecord, Command, Controller, Refusal, Reply, Restored, RestoredAlarm,
    Snapshot, Unclean, carry_out, parse_named,
};
use tve_hal::{Hardware, Inputs, MachineKind, Names, Outputs};
use tve_sim::{Fault, FaultKind, SimHardware, SimPowers};
use tve_units::{Micros, WallMillis};

/// Time between two ticks of a healthy loop.
pub const TICK: Micros = Micros::from_millis(10);
/// Wall clock at plant time zero, 2026-01-01T00:00:00Z, ms: fixed, so that runs repeat.
pub const EPOCH_MS: i64 = 1_767_225_600_000;

/// An alarm that the journal holds as not cleared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latched {
    /// As it was raised.
    pub record: AlarmRecord,
    /// Somebody has seen it.
    pub acknowledged: bool,
}

/// The closed loop. Fault times are plant times.
pub struct Rig {
    /// The controller.
    pub controller: Controller,
    /// The configuration that it runs with.
    config: Arc<Config>,
    /// The machine, for faults and truths that only a rig can know.
    pub machine: SimHardware,
    /// A second machine under the same outputs that no fault befalls.
    twin: Option<(SimHardware, Inputs)>,
    /// What the controller saw last.
    pub inputs: Inputs,
    now: Micros,
    /// How long the machine has existed, restarts or not.
    pub plant_time: Micros,
    wall_offset_ms: i64,
    revision: u64,
    journal: Vec<Latched>,
    /// Everything that was ever raised.
    past: Vec<AlarmRecord>,
    next_id: u64,
    /// Alarms raised since somebody emptied this, oldest first.
    pub raised: Vec<AlarmRecord>,
}

impl Rig {
    /// Everything off, at time zero.
    pub fn new(config: &Config) -> Self {
        let (kind, machine) = (MachineKind::Simulator, config.machine());
        let inputs = Inputs::unread(machine.motors.len(), machine.sensors.len());
        let controller = Controller::new(machine, kind, Restored::default());
        Self {
            revision: controller.config_revision(),
            controller,
            config: Arc::new(config.clone()),
            machine: SimHardware::new(config),
            twin: None,
            inputs,
            now: Micros::ZERO,
            plant_time: Micros::ZERO,
            wall_offset_ms: 0,
            journal: Vec::new(),
            past: Vec::new(),
            next_id: 1,
            raised: Vec::new(),
        }
    }

    /// Lets a second machine run along that stays healthy. Only at time zero.
    #[must_use]
    pub fn with_twin(mut self) -> Self {
        let machine = self.controller.machine();
        let inputs = Inputs::unread(machine.motors.len(), machine.sensors.len());
        self.twin = Some((SimHardware::new(&self.config), inputs));
        self
    }

    /// The barrel as after long being held at a temperature, of the twin too.
    pub fn soak(&mut self, celsius: f64) {
        let t = tve_units::Celsius::clamped(celsius);
        self.machine.set_temperature(t);
        if let Some((twin, _)) = &mut self.twin {
            twin.set_temperature(t);
        }
    }

    /// Process time.
    pub const fn now(&self) -> Micros {
        self.now
    }

    /// A fault from now on, for `lasting` or for ever.
    pub fn inject(&mut self, kind: FaultKind, lasting: Option<Micros>) {
        let from = self.machine.elapsed();
        self.machine.inject(Fault { kind, from, until: lasting.map(|span| from + span) });
    }

    /// Steps the wall clock, seconds.
    pub fn step_wall_clock(&mut self, seconds: i64) {
        self.wall_offset_ms += seconds * 1000;
    }

    /// One tick, `dt` after the last.
    pub fn tick_after(&mut self, dt: Micros) -> &Outputs {
        self.sense(dt);
        self.decide()
    }

    /// The first half of a tick: the clocks go on by `dt`, and the machine is read.
    pub fn sense(&mut self, dt: Micros) {
        self.now = self.now + dt;
        self.plant_time = self.plant_time + dt;
        self.inputs.wall = WallMillis::new(
            EPOCH_MS + self.wall_offset_ms + (self.plant_time.get() / 1000).cast_signed(),
        );
        // A simulated machine is never lost: its methods have no failing path.
        let _ = self.machine.read(self.now, &mut self.inputs);
    }

    /// The second half: the controller decides, and the machine obeys.
    pub fn decide(&mut self) -> &Outputs {
        self.controller.step(self.now, &self.inputs);
        let outputs = self.controller.outputs();
        let _ = self.machine.apply(self.now, outputs);
        if let Some((twin, inputs)) = &mut self.twin {
            let _ = twin.read(self.now, inputs);
            let _ = twin.apply(self.now, outputs);
        }
        self.take_events();
        self.controller.outputs()
    }

    /// One tick on time.
    pub fn tick(&mut self) -> &Outputs {
        self.tick_after(TICK)
    }

    /// Lets `seconds` pass.
    pub fn run_for(&mut self, seconds: f64) {
        let end = self.now + Micros::from_secs_f64(seconds);
        while self.now < end {
            self.tick();
        }
    }

    /// A command that comes right after a tick.
    ///
    /// # Errors
    /// The controller's refusal.
    pub fn send(&mut self, command: Command) -> Result<Reply, Refusal> {
        self.send_at(self.now, command)
    }

    /// A command that comes at `now`, between the last tick and the next.
    ///
    /// # Errors
    /// The controller's refusal.
    pub fn send_at(&mut self, now: Micros, command: Command) -> Result<Reply, Refusal> {
        let answer = carry_out(&mut self.controller, &mut self.config, now, command);
        self.take_events();
        if self.controller.config_revision() != self.revision {
            self.revision = self.controller.config_revision();
            let _ = self.machine.configure(self.controller.machine());
            if let Some((twin, _)) = &mut self.twin {
                let _ = twin.configure(self.controller.machine());
            }
        }
        answer
    }

    /// A command by its name on the wire, the tune's by those of scenario files.
    ///
    /// # Errors
    /// What the parser or the controller refuses.
    pub fn command(&mut self, name: &str, value: &Value) -> Result<Reply, Refusal> {
        self.send(parse_named(name, value, &self.names())?)
    }

    /// The configuration in force.
    pub const fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// What zones and motors are called.
    pub fn names(&self) -> Names {
        self.controller.machine().names
    }

    /// The process dies and a new one starts from the journal.
    pub fn restart(&mut self, unclean: Option<Unclean>, config_fault: bool) {
        let of = |record: &AlarmRecord, acknowledged| RestoredAlarm {
            id: record.id,
            code: record.code,
            cause: record.restored_cause(),
            wall: record.wall,
            acknowledged,
        };
        let restored = Restored {
            latched: self.journal.iter().map(|a| of(&a.record, a.acknowledged)).collect(),
            past: self.past.iter().map(|record| of(record, record.acknowledged)).collect(),
            wall: self.inputs.wall,
            next_alarm_id: self.next_id,
            unclean,
            config_fault,
        };
        let machine = self.config.machine();
        self.controller = Controller::new(machine, MachineKind::Simulator, restored);
        self.revision = self.controller.config_revision();
        self.machine.restart_controller();
        if let Some((twin, _)) = &mut self.twin {
            twin.restart_controller();
        }
        self.now = Micros::ZERO;
        self.take_events();
    }

    fn take_events(&mut self) {
        while let Some(event) = self.controller.pop_event() {
            match event {
                AlarmEvent::Raised(record) => {
                    self.next_id = self.next_id.max(record.id + 1);
                    self.raised.push(record);
                    self.past.push(record);
                    self.journal.push(Latched { record, acknowledged: record.acknowledged });
                }
                AlarmEvent::Acknowledged { id } => {
                    for alarm in self.journal.iter_mut().filter(|a| a.record.id == id) {
                        alarm.acknowledged = true;
                    }
                }
                AlarmEvent::Cleared { id } => self.journal.retain(|a| a.record.id != id),
            }
        }
    }

    /// What the healthy twin's converter says, where there is one.
    pub fn twin_inputs(&self) -> Option<&Inputs> {
        self.twin.as_ref().map(|(_, inputs)| inputs)
    }

    /// What the journal holds as not cleared, oldest first.
    pub fn journal(&self) -> &[Latched] {
        &self.journal
    }

    /// The machine as the controller shows it.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::of(self.controller.machine());
        self.controller.snapshot(&mut snapshot);
        snapshot
    }

    /// A digest of everything that the controller remembers, down to the last bit.
    pub fn state_hash(&mut self) -> u64 {
        // The clock of the newest command is part of the state; a read that changes nothing else
        // sets it, so that a command after it can be seen to change nothing at all.
        let _ = self.controller.command(self.now, Command::GpioRead(probe_pin()));
        let mut hash = Fnv(FNV_OFFSET);
        // Writing into a number cannot fail.
        let _ = write!(hash, "{:?}", self.controller);
        hash.0
    }
}

fn probe_pin() -> tve_units::Bcm {
    tve_units::Bcm::all().next().unwrap_or_else(|| unreachable!("a header has pins"))
}

/// FNV-1a, 64 bits (Fowler, Noll and Vo): small, and the same on every machine.
struct Fnv(u64);

const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01B3;

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
        Ok(())
    }
}
