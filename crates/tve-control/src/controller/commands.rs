//! Commands: whether the moment is right, and what they change.
//!
//! The order of refusals is part of the contract: range, ALARM_ACTIVE, NOT_FITTED, PIN_IN_USE and
//! MACHINE_BUSY, permissives, debounce, NO_CHANGE. A refused command changes nothing.

use super::Controller;
use crate::alarm::{AlarmCode, Cause};
use crate::command::{Command, LoggingHealth, Mode, Relay, Reply};
use crate::motion::{highest_rpm, pulse_rate};
use crate::refusal::{Refusal, RefusalCode};
use crate::snapshot::Status;
use crate::tune::{TuneMethod, TuneStatus};
use tve_config::{Action, Device, PwmUse};
use tve_hal::{Motor, PerZone, Zone};
use tve_machine::PwmOutput;
use tve_units::{Bcm, Celsius, Duty, Micros, Rpm};

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
        let attends = command.attends();
        let answer = self.obey(command);
        if attends && answer.is_ok() {
            self.attended();
        }
        answer
    }

    /// Somebody is there: what was announced for a machine that is alone does not come.
    pub(super) fn attended(&mut self) {
        self.supervisor.attended(self.now);
        self.alarms.withdraw(AlarmCode::IdleSoon);
    }

    /// Somebody has said how it is to be heated: what was lowered meanwhile is of the past.
    fn heat_is_set(&mut self) {
        self.alarms.withdraw(AlarmCode::IdleSetback);
        self.alarms.withdraw(AlarmCode::IdleOff);
    }

    fn obey(&mut self, command: Command) -> Result<Reply, Refusal> {
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
                self.outlets.set_peltier(duty);
                Ok(Reply::OK)
            }
            Command::SetPwmOutput { name, duty } => self.set_pwm(&name, duty),
            Command::SetFillTarget { level_cm } => {
                self.outlets.set_fill_target(level_cm);
                Ok(Reply::OK)
            }
            Command::MoveMotorSteps { motor, steps, rate } => self.jog(motor, steps, rate),
            Command::StopManualMove(motor) => {
                self.motion.stop_jog(self.now, motor, &self.config);
                Ok(Reply::OK)
            }
            Command::ReleaseZone { zone, .. } => self.release_zone(zone),
            Command::Adopt(proposal) => self.adopt(&proposal),
            // Nobody has made these to the configuration in force.
            Command::UpdatePid { .. }
            | Command::UpdatePins { .. }
            | Command::SetPinName { .. }
            | Command::UpdateExtruderSeq(_)
            | Command::UpdateDm556(_)
            | Command::SetTempSettings(_)
            | Command::SetLoggingSettings(_)
            | Command::UpdateMotionConfig(_)
            | Command::SetHistorySettings(_)
            | Command::SetSensorCalibration { .. }
            | Command::ReplaceConfig(_) => Err(RefusalCode::ConfigChanged.into()),
            Command::GpioConfig { pin, mode } => {
                self.outlets.configure_pin(pin, mode)?;
                Ok(Reply::OK)
            }
            Command::GpioWrite { pin, high, debounced } => {
                self.outlets.write_pin(self.now, pin, high, debounced)?;
                Ok(Reply::OK)
            }
            Command::GpioRead(pin) => Ok(Reply { value: Some(self.pin_level(pin)), ..Reply::OK }),
            Command::TuneStart { zone, setpoint, method } => {
                self.start_tune(zone, setpoint, method)
            }
            Command::TuneStop => {
                self.thermal.leave_tuning(TuneStatus::Failed);
                Ok(Reply::OK)
            }
            // Its owner makes them to the configuration, and has it adopted.
            Command::TuneApply => Ok(Reply { tuned: self.thermal.tune_result(), ..Reply::OK }),
            Command::SaveConfig => Ok(Reply::OK),
            Command::ReportLogging(health) => {
                self.report_logging(health);
                Ok(Reply::OK)
            }
        }
    }

    /// The start sequence, by command or button.
    pub(super) fn start(&mut self) -> Result<Reply, Refusal> {
        if self.alarms.latches().any_stop() {
            return Err(RefusalCode::AlarmActive.into());
        }
        let ready = self.status() == Status::Ready && !self.motion.is_stopping();
        if !ready || self.supervisor.is_shutting_down() {
            return Err(RefusalCode::MachineBusy.into());
        }
        self.permissives().check()?;
        let mut skipped = Vec::new();
        for step in &self.config.sequence.startup {
            if !self.capabilities.has_device(step.device) {
                skipped.push(self.config.device_name(step.device).to_string());
            } else if let Device::Motor(motor) = step.device
                && step.action == Action::On
            {
                let rpm = self.motion.start_speed(motor, &self.config);
                self.check_pulse_rate(motor, rpm)?;
            }
        }
        self.enter_starting();
        if skipped.is_empty() {
            Ok(Reply::OK)
        } else {
            Ok(Reply::msg(format!("skipped, not fitted: {}", skipped.join(", "))))
        }
    }

    /// The stop sequence, by command or button; with nothing to stop it does nothing.
    pub(super) fn stop(&mut self) {
        self.motion.stop_jogs(self.now, &self.config);
        let nothing = self.is_at_rest() && self.supervisor.is_free();
        if self.alarms.latches().any_stop() || nothing {
            return;
        }
        if !self.supervisor.is_stopping() {
            self.enter_stopping();
        }
    }

    fn set_mode(&mut self, mode: Mode) -> Result<Reply, Refusal> {
        if mode == self.thermal.mode() {
            return Ok(Reply::OK);
        }
        if self.thermal.is_tuning() {
            return Err(RefusalCode::MachineBusy.into());
        }
        match mode {
            Mode::Manual => self.thermal.enter_manual(&self.config),
            Mode::Auto => self.thermal.enter_auto(),
        }
        Ok(Reply::OK)
    }

    fn set_target(&mut self, targets: PerZone<Option<Celsius>>) -> Result<Reply, Refusal> {
        let asked = || targets.ids().zip(targets).filter_map(|(zone, t)| Some((zone, t?)));
        for (zone, target) in asked().filter(|(_, target)| !target.is_zero()) {
            if !self.capabilities.has_heater(zone) {
                return Err(RefusalCode::NotFitted.into());
            }
            if self.thermal.tune_setpoint(zone).is_some_and(|tuned| tuned != target.get()) {
                return Err(RefusalCode::MachineBusy.into());
            }
        }
        for (zone, target) in asked() {
            self.thermal.set_target(zone, target);
            self.heat_is_set();
        }
        Ok(Reply::OK)
    }

    fn set_heater(&mut self, zone: Zone, duty: Duty) -> Result<Reply, Refusal> {
        if !duty.is_zero() && !self.capabilities.has_heater(zone) {
            return Err(RefusalCode::NotFitted.into());
        }
        if self.thermal.mode() == Mode::Auto {
            return Ok(Reply::msg("AUTO_ACTIVE"));
        }
        self.thermal.set_manual(zone, duty);
        self.heat_is_set();
        Ok(Reply::OK)
    }

    fn set_motor(&mut self, motor: Motor, rpm: Rpm) -> Result<Reply, Refusal> {
        if rpm.is_zero() {
            self.motion.run_down(self.now, motor, &self.config);
            self.supervisor.drop_motor(motor);
            return Ok(Reply::OK);
        }
        if !self.capabilities.has_motor(motor) {
            return Err(RefusalCode::NotFitted.into());
        }
        if self.motion.is_jogging(motor) || self.is_stopping() {
            return Err(RefusalCode::MachineBusy.into());
        }
        self.permissives().check()?;
        self.check_pulse_rate(motor, rpm)?;
        self.motion.run(motor, rpm);
        Ok(Reply::OK)
    }

    /// Everything goes to rest, and nothing revives it until it has.
    fn is_stopping(&self) -> bool {
        let supervisor = &self.supervisor;
        supervisor.is_stopping() || supervisor.is_shutting_down() || self.motion.is_stopping()
    }

    fn check_pulse_rate(&self, motor: Motor, rpm: Rpm) -> Result<(), Refusal> {
        let microsteps = self.config.motors[motor].microsteps;
        let limit = self.capabilities.max_pulse_rate[motor];
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
        if self.outlets.switch_by_hand(self.now, relay, on)? {
            Ok(Reply::OK)
        } else {
            Ok(Reply::msg("NO_CHANGE"))
        }
    }

    /// A duty for a relay's PWM channel: switching is debounced like the relay, trimming is not.
    fn trim_relay(&mut self, relay: Relay, duty: Duty) -> Result<Reply, Refusal> {
        let on = !duty.is_zero();
        if self.outlets.is_on(relay) != on {
            self.set_relay(relay, on)?;
        }
        self.check_relay(relay, on)?;
        if on {
            self.outlets.trim(relay, duty);
        }
        Ok(Reply::OK)
    }

    fn check_relay(&self, relay: Relay, on: bool) -> Result<(), Refusal> {
        if on && !self.capabilities.relays[relay.index()] {
            return Err(RefusalCode::NotFitted.into());
        }
        Ok(())
    }

    fn pwm_channel(&self, name: &str) -> Option<usize> {
        self.config.pwm.named(name)
    }

    pub(super) fn knows_pwm(&self, name: &str) -> bool {
        let own = PwmOutput::from_name(name, &self.config.names);
        own.is_some_and(PwmOutput::has_power) || self.pwm_channel(name).is_some()
    }

    fn set_pwm(&mut self, name: &str, duty: Duty) -> Result<Reply, Refusal> {
        let Some(channel) = self.pwm_channel(name) else {
            return Err(RefusalCode::PinInUse.into());
        };
        match self.config.pwm.channels[channel] {
            PwmUse::Output(PwmOutput::Fan) => self.trim_relay(Relay::Fan, duty),
            PwmUse::Output(PwmOutput::Pump) => self.trim_relay(Relay::Pump, duty),
            PwmUse::Free => {
                self.outlets.set_free_pwm(channel, duty);
                Ok(Reply::OK)
            }
            PwmUse::Unused
            | PwmUse::Output(
                PwmOutput::Peltier
                | PwmOutput::Heater(_)
                | PwmOutput::Cooler(_)
                | PwmOutput::Lamp(_),
            ) => Err(RefusalCode::PinInUse.into()),
        }
    }

    fn pin_level(&self, pin: Bcm) -> bool {
        self.outlets.pin_level(pin, &self.inputs, &self.outputs)
    }

    fn jog(&mut self, motor: Motor, steps: i32, rate: f64) -> Result<Reply, Refusal> {
        if !self.capabilities.has_motor(motor) {
            return Err(RefusalCode::NotFitted.into());
        }
        let free = self.supervisor.is_free() && !self.is_stopping();
        if !self.motion.is_idle(motor) || !free {
            return Err(RefusalCode::MachineBusy.into());
        }
        let permissives = self.permissives();
        let turns =
            f64::from(steps.unsigned_abs()) / f64::from(self.config.motors[motor].microsteps);
        let cold = permissives.cold_jog_turns_left[motor];
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
        let cold = cold.map(|_| turns);
        self.motion.jog(self.now, motor, (steps, rate), cold, &self.config);
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
        let free = !self.thermal.is_tuning() && !self.supervisor.is_shutting_down();
        if !free || self.thermal.mode() == Mode::Manual {
            return Err(RefusalCode::TuneBusy.into());
        }
        if self.readings().temperature(zone).is_none() {
            return Err(Refusal::with(
                RefusalCode::TempDataStale,
                format!("sensor {} is not good", self.config.sensor_of(zone).name),
            ));
        }
        self.thermal.enter_tuning(self.now, zone, setpoint, method);
        Ok(Reply::OK)
    }

    fn report_logging(&mut self, health: LoggingHealth) {
        let before = self.alarms.report_logging(health);
        for (code, was, is) in [
            (AlarmCode::LoggingFailed, before.failed, health.failed),
            (AlarmCode::LoggingDiskFull, before.disk_low, health.disk_low),
        ] {
            if is && !was {
                self.raise(code, Cause::Plain);
            } else if was && !is {
                self.alarms.withdraw(code);
            }
        }
    }
}
