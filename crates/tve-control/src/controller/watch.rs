//! Looking at the machine: the contacts and samples of each tick, and the rules that need a history.

use super::Controller;
use crate::alarm::{AlarmCode, Cause};
use crate::supervisor::Alone;
use crate::thermal::PERIOD;
use tve_config::MotorRole;
use tve_hal::{Signal, Zone};
use tve_units::{Duty, Micros};

/// A tick that comes later than this is a stall of the control loop.
const OVERRUN: Micros = Micros::from_millis(500);

/// What a barrel that nobody attends to is turned down by, °C.
const SETBACK: f64 = 40.0;

impl Controller {
    /// What shows at once: the loop itself, the emergency stop, the drives, the PWM board.
    pub(super) fn look_at_contacts(&mut self, gap: Micros) {
        if gap >= OVERRUN {
            self.raise(AlarmCode::ControlOverrun, Cause::Seconds(gap.secs()));
        }
        if self.estop_is_pressed() {
            self.raise(AlarmCode::EmergencyStopBtn, Cause::Plain);
        }
        if self.contactor.fails(self.now, self.outputs.contactor, self.inputs.contactor) {
            self.raise(AlarmCode::ContactorWelded, Cause::Plain);
        }
        if self.inputs.drive_alarm {
            self.raise(AlarmCode::DriverFault, Cause::Plain);
        }
        if self.pwm_mismatched() {
            self.raise(AlarmCode::OutputMismatch, Cause::Plain);
        }
    }

    /// What each newest sample shows. One sensor after the other: what the first trips is off when
    /// the next is judged.
    pub(super) fn look_at_sensors(&mut self) {
        let window = Micros::from_secs_f64(self.config.temp_settings.avg_window);
        for sensor in self.sensors.ids() {
            let heat = self.heat_context(sensor);
            let input = self.inputs.sensor(sensor);
            let shown = self.sensors.judge(self.now, sensor, input, &self.config, window, heat);
            for finding in shown.iter().flatten() {
                if finding.code == AlarmCode::FeedSensorFailure {
                    self.outlets.set_peltier(Duty::ZERO);
                }
                self.raise(finding.code, finding.cause);
            }
        }
    }

    /// The rules that look at histories; every [`PERIOD`], not every tick.
    pub(super) fn watch(&mut self) {
        if self.watched_at.is_some_and(|last| self.now.since(last) < PERIOD) {
            return;
        }
        self.watched_at = Some(self.now);
        self.sensors.publish(self.now, &self.config.temp_settings);
        self.watch_heat();
        self.watch_unseen();
        self.watch_cold_screw();
        let readings = self.sensors.readings(&self.config, self.now);
        self.thermal.watch_soak(&readings, &self.config);
        self.watch_idle();
        self.watch_melt();
    }

    fn watch_heat(&mut self) {
        let screw_turns = self.motion.any_turns(&self.config, MotorRole::Screw);
        for zone in self.thermal.ids() {
            let readings = self.sensors.readings(&self.config, self.now);
            let found = self.thermal.watch(zone, &readings, screw_turns, &self.config);
            self.report(found);
        }
        for zone in self.thermal.ids() {
            let readings = self.sensors.readings(&self.config, self.now);
            let cooled = self.outputs.coolers[zone];
            let found = self.thermal.account(zone, &readings, screw_turns, cooled, &self.config);
            self.report(found);
        }
        for zone in self.thermal.ids() {
            let found = self.thermal.watch_wiring(self.now, zone);
            self.report(found);
        }
    }

    /// A relay that sticks on a zone that nobody can see is ended by the contactor alone, and by it
    /// before the zone can be too hot. Where none is fitted the other zones may as well hold on.
    fn watch_unseen(&mut self) {
        let fitted = self.config.signals.pin(Signal::Contactor).is_some();
        for zone in self.thermal.ids() {
            let readings = self.sensors.readings(&self.config, self.now);
            let limit = self.config.zones[zone].limits.over_temperature;
            let could_be = self.thermal.could_be(zone, &readings, &self.config);
            if let Some(could_be) = could_be.filter(|t| fitted && *t > limit) {
                let sensor = self.config.zones[zone].sensor;
                let cause = Cause::Unseen { sensor, could_be, limit };
                self.raise(AlarmCode::HeaterOverTemperature, cause);
            }
        }
    }

    fn watch_cold_screw(&mut self) {
        let safety = &self.config.safety;
        let limit = |zone: Zone| {
            self.config.zones[zone].limits.min_temp_for_motor - safety.cold_zone_margin
        };
        let readings = self.sensors.readings(&self.config, self.now);
        let cold = self
            .thermal
            .ids()
            .find_map(|z| readings.temperature(z).filter(|t| *t < limit(z)).map(|t| (z, t)))
            .filter(|_| self.motion.any_needs_warmth(&self.config, MotorRole::Screw));
        let too_long = self.supervisor.screw_is_cold(self.now, cold.is_some(), PERIOD, safety);
        if let Some((zone, reading)) = cold.filter(|_| too_long) {
            let (sensor, limit) = (self.config.zones[zone].sensor, limit(zone));
            let cause = Cause::Limit { sensor, reading, limit };
            self.raise(AlarmCode::ColdZone, cause);
        }
    }

    /// Melt that stands hot ages, whoever is there.
    fn watch_melt(&mut self) {
        let readings = self.sensors.readings(&self.config, self.now);
        let melts = |zone: Zone| {
            let from = self.config.zones[zone].limits.min_temp_for_motor;
            readings.temperature(zone).is_some_and(|t| t >= from)
        };
        let hot = self.thermal.ids().any(melts);
        let turned = self.motion.any_runs(&self.config, MotorRole::Screw);
        let stood = self.supervisor.melt_stands(self.now, hot, turned, &self.config.safety);
        if let Some(stood) = stood {
            // A note of before is about melt that is long gone.
            self.alarms.withdraw(AlarmCode::Residence);
            self.raise(AlarmCode::Residence, Cause::Seconds(stood));
        }
    }

    /// Heat that nobody attends to is turned down, then off, in every mode; a tune attends to itself.
    fn watch_idle(&mut self) {
        if self.thermal.is_tuning() {
            self.supervisor.attended(self.now);
        }
        let turns = self.capabilities.has_role(MotorRole::Screw, &self.config);
        if !turns || !self.thermal.is_asked_to_heat() {
            return;
        }
        let Some(alone) = self.supervisor.alone(self.now, &self.config.safety) else { return };
        let (code, seconds) = match alone {
            Alone::Announce { in_s } => (AlarmCode::IdleSoon, in_s),
            Alone::TurnDown { idle_s } => {
                self.thermal.turn_down(SETBACK, &self.config);
                (AlarmCode::IdleSetback, idle_s)
            }
            Alone::SwitchOff { idle_s } => {
                self.thermal.turn_down(f64::INFINITY, &self.config);
                (AlarmCode::IdleOff, idle_s)
            }
        };
        // What it said before, or announced, is over; each stage is an event of its own.
        self.alarms.withdraw(AlarmCode::IdleSoon);
        self.alarms.withdraw(code);
        self.raise(code, Cause::Seconds(seconds));
    }
}
