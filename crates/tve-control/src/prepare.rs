//! Settings on their way into the controller: made to the configuration outside the control thread,
//! handed over ready made.
//!
//! ```text
//!  Command::UpdatePid ... ─prepared(file, revision)─▶ Command::Adopt(Proposal) ─▶ Controller
//!                                                                                  │ is it made on
//!                     made again on the newer file ◀────── CONFIG_CHANGED ─────────┤ what is in force?
//!                                                                                  │ is the moment right?
//!                                                                                  ▼ takes it over
//! ```
//!
//! A refusal that the preparation finds is handed over too: the alarms are asked first.

use crate::command::{Command, Reply};
use crate::controller::Controller;
use crate::proposal::{Change, Proposal};
use crate::refusal::{Refusal, RefusalCode};
use crate::thermal::effective_gains;
use crate::tune::TuneResult;
use std::sync::Arc;
use tve_config::{
    CONVERTER_INPUTS, Config, Leniency, PidGains, Pins, PinsPatch, Prepared, SensorConfigPatch,
};
use tve_hal::{PerZone, Signal};
use tve_units::{Bcm, Micros};

impl Command {
    /// The command as the controller takes it: what changes settings has been made to `file`, the
    /// configuration of `revision`. Takes its time and allocates; not for the control thread.
    ///
    /// # Errors
    /// Of a value that no moment could make right.
    pub fn prepared(self, file: &Config, revision: u64) -> Result<Self, Refusal> {
        let (change, outcome) = match self {
            Self::UpdatePid { zone, patch } => {
                let mut gains = effective_gains(&file.machine());
                if let Some(gains) = gains.get_mut(zone) {
                    gains.apply(&patch);
                }
                (Change::Gains, with_gains(file, &gains))
            }
            Self::UpdatePins { functions, labels } => {
                (Change::Pins, with_pins(file, &functions, &labels))
            }
            Self::SetPinName { pin, name } => (Change::Pins, with_pin_name(file, pin, &name)),
            Self::UpdateExtruderSeq(patch) => {
                (Change::Settings, made(file, |c| c.extruder_sequence.apply(&patch)))
            }
            Self::UpdateDm556(patch) => (Change::Drives, made(file, |c| c.dm556.apply(&patch))),
            Self::SetTempSettings(patch) => {
                (Change::Settings, made(file, |c| c.temp_settings.apply(&patch)))
            }
            Self::SetLoggingSettings(patch) => {
                (Change::Settings, made(file, |c| c.logging.apply(&patch)))
            }
            Self::UpdateMotionConfig(patch) => {
                (Change::Settings, made(file, |c| c.motion.apply(&patch)))
            }
            Self::SetHistorySettings(patch) => {
                (Change::Settings, made(file, |c| c.history.apply(&patch)))
            }
            Self::SetSensorCalibration { channel, patch } => {
                (Change::Sensor, calibrated(file, channel, &patch)?)
            }
            Self::ReplaceConfig(config) => {
                (Change::Whole, with_honest_calibrations(file, |own| *own = *config))
            }
            Self::Start
            | Self::Stop
            | Self::EmergencyStop
            | Self::ClearAlarm
            | Self::AcknowledgeAlarm(_)
            | Self::SetMode(_)
            | Self::SetTarget { .. }
            | Self::SetHeater { .. }
            | Self::SetMotor { .. }
            | Self::SetRelay { .. }
            | Self::SetPeltier(_)
            | Self::SetPwmOutput { .. }
            | Self::SetFillTarget { .. }
            | Self::MoveMotorSteps { .. }
            | Self::StopManualMove(_)
            | Self::ReleaseZone { .. }
            | Self::GpioConfig { .. }
            | Self::GpioWrite { .. }
            | Self::GpioRead(_)
            | Self::TuneStart { .. }
            | Self::TuneStop
            | Self::TuneApply
            | Self::SaveConfig
            | Self::ReportLogging(_)
            | Self::Adopt(_) => return Ok(self),
        };
        Ok(Self::Adopt(Arc::new(Proposal { change, revision, outcome })))
    }

    /// The gains that a tune has found, made to `file`, the configuration of `revision`.
    #[must_use]
    pub fn adopt_tune(result: &TuneResult, file: &Config, revision: u64) -> Self {
        let mut gains = effective_gains(&file.machine());
        if let Some(gains) = gains.get_mut(result.zone) {
            *gains = PidGains { kp: result.kp, ki: result.ki, kd: result.kd };
        }
        let outcome = with_gains(file, &gains);
        Self::Adopt(Arc::new(Proposal { change: Change::Gains, revision, outcome }))
    }

    /// The change of the configuration that the command hands over.
    pub const fn proposal(&self) -> Option<&Arc<Proposal>> {
        if let Self::Adopt(proposal) = self { Some(proposal) } else { None }
    }
}

/// Has a command carried out that may change settings, by whoever owns both controller and file:
/// prepares it, hands it over, and keeps the file that is in force afterwards.
///
/// # Errors
/// The refusal.
pub fn carry_out(
    controller: &mut Controller,
    file: &mut Arc<Config>,
    now: Micros,
    command: Command,
) -> Result<Reply, Refusal> {
    let revision = controller.config_revision();
    let command = command.prepared(file, revision)?;
    let proposal = command.proposal().cloned();
    let reply = controller.command(now, command)?;
    if let Some(result) = reply.tuned {
        return carry_out(controller, file, now, Command::adopt_tune(&result, file, revision));
    }
    if let Some(prepared) = proposal.as_ref().and_then(|proposal| proposal.prepared())
        && controller.config_revision() != revision
    {
        *file = Arc::clone(&prepared.file);
    }
    Ok(reply)
}

/// A calibration that is new is one that an honest sensor can need; those of before stay as they are.
fn with_honest_calibrations(
    file: &Config,
    change: impl FnOnce(&mut Config),
) -> Result<Prepared, Refusal> {
    let prepared = made(file, change)?;
    for (channel, sensor) in prepared.file.sensors.channels() {
        let before = file.sensors.get(channel).map(|sensor| &sensor.cal_points);
        if before != Some(&sensor.cal_points)
            && let Err(reason) = sensor.honest_calibration()
        {
            return Err(Refusal::invalid(&format!("sensors.{channel}.cal_points"), reason));
        }
    }
    Ok(prepared)
}

fn made(file: &Config, change: impl FnOnce(&mut Config)) -> Result<Prepared, Refusal> {
    file.prepare(change).map_err(|errors| Refusal::of_issues(&errors.0))
}

/// New gains are made for this controller's law. The other zones keep those that they run with.
fn with_gains(file: &Config, gains: &PerZone<PidGains>) -> Result<Prepared, Refusal> {
    made(file, |config| {
        for (zone, gains) in gains.entries() {
            config.set_gains(zone, *gains);
        }
        config.control.law = 2;
    })
}

fn with_pins(
    file: &Config,
    functions: &PinsPatch,
    labels: &[(String, Option<Bcm>)],
) -> Result<Prepared, Refusal> {
    let prepared = made(file, |config| {
        config.pins.apply(functions);
        for (name, pin) in labels {
            config.gpio_labels.retain(|_, label| label != name);
            if let Some(pin) = pin {
                config.gpio_labels.insert(*pin, name.clone());
            }
        }
    })?;
    if !prepared.changes.any {
        return Ok(prepared);
    }
    let machine = &prepared.machine;
    let taken = |pin: &Bcm| machine.signals.owns(*pin) || machine.is_bus(*pin);
    match labels.iter().find_map(|(name, pin)| Some((name, pin.filter(taken)?))) {
        None => Ok(prepared),
        Some((name, pin)) => {
            let sentence = format!("{pin} cannot be labelled {name}");
            Err(Refusal::with(RefusalCode::PinInUse, sentence))
        }
    }
}

fn with_pin_name(file: &Config, pin: Bcm, name: &str) -> Result<Prepared, Refusal> {
    if name.is_empty() {
        return made(file, |config| {
            config.gpio_labels.remove(&pin);
        });
    }
    if Signal::from_name(name, &file.names()).is_none() {
        return with_pins(file, &PinsPatch::default(), &[(name.to_owned(), Some(pin))]);
    }
    if file.pins.get(name) == Some(pin) {
        return made(file, |_| {});
    }
    let machine = file.machine();
    if machine.signals.owns(pin) || machine.is_bus(pin) {
        return Err(RefusalCode::PinInUse.into());
    }
    let mut map = serde_json::Map::new();
    map.insert(name.to_owned(), pin.get().into());
    let mut issues = Vec::new();
    let patch = Pins::patch_from(&map, Leniency::Strict, "", &mut issues);
    if issues.is_empty() { with_pins(file, &patch, &[]) } else { Err(Refusal::of_issues(&issues)) }
}

/// A channel of a converter that is not there, and of no thermocouple, is refused at once.
fn calibrated(
    file: &Config,
    channel: u8,
    patch: &SensorConfigPatch,
) -> Result<Result<Prepared, Refusal>, Refusal> {
    let inputs = (1 + file.adc.more.as_slice().len()) * CONVERTER_INPUTS;
    if file.sensors.get(channel).is_none() && usize::from(channel) >= inputs {
        let sentence = format!("channel must be that of a sensor, or below {inputs}");
        return Err(Refusal::with(RefusalCode::InvalidSensorChannel, sentence));
    }
    Ok(with_honest_calibrations(file, |config| config.sensors.calibrate(channel, patch)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_hal::Zone;

    #[test]
    fn gains_of_a_zone_are_found_in_either_form_of_the_file() {
        let four = include_str!("../../../config/machines/four-zone.json");
        for (file, zone) in [(Config::embedded(), 1), (Config::parse(four).unwrap(), 3)] {
            let zone = Zone::at(zone);
            let patch = tve_config::PidGainsPatch { kp: Some(7.5), ..Default::default() };
            let command = Command::UpdatePid { zone, patch }.prepared(&file, 0).unwrap();
            let new = command.proposal().unwrap().prepared().unwrap();
            let expected = PidGains { kp: 7.5, ..file.gains(zone).unwrap() };
            assert_eq!(new.file.gains(zone), Some(expected));
            assert_eq!(new.machine.zones[zone].gains, expected);
            let others = new.changes.gains.entries().filter(|(other, _)| *other != zone);
            assert!(others.into_iter().all(|(_, changed)| !changed));
        }
    }

    #[test]
    fn a_channel_that_no_sensor_can_be_on_is_refused_by_its_own_code() {
        let four = include_str!("../../../config/machines/four-zone.json");
        for (file, good, bad) in [(Config::embedded(), 3, 4), (Config::parse(four).unwrap(), 8, 9)]
        {
            let send = |channel| {
                let patch = SensorConfigPatch::default();
                Command::SetSensorCalibration { channel, patch }.prepared(&file, 0)
            };
            assert!(send(good).is_ok());
            assert_eq!(send(bad).unwrap_err().code, RefusalCode::InvalidSensorChannel);
        }
    }
}
