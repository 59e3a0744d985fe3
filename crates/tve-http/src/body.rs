//! Request bodies: how much is read, for how long, and finding an EMERGENCY_STOP in what is broken.

use crate::in_flight::{Allowance, FREE, Grant, Purpose};
use crate::reply::ApiError;
use axum::body::Body;
use axum::extract::Request;
use http_body_util::BodyExt;
use serde_json::Value;
use std::time::Duration;
use tve_control::{CommandKind, RefusalCode, lenient_json};

/// Largest request body. The largest command of the HMI, a whole section, is under 4 KiB.
pub(crate) const LIMIT: usize = 64 * 1024;

/// Longest time for a body to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A body as far as it arrived.
pub(crate) struct Read {
    pub(crate) bytes: Vec<u8>,
    /// Why it is not all of it.
    pub(crate) fault: Option<ApiError>,
    /// Leave to keep it.
    _grant: Option<Grant>,
}

pub(crate) fn too_large() -> ApiError {
    ApiError::new(RefusalCode::BodyTooLarge, format!("a body may have {LIMIT} bytes"))
}

/// Reads a body up to [`LIMIT`]. What is more than a command of the HMI takes `allowance`.
pub(crate) async fn read(mut body: Body, allowance: Option<&Allowance>) -> Read {
    let mut grant = None;
    let _awaited = allowance.map(|allowance| allowance.seat.awaits_body());
    let deadline = tokio::time::Instant::now() + TIMEOUT;
    let mut bytes = Vec::new();
    let fault = loop {
        let frame = match tokio::time::timeout_at(deadline, body.frame()).await {
            Ok(None) => break None,
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => {
                break Some(ApiError::new(
                    RefusalCode::BodyIncomplete,
                    "the connection broke within the body",
                ));
            }
            Err(_) => {
                break Some(ApiError::new(
                    RefusalCode::BodyTimeout,
                    format!("the body did not arrive within {} s", TIMEOUT.as_secs()),
                ));
            }
        };
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if bytes.len() + data.len() > FREE
            && grant.is_none()
            && let Some(allowance) = allowance
        {
            match allowance.claim(LIMIT, Purpose::Write) {
                Ok(granted) => {
                    grant = Some(granted);
                    // As much as was granted, and no more on the way there.
                    bytes.reserve_exact(LIMIT - bytes.len());
                }
                Err(fault) => break Some(fault),
            }
        }
        let room = LIMIT - bytes.len();
        if data.len() > room {
            bytes.extend_from_slice(&data[..room]);
            break Some(too_large());
        }
        bytes.extend_from_slice(data);
    };
    Read { bytes, fault, _grant: grant }
}

/// The JSON of a body; an empty one is `{}`.
pub(crate) async fn json_body(request: Request) -> Result<Value, ApiError> {
    let (parts, body) = request.into_parts();
    let read = read(body, parts.extensions.get()).await;
    match read.fault {
        Some(fault) => Err(fault),
        None => parse(&read.bytes),
    }
}

/// The JSON of a body that has arrived.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    Ok(lenient_json(bytes)?)
}

/// Whether `body` asks for an emergency stop, as far as it can be read: the key `command` of the
/// outermost object with the value `EMERGENCY_STOP`, whatever is wrong with the rest.
pub(crate) fn asks_for_emergency_stop(body: &[u8]) -> bool {
    let stop = CommandKind::EmergencyStop.row().name;
    let mut depth = 0_usize;
    let mut rest = body;
    // The newest string at depth 1, and whether a colon has followed it.
    let mut key: Option<(&[u8], bool)> = None;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                key = None;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                key = None;
            }
            b':' => key = key.map(|(name, _)| (name, true)),
            b',' => key = None,
            b'"' => {
                let Some(end) = string_end(rest) else {
                    return false;
                };
                let text = &rest[..end];
                rest = &rest[end + 1..];
                if depth == 1 {
                    if matches!(key, Some((b"command", true))) && text == stop.as_bytes() {
                        return true;
                    }
                    key = Some((text, false));
                }
            }
            _ => {}
        }
    }
    false
}

/// Index of the quote that ends the string which `text` continues.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|&byte| {
        let end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        end
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emergency_stop_is_found_in_a_broken_body() {
        for body in [
            r#"{"command":"EMERGENCY_STOP"}"#,
            r#" { "command" : "EMERGENCY_STOP" , "value": {"#,
            r#"{"value":[1,{"a":2}],"command":"EMERGENCY_STOP""#,
            r#"{"value":NaN,"command":"EMERGENCY_STOP"}"#,
            r#"{"command":"EMERGENCY_STOP","command":"START"}"#,
            r#"{"command":"START","command":"EMERGENCY_STOP"}"#,
        ] {
            assert!(asks_for_emergency_stop(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn the_words_alone_are_no_emergency_stop() {
        for body in [
            r#"{"command":"START","value":{"command":"EMERGENCY_STOP"}}"#,
            r#"{"command":"SET_PIN_NAME","value":{"name":"\"command\":\"EMERGENCY_STOP\""}}"#,
            r#"{"name":"EMERGENCY_STOP"}"#,
            r#"["command","EMERGENCY_STOP"]"#,
            r#"{"a":"command","b":"EMERGENCY_STOP"}"#,
            r#"{"command":"EMERGENCY_STO"#,
            "",
            "EMERGENCY_STOP",
        ] {
            assert!(!asks_for_emergency_stop(body.as_bytes()), "{body}");
        }
    }
}
