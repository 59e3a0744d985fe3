//! What must hold after every tick, judged from inputs, outputs and the journal alone.
//!
//! Nothing here asks the controller what it believes where a second opinion can be had: sensors
//! are judged anew from their codes, latches from the journal, heat and motion from the commands
//! that were accepted.

use super::second_opinion::{CONFIRM, SecondOpinion};
use crate::certify::tripped;
use crate::rig::{Rig, concerns, is_moving, stops};
use tve_control::{AlarmRecord, Command, Reaction, Reply, Snapshot};
use tve_hal::{Motor, MotorDrive, Outputs, Sensor, Zone};
use tve_sim::SimPowers;
use tve_units::{Bcm, Micros};

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
/// Motors rest this long after a STOP reaction, and 20 ms of polling.
const REST: Micros = Micros::from_millis(2020);
/// The same after a STOP command: the default stop sequence takes the screw off after 5 s.
const SEQUENCE_REST: Micros = Micros::from_millis(7100);
/// The barrel is never hotter, °C.
const NEVER_ABOVE: f64 = 300.0;
/// Ticks between two looks at the whole machine.
const LOOK_TICKS: u64 = 10;
/// Share of a turn that a motor may be jogged while cold, and rounding.
const COLD_TURNS: f64 = 0.25 + 1e-9;
/// After this the allowance is renewed.
const COLD_RENEWAL: Micros = Micros::from_secs(600);

#[derive(Debug, Clone, Copy, Default)]
struct ColdJogs {
    turns: f64,
    since: Option<Micros>,
}

/// The observer of one walk.
pub(crate) struct Observer {
    channels: [usize; 2],
    seconds: [SecondOpinion; 2],
    /// Latches by the journal.
    trip: bool,
    zone_trip: [bool; 2],
    stop_latched: bool,
    /// Motors must rest from here on, process time.
    rest_by: Option<Micros>,
    /// Somebody has asked for heat since the last trip.
    heat_asked: [bool; 2],
    /// Somebody has asked for motion since the last stop.
    motion_asked: [bool; 2],
    /// A stop was asked for; once a drive is off, it stays off until asked again.
    stopping: bool,
    was_enabled: [bool; 2],
    no_jog: bool,
    cold_jogs: [ColdJogs; 2],
    /// A relay is or was stuck, and nothing else could cut the heat.
    excused: bool,
    ticks: u64,
    contactor_fitted: bool,
    en_main: Option<Bcm>,
    snapshot: Snapshot,
}

type Verdict = Result<(), Violation>;

impl Observer {
    pub(crate) fn new(rig: &Rig) -> Self {
        let config = rig.config();
        let channel = |s: Sensor| crate::rig::channel_of(config, s).unwrap_or(s.index());
        Self {
            channels: [channel(Sensor::T2), channel(Sensor::T3)],
            seconds: [SecondOpinion::default(); 2],
            trip: false,
            zone_trip: [false; 2],
            stop_latched: false,
            rest_by: None,
            heat_asked: [false; 2],
            motion_asked: [false; 2],
            stopping: false,
            was_enabled: [false; 2],
            no_jog: false,
            cold_jogs: [ColdJogs::default(); 2],
            excused: false,
            ticks: 0,
            contactor_fitted: config.pins.get("contactor").is_some(),
            en_main: config.pins.get("en_main"),
            snapshot: Snapshot::default(),
        }
    }

    /// A relay sticks: without a contactor nobody can cut its heat.
    pub(crate) fn relay_sticks(&mut self) {
        self.excused |= !self.contactor_fitted;
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
        self.zone_trip = Zone::ALL.map(|z| {
            journal
                .iter()
                .any(|a| reaction(&a.record) == Reaction::ZoneTrip && concerns(&a.record, z))
        });
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
                    self.heat_asked = [false; 2];
                    self.motion_asked = [false; 2];
                }
                Reaction::ZoneTrip => {
                    for z in Zone::ALL {
                        self.heat_asked[z.index()] &= !concerns(&record, z);
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
        self.latches(rig);
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
                for z in Zone::ALL {
                    self.heat_asked[z.index()] |= zones[z.index()].is_some_and(|t| !t.is_zero());
                }
            }
            Command::TuneStart { zone, .. } => self.heat_asked[zone.index()] = true,
            Command::SetHeater { zone, duty } if !duty.is_zero() && reply.msg.is_none() => {
                self.heat_asked[zone.index()] = true;
            }
            Command::Start => self.motion_is_asked([true; 2]),
            Command::SetMotor { motor, rpm } if !rpm.is_zero() => {
                self.motion_is_asked(Motor::ALL.map(|m| m == *motor));
            }
            Command::MoveMotorSteps { motor, steps, .. } if *steps != 0 => {
                self.motion_is_asked(Motor::ALL.map(|m| m == *motor));
                return self.jogged(rig, *motor, *steps);
            }
            Command::Stop => {
                self.stopping = true;
                self.no_jog = true;
                let by = rig.now() + SEQUENCE_REST;
                self.rest_by = Some(self.rest_by.map_or(by, |earlier| earlier.min(by)));
            }
            _ => {}
        }
        Ok(())
    }

    fn motion_is_asked(&mut self, motors: [bool; 2]) {
        for (asked, now) in self.motion_asked.iter_mut().zip(motors) {
            *asked |= now;
        }
        self.stopping = false;
        self.no_jog = false;
        self.rest_by = None;
    }

    fn jogged(&mut self, rig: &Rig, motor: Motor, steps: i32) -> Verdict {
        let config = rig.config();
        let cold = self.seconds.iter().any(|s| s.highest() < config.safety.min_temp_for_motor);
        let jogs = &mut self.cold_jogs[motor.index()];
        if !cold {
            *jogs = ColdJogs::default();
            return Ok(());
        }
        let renewed = jogs.since.is_none_or(|since| rig.now().since(since) >= COLD_RENEWAL);
        if renewed {
            *jogs = ColdJogs { turns: 0.0, since: Some(rig.now()) };
        }
        jogs.turns += f64::from(steps.unsigned_abs()) / f64::from(config.dm556.microsteps);
        if jogs.turns > COLD_TURNS {
            return fail(rig, "cold-jog", &format!("{:.3} turns while cold", jogs.turns));
        }
        Ok(())
    }

    /// After a tick.
    pub(crate) fn ticked(&mut self, rig: &mut Rig) -> Verdict {
        self.ticks += 1;
        self.take_alarms(rig);
        for (second, channel) in self.seconds.iter_mut().zip(self.channels) {
            second.look(&rig.inputs.adc[channel], rig.config(), channel);
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
            self.motion_is_asked([true; 2]);
        }
    }

    fn heat(&self, rig: &Rig, outputs: &Outputs) -> Verdict {
        if outputs.heaters == [false; 2] {
            return Ok(());
        }
        let stale_after = rig.config().safety.stale_after;
        for zone in Zone::ALL.into_iter().filter(|z| outputs.heaters[z.index()]) {
            let i = zone.index();
            if let Some(fault) = self.seconds[i].fault(rig.now(), stale_after) {
                let what = format!("{} heats while its sensor {fault}", zone.name());
                return fail(rig, "heat-without-sensor", &what);
            }
            if self.zone_trip[i] {
                let what = format!("{} heats after its trip", zone.name());
                return fail(rig, "heat-after-zone-trip", &what);
            }
            if !self.heat_asked[i] {
                let what = format!("{} heats and nobody has asked for it", zone.name());
                return fail(rig, "heat-unasked", &what);
            }
        }
        Ok(())
    }

    fn motion(&mut self, rig: &Rig, outputs: &Outputs) -> Verdict {
        for motor in Motor::ALL {
            let i = motor.index();
            let drive = outputs.motors[i];
            let enabled = drive.is_enabled();
            if enabled && !self.motion_asked[i] {
                let what = format!("drive {} is on and nobody has asked for it", motor.name());
                return fail(rig, "motion-unasked", &what);
            }
            if enabled && !self.was_enabled[i] {
                self.begins(rig, motor, drive)?;
            }
            if !enabled && self.stopping {
                self.motion_asked[i] = false;
            }
            if self.no_jog && matches!(drive, MotorDrive::Jog { .. }) {
                return fail(rig, "jog-survives", "a jog goes on after a stop");
            }
            self.was_enabled[i] = enabled;
        }
        if self.rest_by.is_some_and(|by| rig.now() > by) && is_moving(outputs) {
            return fail(rig, "motion-after-stop", "a motor turns 2 s after a stop");
        }
        Ok(())
    }

    /// Motion begins: it needs its permissive.
    fn begins(&self, rig: &Rig, motor: Motor, drive: MotorDrive) -> Verdict {
        if self.stop_latched {
            let what = format!("{} begins to turn with an alarm latched", motor.name());
            return fail(rig, "motion-without-permissive", &what);
        }
        let safety = &rig.config().safety;
        for (zone, second) in Zone::ALL.into_iter().zip(&self.seconds) {
            let fault = second.fault(rig.now(), safety.stale_after);
            // A counted move may be a short one while cold; those are added up elsewhere.
            let cold = second.highest() < safety.min_temp_for_motor
                && !matches!(drive, MotorDrive::Jog { .. });
            if fault.is_some() || cold {
                let what = format!(
                    "{} begins to turn while {} reads {:.1} °C and its sensor {}",
                    motor.name(),
                    zone.name(),
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
        for zone in Zone::ALL {
            let i = zone.index();
            let second = &self.seconds[i];
            let duty = self.snapshot.heater_duty[i].get();
            if second.open_run > CONFIRM && duty > COLD_DUTY {
                let what = format!("{} has {duty:.0} % with its sensor cold or open", zone.name());
                return fail(rig, "heat-without-sensor", &what);
            }
            let t = rig.machine.true_temperature(zone.sensor());
            if t > NEVER_ABOVE && !self.excused {
                return fail(rig, "too-hot", &format!("{} is at {t:.1} °C", zone.name()));
            }
        }
        if let Some(pin) = self.en_main {
            let enabled = rig.controller.outputs().motors[Motor::Main.index()].is_enabled();
            if self.snapshot.pins[pin.index()].high == enabled {
                return fail(rig, "enable-pin", "the enable pin is not active low");
            }
        }
        Ok(())
    }
}

fn fail(rig: &Rig, invariant: &'static str, what: &str) -> Verdict {
    Err(Violation { invariant, at_s: rig.plant_time.secs(), what: what.to_owned() })
}
