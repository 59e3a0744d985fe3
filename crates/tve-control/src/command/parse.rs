//! JSON → [`Command`]: shape and range are checked here, once; afterwards commands are trusted.

use super::{Command, CommandKind, Endpoint};
use crate::refusal::{Refusal, RefusalCode};
use serde_json::Value;
use tve_machine::Names;

/// Bytes → JSON in which every key stands once, with the tokens `NaN`, `Infinity` and `-Infinity`
/// (which some clients write) turned into texts, so that the fault is found at the key that holds
/// them.
///
/// # Errors
/// A sentence with the place of the fault, or with the first key that is given twice.
pub fn lenient_json(bytes: &[u8]) -> Result<Value, Refusal> {
    parse_json(bytes).or_else(|fault| parse_json(&quote_bare_floats(bytes)).map_err(|_| fault))
}

fn parse_json(bytes: &[u8]) -> Result<Value, Refusal> {
    let fault = |sentence: String| Refusal::with(RefusalCode::InvalidJson, sentence);
    let text = core::str::from_utf8(bytes).map_err(|error| fault(error.to_string()))?;
    tve_config::parse_json(text).map_err(|errors| {
        // One is enough: a body may hold thousands.
        fault(errors.0.first().map(ToString::to_string).unwrap_or_default())
    })
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

/// The kind of command that the body of POST /api/control names.
///
/// # Errors
/// `INVALID_BODY` or `UNKNOWN_COMMAND`.
pub fn control_kind(body: &Value) -> Result<CommandKind, Refusal> {
    kind(body, Endpoint::Control, RefusalCode::UnknownCommand)
}

/// The kind of command that the body of POST /api/gpio names.
///
/// # Errors
/// `INVALID_BODY` or `UNKNOWN_GPIO_COMMAND`.
pub fn gpio_kind(body: &Value) -> Result<CommandKind, Refusal> {
    kind(body, Endpoint::Gpio, RefusalCode::UnknownGpioCommand)
}

fn kind(body: &Value, endpoint: Endpoint, unknown: RefusalCode) -> Result<CommandKind, Refusal> {
    if !body.is_object() {
        return Err(Refusal::with(RefusalCode::InvalidBody, "the body must be an object"));
    }
    let name = body.get("command").and_then(Value::as_str);
    name.and_then(|name| CommandKind::at(endpoint, name)).ok_or_else(|| unknown.into())
}

/// The body of POST /api/control.
///
/// # Errors
/// Those of [`control_kind`], or what is wrong with the value.
pub fn parse_control(body: &Value, names: &Names) -> Result<Command, Refusal> {
    control_kind(body)?.parse(body.get("value"), names)
}

/// The body of POST /api/gpio.
///
/// # Errors
/// Those of [`gpio_kind`], or what is wrong with the value.
pub fn parse_gpio(body: &Value, names: &Names) -> Result<Command, Refusal> {
    gpio_kind(body)?.parse(body.get("value"), names)
}

/// The body of POST /api/tune/start.
///
/// # Errors
/// What is wrong with it.
pub fn parse_tune_start(body: &Value, names: &Names) -> Result<Command, Refusal> {
    CommandKind::TuneStart.parse(Some(body), names)
}

/// The command with a name of the table, wherever it comes in.
///
/// # Errors
/// `UNKNOWN_COMMAND`, or what is wrong with the value.
pub fn parse_named(name: &str, value: &Value, names: &Names) -> Result<Command, Refusal> {
    CommandKind::named(name).ok_or(RefusalCode::UnknownCommand)?.parse(Some(value), names)
}

#[cfg(test)]
mod tests;
