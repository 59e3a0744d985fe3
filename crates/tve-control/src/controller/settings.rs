//! A new configuration, made and checked elsewhere: whether the moment is right, and taking it over.

use super::Controller;
use crate::alarm::{AlarmCode, Cause};
use crate::capabilities::Capabilities;
use crate::command::Reply;
use crate::proposal::{Change, Proposal};
use crate::refusal::{Refusal, RefusalCode};
use std::sync::Arc;
use tve_config::{MachineConfig, MotorRole, Prepared};
use tve_hal::Zone;

impl Controller {
    /// Takes a proposal over, whole or not at all. It was made on the configuration in force, or is
    /// refused for another to be made.
    pub(super) fn adopt(&mut self, proposal: &Proposal) -> Result<Reply, Refusal> {
        if proposal.revision != self.config_revision {
            return Err(RefusalCode::ConfigChanged.into());
        }
        let prepared = proposal.outcome.as_ref().map_err(Clone::clone)?;
        if prepared.changes.any {
            self.check_moment(proposal.change, prepared)?;
            self.take_over(&prepared.machine);
            if prepared.changes.blinds.any() {
                self.note_blinding();
            }
        }
        // Gains that somebody has given are made for this controller's law.
        let tuned = match proposal.change {
            Change::Gains => true,
            Change::Whole => prepared.changes.any && prepared.machine.control.law >= 2,
            Change::Pins | Change::Drives | Change::Sensor | Change::Settings => false,
        };
        if tuned {
            self.alarms.withdraw(AlarmCode::TuneNeeded);
        }
        Ok(Reply::OK)
    }

    /// What a command may change while the machine works may change in a whole configuration too;
    /// the rest only while it is idle.
    fn check_moment(&self, change: Change, new: &Prepared) -> Result<(), Refusal> {
        if new.changes.layout {
            return Err(Refusal::with(
                RefusalCode::RestartNeeded,
                "zones, motors and what sensors are there for are read at start: write the file \
                 and restart the service",
            ));
        }
        if self.alarms.is_active(AlarmCode::LocalStop) && !new.machine.safety.local_stop {
            let sentence = "the motors are locked at the panel, and are released there alone";
            return Err(Refusal::with(RefusalCode::MachineBusy, sentence));
        }
        let busy = match change {
            Change::Gains | Change::Settings => false,
            Change::Pins => new.changes.signals && !self.is_idle(),
            Change::Drives => new.machine.motors != self.config.motors && !self.is_at_rest(),
            Change::Sensor => {
                self.thermal.is_tuning() || !self.thermal.is_off() || !self.is_at_rest()
            }
            Change::Whole if new.changes.needs_rest && !self.is_idle() => {
                return Err(Refusal::with(
                    RefusalCode::MachineBusy,
                    "wiring, sensors, limits and the like change only while motors, heaters, \
                     targets, tune and sequence are off",
                ));
            }
            Change::Whole => false,
        };
        // A sensor that begins anew would forget what its zone was tripped for.
        let in_fault = |zone: Zone| {
            let changed = new.changes.sensors.get(self.config.zones[zone].sensor);
            changed == Some(&true) && self.alarms.latches().forbids_heat(zone)
        };
        if self.config.zones.ids().any(in_fault) {
            let sentence = "a zone with this sensor has an alarm: clear it first; where the \
                            settings themselves are what is wrong, mend the file and restart";
            return Err(Refusal::with(RefusalCode::AlarmActive, sentence));
        }
        if busy { Err(RefusalCode::MachineBusy.into()) } else { Ok(()) }
    }

    fn take_over(&mut self, config: &Arc<MachineConfig>) {
        let old = std::mem::replace(&mut self.config, Arc::clone(config));
        self.config_revision += 1;
        self.capabilities = Capabilities::of(self.kind, &self.config);
        self.thermal.adopt(&old, &self.config);
        let screw_fitted = self.capabilities.has_role(MotorRole::Screw, &self.config);
        self.motion.adopt(screw_fitted, &self.config);
        self.sensors.rewire(&old, &self.config);
        self.outlets.adopt(&old, &self.config);
        self.note_settings();
    }

    /// Says what the configuration in force makes doubtful or weak, for as long as it does.
    pub(super) fn note_settings(&mut self) {
        let config = Arc::clone(&self.config);
        let doubted = config.zones.iter().filter_map(|zone| {
            let doubt = config.sensors[zone.sensor].doubt?;
            Some((AlarmCode::SensorDoubted, Cause::Doubted(zone.sensor, doubt)))
        });
        let others = config.weak().skip(1).count() as u8;
        let weak = config.weak().take(1).map(|weak| {
            let cause = Cause::Weak(weak, others);
            (AlarmCode::SafetyWeak, cause)
        });
        let notes: Vec<_> = doubted.chain(weak).collect();
        // What was said of another configuration, or before a restart, is over.
        self.alarms.clear(|alarm| {
            let says_settings =
                matches!(alarm.code, AlarmCode::SensorDoubted | AlarmCode::SafetyWeak);
            !says_settings || notes.contains(&(alarm.code, alarm.cause))
        });
        for (code, cause) in notes {
            self.raise(code, cause);
        }
    }
}
