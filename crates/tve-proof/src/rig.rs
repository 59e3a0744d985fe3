//! Controller and simulated machine in virtual time, with what a proof must see of them.
//!
//! *Plant time* runs on for ever; *process time* starts anew with every restart of the controller.
//! The *journal* is kept from the controller's events alone, as the recorder keeps it on disk.

use core::fmt::{self, Write};
use serde_json::{Value, json};
use tve_config::Config;
use tve_control::{
    AlarmEvent, AlarmRecord, Command, Controller, Reaction, Refusal, Reply, Restored,
    RestoredAlarm, Snapshot, Unclean, parse_control, parse_tune_start,
};
use tve_hal::{AdcReading, Hardware, Inputs, MachineKind, MotorDrive, Outputs, Sensor, Zone};
use tve_sim::{Fault, FaultKind, SimHardware, SimPowers};
use tve_units::{Micros, WallMillis};

/// Time between two ticks of a healthy loop.
pub(crate) const TICK: Micros = Micros::from_millis(10);
/// Wall clock at plant time zero, 2026-01-01T00:00:00Z, ms: fixed, so that runs repeat.
const EPOCH_MS: i64 = 1_767_225_600_000;

/// An alarm that the journal holds as not cleared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Latched {
    pub(crate) record: AlarmRecord,
    pub(crate) acknowledged: bool,
}

/// Fault times are plant times; an always-harmless view of one zone's heater per tick.
pub(crate) struct Rig {
    pub(crate) controller: Controller,
    pub(crate) machine: SimHardware,
    /// A second machine under the same outputs that no fault befalls.
    twin: Option<(SimHardware, Inputs)>,
    pub(crate) inputs: Inputs,
    now: Micros,
    pub(crate) plant_time: Micros,
    wall_offset_ms: i64,
    revision: u64,
    journal: Vec<Latched>,
    next_id: u64,
    /// Alarms raised since the last look, oldest first.
    pub(crate) raised: Vec<AlarmRecord>,
}

impl Rig {
    /// Everything off, at time zero.
    pub(crate) fn new(config: &Config) -> Self {
        let controller =
            Controller::new(config.clone(), MachineKind::Simulator, Restored::default());
        Self {
            revision: controller.config_revision(),
            controller,
            machine: SimHardware::new(config),
            twin: None,
            inputs: Inputs::default(),
            now: Micros::ZERO,
            plant_time: Micros::ZERO,
            wall_offset_ms: 0,
            journal: Vec::new(),
            next_id: 1,
            raised: Vec::new(),
        }
    }

    /// Lets a second machine run along that stays healthy. Only at time zero.
    pub(crate) fn with_twin(mut self) -> Self {
        let twin = SimHardware::new(self.controller.config());
        self.twin = Some((twin, Inputs::default()));
        self
    }

    /// The barrel as after long being held at a temperature, of the twin too.
    pub(crate) fn soak(&mut self, celsius: f64) {
        let t = tve_units::Celsius::clamped(celsius);
        self.machine.set_temperature(t);
        if let Some((twin, _)) = &mut self.twin {
            twin.set_temperature(t);
        }
    }

    /// Process time.
    pub(crate) const fn now(&self) -> Micros {
        self.now
    }

    /// A fault from now on, for `lasting` or for ever.
    pub(crate) fn inject(&mut self, kind: FaultKind, lasting: Option<Micros>) {
        let from = self.machine.elapsed();
        self.machine.inject(Fault { kind, from, until: lasting.map(|span| from + span) });
    }

    /// Steps the wall clock, seconds.
    pub(crate) fn step_wall_clock(&mut self, seconds: i64) {
        self.wall_offset_ms += seconds * 1000;
    }

    /// One tick, `dt` after the last.
    pub(crate) fn tick_after(&mut self, dt: Micros) -> &Outputs {
        self.now = self.now + dt;
        self.plant_time = self.plant_time + dt;
        self.inputs.wall = WallMillis::new(
            EPOCH_MS + self.wall_offset_ms + (self.plant_time.get() / 1000).cast_signed(),
        );
        // A simulated machine is never lost: its methods have no failing path.
        let _ = self.machine.read(self.now, &mut self.inputs);
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
    pub(crate) fn tick(&mut self) -> &Outputs {
        self.tick_after(TICK)
    }

    /// Lets `seconds` pass.
    pub(crate) fn run_for(&mut self, seconds: f64) {
        let end = self.now + Micros::from_secs_f64(seconds);
        while self.now < end {
            self.tick();
        }
    }

    /// A command, as it comes between two ticks.
    ///
    /// # Errors
    /// The controller's refusal.
    pub(crate) fn send(&mut self, command: Command) -> Result<Reply, Refusal> {
        let answer = self.controller.command(self.now, command);
        self.take_events();
        if self.controller.config_revision() != self.revision {
            self.revision = self.controller.config_revision();
            let _ = self.machine.configure(self.controller.config());
            if let Some((twin, _)) = &mut self.twin {
                let _ = twin.configure(self.controller.config());
            }
        }
        answer
    }

    /// A command by its name on the wire, the tune's by those of scenario files.
    ///
    /// # Errors
    /// What the parser or the controller refuses.
    pub(crate) fn command(&mut self, name: &str, value: &Value) -> Result<Reply, Refusal> {
        self.send(parse(name, value)?)
    }

    /// The process dies and a new one starts from the journal.
    pub(crate) fn restart(&mut self, unclean: Option<Unclean>, config_fault: bool) {
        let restored = Restored {
            latched: self
                .journal
                .iter()
                .map(|alarm| RestoredAlarm {
                    id: alarm.record.id,
                    code: alarm.record.code,
                    cause: alarm.record.cause.restored(),
                    wall: alarm.record.wall,
                    acknowledged: alarm.acknowledged,
                })
                .collect(),
            next_alarm_id: self.next_id,
            unclean,
            config_fault,
        };
        let config = self.controller.config().clone();
        self.controller = Controller::new(config, MachineKind::Simulator, restored);
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

    /// What the journal holds as not cleared, oldest first.
    pub(crate) fn journal(&self) -> &[Latched] {
        &self.journal
    }

    /// The machine as the controller shows it.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.controller.snapshot(&mut snapshot);
        snapshot
    }

    /// A digest of everything that the controller remembers, down to the last bit.
    pub(crate) fn state_hash(&mut self) -> u64 {
        // The clock of the newest command is part of the state; a read that changes nothing else
        // sets it, so that a command after it can be seen to change nothing at all.
        let _ = self.controller.command(self.now, Command::GpioRead(probe_pin()));
        let mut hash = Fnv(FNV_OFFSET);
        // Writing into a number cannot fail.
        let _ = write!(hash, "{:?}", self.controller);
        hash.0
    }

    /// Time of the newest sample of a sensor, with the temperature that it means, °C.
    pub(crate) fn sample(&self, sensor: Sensor) -> Option<Sample> {
        sample_of(&self.inputs, self.controller.config(), sensor)
    }

    /// The same of the healthy twin.
    pub(crate) fn twin_sample(&self, sensor: Sensor) -> Option<Sample> {
        let (_, inputs) = self.twin.as_ref()?;
        sample_of(inputs, self.controller.config(), sensor)
    }
}

/// A conversion as the converter gave it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) at: Micros,
    pub(crate) code: i16,
    /// `None` beyond both ends of the divider.
    pub(crate) celsius: Option<f64>,
}

fn sample_of(inputs: &Inputs, config: &Config, sensor: Sensor) -> Option<Sample> {
    let channel = channel_of(config, sensor)?;
    let AdcReading::Sample { code, taken_at } = inputs.adc[channel] else {
        return None;
    };
    let wiring = &config.sensors[channel];
    let share = tve_control::share(tve_control::volts(code, config.adc.fsr), wiring);
    let celsius = tve_control::ohms(share, wiring).map(|r| tve_control::celsius(r, wiring).get());
    Some(Sample { at: taken_at, code, celsius })
}

/// What the newest sample of a sensor means, °C.
pub(crate) fn temperature(inputs: &Inputs, config: &Config, sensor: Sensor) -> Option<f64> {
    sample_of(inputs, config, sensor)?.celsius
}

/// The converter's channel that a sensor is configured on.
pub(crate) fn channel_of(config: &Config, sensor: Sensor) -> Option<usize> {
    use tve_config::Logical;
    let wanted = Logical::ALL[sensor.index()];
    config.sensors.iter().position(|s| s.enabled && s.logical == wanted)
}

/// A command by its name on the wire, the tune's by those of scenario files.
///
/// # Errors
/// What the parser refuses.
pub(crate) fn parse(name: &str, value: &Value) -> Result<Command, Refusal> {
    match name {
        "TUNE_START" => parse_tune_start(value),
        "TUNE_STOP" => Ok(Command::TuneStop),
        "TUNE_APPLY" => Ok(Command::TuneApply),
        _ => parse_control(&json!({"command": name, "value": value})),
    }
}

/// Whether some pulses are asked for.
pub(crate) fn is_moving(outputs: &Outputs) -> bool {
    outputs.motors.iter().any(|m: &MotorDrive| m.is_moving())
}

/// Whether an alarm is about a zone, or about no zone in particular.
pub(crate) fn concerns(record: &AlarmRecord, zone: Zone) -> bool {
    record.zone().is_none_or(|z| z == zone)
}

/// Whether an alarm stops more than nothing.
pub(crate) fn stops(record: &AlarmRecord) -> bool {
    record.code.row().reaction > Reaction::Note
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
