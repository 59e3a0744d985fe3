//! One row of the fault table in one machine state: strike, watch, judge.

use super::states::{State, reach};
use super::table::{Expected, Row, Source, Stimulus};
use crate::rig::{Rig, Sample, TICK, concerns, is_moving, sample, stops};
use crate::subject::{Subject, sensor_of};
use serde::Serialize;
use serde_json::{Value, json};
use tve_config::MachineConfig;
use tve_control::{
    AlarmCode as A, AlarmRecord, Command, LoggingHealth, Reaction, Snapshot, Unclean,
};
use tve_hal::{Contact, MotorDrive, Outputs, Sensor, Zone};
use tve_units::Micros;

/// What polling at 100 Hz may add to a bound, s.
pub(crate) const POLLING_S: f64 = 0.02;
/// Motors stand this long after a STOP at most, s.
const REST_BOUND_S: f64 = 2.0;
/// A barrel above this must be cooled after a trip, °C.
const HOT_BARREL: f64 = 50.0;
/// How long a safe machine is watched for staying safe, s.
const AFTERWARDS_S: f64 = 10.0;
/// Movement of a healthy twin that a frozen sensor must have shown, in codes.
const TWIN_CODES: i32 = 10;
/// Steps of a counted move that outlasts any case.
const ENDLESS_STEPS: i32 = 10_000_000;
/// The barrel is driven this much per [`BARREL_EVERY`] from outside, °C: within the jump limit.
const BARREL_STEP: f64 = 1.5;
/// Downwards no faster than metal cools, or its sensors would seem to have come loose.
const BARREL_SINK: f64 = 0.1;
const BARREL_EVERY: Micros = Micros::from_millis(200);

/// The outcome of one row in one state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Case {
    /// What the rows of one fault have in common, such as `open` of `open-t2`.
    #[serde(skip)]
    pub family: &'static str,
    /// Name of the row.
    pub row: String,
    /// The fault in words.
    pub fault: String,
    /// Where it struck.
    pub state: State,
    /// What had to follow.
    pub expected: String,
    /// From the cause instant to the reaction, s; none where nothing had to follow or nothing did.
    pub measured_s: Option<f64>,
    /// What was allowed, s, without the 20 ms of polling.
    pub bound_s: Option<f64>,
    /// Where the cause instant comes from.
    pub counted_from: String,
    /// From the alarm until nothing moves, s, where something moved; 2 s are allowed.
    pub rest_s: Option<f64>,
    /// Whether all of it held.
    pub held: bool,
    /// What did not hold, or what else was seen.
    pub note: String,
}

/// Plays `row` in `state`.
pub(crate) fn play(subject: &Subject, row: &Row, state: State) -> Case {
    let twin = matches!(row.source, Source::TwinMoved(_));
    let mut rig = reach(subject, state, twin);
    let before = rig.snapshot();
    let mut watch = Watch::new(row, subject.machine(), &rig, &before);
    strike(subject, &mut rig, row.stimulus);
    let restarted = rig.now() == Micros::ZERO;
    if restarted {
        watch.event = Micros::ZERO;
    }
    let mut next_push = rig.now();
    let end = Micros::from_secs_f64(row.watch_s);
    while rig.now().since(watch.event) < end && !watch.is_over(rig.now()) {
        if let Stimulus::Barrel(target)
        | Stimulus::BarrelUnheated(target)
        | Stimulus::BarrelUnheatedJogging(target) = row.stimulus
            && rig.now() >= next_push
        {
            next_push = rig.now() + BARREL_EVERY;
            push_barrel(subject.machine(), &mut rig, target);
        }
        let mut dt = TICK;
        if let Stimulus::Stall(ms) = row.stimulus
            && watch.ticks == 0
        {
            dt = Micros::from_millis(ms);
        }
        rig.tick_after(dt);
        watch.look(&mut rig);
    }
    watch.judge(state, &rig)
}

fn strike(subject: &Subject, rig: &mut Rig, stimulus: Stimulus) {
    match stimulus {
        Stimulus::Breaks(kind) => rig.inject(kind, None),
        Stimulus::BreaksFor(kind, ms) => rig.inject(kind, Some(Micros::from_millis(ms))),
        Stimulus::BreaksThenTarget(kind, target) => {
            rig.inject(kind, None);
            rig.run_for(2.0);
            let _ = rig.command("SET_TARGET", &subject.every_zone(target));
        }
        Stimulus::BreaksThenDuty(kind, duty) => {
            rig.inject(kind, None);
            rig.run_for(2.0);
            let _ = rig.command("SET_MODE", &json!({"mode": "MANUAL"}));
            for zone in subject.zone_names() {
                let _ = rig.command("SET_HEATER", &json!({"zone": zone, "duty": duty}));
            }
        }
        Stimulus::BarrelUnheated(_) => {
            let _ = rig.command("SET_TARGET", &subject.every_zone(0.0));
        }
        Stimulus::BarrelUnheatedJogging(_) => {
            let _ = rig.command("SET_TARGET", &subject.every_zone(0.0));
            let jog = json!({"motor": subject.screw(), "steps": ENDLESS_STEPS, "speed": 1000});
            let _ = rig.command("MOVE_MOTOR_STEPS", &jog);
        }
        Stimulus::Command(name) => {
            let _ = rig.command(name, &Value::Null);
        }
        Stimulus::KilledEnergised => rig.restart(Some(Unclean { energised: true }), false),
        Stimulus::KilledIdle => rig.restart(Some(Unclean { energised: false }), false),
        Stimulus::BadConfiguration => rig.restart(None, true),
        Stimulus::DiskFails => report(rig, LoggingHealth { failed: true, disk_low: false }),
        Stimulus::DiskFull => report(rig, LoggingHealth { failed: false, disk_low: true }),
        Stimulus::Barrel(_) | Stimulus::Stall(_) | Stimulus::Nothing => {}
    }
}

fn report(rig: &mut Rig, health: LoggingHealth) {
    // A report is never refused.
    let _ = rig.send(Command::ReportLogging(health));
}

fn push_barrel(machine: &MachineConfig, rig: &mut Rig, target: f64) {
    use tve_sim::SimPowers;
    let at = rig.machine.true_temperature(sensor_of(machine, Zone::at(0)));
    rig.soak(at + (target - at).clamp(-BARREL_SINK, BARREL_STEP));
}

/// What was seen so far.
struct Watch<'a> {
    row: &'a Row,
    machine: &'a MachineConfig,
    event: Micros,
    before: Snapshot,
    ticks: u64,
    cause: Option<Micros>,
    /// The oldest of the zones' newest samples before the event.
    last_sample: Option<Micros>,
    /// Codes of the twin's sensor at the event.
    twin_code: Option<i32>,
    /// The alarm that was expected, and the tick that shows its reaction.
    reaction: Option<(AlarmRecord, Micros)>,
    /// Alarms that nobody expected.
    others: Vec<AlarmRecord>,
    moving_since_reaction: Option<Micros>,
    was_moving: bool,
    complaints: Vec<String>,
}

impl<'a> Watch<'a> {
    fn new(row: &'a Row, machine: &'a MachineConfig, rig: &Rig, before: &Snapshot) -> Self {
        let sampled = |zone: Zone| {
            sample(&rig.inputs, machine, sensor_of(machine, zone)).map_or(Micros::ZERO, |s| s.at)
        };
        Self {
            row,
            machine,
            event: rig.now(),
            before: *before,
            ticks: 0,
            cause: None,
            last_sample: machine.zones.ids().map(sampled).min(),
            twin_code: if let Source::TwinMoved(sensor) = row.source {
                twin(rig, machine, sensor).map(|s| s.code)
            } else {
                None
            },
            reaction: None,
            others: Vec::new(),
            moving_since_reaction: None,
            was_moving: false,
            complaints: Vec::new(),
        }
    }

    fn is_over(&self, now: Micros) -> bool {
        self.reaction.is_some_and(|(_, at)| now.since(at).secs() >= AFTERWARDS_S)
    }

    fn look(&mut self, rig: &mut Rig) {
        self.ticks += 1;
        let now = rig.now();
        if self.reaction.is_none() {
            // Noise may carry a single sample over a limit; the run that stays there counts.
            if !self.is_beyond(rig) {
                self.cause = None;
            }
            self.cause = self.cause.or_else(|| self.cause_at(rig));
        }
        for record in std::mem::take(&mut rig.raised) {
            let wanted = match self.row.expected {
                Expected::Alarm(codes) => {
                    codes.contains(&record.code)
                        && self.row.zone.is_none_or(|z| concerns(&record, z))
                }
                Expected::Nothing => false,
            };
            if wanted && self.reaction.is_none() {
                self.reaction = Some((record, now));
                self.was_moving = is_moving(rig.controller.outputs())
                    || self.before.motors_actual.iter().any(|rpm| !rpm.is_zero());
            } else if !wanted {
                self.others.push(record);
            }
        }
        if let Some((record, since)) = self.reaction {
            self.check_safe(rig, record, since);
        }
    }

    /// Whether the newest sample is beyond the limit of the source, where it has one.
    fn is_beyond(&self, rig: &Rig) -> bool {
        let newest = |sensor| sample(&rig.inputs, self.machine, sensor).and_then(|s| s.celsius);
        match self.row.source {
            Source::Above(sensor, limit) => newest(sensor).is_some_and(|t| t > limit),
            Source::Below(sensor, limit) => newest(sensor).is_some_and(|t| t < limit),
            Source::Event
            | Source::Sample(_)
            | Source::Wires(_)
            | Source::LastSample
            | Source::Contact
            | Source::DriveInput
            | Source::ReadBack
            | Source::TwinMoved(_)
            | Source::FirstHeat => true,
        }
    }

    /// The cause instant, when this tick shows it.
    fn cause_at(&self, rig: &Rig) -> Option<Micros> {
        let fresh = |sensor| {
            sample(&rig.inputs, self.machine, sensor).filter(|sample| sample.at > self.event)
        };
        let inputs = &rig.inputs;
        match self.row.source {
            Source::Event => Some(self.event),
            Source::Sample(sensor) => fresh(sensor).map(|s| s.at),
            Source::Wires(sensor) => fresh(sensor).filter(|s| s.celsius.is_none()).map(|s| s.at),
            Source::LastSample => self.last_sample,
            Source::Above(sensor, _) | Source::Below(sensor, _) => {
                fresh(sensor).filter(|_| self.is_beyond(rig)).map(|s| s.at)
            }
            Source::Contact => (inputs.estop == Contact::Open).then(|| rig.now()),
            Source::DriveInput => inputs.drive_alarm.then(|| rig.now()),
            Source::ReadBack => (inputs.pwm_mismatches > 0).then(|| rig.now()),
            Source::TwinMoved(sensor) => {
                let code = self.twin_code?;
                let twin = twin(rig, self.machine, sensor)?;
                ((twin.code - code).abs() >= TWIN_CODES).then_some(twin.at)
            }
            Source::FirstHeat => {
                let heaters = rig.controller.outputs().heaters;
                heaters.iter().any(|on| *on).then(|| rig.now())
            }
        }
    }

    /// What the reaction of an alarm promises, at every tick from it on.
    fn check_safe(&mut self, rig: &Rig, record: AlarmRecord, since: Micros) {
        let outputs = rig.controller.outputs();
        let late = rig.now().since(since);
        if is_moving(outputs) {
            self.moving_since_reaction = Some(rig.now());
        }
        let complaint = match record.code.row().reaction {
            Reaction::Trip => tripped(outputs),
            Reaction::ZoneTrip => record
                .zone()
                .filter(|z| outputs.heaters[*z])
                .map(|z| format!("heater {} on after its trip", self.machine.zones[z].name))
                .or_else(|| resting(outputs, late)),
            Reaction::Stop => resting(outputs, late),
            Reaction::Note => None,
        };
        if let Some(complaint) = complaint
            && self.complaints.is_empty()
        {
            self.complaints.push(format!("{complaint} {:.2} s after the alarm", late.secs()));
        }
    }

    fn judge(mut self, state: State, rig: &Rig) -> Case {
        let row = self.row;
        let mut note = String::new();
        let mut measured = None;
        match (row.expected, self.reaction) {
            (Expected::Nothing, _) => {}
            (Expected::Alarm(_), None) => self.complaints.push(match self.cause {
                Some(cause) => format!("no reaction; the cause showed at {:.2} s", cause.secs()),
                None => "no reaction, and the cause never showed".to_owned(),
            }),
            (Expected::Alarm(_), Some((record, at))) => {
                // An alarm may come before the cause is plain to see; it is never too early.
                let took = self.cause.map_or(0.0, |cause| at.since(cause).secs());
                measured = Some(took);
                if took > row.bound_s().unwrap_or(0.0) + POLLING_S + 1e-9 {
                    self.complaints.push(format!("took {took:.3} s"));
                }
                self.keeps_the_rest(record, rig);
            }
        }
        let rest = self.rest();
        if let Some(late) = rest.filter(|late| *late > REST_BOUND_S + POLLING_S + 1e-9) {
            self.complaints.push(format!("motors rest after {late:.2} s"));
        }
        // A milder or later alarm beside the expected one is the fault's further consequence;
        // one that stops the machine instead of it is a wrong diagnosis.
        let before = |record: &AlarmRecord| {
            self.reaction.is_none_or(|(expected, _)| record.id < expected.id)
        };
        for record in self.others.iter().filter(|r| stops(r) && before(r)) {
            self.complaints.push(format!("{} was raised: {record}", record.code.name()));
        }
        if !self.others.is_empty() && self.complaints.is_empty() {
            let names: Vec<&str> = self.others.iter().map(|r| r.code.name()).collect();
            note = format!("also {}", names.join(", "));
        }
        let held = self.complaints.is_empty();
        if !held {
            note = self.complaints.join("; ");
        }
        Case {
            family: row.family,
            row: row.id.clone(),
            fault: row.fault.clone(),
            state,
            expected: row.expected.text(),
            measured_s: measured,
            bound_s: row.bound_s(),
            counted_from: row.source.text(self.machine),
            rest_s: rest,
            held,
            note,
        }
    }

    /// From the alarm until nothing moves, where the reaction stops motors that turned.
    fn rest(&self) -> Option<f64> {
        let (record, at) = self.reaction.filter(|(record, _)| stops(record))?;
        if !self.was_moving {
            return None;
        }
        let trip = record.code.row().reaction == Reaction::Trip;
        let last = self.moving_since_reaction.map(|last| last.since(at) + TICK);
        Some(if trip { 0.0 } else { last.map_or(0.0, Micros::secs) })
    }

    /// What an alarm must leave as it was, and what it must leave behind.
    fn keeps_the_rest(&mut self, record: AlarmRecord, rig: &Rig) {
        let now = rig.snapshot();
        let row = record.code.row();
        if !now.alarms.iter().any(|a| a.id == record.id) {
            self.complaints.push("the alarm is not latched".to_owned());
        }
        if !rig.journal().iter().any(|a| a.record.id == record.id) {
            self.complaints.push("the alarm is not in the journal".to_owned());
        }
        // Targets that a command of the stimulus has set are not those of before.
        let compared = matches!(
            self.row.stimulus,
            Stimulus::Breaks(_)
                | Stimulus::BreaksFor(..)
                | Stimulus::DiskFails
                | Stimulus::DiskFull
        );
        let kept = |z: Zone| {
            now.targets[z] == self.before.targets[z]
                && now.manual_duty[z] == self.before.manual_duty[z]
        };
        match row.reaction {
            Reaction::Trip => {
                let outputs = rig.controller.outputs();
                let hot = self.machine.zones.iter().any(|zone| {
                    self.before.temps[zone.sensor].is_some_and(|t| t.get() > HOT_BARREL)
                });
                let restarted = self.event == Micros::ZERO;
                if hot && !restarted && !(outputs.fan && outputs.pump) {
                    self.complaints.push("a hot barrel is not cooled".to_owned());
                }
            }
            Reaction::ZoneTrip if compared => {
                for (zone, config) in self.machine.zones.entries() {
                    if record.zone().is_some_and(|z| z != zone) && !kept(zone) {
                        self.complaints.push(format!("zone {} lost its target", config.name));
                    }
                }
            }
            Reaction::Stop | Reaction::Note if compared => {
                for (zone, config) in self.machine.zones.entries() {
                    if !kept(zone) {
                        self.complaints.push(format!("zone {} lost its heat", config.name));
                    }
                }
            }
            Reaction::ZoneTrip | Reaction::Stop | Reaction::Note => {}
        }
        let outputs = rig.controller.outputs();
        let drive = self.machine.screw().and_then(|screw| outputs.motors.get(screw));
        if record.code == A::DriverFault
            && drive.is_some_and(|drive| *drive != MotorDrive::Disabled)
        {
            self.complaints.push("the faulty drive is still enabled".to_owned());
        }
        let down = |z: Zone| {
            let (target, duty) = (now.targets[z].get(), now.manual_duty[z].get());
            let (target_before, duty_before) =
                (self.before.targets[z].get(), self.before.manual_duty[z].get());
            if record.code == A::IdleOff {
                target + duty == 0.0
            } else {
                record.code != A::IdleSetback || target + duty < target_before + duty_before
            }
        };
        if !self.machine.zones.ids().all(down) {
            self.complaints.push("the heat was not turned down".to_owned());
        }
        if record.code == A::FeedSensorFailure && !outputs.peltier.is_zero() {
            self.complaints.push("the Peltier is still on".to_owned());
        }
    }
}

/// What of the outputs a TRIP forbids.
pub(crate) fn tripped(outputs: &Outputs) -> Option<String> {
    if outputs.heaters.iter().any(|on| *on) {
        Some("a heater conducts".to_owned())
    } else if !outputs.peltier.is_zero() {
        Some("the Peltier is on".to_owned())
    } else if outputs.motors.iter().any(|m| m.is_enabled()) {
        Some("a drive is enabled".to_owned())
    } else if outputs.contactor {
        Some("the contactor is closed".to_owned())
    } else {
        None
    }
}

/// The newest conversion of the healthy twin.
fn twin(rig: &Rig, machine: &MachineConfig, sensor: Sensor) -> Option<Sample> {
    sample(rig.twin_inputs()?, machine, sensor)
}

fn resting(outputs: &Outputs, late: Micros) -> Option<String> {
    (late.secs() > REST_BOUND_S + POLLING_S && is_moving(outputs))
        .then(|| "a motor turns".to_owned())
}
