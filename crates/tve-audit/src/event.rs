//! What a line is about. Secrets never enter one.

use crate::chain::sha256;
use serde::Serialize;
use serde_json::{Value, json};
use std::net::IpAddr;

/// Longest value that a line repeats, bytes of JSON; the longest command of the HMI is half of it.
const VALUE_BYTES: usize = 8 * 1024;

/// Longest name that a line repeats, characters.
const NAME_CHARS: usize = 64;

/// What a line is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The service started.
    Started {
        /// Its version.
        version: String,
        /// The layout of the lines from here on: [`FORMAT`](crate::FORMAT).
        format: u32,
    },
    /// The service stopped in order; a start without it before was a crash or a power cut.
    Stopped,
    /// Somebody asked for something.
    Command {
        /// Name of the user; `None` while security is disabled, or where no login is needed.
        user: Option<String>,
        /// Address that the request came from.
        address: IpAddr,
        /// Name of the command, or method and path.
        command: String,
        /// Its value, masked.
        #[serde(skip_serializing_if = "Value::is_null")]
        value: Value,
        /// `accepted` or `refused`.
        outcome: &'static str,
        /// Status of the reply.
        status: u16,
        /// What the reply said.
        #[serde(skip_serializing_if = "Option::is_none")]
        msg: Option<String>,
        /// What it changed in the configuration.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        changes: Vec<Change>,
    },
    /// Something happened to an alarm.
    Alarm {
        /// What.
        change: AlarmChange,
        /// Number of the alarm.
        id: u64,
        /// Name of the alarm code, where it was raised.
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        /// The sentence for the operator, where it was raised.
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// When it was raised, seconds since the Unix epoch.
        #[serde(skip_serializing_if = "Option::is_none")]
        raised_at: Option<f64>,
    },
    /// Lines are missing here that should have been written.
    Gap {
        /// How many.
        lost: u64,
    },
    /// The end of the journal was not whole when the service started; it was cut off and kept.
    Repaired {
        /// Bytes that were cut off.
        bytes: u64,
        /// Their SHA-256.
        sha256: String,
        /// The file that holds them now.
        kept_in: String,
    },
    /// The oldest file was removed, because the journal has a limit.
    Removed {
        /// Name of the file.
        file: String,
    },
}

/// A change in the life of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum AlarmChange {
    Raised,
    Acknowledged,
    Cleared,
}

/// One key of the configuration that changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Dotted path of the key.
    pub path: String,
    /// Its value before; null when it was not there.
    pub old: Value,
    /// Its value now.
    pub new: Value,
}

impl Event {
    /// The members of the line's object, without braces.
    pub(crate) fn members(&self) -> String {
        // A derived type without maps of foreign keys always is JSON.
        let text = serde_json::to_string(self).unwrap_or_default();
        text.trim_start_matches('{').strip_suffix('}').unwrap_or_default().to_owned()
    }
}

/// Whether the values under `key` are nobody's business.
fn is_secret(key: &str) -> bool {
    const PARTS: [&str; 6] = ["password", "passwd", "secret", "token", "hash", "authorization"];
    let key = key.to_lowercase();
    key == "key" || PARTS.iter().any(|part| key.contains(part))
}

/// `value` as a line may hold it: secrets replaced by `***`, and what is too long by its size and
/// hash.
pub fn masked(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    if is_secret(key) {
                        *value = json!("***");
                    } else {
                        walk(value);
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(walk),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    walk(&mut value);
    let text = value.to_string();
    if text.len() <= VALUE_BYTES {
        return value;
    }
    json!({"omitted_bytes": text.len(), "sha256": sha256(text.as_bytes())})
}

impl Event {
    /// A command with its answer; `command` is cut and `value` masked.
    pub fn command(
        user: Option<&str>,
        address: IpAddr,
        command: &str,
        value: Value,
        status: u16,
        msg: Option<String>,
    ) -> Self {
        Self::Command {
            user: user.map(ToOwned::to_owned),
            address,
            command: command.chars().take(NAME_CHARS).collect(),
            value: masked(value),
            outcome: if status < 400 { "accepted" } else { "refused" },
            status,
            msg: msg.map(|m| m.chars().take(VALUE_BYTES / 4).collect()),
            changes: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_enter_a_line() {
        let value = json!({
            "users": {"ann": {"hash": "$argon2id$x", "role": "admin"}},
            "list": [{"Password": "x", "key": "/etc/key.pem"}], "api_token": ["x"], "kp": 1
        });
        let text = masked(value).to_string();
        for secret in ["argon2id", "\"x\"", "key.pem"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(text.contains("admin") && text.contains("\"kp\":1"));
    }

    #[test]
    fn a_huge_value_becomes_its_size_and_hash() {
        let value = masked(json!("x".repeat(60_000)));
        assert_eq!(value["omitted_bytes"], 60_002);
        assert_eq!(value["sha256"].as_str().unwrap().len(), 64);
    }

    #[test]
    fn the_members_of_every_event_are_those_of_a_json_object() {
        let address = IpAddr::from([127, 0, 0, 1]);
        let command = |status| Event::command(Some("a\"b"), address, "X", json!({}), status, None);
        for event in [Event::Stopped, command(200), command(409), Event::Gap { lost: 3 }] {
            let text = format!("{{{}}}", event.members());
            let value: Value = serde_json::from_str(&text).unwrap();
            assert!(value["event"].is_string(), "{text}");
        }
    }
}
