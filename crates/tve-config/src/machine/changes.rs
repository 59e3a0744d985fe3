//! A changed configuration, prepared outside the control thread, and what is different in it.

use super::{Blinds, MachineConfig, ServiceConfig};
use crate::{Config, ConfigErrors};
use std::sync::Arc;
use tve_machine::{PerSensor, PerZone};

/// A checked configuration in the forms that those who use it need.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// The file, to be shown and saved.
    pub file: Arc<Config>,
    /// What controller and hardware take over.
    pub machine: Arc<MachineConfig>,
    /// What the service around them takes over.
    pub service: Arc<ServiceConfig>,
    /// What is different from before.
    pub changes: Changes,
}

/// What is different in a new configuration, as far as it matters to a running machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Changes {
    /// Anything at all, in the file.
    pub any: bool,
    /// It may be taken over only while the machine is idle: wiring, sensors, limits, drives.
    pub needs_rest: bool,
    /// Header pins.
    pub signals: bool,
    /// PWM board or its channels.
    pub pwm: bool,
    /// Zones, motors or sensors come, go or change places: only a restart can take that over.
    pub layout: bool,
    /// Sensors whose source or settings differ; their judgement starts afresh.
    pub sensors: PerSensor<bool>,
    /// Zones whose gains differ.
    pub gains: PerZone<bool>,
    /// What of it can blind a trip.
    pub blinds: Blinds,
}

impl Changes {
    /// Between two configurations of one machine.
    pub fn between(old: &MachineConfig, new: &MachineConfig) -> Self {
        let serves = |machine: &MachineConfig| machine.sensors.map(|_, s| (s.name, s.serves));
        let layout = old.names != new.names || serves(old) != serves(new);
        let sensors = new.sensors.map(|id, point| old.sensors.get(id) != Some(point));
        let limits = |zone| {
            let of = |machine: &MachineConfig| machine.zones.get(zone).map(|z| (z.limits, z.model));
            of(old) == of(new)
        };
        let (signals, pwm) = (old.signals != new.signals, old.pwm != new.pwm);
        let needs_rest = layout
            || signals
            || pwm
            || sensors.iter().any(|changed| *changed)
            || old.converters != new.converters
            || old.dm556 != new.dm556
            || old.safety != new.safety
            || !new.zones.ids().all(limits)
            || old.motors != new.motors
            || old.control.mains_hz != new.control.mains_hz;
        Self {
            blinds: Blinds::between(old, new),
            any: old != new,
            needs_rest,
            signals,
            pwm,
            layout,
            sensors,
            gains: new.zones.map(|id, zone| old.zones.get(id).map(|z| z.gains) != Some(zone.gains)),
        }
    }
}

impl Config {
    /// This configuration in the forms that those who use it need, nothing changed.
    pub fn prepared(self) -> Prepared {
        let machine = self.machine();
        let changes = Changes::between(&machine, &machine);
        let service = Arc::new(self.service());
        Prepared { file: Arc::new(self), machine, service, changes }
    }

    /// This configuration with `change` made to it, checked as a whole.
    ///
    /// Meant for a thread that may allocate and take its time: what comes back is handed to the
    /// control thread ready made.
    ///
    /// # Errors
    /// Every rule that the changed configuration would break.
    pub fn prepare(&self, change: impl FnOnce(&mut Self)) -> Result<Prepared, ConfigErrors> {
        let mut file = self.clone();
        change(&mut file);
        let mut issues = Vec::new();
        file.validate(&mut issues);
        if !issues.is_empty() {
            return Err(ConfigErrors(issues));
        }
        let machine = file.machine();
        let mut changes = Changes::between(&self.machine(), &machine);
        changes.any = *self != file;
        let service = Arc::new(file.service());
        Ok(Prepared { file: Arc::new(file), machine, service, changes })
    }
}
