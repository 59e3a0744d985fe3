//! The machine as others see it: the snapshot of a tick, and what the screw is waiting for.

use super::Controller;
use crate::permissives::{Condition, ConditionKind, Permissives};
use crate::roles;
use crate::snapshot::Snapshot;
use tve_hal::Zone;

impl Controller {
    /// Copies the machine as it stands into `out`, without allocation.
    pub fn snapshot(&self, out: &mut Snapshot) {
        let readings = self.readings();
        let (thermal, motion, outlets) = (&self.thermal, &self.motion, &self.outlets);
        *out = Snapshot {
            now: self.now,
            wall: self.wall,
            tick: self.tick,
            status: self.status(),
            mode: thermal.mode(),
            readings: roles::per_sensor(|s| readings.of(s)),
            temps: *self.sensors.published(),
            temps_at: readings.newest().unwrap_or_default(),
            targets: roles::per_zone(|z| thermal.shown_target(z)),
            manual_duty: roles::per_zone(|z| thermal.manual(z)),
            heater_duty: roles::per_zone(|z| thermal.duty(z)),
            heater_on: self.outputs.heaters,
            motors: roles::per_motor(|m| motion.setpoint(m)),
            motors_actual: roles::per_motor(|m| motion.speed(m)),
            relays: outlets.relays(),
            pwm: outlets.shown_pwm(&self.outputs, |zone| thermal.duty(zone)),
            peltier: outlets.peltier(),
            fill_level: self.inputs.fill_level_cm,
            target_fill_level: outlets.fill_target(),
            sequence_started: self.supervisor.sequence_started(),
            tune: thermal.shown_tune(),
            alarms: *self.alarms.active(),
            jogging: roles::per_motor(|m| motion.is_jogging(m)),
            permissives: self.permissives(),
            pins: outlets.shown_pins(&self.inputs, &self.outputs),
            energised: self.is_energised(),
            config_revision: self.config_revision,
        };
    }

    /// What must hold before the screw may turn, with live values.
    pub(super) fn permissives(&self) -> Permissives {
        let safety = &self.config.safety;
        let readings = self.readings();
        let age = roles::zones()
            .filter_map(|z| readings.sampled_at(z))
            .map(|at| self.now.since(at).secs())
            .fold(0.0, f64::max);
        let warm = |zone: Zone| {
            let value = readings.temperature(zone);
            (value.is_some_and(|t| t >= safety.min_temp_for_motor), value)
        };
        let off_target = roles::zones()
            .filter_map(|z| {
                let target = self.thermal.target(z).get();
                readings.temperature(z).map(|t| (t - target).abs())
            })
            .reduce(f64::max);
        let soaked = self.thermal.soaked(self.now);
        let soak_ok =
            safety.soak_band == 0.0 || soaked.is_some_and(|soaked| soaked >= safety.soak_time);
        let condition = |kind| {
            let (ok, value, limit, time_left_s) = match kind {
                ConditionKind::NoAlarm => {
                    let latched = self.alarms.stopping();
                    (!self.alarms.latches().any_stop(), Some(latched as f64), Some(0.0), None)
                }
                ConditionKind::SensorsFresh => {
                    let ok = roles::zones().all(|z| readings.temperature(z).is_some());
                    (ok, Some(age), Some(safety.stale_after), None)
                }
                ConditionKind::Zone1Warm => {
                    let (ok, value) = warm(Zone::Z1);
                    (ok, value, Some(safety.min_temp_for_motor), None)
                }
                ConditionKind::Zone2Warm => {
                    let (ok, value) = warm(Zone::Z2);
                    (ok, value, Some(safety.min_temp_for_motor), None)
                }
                ConditionKind::Soak => {
                    let left = soaked.map(|soaked| (safety.soak_time - soaked).max(0.0));
                    (soak_ok, off_target, Some(safety.soak_band), left.filter(|_| !soak_ok))
                }
                ConditionKind::EstopDeclared => (!self.capabilities.needs_estop, None, None, None),
            };
            Condition { kind, ok, value, limit, time_left_s }
        };
        let is_warm = roles::zones().all(|z| warm(z).0);
        Permissives {
            conditions: ConditionKind::ALL.map(condition),
            cold_jog_turns_left: roles::per_motor(|m| {
                (!is_warm).then(|| self.motion.cold_turns_left(self.now, m))
            }),
        }
    }
}
