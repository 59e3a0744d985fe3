//! The machine as others see it: the snapshot of a tick, and what the screw is waiting for.

use super::Controller;
use crate::outlets::Outlets;
use crate::permissives::{Condition, ConditionKind, Conditions, Permissives};
use crate::snapshot::Snapshot;
use tve_hal::Zone;

impl Controller {
    /// Copies the machine as it stands into `out`, without allocation.
    pub fn snapshot(&self, out: &mut Snapshot) {
        let readings = self.readings();
        let (thermal, motion, outlets) = (&self.thermal, &self.motion, &self.outlets);
        let (zones, motors) = (&self.config.zones, &self.config.motors);
        // Written in place: most of a snapshot is room for alarms that are not there.
        out.now = self.now;
        out.wall = self.wall;
        out.tick = self.tick;
        out.status = self.status();
        out.mode = thermal.mode();
        out.readings = self.config.sensors.map(|s, _| readings.of(s));
        out.temps = *self.sensors.published();
        out.temps_at = readings.newest().unwrap_or_default();
        out.targets = zones.map(|z, _| thermal.shown_target(z));
        out.manual_duty = zones.map(|z, _| thermal.manual(z));
        out.heater_duty = zones.map(|z, _| thermal.duty(z));
        out.heater_on = self.outputs.heaters;
        out.motors = motors.map(|m, _| motion.setpoint(m));
        out.motors_actual = motors.map(|m, _| motion.speed(self.now, m));
        out.held = motors.map(|m, _| motion.is_held(m, &self.config));
        out.relays = outlets.relays();
        out.pwm = Outlets::shown_pwm(&self.outputs, &self.config, |zone| thermal.duty(zone));
        out.peltier = outlets.peltier();
        out.fill_level = self.inputs.fill_level_cm;
        out.target_fill_level = outlets.fill_target();
        out.sequence_started = self.supervisor.sequence_started();
        out.tune = thermal.shown_tune();
        out.alarms.copy_from(self.alarms.active());
        out.jogging = motors.map(|m, _| motion.is_jogging(m));
        out.permissives = self.permissives();
        out.pins = outlets.shown_pins(&self.inputs, &self.outputs);
        out.stop_pressed = self.inputs.buttons.stop;
        out.energised = self.is_energised();
        out.config_revision = self.config_revision;
    }

    /// What must hold before the screw may turn, with live values.
    pub(super) fn permissives(&self) -> Permissives {
        let (config, safety) = (&self.config, &self.config.safety);
        let readings = self.readings();
        let age = config
            .zones
            .ids()
            .filter_map(|z| readings.sampled_at(z))
            .map(|at| self.now.since(at).secs())
            .fold(0.0, f64::max);
        let warm = |zone: Zone| {
            let value = readings.temperature(zone);
            let limit = config.zones[zone].limits.min_temp_for_motor;
            (value.is_some_and(|t| t >= limit), value, limit)
        };
        let off_target = config
            .zones
            .ids()
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
                    let ok = config.zones.ids().all(|z| readings.temperature(z).is_some());
                    (ok, Some(age), Some(safety.stale_after), None)
                }
                ConditionKind::ZoneWarm(zone) => {
                    let (ok, value, limit) = warm(zone);
                    (ok, value, Some(limit), None)
                }
                ConditionKind::Soak => {
                    let left = soaked.map(|soaked| (safety.soak_time - soaked).max(0.0));
                    (soak_ok, off_target, Some(safety.soak_band), left.filter(|_| !soak_ok))
                }
                ConditionKind::EstopDeclared => (!self.capabilities.needs_estop, None, None, None),
            };
            Condition { kind, ok, value, limit, time_left_s }
        };
        let is_warm = config.zones.ids().all(|z| warm(z).0);
        Permissives {
            conditions: Conditions::judge(ConditionKind::all(config.zones.ids()), condition),
            cold_jog_turns_left: config
                .motors
                .map(|motor, _| (!is_warm).then(|| self.motion.cold_turns_left(self.now, motor))),
        }
    }
}
