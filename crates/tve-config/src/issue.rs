//! What is wrong with a configuration, and where.

use serde_json::Value;
use std::fmt;

/// Longest part of a foreign key or value that a message repeats, in characters.
const SHOWN_CHARS: usize = 40;

/// One fault of a configuration: where and why. Displays as `path: reason`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Dotted path of the key, such as `safety.max_target`; empty for the file as a whole.
    pub path: String,
    /// What is wrong, with the value, and what to do.
    pub reason: String,
}

impl Issue {
    pub(crate) fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { path: path.into(), reason: reason.into() }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.reason)
        } else {
            write!(f, "{}: {}", self.path, self.reason)
        }
    }
}

/// Every fault of one configuration, in the order of the file. Displays as lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigErrors(pub Vec<Issue>);

/// `key` under `path`.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { printable(key) } else { format!("{path}.{}", printable(key)) }
}

/// Foreign text as a message may repeat it: one line, not long.
pub(crate) fn printable(text: &str) -> String {
    let mut out: String = text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        out.push('…');
    }
    out
}

/// A foreign value as a message may repeat it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(s) => format!("\"{}\"", printable(s)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// The sentence about an unknown key among `known` ones.
pub(crate) fn unknown(what: &str, key: &str, known: &[&str]) -> String {
    // Distances of huge keys cost time and tell nothing: their head decides.
    let key: String = key.chars().take(SHOWN_CHARS).collect();
    match known.iter().min_by_key(|k| distance(&key, k)) {
        Some(nearest) => format!("unknown {what}, nearest known is \"{nearest}\""),
        None => format!("unknown {what}"),
    }
}

/// Levenshtein distance: how many letters to insert, drop or change.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest_known_one() {
        assert_eq!(
            unknown("key", "max_tarhet", &["kp", "max_target", "motor_max"]),
            "unknown key, nearest known is \"max_target\""
        );
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn foreign_text_stays_on_one_short_line() {
        assert_eq!(printable("a\nb"), "a\\nb");
        assert_eq!(printable(&"x".repeat(100)).chars().count(), SHOWN_CHARS + 1);
    }
}
