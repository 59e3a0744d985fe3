//! What must hold after every tick, judged from inputs, outputs and the journal alone.
//!
//! Nothing here asks the controller what it believes where a second opinion can be had: sensors
//! are judged anew from their codes, latches from the journal, heat and motion from the commands
//! that were accepted.

use super::second_opinion::{CONFIRM, SecondOpinion};
use crate::certify::tripped;
use crate::rig::{Rig, concerns, feeds_a_standing_screw, is_moving, machine_of, stops};
use crate::subject::sensor_of;
use std::sync::Arc;
use tve_config::{Action, Device, MachineConfig, MotorRole};
use tve_control::{AlarmCode, AlarmRecord, Command, Reaction, Reply, Snapshot};
use tve_hal::{Motor, MotorDrive, Outputs, PerMotor, PerZone, Signal, Zone};
use tve_sim::SimPowers;
use tve_units::Micros;

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// Which one, in a word.
    pub invariant: &'static str,
    /// Plant time, s.
    pub at_s: f64,
    /// What was seen.
    pub what: String,
}

/// Duty while a sensor may be cold or open, %.
const COLD_DUTY: f64 = 30.0;
/// Motors rest this long after the last step of a stop sequence, s.
const REST_S: f64 = 2.0;
/// Motors rest this long after a STOP reaction, and 20 ms of polling.
const REST: Micros = Micros::from_millis(2020);
/// The same after the last step of a stop sequence.
const SEQUENCE_REST: Micros = Micros::from_millis(2100);
/// The barrel is never hotter, °C.
const NEVER_ABOVE: f64 = 300.0;
/// Ticks between two looks at the whole machine.
const LOOK_TICKS: u64 = 10;
/// Share of a turn that a motor may be jogged while cold, and rounding.
const COLD_TURNS: f64 = 0.25 + 1e-9;
/// A zone counts as too cold for a screw that turns when it is this far under the limit that stops
/// it, °C: noise and averaging are no fault.
const CLEARLY: f64 = 1.0;
/// A loop that stalls or jitters is this late at most.
const STALLED: Micros = Micros::from_secs(1);
/// After this the allowance is renewed.
const COLD_RENEWAL: Micros = Micros::from_secs(600);

#[derive(Debug, Clone, Copy, Default)]
struct ColdJogs {
    turns: f64,
    since: Option<Micros>,
}

/// The observer of one walk.
pub(crate) struct Observer {
    /// As the controller is configured, and which revision of it that is.
    machine: Arc<MachineConfig>,
    revision: u64,
    seconds: PerZone<SecondOpinion>,
    /// Latches by the journal.
    trip: bool,
    zone_trip: PerZone<bool>,
    stop_latched: bool,
    /// The stop button of the panel has locked the motors.
    locked: bool,
    /// Motors must rest from here on, process time.
    rest_by: Option<Micros>,
    /// Somebody has asked for heat since the last trip.
    heat_asked: PerZone<bool>,
    /// Somebody has asked for motion since the last stop.
    motion_asked: PerMotor<bool>,
    /// A stop was asked for; once a drive is off, it stays off until asked again.
    stopping: bool,
    was_enabled: PerMotor<bool>,
    no_jog: bool,
    cold_jogs: PerMotor<ColdJogs>,
    /// The screw turns in a zone that is too cold for it since.
    cold_since: Option<Micros>,
    /// A relay is or was stuck, and nothing else could cut the heat.
    excused: bool,
    ticks: u64,
    snapshot: Snapshot,
}

type Verdict = Result<(), Violation>;

impl Observer {
    pub(crate) fn new(rig: &Rig) -> Self {
        let machine = machine_of(rig);
        let (zones, motors) = (machine.zones.len(), machine.motors.len());
        Self {
            machine,
            revision: rig.controller.config_revision(),
            seconds: PerZone::new(zones),
            trip: false,
            zone_trip: PerZone::new(zones),
            stop_latched: false,
            locked: false,
            rest_by: None,
            heat_asked: PerZone::new(zones),
            motion_asked: PerMotor::new(motors),
            stopping: false,
            was_enabled: PerMotor::new(motors),
            no_jog: false,
            cold_jogs: PerMotor::new(motors),
            cold_since: None,
            excused: false,
            ticks: 0,
            snapshot: Snapshot::default(),
        }
    }

    /// A relay sticks: without a contactor nobody can cut its heat.
    pub(crate) fn relay_sticks(&mut self) {
        self.excused |= self.machine.signals.pin(Signal::Contactor).is_none();
    }

    /// The contactor welds: a relay that sticks meanwhile would be a second fault.
    pub(crate) fn contactor_welds(&mut self) {
        self.excused = true;
    }

    /// The process was replaced.
    pub(crate) fn restarted(&mut self, rig: &Rig) -> Verdict {
        let fresh = Self { excused: self.excused, ticks: self.ticks, ..Self::new(rig) };
        *self = fresh;
        self.latches(rig);
        if rig.controller.outputs().is_energised() {
            return fail(rig, "before-first-step", "something is energised before the first step");
        }
        Ok(())
    }

    fn latches(&mut self, rig: &Rig) {
        let journal = rig.journal();
        let reaction = |r: &AlarmRecord| r.code.row().reaction;
        self.trip = journal.iter().any(|a| reaction(&a.record) == Reaction::Trip);
        self.zone_trip = self.machine.zones.map(|z, _| {
            journal
                .iter()
                .any(|a| reaction(&a.record) == Reaction::ZoneTrip && concerns(&a.record, z))
        });
        self.locked = is_locked(rig);
        self.stop_latched = journal.iter().any(|a| stops(&a.record));
        if !self.stop_latched {
            self.rest_by = None;
        }
    }

    fn take_alarms(&mut self, rig: &mut Rig) {
        if rig.raised.is_empty() {
            return;
        }
        let now = rig.now();
        for record in std::mem::take(&mut rig.raised) {
            match record.code.row().reaction {
                Reaction::Trip => {
                    self.heat_asked = PerZone::new(self.heat_asked.len());
                    self.motion_asked = PerMotor::new(self.motion_asked.len());
                }
                Reaction::ZoneTrip => {
                    for z in self.heat_asked.ids() {
                        self.heat_asked[z] &= !concerns(&record, z);
                    }
                }
                Reaction::Stop => {}
                Reaction::Note => continue,
            }
            self.stopping = true;
            self.no_jog = true;
            self.rest_by = Some(self.rest_by.unwrap_or(now + REST));
        }
        self.latches(rig);
    }

    /// Before and after a command; `changed` says whether the state's hash differs.
    pub(crate) fn commanded(
        &mut self,
        rig: &mut Rig,
        command: &Command,
        answer: Result<&Reply, bool>,
    ) -> Verdict {
        self.take_alarms(rig);
        if self.locked && rig.config().safety.local_stop && !is_locked(rig) {
            return fail(rig, "lock-lifted", &format!("{command:?} lifts a stop of the panel"));
        }
        self.latches(rig);
        if rig.controller.config_revision() != self.revision {
            self.revision = rig.controller.config_revision();
            self.machine = machine_of(rig);
        }
        let reply = match answer {
            Ok(reply) => reply,
            Err(true) if !matches!(command, Command::ClearAlarm) => {
                return fail(
                    rig,
                    "refusal-changes",
                    &format!("{command:?} refused, state changed"),
                );
            }
            Err(_) => return Ok(()),
        };
        match command {
            Command::SetTarget { zones } => {
                for (z, target) in self.machine.zones.ids().zip(zones) {
                    self.heat_asked[z] |= target.is_some_and(|t| !t.is_zero());
                }
            }
            Command::TuneStart { zone, .. } => self.heat_asked[*zone] = true,
            Command::SetHeater { zone, duty } if !duty.is_zero() && reply.msg.is_none() => {
                self.heat_asked[*zone] = true;
            }
            Command::Start => self.motion_is_asked(|_| true),
            Command::SetMotor { motor, rpm } if !rpm.is_zero() => {
                self.motion_is_asked(|m| m == *motor);
            }
            Command::MoveMotorSteps { motor, steps, .. } if *steps != 0 => {
                self.motion_is_asked(|m| m == *motor);
                return self.jogged(rig, *motor, *steps);
            }
            Command::Stop => {
                self.stopping = true;
                self.no_jog = true;
                let by = rig.now() + self.stop_sequence() + SEQUENCE_REST;
                self.rest_by = Some(self.rest_by.map_or(by, |earlier| earlier.min(by)));
            }
            Command::EmergencyStop
            | Command::ClearAlarm
            | Command::AcknowledgeAlarm(_)
            | Command::SetMode(_)
            | Command::SetHeater { .. }
            | Command::SetMotor { .. }
            | Command::SetRelay { .. }
            | Command::SetPeltier(_)
            | Command::SetPwmOutput { .. }
            | Command::SetFillTarget { .. }
            | Command::MoveMotorSteps { .. }
            | Command::StopManualMove(_)
            | Command::ReleaseZone { .. }
            | Command::GpioConfig { .. }
            | Command::GpioWrite { .. }
            | Command::GpioRead(_)
            | Command::TuneStop
            | Command::TuneApply
            | Command::SaveConfig
            | Command::ReportLogging(_)
            | Command::UpdatePid { .. }
            | Command::UpdatePins { .. }
            | Command::SetPinName { .. }
            | Command::UpdateExtruderSeq(_)
            | Command::UpdateDm556(_)
            | Command::SetTempSettings(_)
            | Command::SetLoggingSettings(_)
            | Command::UpdateMotionConfig(_)
            | Command::SetHistorySettings(_)
            | Command::SetSensorCalibration { .. }
            | Command::ReplaceConfig(_)
            | Command::Adopt(_) => {}
        }
        Ok(())
    }

    /// How long a stop may wait for the last step that stops a motor.
    fn stop_sequence(&self) -> Micros {
        let steps = self.machine.sequence.shutdown.iter();
        let stops = steps
            .filter(|step| matches!(step.device, Device::Motor(_)) && step.action == Action::Off);
        let longest = stops.map(|step| step.delay).fold(0.0, f64::max);
        Micros::from_secs_f64(longest.min(self.machine.safety.stop_max_s - REST_S))
    }

    fn motion_is_asked(&mut self, of: impl Fn(Motor) -> bool) {
        for motor in self.motion_asked.ids() {
            self.motion_asked[motor] |= of(motor);
        }
        self.stopping = false;
        self.no_jog = false;
        self.rest_by = None;
    }

    fn jogged(&mut self, rig: &Rig, motor: Motor, steps: i32) -> Verdict {
        let cold = self.machine.zones.ids().any(|zone| self.is_cold(zone));
        let jogs = &mut self.cold_jogs[motor];
        if !cold {
            *jogs = ColdJogs::default();
            return Ok(());
        }
        let renewed = jogs.since.is_none_or(|since| rig.now().since(since) >= COLD_RENEWAL);
        if renewed {
            *jogs = ColdJogs { turns: 0.0, since: Some(rig.now()) };
        }
        jogs.turns +=
            f64::from(steps.unsigned_abs()) / f64::from(self.machine.motors[motor].microsteps);
        if jogs.turns > COLD_TURNS {
            return fail(rig, "cold-jog", &format!("{:.3} turns while cold", jogs.turns));
        }
        Ok(())
    }

    /// Whether a zone is too cold for the screw by the second opinion.
    fn is_cold(&self, zone: Zone) -> bool {
        self.seconds[zone].highest() < self.machine.zones[zone].limits.min_temp_for_motor
    }

    /// After a tick.
    pub(crate) fn ticked(&mut self, rig: &mut Rig) -> Verdict {
        self.ticks += 1;
        self.take_alarms(rig);
        if self.locked && !is_locked(rig) {
            if !rig.inputs.buttons.start {
                return fail(rig, "lock-lifted", "nobody at the panel has released the motors");
            }
            self.latches(rig);
        }
        for zone in self.machine.zones.ids() {
            let sensor = sensor_of(&self.machine, zone);
            let input = rig.inputs.sensors.get(sensor).copied().unwrap_or_default();
            self.seconds[zone].look(input, &self.machine, sensor);
        }
        if rig.inputs.buttons.start {
            self.motion_is_asked_by_button();
        }
        if rig.inputs.buttons.stop {
            self.no_jog = false;
        }
        let outputs = *rig.controller.outputs();
        self.heat(rig, &outputs)?;
        self.motion(rig, &outputs)?;
        if self.trip
            && let Some(what) = tripped(&outputs)
        {
            return fail(rig, "energised-after-trip", &what);
        }
        if self.ticks.is_multiple_of(LOOK_TICKS) {
            self.look(rig)?;
        }
        Ok(())
    }

    fn motion_is_asked_by_button(&mut self) {
        // Whether the press was permitted is judged where motion begins.
        if !self.stop_latched {
            self.motion_is_asked(|_| true);
        }
    }

    fn heat(&self, rig: &Rig, outputs: &Outputs) -> Verdict {
        let stale_after = self.machine.safety.stale_after;
        for (zone, _) in outputs.heaters.entries().filter(|(_, on)| **on) {
            let name = self.machine.zones[zone].name;
            if let Some(fault) = self.seconds[zone].fault(rig.now(), stale_after) {
                let what = format!("{name} heats while its sensor {fault}");
                return fail(rig, "heat-without-sensor", &what);
            }
            if self.zone_trip[zone] {
                let what = format!("{name} heats after its trip");
                return fail(rig, "heat-after-zone-trip", &what);
            }
            if !self.heat_asked[zone] {
                let what = format!("{name} heats and nobody has asked for it");
                return fail(rig, "heat-unasked", &what);
            }
        }
        Ok(())
    }

    fn motion(&mut self, rig: &Rig, outputs: &Outputs) -> Verdict {
        for (motor, drive) in outputs.motors.entries() {
            let enabled = drive.is_enabled();
            if enabled && !self.motion_asked[motor] {
                let name = self.machine.motors[motor].name;
                let what = format!("drive {name} is on and nobody has asked for it");
                return fail(rig, "motion-unasked", &what);
            }
            if enabled && !self.was_enabled[motor] {
                self.begins(rig, motor, *drive)?;
            }
            if !enabled && self.stopping {
                self.motion_asked[motor] = false;
            }
            if self.no_jog && matches!(drive, MotorDrive::Jog { .. }) {
                return fail(rig, "jog-survives", "a jog goes on after a stop");
            }
            self.was_enabled[motor] = enabled;
        }
        if self.rest_by.is_some_and(|by| rig.now() > by) && is_moving(outputs) {
            return fail(rig, "motion-after-stop", "a motor turns 2 s after a stop");
        }
        if feeds_a_standing_screw(outputs, &self.machine) {
            return fail(rig, "feed-first", "the feed turns while the screw stands");
        }
        self.cold_screw(rig, outputs)
    }

    /// A screw that turns, by a speed or by a long counted move, stops when a zone has gone cold.
    fn cold_screw(&mut self, rig: &Rig, outputs: &Outputs) -> Verdict {
        let motors = self.machine.motors.entries();
        let turns =
            motors.filter(|(_, motor)| motor.role == MotorRole::Screw).any(|(id, motor)| {
                match outputs.motors[id] {
                    MotorDrive::Jog { steps, .. } => {
                        f64::from(steps.unsigned_abs()) > COLD_TURNS * f64::from(motor.microsteps)
                    }
                    drive @ (MotorDrive::Run(_) | MotorDrive::Disabled) => drive.is_moving(),
                }
            });
        let safety = &self.machine.safety;
        let too_cold = self.seconds.entries().any(|(zone, second)| {
            let limit = self.machine.zones[zone].limits.min_temp_for_motor;
            second.highest() < limit - safety.cold_zone_margin - CLEARLY
        });
        if !(turns && too_cold) {
            self.cold_since = None;
            return Ok(());
        }
        let since = *self.cold_since.get_or_insert(rig.now());
        let allowed = Micros::from_secs_f64(safety.cold_zone_delay) + REST + STALLED;
        if rig.now().since(since) > allowed {
            return fail(rig, "cold-screw", "the screw turns on in a zone that has gone cold");
        }
        Ok(())
    }

    /// Motion begins: it needs its permissive.
    fn begins(&self, rig: &Rig, motor: Motor, drive: MotorDrive) -> Verdict {
        let name = self.machine.motors[motor].name;
        if self.stop_latched {
            let what = format!("{name} begins to turn with an alarm latched");
            return fail(rig, "motion-without-permissive", &what);
        }
        let stale_after = self.machine.safety.stale_after;
        for (zone, second) in self.seconds.entries() {
            let fault = second.fault(rig.now(), stale_after);
            // A counted move may be a short one while cold; those are added up elsewhere.
            let cold = self.is_cold(zone) && !matches!(drive, MotorDrive::Jog { .. });
            if fault.is_some() || cold {
                let what = format!(
                    "{name} begins to turn while {} reads {:.1} °C and its sensor {}",
                    self.machine.zones[zone].name,
                    second.highest(),
                    fault.unwrap_or("is good")
                );
                return fail(rig, "motion-without-permissive", &what);
            }
        }
        Ok(())
    }

    /// What needs the whole machine.
    fn look(&mut self, rig: &Rig) -> Verdict {
        rig.controller.snapshot(&mut self.snapshot);
        let shown = self.snapshot.alarms.iter().map(|a| a.id);
        if !shown.eq(rig.journal().iter().map(|a| a.record.id)) {
            let ids = |it: &mut dyn Iterator<Item = u64>| format!("{:?}", it.collect::<Vec<_>>());
            let what = format!(
                "active {} and in the journal {}",
                ids(&mut self.snapshot.alarms.iter().map(|a| a.id)),
                ids(&mut rig.journal().iter().map(|a| a.record.id))
            );
            return fail(rig, "journal", &what);
        }
        for (zone, second) in self.seconds.entries() {
            let name = self.machine.zones[zone].name;
            let duty = self.snapshot.heater_duty[zone].get();
            if second.open_run > CONFIRM && duty > COLD_DUTY {
                let what = format!("{name} has {duty:.0} % with its sensor cold or open");
                return fail(rig, "heat-without-sensor", &what);
            }
            let t = rig.machine.true_temperature(sensor_of(&self.machine, zone));
            if t > NEVER_ABOVE && !self.excused {
                return fail(rig, "too-hot", &format!("{name} is at {t:.1} °C"));
            }
        }
        for (motor, drive) in rig.controller.outputs().motors.entries() {
            let Some(pin) = self.machine.signals.pin(Signal::Enable(motor)) else { continue };
            if self.snapshot.pins[pin.index()].high == drive.is_enabled() {
                return fail(rig, "enable-pin", "the enable pin is not active low");
            }
        }
        Ok(())
    }
}

/// Whether the journal holds a stop of the panel.
fn is_locked(rig: &Rig) -> bool {
    rig.journal().iter().any(|alarm| alarm.record.code == AlarmCode::LocalStop)
}

fn fail(rig: &Rig, invariant: &'static str, what: &str) -> Verdict {
    Err(Violation { invariant, at_s: rig.plant_time.secs(), what: what.to_owned() })
}
