//! What an alarm does to the machine, what clearing takes, and what still stands in its way.

use super::Controller;
use crate::alarm::{
    About, AlarmCode, AlarmRecord, Cause, ClearRule, Evidence, Reaction, RestoredAlarm, Subject,
};
use crate::alarms::Finding;
use crate::command::{AlarmSelector, Reply};
use crate::refusal::{Refusal, RefusalCode};
use crate::sensors::is_unknown;
use crate::supervisor::estop_pressed;
use tve_config::EstopContact;
use tve_hal::{Contact, Reading, Sensor, Zone};
use tve_units::{Celsius, Duty, Micros, WallMillis};

/// Read-backs in a row that make a mismatch.
const MISMATCHES: u8 = 2;

impl Controller {
    /// Raises an alarm, unless it is active already, and reacts at once.
    pub(super) fn raise(&mut self, code: AlarmCode, cause: Cause) {
        let subject = Subject::of(&cause, &self.config);
        match self.alarms.raise(self.now, self.wall, Finding::new(code, cause), subject) {
            Some(Reaction::Trip) => self.trip(),
            Some(Reaction::ZoneTrip) => self.trip_zone(subject.zone()),
            Some(Reaction::Stop) => self.halt(),
            Some(Reaction::Note) => {}
            None => return,
        }
        if let (Some(zone), Some(fault)) = (subject.zone(), code.heat_fault())
            && self.thermal.comes_again(self.now, zone, fault)
        {
            self.raise(AlarmCode::ZoneLocked, Cause::Zone(zone));
        }
    }

    /// Takes an alarm of the process before into the count of what comes again. A wall clock that was
    /// set back makes it one of now.
    pub(super) fn recall(&mut self, alarm: &RestoredAlarm, wall: WallMillis) {
        let about = Subject::of(&alarm.cause, &self.config).zone();
        let ago = Micros::from_millis((wall.get() - alarm.wall.get()).max(0).unsigned_abs());
        for zone in self.thermal.ids().filter(|zone| about.is_none_or(|about| about == *zone)) {
            if alarm.code.row().clear == ClearRule::Released {
                // Whoever released the zone has looked after what came before.
                self.thermal.release(zone);
            } else if let Some(fault) = alarm.code.heat_fault() {
                self.thermal.recall(zone, fault, ago);
            }
        }
    }

    /// A person answers for a zone that was locked.
    pub(super) fn release_zone(&mut self, zone: Zone) -> Result<Reply, Refusal> {
        let locks = |alarm: &AlarmRecord| {
            alarm.code.row().clear == ClearRule::Released
                && alarm.zone().is_none_or(|about| about == zone)
        };
        let locked = self.alarms.active().iter().any(locks);
        if !locked {
            return Err(RefusalCode::ZoneNotLocked.into());
        }
        self.thermal.release(zone);
        self.alarms.clear(|alarm| !locks(alarm));
        Ok(Reply::OK)
    }

    fn trip(&mut self) {
        self.thermal.switch_all_off();
        self.outlets.set_peltier(Duty::ZERO);
        self.motion.cut();
        // What is hot goes on being cooled; a sensor that failed counts with its last good value.
        let readings = self.readings();
        let hot = self.thermal.ids().any(|zone| {
            readings.last_believed(zone).is_some_and(|t| t > self.config.safety.cooling_above)
        });
        if hot {
            self.outlets.cool(&self.capabilities);
        }
        self.enter_emergency();
    }

    fn trip_zone(&mut self, zone: Option<Zone>) {
        match zone {
            Some(zone) => self.thermal.switch_off(zone),
            None => self.thermal.switch_all_off(),
        }
        self.halt();
    }

    /// The STOP reaction.
    fn halt(&mut self) {
        self.supervisor.halt();
        self.motion.stop_all(self.now, &self.config);
    }

    /// Says on every client that what a trip depends on is not what it was, anew each time.
    pub(super) fn note_blinding(&mut self) {
        self.alarms.withdraw(AlarmCode::SafetyChanged);
        self.raise(AlarmCode::SafetyChanged, Cause::Plain);
    }

    /// Whether the cause of an alarm still stands, or it may not be cleared for another reason.
    fn cause_present(&self, alarm: &AlarmRecord) -> bool {
        match alarm.code.row().clear {
            ClearRule::Always => false,
            ClearRule::Never | ClearRule::Released => true,
            ClearRule::Acknowledged | ClearRule::Seen => !alarm.acknowledged,
            ClearRule::While(evidence) => self.stands(evidence, alarm.subject.about),
        }
    }

    /// Whether the controller still sees what an alarm about `about`, or any of it, was raised for.
    /// What it cannot see yet, because a sensor has only begun, counts as still there.
    fn stands(&self, evidence: Evidence, about: About) -> bool {
        let readings = self.readings();
        let is_meant = |one: About| about == About::Machine || about == one;
        let mut zones = self.thermal.ids().filter(|zone| is_meant(About::Zone(*zone)));
        let above = |sensor: Sensor, limit: f64| {
            let reading = readings.of(sensor);
            is_unknown(reading) || reading.value().is_some_and(|t| t.get() > limit)
        };
        let (config, safety) = (&self.config, &self.config.safety);
        let meant = config.motors.entries().filter(|(motor, _)| is_meant(About::Motor(*motor)));
        let mut motors = meant.filter_map(|(_, motor)| motor.sensor);
        match evidence {
            Evidence::EstopContact => self.estop_is_pressed(),
            Evidence::ZoneSensorBad => zones.any(|z| is_unknown(readings.zone(z))),
            Evidence::ZoneSensorSilent => self.thermal.ids().any(|z| {
                matches!(readings.zone(z), Reading::Stale | Reading::BusError | Reading::Starting)
            }),
            Evidence::ZoneTooHot => {
                zones.any(|z| above(readings.sensor(z), config.zones[z].limits.over_temperature))
            }
            Evidence::ZoneTooCold => zones.any(|z| {
                let reading = readings.zone(z);
                let floor = config.zones[z].limits.under_temperature;
                let below = |t: Celsius| t.get() < floor;
                is_unknown(reading)
                    || matches!(reading, Reading::ColdOrOpen)
                    || reading.value().is_some_and(below)
            }),
            Evidence::ZoneRises => zones.any(|z| self.thermal.rises(z, &readings)),
            Evidence::MotorTooHot => motors.any(|sensor| above(sensor, safety.motor_max)),
            Evidence::MotorSensorBad => motors.any(|sensor| is_unknown(readings.of(sensor))),
            Evidence::ThroatTooHot => {
                config.feed_throat.is_some_and(|sensor| above(sensor, safety.feed_throat_max))
            }
            Evidence::ThroatSensorBad => {
                config.feed_throat.is_some_and(|sensor| is_unknown(readings.of(sensor)))
            }
            // A configuration without the lock leaves nobody locked.
            Evidence::LockedAtPanel => safety.local_stop,
            Evidence::ContactorCloses => self.inputs.contactor == Contact::Closed,
            Evidence::DriveInput => self.inputs.drive_alarm,
            Evidence::PwmReadBack => self.pwm_mismatched(),
            Evidence::SensorDoubted => {
                zones.any(|z| config.sensors[readings.sensor(z)].doubt.is_some())
            }
            Evidence::SafetyWeak => config.weak().next().is_some(),
            Evidence::RecorderFails => self.alarms.logging().failed,
            Evidence::DiskLow => self.alarms.logging().disk_low,
        }
    }

    pub(super) fn pwm_mismatched(&self) -> bool {
        self.inputs.pwm_mismatches >= MISMATCHES
    }

    pub(super) fn estop_is_pressed(&self) -> bool {
        let normally_closed = self.config.safety.estop_contact() == EstopContact::Nc;
        estop_pressed(self.inputs.estop, normally_closed)
    }

    pub(super) fn clear_alarms(&mut self) -> Result<Reply, Refusal> {
        if self.alarms.is_active(AlarmCode::EmergencyStopBtn) && self.estop_is_pressed() {
            return Err(RefusalCode::EmergencyBtnActive.into());
        }
        let standing: Vec<u64> = self
            .alarms
            .active()
            .iter()
            .filter(|alarm| self.cause_present(alarm))
            .map(|alarm| alarm.id)
            .collect();
        let remaining = self.alarms.clear(|alarm| standing.contains(&alarm.id));
        if !self.alarms.latches().trip() {
            self.supervisor.end_emergency();
        }
        if remaining.is_empty() {
            Ok(Reply::OK)
        } else {
            Err(Refusal::with(RefusalCode::CausePresent, remaining.join(", ")))
        }
    }

    pub(super) fn acknowledge(&mut self, which: AlarmSelector) -> Result<Reply, Refusal> {
        if self.alarms.acknowledge(which) {
            Ok(Reply::OK)
        } else {
            Err(RefusalCode::AlarmNotFound.into())
        }
    }
}
