//! Raising, latching, acknowledging and clearing: what an alarm does to the machine.

use super::{Controller, Restored};
use crate::alarm::{AlarmCode, AlarmEvent, AlarmRecord, Cause, ClearRule, Evidence, Reaction};
use crate::command::{AlarmSelector, Reply};
use crate::refusal::{Refusal, RefusalCode};
use crate::sensors::is_bad;
use crate::sequence::{SequenceKind, estop_pressed};
use crate::snapshot::TuneStatus;
use tve_config::EstopContact;
use tve_hal::{Reading, Sensor, Zone};
use tve_units::Duty;

/// Read-backs in a row that make a mismatch.
const MISMATCHES: u8 = 2;

/// What the active alarms forbid, kept beside them because every tick asks.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Latches {
    pub(super) trip: bool,
    pub(super) zone_trip: [bool; 2],
    pub(super) stop: bool,
    pub(super) driver_fault: bool,
}

impl Latches {
    /// Some alarm keeps the screw from turning.
    pub(super) fn any_stop(&self) -> bool {
        self.trip || self.stop || self.zone_trip != [false; 2]
    }
}

impl Controller {
    pub(super) fn restore(&mut self, restored: Restored) {
        for alarm in restored.latched {
            self.alarms.push(AlarmRecord {
                id: alarm.id,
                code: alarm.code,
                cause: alarm.cause,
                raised_at: self.now,
                wall: alarm.wall,
                acknowledged: alarm.acknowledged,
                cleared: false,
            });
        }
        self.update_latches();
        if restored.config_fault {
            self.raise(AlarmCode::ConfigFault, Cause::Plain);
        }
        match restored.unclean {
            Some(unclean) if unclean.energised => self.raise(AlarmCode::UncleanStop, Cause::Plain),
            Some(_) => self.raise(AlarmCode::UncleanStopIdle, Cause::Plain),
            None => {}
        }
    }

    /// Raises an alarm, unless it is active already, and reacts at once.
    pub(super) fn raise(&mut self, code: AlarmCode, cause: Cause) {
        let zone = cause.zone();
        if self.alarms.iter().any(|a| a.code == code && (a.zone() == zone || a.zone().is_none())) {
            return;
        }
        let record = AlarmRecord {
            id: self.next_alarm_id,
            code,
            cause,
            raised_at: self.now,
            wall: self.wall,
            acknowledged: false,
            cleared: false,
        };
        if !self.alarms.push(record) {
            return;
        }
        self.next_alarm_id += 1;
        self.events.push_back(AlarmEvent::Raised(record));
        self.update_latches();
        match code.row().reaction {
            Reaction::Trip => self.trip(),
            Reaction::ZoneTrip => self.trip_zone(zone),
            Reaction::Stop => self.halt(),
            Reaction::Note => {}
        }
    }

    fn update_latches(&mut self) {
        let mut latches = Latches::default();
        for alarm in self.alarms.iter() {
            match alarm.code.row().reaction {
                Reaction::Trip => latches.trip = true,
                Reaction::ZoneTrip => match alarm.zone() {
                    Some(zone) => latches.zone_trip[zone.index()] = true,
                    None => latches.zone_trip = [true; 2],
                },
                Reaction::Stop => latches.stop = true,
                Reaction::Note => {}
            }
            latches.driver_fault |= alarm.code == AlarmCode::DriverFault;
        }
        self.latches = latches;
    }

    fn trip(&mut self) {
        self.all_heat_off();
        self.peltier = Duty::ZERO;
        for axis in &mut self.axes {
            axis.cut();
        }
        self.screw_follows_feed = false;
        self.on_speed = [None; 2];
        // What is hot goes on being cooled; a sensor that failed counts with its last good value.
        let hot = Zone::ALL.into_iter().any(|z| {
            self.chains[z.sensor().index()]
                .last_believed()
                .is_some_and(|t| t > self.config.safety.cooling_above)
        });
        if hot {
            for (relay, fitted) in self.relays.iter_mut().zip(self.capabilities.relays) {
                *relay |= fitted;
            }
        }
        self.begin_sequence(SequenceKind::Emergency);
    }

    fn trip_zone(&mut self, zone: Option<Zone>) {
        for z in Zone::ALL {
            if zone.is_none_or(|tripped| tripped == z) {
                self.zone_off(z);
            }
        }
        self.halt();
    }

    /// The STOP reaction.
    fn halt(&mut self) {
        if !matches!(self.sequence.map(|s| s.kind), Some(SequenceKind::Emergency)) {
            self.sequence = None;
        }
        self.stop_motors();
    }

    pub(super) fn all_heat_off(&mut self) {
        for zone in Zone::ALL {
            self.zone_off(zone);
        }
    }

    fn zone_off(&mut self, zone: Zone) {
        self.zones[zone.index()].switch_off();
        if self.tune.is_some_and(|tune| tune.zone == zone) {
            self.end_tune(TuneStatus::Failed);
        }
    }

    /// Whether the cause of an alarm still stands, or it may not be cleared for another reason.
    fn cause_present(&self, alarm: &AlarmRecord) -> bool {
        match alarm.code.row().clear {
            ClearRule::Always => false,
            ClearRule::Never => true,
            ClearRule::Acknowledged => !alarm.acknowledged,
            ClearRule::While(evidence) => self.stands(evidence, alarm.zone()),
        }
    }

    /// Whether the controller still sees what an alarm about `zone` (or any) was raised for.
    fn stands(&self, evidence: Evidence, zone: Option<Zone>) -> bool {
        let mut zones = Zone::ALL.into_iter().filter(|z| zone.is_none_or(|a| a == *z));
        let reading = |sensor: Sensor| self.chains[sensor.index()].reading();
        let bad = |sensor: Sensor| is_bad(reading(sensor));
        let above = |sensor: Sensor, limit: f64| {
            bad(sensor) || reading(sensor).value().is_some_and(|t| t.get() > limit)
        };
        let safety = &self.config.safety;
        match evidence {
            Evidence::EstopContact => self.estop_is_pressed(),
            Evidence::ZoneSensorBad => zones.any(|z| bad(z.sensor())),
            Evidence::ZoneSensorSilent => Zone::ALL.into_iter().any(|z| {
                matches!(
                    reading(z.sensor()),
                    Reading::Stale | Reading::BusError | Reading::Starting
                )
            }),
            Evidence::ZoneTooHot => zones.any(|z| above(z.sensor(), safety.over_temperature)),
            Evidence::ZoneTooCold => zones.any(|z| match reading(z.sensor()) {
                Reading::Good(t) | Reading::Uncertain(t) => t.get() < safety.under_temperature,
                Reading::ColdOrOpen => true,
                other => is_bad(other),
            }),
            Evidence::ZoneRises => zones.any(|z| {
                self.chains[z.sensor().index()]
                    .mean(self.now)
                    .is_none_or(|pv| self.heat_watches[z.index()].is_rising(pv))
            }),
            Evidence::MotorTooHot => above(Sensor::Motor, safety.motor_max),
            Evidence::MotorSensorBad => bad(Sensor::Motor),
            Evidence::ThroatTooHot => above(Sensor::T1, safety.feed_throat_max),
            Evidence::ThroatSensorBad => bad(Sensor::T1),
            Evidence::DriveInput => self.inputs.drive_alarm,
            Evidence::PwmReadBack => self.pwm_mismatched(),
            Evidence::RecorderFails => self.logging.failed,
            Evidence::DiskLow => self.logging.disk_low,
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
        let emergency = self.alarms.iter().any(|a| a.code == AlarmCode::EmergencyStopBtn);
        if emergency && self.estop_is_pressed() {
            return Err(RefusalCode::EmergencyBtnActive.into());
        }
        let mut remaining: Vec<&'static str> = Vec::new();
        let mut kept: Vec<u64> = Vec::new();
        for alarm in self.alarms.iter() {
            if self.cause_present(alarm) {
                remaining.push(alarm.code.name());
                kept.push(alarm.id);
            }
        }
        let cleared: Vec<u64> =
            self.alarms.iter().map(|a| a.id).filter(|id| !kept.contains(id)).collect();
        self.alarms.retain(|a| kept.contains(&a.id));
        self.events.extend(cleared.into_iter().map(|id| AlarmEvent::Cleared { id }));
        self.update_latches();
        if !self.latches.trip
            && matches!(self.sequence.map(|s| s.kind), Some(SequenceKind::Emergency))
        {
            self.sequence = None;
        }
        if remaining.is_empty() {
            Ok(Reply::OK)
        } else {
            Err(Refusal::with(RefusalCode::CausePresent, remaining.join(", ")))
        }
    }

    /// Takes away a note that has served its purpose.
    pub(super) fn withdraw(&mut self, code: AlarmCode) {
        let ids: Vec<u64> = self.alarms.iter().filter(|a| a.code == code).map(|a| a.id).collect();
        if ids.is_empty() {
            return;
        }
        self.alarms.retain(|a| a.code != code);
        self.events.extend(ids.into_iter().map(|id| AlarmEvent::Cleared { id }));
        self.update_latches();
    }

    pub(super) fn acknowledge(&mut self, which: AlarmSelector) -> Result<Reply, Refusal> {
        let mut found = which == AlarmSelector::All;
        for alarm in self.alarms.iter_mut() {
            let meant = match which {
                AlarmSelector::All => true,
                AlarmSelector::Id(id) => alarm.id == id,
            };
            if meant {
                found = true;
                if !alarm.acknowledged {
                    alarm.acknowledged = true;
                    self.events.push_back(AlarmEvent::Acknowledged { id: alarm.id });
                }
            }
        }
        if found { Ok(Reply::OK) } else { Err(RefusalCode::AlarmNotFound.into()) }
    }
}
