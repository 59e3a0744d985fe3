//! The part that holds the alarms: what is active, what that forbids, and what the journal is told.
//!
//! It decides nothing about the machine: [`Alarms::raise`] says which reaction is due, and the
//! controller lets the other parts carry it out.

use crate::alarm::{
    AlarmCode, AlarmEvent, AlarmRecord, Cause, ClearRule, Reaction, RestoredAlarm, Subject,
};
use crate::command::{AlarmSelector, LoggingHealth};
use crate::snapshot::ActiveAlarms;
use std::collections::VecDeque;
use tve_config::MachineConfig;
use tve_hal::{PerZone, Zone};
use tve_units::{Micros, WallMillis};

/// Room for the events of one tick; the owner of the loop drains them after each.
const EVENT_ROOM: usize = 128;

/// Something that an alarm has to be raised for, unless it is active already.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Finding {
    pub(crate) code: AlarmCode,
    pub(crate) cause: Cause,
}

impl Finding {
    pub(crate) const fn new(code: AlarmCode, cause: Cause) -> Self {
        Self { code, cause }
    }
}

/// What the active alarms forbid, kept beside them because every tick asks.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Latches {
    trip: bool,
    zone_trip: PerZone<bool>,
    stop: bool,
    driver_fault: bool,
}

impl Latches {
    fn none(zones: usize) -> Self {
        Self { trip: false, zone_trip: PerZone::new(zones), stop: false, driver_fault: false }
    }

    /// A TRIP is latched.
    pub(crate) const fn trip(&self) -> bool {
        self.trip
    }

    /// A TRIP, or a ZONE TRIP of this zone, is latched: it may not be heated.
    pub(crate) fn forbids_heat(&self, zone: Zone) -> bool {
        self.trip || self.zone_trip[zone]
    }

    /// A ZONE TRIP of this zone is latched.
    pub(crate) fn zone_trip(&self, zone: Zone) -> bool {
        self.zone_trip[zone]
    }

    /// A ZONE TRIP of some zone is latched.
    pub(crate) fn any_zone_trip(&self) -> bool {
        self.zone_trip.iter().any(|tripped| *tripped)
    }

    /// Some alarm keeps the screw from turning.
    pub(crate) fn any_stop(&self) -> bool {
        self.trip || self.stop || self.any_zone_trip()
    }

    /// A drive has reported a fault.
    pub(crate) const fn driver_fault(&self) -> bool {
        self.driver_fault
    }
}

/// The alarms of the machine.
#[derive(Debug)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Alarms {
    active: ActiveAlarms,
    latches: Latches,
    next_id: u64,
    // Whoever saves the state has drained the events.
    #[cfg_attr(feature = "state", serde(skip))]
    events: VecDeque<AlarmEvent>,
    logging: LoggingHealth,
}

impl Alarms {
    /// With the alarms that were latched when the last process ended.
    pub(crate) fn restore(
        latched: Vec<RestoredAlarm>,
        next_id: u64,
        config: &MachineConfig,
    ) -> Self {
        let mut active = ActiveAlarms::default();
        for alarm in latched {
            active.push(AlarmRecord {
                id: alarm.id,
                code: alarm.code,
                cause: alarm.cause,
                subject: Subject::of(&alarm.cause, config),
                raised_at: Micros::ZERO,
                wall: alarm.wall,
                acknowledged: alarm.acknowledged,
                cleared: false,
            });
        }
        let mut alarms = Self {
            active,
            latches: Latches::none(config.zones.len()),
            next_id: next_id.max(1),
            events: VecDeque::with_capacity(EVENT_ROOM),
            logging: LoggingHealth::default(),
        };
        alarms.latch();
        alarms
    }

    pub(crate) const fn active(&self) -> &ActiveAlarms {
        &self.active
    }

    pub(crate) const fn latches(&self) -> &Latches {
        &self.latches
    }

    /// What the recorder said last.
    pub(crate) const fn logging(&self) -> LoggingHealth {
        self.logging
    }

    /// Takes in what the recorder says; returns what it said before.
    pub(crate) fn report_logging(&mut self, health: LoggingHealth) -> LoggingHealth {
        std::mem::replace(&mut self.logging, health)
    }

    pub(crate) fn pop_event(&mut self) -> Option<AlarmEvent> {
        self.events.pop_front()
    }

    pub(crate) fn is_active(&self, code: AlarmCode) -> bool {
        self.active.iter().any(|alarm| alarm.code == code)
    }

    /// How many alarms that stop something are active.
    pub(crate) fn stopping(&self) -> usize {
        self.active.iter().filter(|a| a.code.row().reaction > Reaction::Note).count()
    }

    /// Records an alarm, unless it is active already, and names the reaction that is due.
    pub(crate) fn raise(
        &mut self,
        now: Micros,
        wall: WallMillis,
        Finding { code, cause }: Finding,
        subject: Subject,
    ) -> Option<Reaction> {
        if self.active.iter().any(|alarm| alarm.is_of(code, &subject)) {
            return None;
        }
        let record = AlarmRecord {
            id: self.next_id,
            code,
            cause,
            subject,
            raised_at: now,
            wall,
            acknowledged: false,
            cleared: false,
        };
        if !self.active.push(record) {
            return None;
        }
        self.next_id += 1;
        self.events.push_back(AlarmEvent::Raised(record));
        self.latch();
        Some(code.row().reaction)
    }

    fn latch(&mut self) {
        let zones = self.latches.zone_trip.len();
        let mut latches = Latches::none(zones);
        for alarm in self.active.iter() {
            match alarm.code.row().reaction {
                Reaction::Trip => latches.trip = true,
                Reaction::ZoneTrip => match alarm.zone() {
                    Some(zone) => latches.zone_trip[zone] = true,
                    None => latches.zone_trip = PerZone::from_fn(zones, |_| true),
                },
                Reaction::Stop => latches.stop = true,
                Reaction::Note => {}
            }
            latches.driver_fault |= alarm.code == AlarmCode::DriverFault;
        }
        self.latches = latches;
    }

    /// Clears every alarm whose cause does not stand; returns the names of those that remain, but for what
    /// only waits to be seen.
    pub(crate) fn clear(&mut self, stands: impl Fn(&AlarmRecord) -> bool) -> Vec<&'static str> {
        let mut remaining = Vec::new();
        let events = &mut self.events;
        self.active.retain(|alarm| {
            let kept = stands(alarm);
            if kept {
                if alarm.code.row().clear != ClearRule::Seen {
                    remaining.push(alarm.code.name());
                }
            } else {
                events.push_back(AlarmEvent::Cleared { id: alarm.id });
            }
            kept
        });
        self.latch();
        remaining
    }

    /// Takes away a note that has served its purpose.
    pub(crate) fn withdraw(&mut self, code: AlarmCode) {
        if self.is_active(code) {
            self.clear(|alarm| alarm.code != code);
        }
    }

    /// Marks alarms as seen; `false` when there is none with that id.
    pub(crate) fn acknowledge(&mut self, which: AlarmSelector) -> bool {
        let mut found = which == AlarmSelector::All;
        for alarm in self.active.iter_mut() {
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
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::Scope;
    use crate::snapshot::MAX_ACTIVE_ALARMS;
    use tve_machine::{MAX_MOTORS, MAX_ZONES};

    #[test]
    fn there_is_room_for_every_alarm_of_every_zone_and_motor() {
        let most = |code: &AlarmCode| match code.row().scope {
            Scope::Machine => 1,
            Scope::Zone => MAX_ZONES,
            Scope::Motor => MAX_MOTORS,
        };
        assert!(AlarmCode::ALL.iter().map(most).sum::<usize>() <= MAX_ACTIVE_ALARMS);
    }
}
