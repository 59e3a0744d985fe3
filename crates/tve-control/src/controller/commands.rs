//! Commands: whether the moment is right, and what they change.
//!
//! The order of refusals is part of the contract: range, ALARM_ACTIVE, NOT_FITTED, PIN_IN_USE and
//! MACHINE_BUSY, permissives, debounce, NO_CHANGE. A refused command changes nothing.

use super::compose::PwmRole;
use super::{COLD_JOG_RENEWAL, Controller};
use crate::alarm::{AlarmCode, Cause};
use crate::autotune::Autotune;
use crate::command::{
    Command, LoggingHealth, Mode, Relay, Reply, TUNE_MARGIN, TUNE_MIN, TuneMethod,
};
use crate::motion::{highest_rpm, pulse_rate};
use crate::refusal::{Refusal, RefusalCode};
use crate::sequence::{SequenceKind, motor_of};
use crate::snapshot::{Status, TuneStatus, TuneView};
use tve_config::{Action, PidGains};
use tve_hal::{Motor, Zone};
use tve_units::{Celsius, Duty, Micros, Rpm};

/// A relay may be switched again after this.
const RELAY_DEBOUNCE: Micros = Micros::from_millis(250);

impl Controller {
    /// Carries out a command, or says why not.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing has changed then, but for CLEAR_ALARM, which clears what it can and
    /// names what remains.
    pub fn command(&mut self, now: Micros, command: Command) -> Result<Reply, Refusal> {
        self.now = self.now.max(now);
        self.check_range(&command)?;
        self.check_alarms(&command)?;
        match command {
            Command::Start => self.start(),
            Command::Stop => {
                self.stop();
                Ok(Reply::OK)
            }
            Command::EmergencyStop => {
                self.raise(AlarmCode::EmergencyStop, Cause::Plain);
                self.compose();
                Ok(Reply::OK)
            }
            Command::ClearAlarm => self.clear_alarms(),
            Command::AcknowledgeAlarm(which) => self.acknowledge(which),
            Command::SetMode(mode) => self.set_mode(mode),
            Command::SetTarget { zones } => self.set_target(zones),
            Command::SetHeater { zone, duty } => self.set_heater(zone, duty),
            Command::SetMotor { motor, rpm } => self.set_motor(motor, rpm),
            Command::SetRelay { relay, on } => self.set_relay(relay, on),
            Command::SetPeltier(duty) => {
                if !self.capabilities.peltier && !duty.is_zero() {
                    return Err(RefusalCode::NotFitted.into());
                }
                self.peltier = duty;
                Ok(Reply::OK)
            }
            Command::SetPwmOutput { name, duty } => self.set_pwm(&name, duty),
            Command::SetFillTarget { level_cm } => {
                self.fill_target = level_cm;
                Ok(Reply::OK)
            }
            Command::MoveMotorSteps { motor, steps, rate } => self.jog(motor, steps, rate),
            Command::StopManualMove(motor) => {
                self.axes[motor.index()].stop_jog();
                Ok(Reply::OK)
            }
            Command::UpdatePid { zone, patch } => self.update_pid(zone, &patch),
            Command::UpdatePins { functions, labels } => self.update_pins(&functions, &labels),
            Command::SetPinName { pin, name } => self.set_pin_name(pin, &name),
            Command::UpdateExtruderSeq(patch) => {
                self.reconfigure(|c| c.extruder_sequence.apply(&patch))
            }
            Command::UpdateDm556(patch) => {
                let new = patch.microsteps.is_some_and(|m| m != self.config.dm556.microsteps);
                if new && !self.is_at_rest() {
                    return Err(RefusalCode::MachineBusy.into());
                }
                self.reconfigure(|c| c.dm556.apply(&patch))
            }
            Command::SetTempSettings(patch) => self.reconfigure(|c| c.temp_settings.apply(&patch)),
            Command::SetLoggingSettings(patch) => self.reconfigure(|c| c.logging.apply(&patch)),
            Command::UpdateMotionConfig(patch) => self.reconfigure(|c| c.motion.apply(&patch)),
            Command::SetHistorySettings(patch) => self.reconfigure(|c| c.history.apply(&patch)),
            Command::SetSensorCalibration { channel, patch } => self.calibrate(channel, &patch),
            Command::ReplaceConfig(config) => self.replace_config(*config),
            Command::GpioConfig { pin, mode } => self.configure_pin(pin, mode),
            Command::GpioWrite { pin, high, debounced } => self.write_pin(pin, high, debounced),
            Command::GpioRead(pin) => Ok(Reply { msg: None, value: Some(self.pin_level(pin)) }),
            Command::TuneStart { zone, setpoint, method } => {
                self.start_tune(zone, setpoint, method)
            }
            Command::TuneStop => {
                self.end_tune(TuneStatus::Failed);
                Ok(Reply::OK)
            }
            Command::TuneApply => self.apply_tune(),
            Command::SaveConfig => Ok(Reply::OK),
            Command::ReportLogging(health) => {
                self.report_logging(health);
                Ok(Reply::OK)
            }
        }
    }

    /// Ranges that the configuration sets.
    fn check_range(&self, command: &Command) -> Result<(), Refusal> {
        let max = self.config.safety.max_target;
        match command {
            Command::SetTarget { zones } => {
                for zone in Zone::ALL {
                    if let Some(t) = zones[zone.index()].filter(|t| t.get() > max) {
                        let name = zone.name();
                        return Err(Refusal::invalid(
                            name,
                            format!(
                                "{name} must be at most {max} °C (safety.max_target), not {}",
                                t.get()
                            ),
                        ));
                    }
                }
                Ok(())
            }
            Command::TuneStart { setpoint, .. }
                if !(TUNE_MIN..=max - TUNE_MARGIN).contains(&setpoint.get()) =>
            {
                Err(Refusal::with(
                    RefusalCode::InvalidSetpoint,
                    format!("setpoint must be {TUNE_MIN} to {} °C", max - TUNE_MARGIN),
                ))
            }
            Command::SetPwmOutput { name, .. } if !self.knows_pwm(name) => {
                Err(RefusalCode::InvalidPwmChannel.into())
            }
            Command::TuneApply if self.tune_view.result.is_none() => {
                Err(RefusalCode::NoResult.into())
            }
            _ => Ok(()),
        }
    }

    /// What the latched alarms forbid.
    fn check_alarms(&self, command: &Command) -> Result<(), Refusal> {
        let zone_tripped = |zone: Zone| self.latches.zone_trip[zone.index()];
        let forbidden = match command {
            // These read, make safer, or deal with the alarms themselves.
            Command::EmergencyStop
            | Command::ClearAlarm
            | Command::AcknowledgeAlarm(_)
            | Command::GpioRead(_)
            | Command::Stop
            | Command::StopManualMove(_)
            | Command::TuneStop
            | Command::ReportLogging(_) => false,
            Command::SetMotor { rpm, .. } => !rpm.is_zero() && self.latches.any_stop(),
            Command::SetPeltier(duty) | Command::SetPwmOutput { duty, .. } => {
                !duty.is_zero() && self.latches.trip
            }
            Command::SetHeater { zone, duty } => {
                !duty.is_zero() && (self.latches.trip || zone_tripped(*zone))
            }
            Command::SetTarget { zones } => {
                let asked = |z: Zone| zones[z.index()].is_some_and(|t| !t.is_zero());
                let only_zero =
                    zones.iter().any(Option::is_some) && Zone::ALL.into_iter().all(|z| !asked(z));
                (self.latches.trip && !only_zero)
                    || Zone::ALL.into_iter().any(|z| zone_tripped(z) && asked(z))
            }
            Command::Start | Command::MoveMotorSteps { .. } => self.latches.any_stop(),
            Command::TuneStart { .. } => self.latches.trip || self.latches.zone_trip != [false; 2],
            _ => self.latches.trip,
        };
        if forbidden { Err(RefusalCode::AlarmActive.into()) } else { Ok(()) }
    }

    /// The start sequence, by command or button.
    pub(super) fn start(&mut self) -> Result<Reply, Refusal> {
        if self.latches.any_stop() {
            return Err(RefusalCode::AlarmActive.into());
        }
        if self.status() != Status::Ready || !self.is_at_rest() || self.shutting_down {
            return Err(RefusalCode::MachineBusy.into());
        }
        self.permissives().check()?;
        let mut skipped = Vec::new();
        for step in self.config.extruder_sequence.startup.iter().filter(|s| s.enabled) {
            if !self.capabilities.has_device(step.device) {
                skipped.push(step.device.name());
            } else if let Some(motor) = motor_of(step.device)
                && step.action == Action::On
            {
                self.check_pulse_rate(motor, self.start_speed(motor))?;
            }
        }
        self.begin_sequence(SequenceKind::Startup);
        if skipped.is_empty() {
            Ok(Reply::OK)
        } else {
            Ok(Reply::msg(format!("skipped, not fitted: {}", skipped.join(", "))))
        }
    }

    /// The stop sequence, by command or button; with nothing to stop it does nothing.
    pub(super) fn stop(&mut self) {
        for axis in &mut self.axes {
            axis.stop_jog();
        }
        if self.latches.any_stop() || self.is_at_rest() && self.sequence.is_none() {
            return;
        }
        if !matches!(self.sequence.map(|s| s.kind), Some(SequenceKind::Shutdown)) {
            self.begin_sequence(SequenceKind::Shutdown);
        }
    }

    fn set_mode(&mut self, mode: Mode) -> Result<Reply, Refusal> {
        if mode == self.mode {
            return Ok(Reply::OK);
        }
        if self.tune.is_some() {
            return Err(RefusalCode::MachineBusy.into());
        }
        if mode == Mode::Manual {
            for zone in &mut self.zones {
                zone.manual = zone.duty;
            }
        } else {
            // The loop that closes next takes over the manual duty (see `heat`).
            for zone in &mut self.zones {
                zone.manual = Duty::ZERO;
            }
        }
        self.mode = mode;
        Ok(Reply::OK)
    }

    fn set_target(&mut self, targets: [Option<Celsius>; 2]) -> Result<Reply, Refusal> {
        for zone in Zone::ALL {
            let Some(target) = targets[zone.index()].filter(|t| !t.is_zero()) else {
                continue;
            };
            if !self.capabilities.has_heater(zone) {
                return Err(RefusalCode::NotFitted.into());
            }
            if self.tune.is_some_and(|tune| tune.zone == zone && tune.setpoint != target.get()) {
                return Err(RefusalCode::MachineBusy.into());
            }
        }
        for zone in Zone::ALL {
            let Some(target) = targets[zone.index()] else {
                continue;
            };
            if target.is_zero() && self.tune.is_some_and(|tune| tune.zone == zone) {
                self.end_tune(TuneStatus::Failed);
            }
            self.zones[zone.index()].target = target;
            self.last_activity = self.now;
            self.setback_stage = 0;
            self.withdraw(AlarmCode::IdleSetback);
        }
        Ok(Reply::OK)
    }

    fn set_heater(&mut self, zone: Zone, duty: Duty) -> Result<Reply, Refusal> {
        if !duty.is_zero() && !self.capabilities.has_heater(zone) {
            return Err(RefusalCode::NotFitted.into());
        }
        if self.mode == Mode::Auto {
            return Ok(Reply::msg("AUTO_ACTIVE"));
        }
        self.zones[zone.index()].manual = duty;
        Ok(Reply::OK)
    }

    fn set_motor(&mut self, motor: Motor, rpm: Rpm) -> Result<Reply, Refusal> {
        let axis = motor.index();
        if rpm.is_zero() {
            self.axes[axis].stop_jog();
            self.axes[axis].set(rpm);
            if let Some(sequence) = &mut self.sequence
                && sequence.kind == SequenceKind::Startup
            {
                sequence.drop_motor(motor);
            }
            return Ok(Reply::OK);
        }
        if !self.capabilities.has_motor(motor) {
            return Err(RefusalCode::NotFitted.into());
        }
        let stopping = matches!(self.sequence.map(|s| s.kind), Some(SequenceKind::Shutdown));
        if self.axes[axis].is_jogging() || stopping || self.shutting_down {
            return Err(RefusalCode::MachineBusy.into());
        }
        self.permissives().check()?;
        self.check_pulse_rate(motor, rpm)?;
        self.axes[axis].set(rpm);
        self.on_speed[axis] = Some(rpm);
        self.screw_follows_feed = false;
        Ok(Reply::OK)
    }

    fn check_pulse_rate(&self, motor: Motor, rpm: Rpm) -> Result<(), Refusal> {
        let microsteps = self.config.dm556.microsteps;
        let limit = self.capabilities.max_pulse_rate[motor.index()];
        if pulse_rate(rpm.get(), microsteps).abs() <= limit {
            return Ok(());
        }
        Err(Refusal::with(
            RefusalCode::PulseRate,
            format!(
                "at most {:.1} rpm with {microsteps} steps per revolution ({limit:.0} steps/s)",
                highest_rpm(limit, microsteps)
            ),
        ))
    }

    fn set_relay(&mut self, relay: Relay, on: bool) -> Result<Reply, Refusal> {
        self.check_relay(relay, on)?;
        if self.relay_changed[relay.index()].is_some_and(|at| self.now.since(at) < RELAY_DEBOUNCE) {
            return Err(RefusalCode::RelayDebounce.into());
        }
        if self.relays[relay.index()] == on {
            return Ok(Reply::msg("NO_CHANGE"));
        }
        self.switch_relay(relay, on, Duty::FULL);
        Ok(Reply::OK)
    }

    /// A duty for a relay's PWM channel: switching is debounced like the relay, trimming is not.
    fn trim_relay(&mut self, relay: Relay, duty: Duty) -> Result<Reply, Refusal> {
        let on = !duty.is_zero();
        if self.relays[relay.index()] != on {
            self.set_relay(relay, on)?;
        }
        self.check_relay(relay, on)?;
        if on {
            self.relay_duty[relay.index()] = duty;
        }
        Ok(Reply::OK)
    }

    fn check_relay(&self, relay: Relay, on: bool) -> Result<(), Refusal> {
        if on && !self.capabilities.relays[relay.index()] {
            return Err(RefusalCode::NotFitted.into());
        }
        Ok(())
    }

    fn switch_relay(&mut self, relay: Relay, on: bool, duty: Duty) {
        self.relay_changed[relay.index()] = Some(self.now);
        self.relays[relay.index()] = on;
        self.relay_duty[relay.index()] = duty;
    }

    fn pwm_channel(&self, name: &str) -> Option<usize> {
        self.config.pwm.channel(name).map(usize::from)
    }

    fn knows_pwm(&self, name: &str) -> bool {
        matches!(name, "z1" | "z2" | "peltier") || self.pwm_channel(name).is_some()
    }

    fn set_pwm(&mut self, name: &str, duty: Duty) -> Result<Reply, Refusal> {
        let role = self.pwm_channel(name).map(|channel| (channel, self.pwm_roles[channel]));
        match role {
            Some((_, PwmRole::Relay(relay))) => self.trim_relay(relay, duty),
            Some((channel, PwmRole::Free)) => {
                self.free_pwm[channel] = duty;
                Ok(Reply::OK)
            }
            _ => Err(RefusalCode::PinInUse.into()),
        }
    }

    fn jog(&mut self, motor: Motor, steps: i32, rate: f64) -> Result<Reply, Refusal> {
        if !self.capabilities.has_motor(motor) {
            return Err(RefusalCode::NotFitted.into());
        }
        let axis = motor.index();
        if !self.axes[axis].is_idle() || self.sequence.is_some() || self.shutting_down {
            return Err(RefusalCode::MachineBusy.into());
        }
        let permissives = self.permissives();
        let turns = f64::from(steps.unsigned_abs()) / f64::from(self.config.dm556.microsteps);
        let cold = permissives.cold_jog_turns_left[axis];
        if let Some(left) = cold {
            permissives.check_cold()?;
            if turns > left {
                return Err(Refusal::with(
                    RefusalCode::ColdExtrusionProtection,
                    format!("{left:.3} turns are left for moves while cold, {turns:.3} asked for"),
                ));
            }
        } else {
            permissives.check()?;
        }
        let limit = self.capabilities.max_jog_rate;
        if rate > limit {
            return Err(Refusal::with(
                RefusalCode::PulseRate,
                format!("at most {limit:.0} steps/s"),
            ));
        }
        if steps == 0 {
            return Ok(Reply::msg("NO_CHANGE"));
        }
        let jogs = &mut self.cold_jogs[axis];
        if cold.is_some() {
            if self.now.since(jogs.since) >= COLD_JOG_RENEWAL || jogs.turns_used == 0.0 {
                *jogs = super::ColdJogs { turns_used: 0.0, since: self.now };
            }
            jogs.turns_used += turns;
        } else {
            *jogs = super::ColdJogs::default();
        }
        self.axes[axis].start_jog(steps, rate);
        Ok(Reply::OK)
    }

    fn start_tune(
        &mut self,
        zone: Zone,
        setpoint: Celsius,
        method: TuneMethod,
    ) -> Result<Reply, Refusal> {
        if !self.capabilities.has_heater(zone) {
            return Err(RefusalCode::NotFitted.into());
        }
        if self.tune.is_some() || self.mode == Mode::Manual || self.shutting_down {
            return Err(RefusalCode::TuneBusy.into());
        }
        if self.temperature(zone.sensor()).is_none() {
            return Err(Refusal::with(
                RefusalCode::TempDataStale,
                format!("sensor {} is not good", zone.sensor().name()),
            ));
        }
        self.zones[zone.index()].hand_over();
        self.tune = Some(Autotune::new(zone, setpoint.get(), method, self.now));
        self.tune_view = TuneView::default();
        Ok(Reply::OK)
    }

    fn apply_tune(&mut self) -> Result<Reply, Refusal> {
        let Some(result) = self.tune_view.result else {
            return Err(RefusalCode::NoResult.into());
        };
        let mut gains = self.gains;
        gains[result.zone.index()] = PidGains { kp: result.kp, ki: result.ki, kd: result.kd };
        self.set_gains(gains)
    }

    fn report_logging(&mut self, health: LoggingHealth) {
        let before = std::mem::replace(&mut self.logging, health);
        for (code, was, is) in [
            (AlarmCode::LoggingFailed, before.failed, health.failed),
            (AlarmCode::LoggingDiskFull, before.disk_low, health.disk_low),
        ] {
            if is && !was {
                self.raise(code, Cause::Plain);
            } else if was && !is {
                self.withdraw(code);
            }
        }
    }
}
