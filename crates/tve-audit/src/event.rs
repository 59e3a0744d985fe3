//! What a line is about. Secrets never enter one.

use crate::chain::sha256;
use crate::class::Class;
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
        /// It only calms the machine, which nobody is kept from and nobody is limited in.
        #[serde(skip)]
        calms: bool,
    },
    /// A password was compared, or credentials were refused unread.
    Login {
        /// Whom the credentials name.
        user: Option<String>,
        /// Address that they came from.
        address: IpAddr,
        /// How it ended.
        outcome: LoginOutcome,
    },
    /// Something happened to a token.
    Token {
        /// What.
        change: TokenChange,
        /// Its name; `None` when it is about all of them.
        name: Option<String>,
    },
    /// Somebody pressed a button at the machine.
    Button {
        /// `button`, in place of an address.
        source: &'static str,
        /// Which: `start`, `stop` or `emergency`.
        button: &'static str,
        /// `accepted` or `refused`.
        outcome: &'static str,
        /// Why it was refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        msg: Option<String>,
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
    /// From here on the lines of this class carry a MAC.
    Signed,
    /// Files of the journal were removed, cut or replaced while the service ran, not by it. What
    /// follows is in a new file.
    Damaged {
        /// How many of them, as far as it was seen.
        files: usize,
    },
    /// The oldest file was removed, because the journal has a limit.
    Removed {
        /// Name of the file.
        file: String,
    },
}

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginOutcome {
    /// The password was right.
    Ok,
    /// It proved nothing.
    Failed,
    /// It proved nothing, and has locked user and address for a while.
    LockedOut,
    /// It was not looked at, as user and address are locked.
    Locked,
}

/// A change in the life of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenChange {
    /// It was made.
    Created,
    /// It is worthless from now on.
    Revoked,
    /// The file of all tokens cannot be read, so none is good.
    Unreadable,
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
    /// Whose room its line takes.
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Started { .. }
            | Self::Stopped
            | Self::Gap { .. }
            | Self::Repaired { .. }
            | Self::Signed
            | Self::Damaged { .. }
            | Self::Removed { .. } => Class::Commands,
            Self::Command { status, .. } if *status >= 400 => Class::Refused,
            Self::Command { calms: true, .. } => Class::Calming,
            Self::Command { .. } => Class::Commands,
            // Anybody can have these written.
            Self::Login { outcome: LoginOutcome::Failed | LoginOutcome::Locked, .. } => {
                Class::Refused
            }
            Self::Login { .. } | Self::Token { .. } => Class::Access,
            Self::Button { .. } | Self::Alarm { .. } => Class::Alarms,
        }
    }

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
            calms: false,
        }
    }

    /// The press of a button at the machine; `refused`: why it did nothing.
    pub fn button(button: &'static str, refused: Option<String>) -> Self {
        let outcome = if refused.is_none() { "accepted" } else { "refused" };
        Self::Button { source: "button", button, outcome, msg: refused }
    }

    /// A login; the name is cut.
    pub fn login(user: Option<&str>, address: IpAddr, outcome: LoginOutcome) -> Self {
        let user = user.map(|name| name.chars().take(NAME_CHARS).collect());
        Self::Login { user, address, outcome }
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
    fn what_a_stranger_can_have_written_takes_no_room_of_lock_outs_and_revocations() {
        let address = IpAddr::from([10, 0, 0, 1]);
        let login = |outcome| Event::login(Some("ann"), address, outcome).class();
        for (outcome, class) in [
            (LoginOutcome::Failed, Class::Refused),
            (LoginOutcome::Locked, Class::Refused),
            (LoginOutcome::LockedOut, Class::Access),
            (LoginOutcome::Ok, Class::Access),
        ] {
            assert_eq!(login(outcome), class, "{outcome:?}");
        }
        let command = |status| Event::command(None, address, "STOP", Value::Null, status, None);
        assert_eq!(command(401).class(), Class::Refused);
        assert_eq!(command(200).class(), Class::Commands);
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
