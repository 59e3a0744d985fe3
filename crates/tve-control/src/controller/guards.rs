//! What stands before every command: the ranges that the configuration sets, and the latched alarms.

use super::Controller;
use crate::command::{Command, TUNE_MARGIN, TUNE_MIN};
use crate::motion::pulse_rate;
use crate::refusal::{Refusal, RefusalCode};
use crate::thermal::Catch;
use tve_hal::Zone;
use tve_units::Celsius;

impl Controller {
    /// Ranges that the configuration sets.
    pub(super) fn check_range(&self, command: &Command) -> Result<(), Refusal> {
        let max = |zone: Zone| self.config.zones[zone].limits.max_target;
        match command {
            Command::SetTarget { zones } => {
                for zone in self.config.zones.ids() {
                    let max = max(zone);
                    if let Some(t) = zones[zone].filter(|t| t.get() > max) {
                        let name = self.config.names.zones[zone];
                        return Err(Refusal::invalid(
                            name.as_str(),
                            format!(
                                "{name} must be at most {max} °C (safety.max_target), not {}",
                                t.get()
                            ),
                        ));
                    }
                    if let Some(t) = zones[zone] {
                        self.check_catch(zone, t)?;
                    }
                }
                Ok(())
            }
            Command::TuneStart { zone, setpoint, .. }
                if !(TUNE_MIN..=max(*zone) - TUNE_MARGIN).contains(&setpoint.get()) =>
            {
                let max = max(*zone) - TUNE_MARGIN;
                Err(Refusal::with(
                    RefusalCode::InvalidSetpoint,
                    format!("setpoint must be {TUNE_MIN} to {max} °C"),
                ))
            }
            Command::TuneStart { zone, setpoint, .. } => self.check_catch(*zone, *setpoint),
            Command::SetMotor { motor, rpm }
                if rpm.get().abs() > self.config.motors[*motor].max_rpm =>
            {
                let max = self.config.motors[*motor].max_rpm;
                let sentence = format!("rpm must be at most {max} either way, not {}", rpm.get());
                Err(Refusal::invalid("rpm", sentence))
            }
            Command::MoveMotorSteps { motor, rate, .. } => {
                let settings = &self.config.motors[*motor];
                let highest = pulse_rate(settings.max_rpm, settings.microsteps);
                if *rate <= highest {
                    return Ok(());
                }
                let sentence = format!(
                    "speed must be at most {highest:.0} steps/s, which are {} rpm, not {rate}",
                    settings.max_rpm
                );
                Err(Refusal::with(RefusalCode::InvalidSpeed, sentence))
            }
            Command::SetPwmOutput { name, .. } if !self.knows_pwm(name) => {
                Err(RefusalCode::InvalidPwmChannel.into())
            }
            Command::TuneApply if self.thermal.tune_result().is_none() => {
                Err(RefusalCode::NoResult.into())
            }
            Command::SetPwmOutput { .. }
            | Command::TuneApply
            | Command::Start
            | Command::Stop
            | Command::EmergencyStop
            | Command::ClearAlarm
            | Command::AcknowledgeAlarm(_)
            | Command::SetMode(_)
            | Command::SetHeater { .. }
            | Command::SetMotor { .. }
            | Command::SetRelay { .. }
            | Command::SetPeltier(_)
            | Command::SetFillTarget { .. }
            | Command::StopManualMove(_)
            | Command::ReleaseZone { .. }
            | Command::GpioConfig { .. }
            | Command::GpioWrite { .. }
            | Command::GpioRead(_)
            | Command::TuneStop
            | Command::SaveConfig
            | Command::ReportLogging(_)
            | Command::UpdatePid { .. }
            | Command::UpdatePins { .. }
            | Command::SetPinName { .. }
            | Command::UpdateExtruderSeq(_)
            | Command::UpdateDm556(_)
            | Command::SetTempSettings(_)
            | Command::SetLoggingSettings(_)
            | Command::UpdateMotionConfig(_)
            | Command::SetHistorySettings(_)
            | Command::SetSensorCalibration { .. }
            | Command::ReplaceConfig(_)
            | Command::Adopt(_) => Ok(()),
        }
    }

    /// A zone is not asked for more than can still be caught when its heater sticks.
    fn check_catch(&self, zone: Zone, target: Celsius) -> Result<(), Refusal> {
        let catch = |target| Catch::of(target, zone, &self.config);
        let sum = catch(target);
        if sum.is_safe() {
            return Ok(());
        }
        let whole = (0..target.get() as u32).rev().map(|t| Celsius::clamped(f64::from(t)));
        let highest = whole.into_iter().find(|t| catch(*t).is_safe()).unwrap_or(Celsius::ZERO);
        let name = self.config.names.zones[zone];
        let sentence = format!("{name}: {sum}; at most {} °C", highest.get());
        Err(Refusal::with(RefusalCode::TargetNotCatchable, sentence))
    }

    /// What the latched alarms forbid.
    pub(super) fn check_alarms(&self, command: &Command) -> Result<(), Refusal> {
        let latches = self.alarms.latches();
        let zone_tripped = |zone: Zone| latches.zone_trip(zone);
        let forbidden = match command {
            // These read, make safer, or deal with the alarms themselves.
            Command::EmergencyStop
            | Command::ClearAlarm
            | Command::AcknowledgeAlarm(_)
            | Command::GpioRead(_)
            | Command::Stop
            | Command::StopManualMove(_)
            | Command::ReleaseZone { .. }
            | Command::TuneStop
            | Command::ReportLogging(_) => false,
            Command::SetMotor { rpm, .. } => !rpm.is_zero() && latches.any_stop(),
            Command::SetPeltier(duty) | Command::SetPwmOutput { duty, .. } => {
                !duty.is_zero() && latches.trip()
            }
            Command::SetHeater { zone, duty } => {
                !duty.is_zero() && (latches.trip() || zone_tripped(*zone))
            }
            Command::SetTarget { zones } => {
                let asked = |z: Zone| zones[z].is_some_and(|t| !t.is_zero());
                let only_zero = zones.iter().any(Option::is_some) && zones.ids().all(|z| !asked(z));
                (latches.trip() && !only_zero) || zones.ids().any(|z| zone_tripped(z) && asked(z))
            }
            Command::Start | Command::MoveMotorSteps { .. } => latches.any_stop(),
            Command::TuneStart { .. } => latches.trip() || latches.any_zone_trip(),
            // Whatever else may change something waits until the machine is safe again.
            Command::SetMode(_)
            | Command::SetRelay { .. }
            | Command::SetFillTarget { .. }
            | Command::GpioConfig { .. }
            | Command::GpioWrite { .. }
            | Command::TuneApply
            | Command::SaveConfig
            | Command::UpdatePid { .. }
            | Command::UpdatePins { .. }
            | Command::SetPinName { .. }
            | Command::UpdateExtruderSeq(_)
            | Command::UpdateDm556(_)
            | Command::SetTempSettings(_)
            | Command::SetLoggingSettings(_)
            | Command::UpdateMotionConfig(_)
            | Command::SetHistorySettings(_)
            | Command::SetSensorCalibration { .. }
            | Command::ReplaceConfig(_)
            | Command::Adopt(_) => latches.trip(),
        };
        if forbidden { Err(RefusalCode::AlarmActive.into()) } else { Ok(()) }
    }
}
