//! JSON → [`Command`]: shape and range are checked here, once; afterwards commands are trusted.

use super::values::{boolean, finite, number_in, object, pin, required_bool, text, whole};
use super::{AlarmSelector, Command, Mode, PinMode, Relay, TuneMethod};
use crate::refusal::{Refusal, RefusalCode};
use serde_json::{Map, Value};
use tve_config::{
    Dm556, ExtruderSequence, History, Issue, Leniency, Logging, Motion, PidGains, Pins,
    SensorConfig, TempSettings, check_label,
};
use tve_hal::{Motor, Pull, Zone};
use tve_units::{Celsius, Duty, Rpm};

/// Pulses per second that a jog may ask for.
const JOG_RATE: core::ops::RangeInclusive<f64> = 1.0..=20_000.0;
/// Pulses per second of a jog that names no speed.
const DEFAULT_JOG_RATE: f64 = 1000.0;
/// Most pulses of one jog: a million turns of the finest drive would outlast any shift.
const MAX_JOG_STEPS: i64 = 10_000_000;
/// Temperatures that can be targets at all, °C; `safety.max_target` is lower.
const TARGET_RANGE: (f64, f64) = (0.0, 1000.0);

/// Bytes → JSON, with the tokens `NaN`, `Infinity` and `-Infinity` (which some clients write)
/// turned into texts, so that the fault is found at the key that holds them.
///
/// # Errors
/// A sentence with the place of the fault.
pub fn lenient_json(bytes: &[u8]) -> Result<Value, Refusal> {
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(error) => {
            let patched = quote_bare_floats(bytes);
            serde_json::from_slice(&patched)
                .map_err(|_| Refusal::invalid(format!("the body is not JSON: {error}")))
        }
    }
}

fn quote_bare_floats(bytes: &[u8]) -> Vec<u8> {
    const TOKENS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let mut out = Vec::with_capacity(bytes.len() + 8);
    let (mut i, mut in_text) = (0, false);
    while i < bytes.len() {
        let rest = &bytes[i..];
        if in_text && rest[0] == b'\\' {
            out.extend_from_slice(&rest[..rest.len().min(2)]);
            i += 2;
            continue;
        }
        if rest[0] == b'"' {
            in_text = !in_text;
        }
        let token = (!in_text).then(|| TOKENS.iter().find(|t| rest.starts_with(t))).flatten();
        if let Some(token) = token {
            out.push(b'"');
            out.extend_from_slice(token);
            out.push(b'"');
            i += token.len();
        } else {
            out.push(rest[0]);
            i += 1;
        }
    }
    out
}

/// The body of POST /api/control.
///
/// # Errors
/// `UNKNOWN_COMMAND`, or what is wrong with the value.
pub fn parse_control(body: &Value) -> Result<Command, Refusal> {
    let body = body.as_object().ok_or_else(|| Refusal::invalid("the body must be an object"))?;
    let name = text(body, "command").unwrap_or_default();
    let value = body.get("value");
    let v = || object(value);
    Ok(match name {
        // The value of an emergency stop is never looked at.
        "EMERGENCY_STOP" => Command::EmergencyStop,
        "START" => v().map(|_| Command::Start)?,
        "STOP" => v().map(|_| Command::Stop)?,
        "CLEAR_ALARM" => v().map(|_| Command::ClearAlarm)?,
        "SAVE_CONFIG" => v().map(|_| Command::SaveConfig)?,
        "ACKNOWLEDGE_ALARM" => acknowledge(&v()?)?,
        "SET_MODE" => match text(&v()?, "mode") {
            Some("AUTO") => Command::SetMode(Mode::Auto),
            Some("MANUAL") => Command::SetMode(Mode::Manual),
            _ => return Err(RefusalCode::InvalidMode.into()),
        },
        "SET_TARGET" => {
            let v = v()?;
            Command::SetTarget { zones: [target(&v, "z1")?, target(&v, "z2")?] }
        }
        "SET_HEATER" => {
            let v = v()?;
            Command::SetHeater { zone: zone(&v)?, duty: duty(&v)? }
        }
        "SET_MOTOR" => {
            let v = v()?;
            let motor = text(&v, "motor")
                .and_then(Motor::from_name)
                .ok_or_else(|| Refusal::invalid("motor must be main or feed"))?;
            let rpm = Rpm::clamped(number_in(&v, "rpm", Rpm::MIN, Rpm::MAX, "rpm")?);
            Command::SetMotor { motor, rpm }
        }
        "SET_RELAY" => {
            let v = v()?;
            let relay = text(&v, "relay")
                .and_then(|name| Relay::ALL.into_iter().find(|r| r.name() == name))
                .ok_or(RefusalCode::InvalidRelay)?;
            Command::SetRelay { relay, on: required_bool(&v, "state")? }
        }
        "SET_PELTIER" => Command::SetPeltier(duty(&v()?)?),
        "SET_PWM_OUTPUT" => {
            let v = v()?;
            let name = text(&v, "name").ok_or(RefusalCode::InvalidPwmChannel)?;
            Command::SetPwmOutput { name: name.to_owned(), duty: duty(&v)? }
        }
        "SET_FILL_TARGET" => {
            Command::SetFillTarget { level_cm: number_in(&v()?, "level", 0.0, 1000.0, "cm")? }
        }
        "MOVE_MOTOR_STEPS" => jog(&v()?)?,
        "STOP_MANUAL_MOVE" => text(&v()?, "motor")
            .and_then(Motor::from_name)
            .map(Command::StopManualMove)
            .ok_or(RefusalCode::InvalidMotor)?,
        "UPDATE_PID" => {
            let v = v()?;
            let zone = text(&v, "zone").and_then(Zone::from_name);
            let params = v.get("params").and_then(Value::as_object);
            let (Some(zone), Some(params)) = (zone, params) else {
                return Err(RefusalCode::InvalidZoneOrParams.into());
            };
            Command::UpdatePid { zone, patch: patch(params, PidGains::patch_from)? }
        }
        "UPDATE_PINS" => pins(&v()?)?,
        "SET_PIN_NAME" => pin_name(&v()?)?,
        "UPDATE_EXTRUDER_SEQ" => Command::UpdateExtruderSeq(patch(
            &section(&v()?, "sequence")?,
            ExtruderSequence::patch_from,
        )?),
        "UPDATE_DM556" => Command::UpdateDm556(params(&v()?, Dm556::patch_from)?),
        "SET_TEMP_SETTINGS" => Command::SetTempSettings(params(&v()?, TempSettings::patch_from)?),
        "SET_LOGGING_SETTINGS" => Command::SetLoggingSettings(params(&v()?, Logging::patch_from)?),
        "UPDATE_MOTION_CONFIG" => Command::UpdateMotionConfig(params(&v()?, Motion::patch_from)?),
        "SET_HISTORY_SETTINGS" => Command::SetHistorySettings(params(&v()?, History::patch_from)?),
        "SET_SENSOR_CALIBRATION" => calibration(&section(&v()?, "params")?)?,
        "GPIO_CONFIG" => {
            let v = v()?;
            let pin = pin(v.get("pin")).ok_or(RefusalCode::InvalidPin)?;
            let mode = pin_mode(text(&v, "direction").unwrap_or("OUT"), v.get("pull")).ok_or_else(
                || Refusal::invalid("direction must be IN or OUT, pull up, down or off"),
            )?;
            Command::GpioConfig { pin, mode }
        }
        "GPIO_WRITE" => {
            let v = v()?;
            let pin = pin(v.get("pin")).ok_or(RefusalCode::InvalidPin)?;
            let high = v.get("state").and_then(boolean).ok_or(RefusalCode::InvalidGpioState)?;
            Command::GpioWrite { pin, high, debounced: true }
        }
        "GPIO_READ" => Command::GpioRead(pin(v()?.get("pin")).ok_or(RefusalCode::InvalidPin)?),
        _ => return Err(RefusalCode::UnknownCommand.into()),
    })
}

/// The body of POST /api/gpio.
///
/// # Errors
/// `UNKNOWN_GPIO_COMMAND` or `INVALID_PIN_OR_VALUE`.
pub fn parse_gpio(body: &Value) -> Result<Command, Refusal> {
    let body = body.as_object().ok_or_else(|| Refusal::invalid("the body must be an object"))?;
    let name = text(body, "command").unwrap_or_default();
    if !matches!(name, "SET_GPIO_MODE" | "SET_GPIO_VALUE") {
        return Err(RefusalCode::UnknownGpioCommand.into());
    }
    let v = object(body.get("value")).map_err(|_| RefusalCode::InvalidPinOrValue)?;
    let command = pin(v.get("pin")).and_then(|pin| {
        if name == "SET_GPIO_VALUE" {
            let high = v.get("value").and_then(boolean)?;
            Some(Command::GpioWrite { pin, high, debounced: false })
        } else {
            let mode = pin_mode(text(&v, "mode")?, v.get("pull_up_down"))?;
            Some(Command::GpioConfig { pin, mode })
        }
    });
    command.ok_or_else(|| RefusalCode::InvalidPinOrValue.into())
}

/// The body of POST /api/tune/start.
///
/// # Errors
/// `INVALID_ZONE`, `INVALID_SETPOINT`, or a sentence about the method.
pub fn parse_tune_start(body: &Value) -> Result<Command, Refusal> {
    let v = object(Some(body))?;
    let zone = text(&v, "zone").and_then(Zone::from_name).ok_or(RefusalCode::InvalidZone)?;
    let setpoint = v
        .get("setpoint")
        .and_then(finite)
        .and_then(|t| Celsius::new(t).ok())
        .ok_or(RefusalCode::InvalidSetpoint)?;
    let method = match v.get("method") {
        None => TuneMethod::default(),
        Some(value) => value
            .as_str()
            .and_then(|name| TuneMethod::ALL.into_iter().find(|m| m.name() == name))
            .ok_or_else(|| {
                Refusal::invalid("method must be tyreus_luyben, ziegler_nichols or no_overshoot")
            })?,
    };
    Ok(Command::TuneStart { zone, setpoint, method })
}

fn acknowledge(v: &Map<String, Value>) -> Result<Command, Refusal> {
    let selector = match v.get("alarm_id") {
        Some(Value::String(s)) if s == "all" => AlarmSelector::All,
        Some(Value::String(s)) => {
            AlarmSelector::Id(s.parse().map_err(|_| RefusalCode::AlarmNotFound)?)
        }
        Some(Value::Number(n)) => AlarmSelector::Id(n.as_u64().ok_or(RefusalCode::AlarmNotFound)?),
        _ => return Err(Refusal::invalid("alarm_id must be an id or \"all\"")),
    };
    Ok(Command::AcknowledgeAlarm(selector))
}

fn target(v: &Map<String, Value>, key: &str) -> Result<Option<Celsius>, Refusal> {
    if !v.contains_key(key) {
        return Ok(None);
    }
    let (min, max) = TARGET_RANGE;
    number_in(v, key, min, max, "°C").map(|t| Some(Celsius::clamped(t)))
}

fn zone(v: &Map<String, Value>) -> Result<Zone, Refusal> {
    text(v, "zone")
        .and_then(Zone::from_name)
        .ok_or_else(|| Refusal::invalid("zone must be z1 or z2"))
}

fn duty(v: &Map<String, Value>) -> Result<Duty, Refusal> {
    number_in(v, "duty", Duty::MIN, Duty::MAX, "%").map(Duty::clamped)
}

fn jog(v: &Map<String, Value>) -> Result<Command, Refusal> {
    let motor = text(v, "motor").and_then(Motor::from_name).ok_or(RefusalCode::InvalidMotor)?;
    let rate = match v.get("speed") {
        None => DEFAULT_JOG_RATE,
        Some(speed) => {
            finite(speed).filter(|rate| JOG_RATE.contains(rate)).ok_or(RefusalCode::InvalidSpeed)?
        }
    };
    let steps = v
        .get("steps")
        .and_then(whole)
        .filter(|steps| steps.abs() <= MAX_JOG_STEPS)
        .and_then(|steps| i32::try_from(steps).ok())
        .ok_or(RefusalCode::InvalidMoveParams)?;
    Ok(Command::MoveMotorSteps { motor, steps, rate })
}

fn pins(v: &Map<String, Value>) -> Result<Command, Refusal> {
    let mut functions = Map::new();
    let mut labels = Vec::new();
    for (name, value) in section(v, "pins")? {
        if Pins::NAMES.contains(&name.as_str()) {
            functions.insert(name, value);
            continue;
        }
        check_label(&name).map_err(Refusal::invalid)?;
        let number = match &value {
            Value::Null => None,
            some => Some(pin(Some(some)).ok_or_else(|| {
                Refusal::invalid(format!("{name}: a pin must be BCM 0 to 27 or null"))
            })?),
        };
        labels.push((name, number));
    }
    Ok(Command::UpdatePins { functions: patch(&functions, Pins::patch_from)?, labels })
}

fn pin_name(v: &Map<String, Value>) -> Result<Command, Refusal> {
    let pin = pin(v.get("pin")).ok_or_else(|| Refusal::invalid("pin must be BCM 0 to 27"))?;
    let name = match v.get("name") {
        None | Some(Value::Null) => "",
        Some(Value::String(name)) => name.trim(),
        Some(_) => return Err(Refusal::invalid("name must be a text")),
    };
    if !name.is_empty() {
        check_label(name).map_err(Refusal::invalid)?;
    }
    Ok(Command::SetPinName { pin, name: name.to_owned() })
}

fn calibration(params: &Map<String, Value>) -> Result<Command, Refusal> {
    let channel = params
        .get("channel")
        .and_then(whole)
        .and_then(|n| usize::try_from(n).ok())
        .filter(|n| *n < tve_hal::ADC_CHANNELS)
        .ok_or(RefusalCode::InvalidSensorChannel)?;
    let mut rest = params.clone();
    rest.remove("channel");
    Ok(Command::SetSensorCalibration { channel, patch: patch(&rest, SensorConfig::patch_from)? })
}

fn pin_mode(direction: &str, pull: Option<&Value>) -> Option<PinMode> {
    let pull = match pull {
        None | Some(Value::Null) => Pull::Off,
        Some(value) => match value.as_str()?.to_ascii_lowercase().as_str() {
            "up" => Pull::Up,
            "down" => Pull::Down,
            "off" | "none" => Pull::Off,
            _ => return None,
        },
    };
    match direction.to_ascii_uppercase().as_str() {
        "IN" => Some(PinMode::In(pull)),
        "OUT" => Some(PinMode::Out),
        _ => None,
    }
}

fn section(v: &Map<String, Value>, key: &str) -> Result<Map<String, Value>, Refusal> {
    match v.get(key) {
        Some(Value::Object(map)) => Ok(map.clone()),
        _ => Err(Refusal::invalid(format!("{key} must be an object"))),
    }
}

type PatchFrom<P> = fn(&Map<String, Value>, Leniency, &str, &mut Vec<Issue>) -> P;

fn params<P>(v: &Map<String, Value>, from: PatchFrom<P>) -> Result<P, Refusal> {
    patch(&section(v, "params")?, from)
}

fn patch<P>(map: &Map<String, Value>, from: PatchFrom<P>) -> Result<P, Refusal> {
    let mut issues = Vec::new();
    let patch = from(map, Leniency::Lenient, "", &mut issues);
    if issues.is_empty() {
        return Ok(patch);
    }
    let sentences: Vec<String> = issues.iter().map(ToString::to_string).collect();
    Err(Refusal::invalid(sentences.join("; ")))
}

#[cfg(test)]
mod tests;
