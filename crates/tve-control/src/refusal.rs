//! A refused command: its code, the key that is at fault, and a sentence for a person.

use core::fmt;
use std::borrow::Cow;
use tve_config::Issue;
pub use tve_machine::{RefusalClass, RefusalCode};

/// A refused command. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason, for a program.
    pub code: RefusalCode,
    /// The key that [`RefusalCode::InvalidValue`] is about: a dotted path in the value of the
    /// command, or in the configuration.
    key: Option<String>,
    /// More for a person: values, limits, names.
    pub reason: Option<String>,
}

impl Refusal {
    /// A value at `key` that is of a wrong kind or out of range, as `sentence` says.
    pub fn invalid(key: &str, sentence: impl Into<String>) -> Self {
        Self {
            code: RefusalCode::InvalidValue,
            key: Some(plain(key)).filter(|key| !key.is_empty()),
            reason: Some(sentence.into()),
        }
    }

    /// Faults of settings: the first one's key, every one's sentence.
    pub fn of_issues(issues: &[Issue]) -> Self {
        let sentences: Vec<String> = issues.iter().map(ToString::to_string).collect();
        let key = issues.first().map_or("", |issue| &issue.path);
        Self::invalid(key, sentences.join("; "))
    }

    /// A code with an explanation.
    pub fn with(code: RefusalCode, reason: impl Into<String>) -> Self {
        Self { code, key: None, reason: Some(reason.into()) }
    }

    /// The same fault under another code, which says what is wrong by itself.
    #[must_use]
    pub(crate) fn under(self, code: RefusalCode) -> Self {
        Self { code, key: None, ..self }
    }

    /// What `msg` says on the wire: the code; where a value is wrong, `INVALID_VALUE:` and its key.
    pub fn msg(&self) -> Cow<'static, str> {
        match &self.key {
            None => self.code.name().into(),
            Some(key) => format!("{}:{key}", self.code.name()).into(),
        }
    }
}

/// The part of a path that is made of what keys are made of: a foreign key may hold anything.
fn plain(path: &str) -> String {
    let of_a_key = |c: &char| c.is_ascii_alphanumeric() || "_.[]".contains(*c);
    path.chars().take_while(of_a_key).collect()
}

impl From<RefusalCode> for Refusal {
    fn from(code: RefusalCode) -> Self {
        Self { code, key: None, reason: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.msg())?;
        self.reason.iter().try_for_each(|reason| write!(f, ": {reason}"))
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn msg_is_a_code_and_names_the_key_of_a_wrong_value() {
        let refusal = Refusal::invalid("params.kp", "kp must be a number");
        assert_eq!(refusal.msg(), "INVALID_VALUE:params.kp");
        assert_eq!(refusal.to_string(), "INVALID_VALUE:params.kp: kp must be a number");
        assert_eq!(Refusal::from(RefusalCode::NotFitted).msg(), "NOT_FITTED");
        assert_eq!(refusal.under(RefusalCode::InvalidPin).msg(), "INVALID_PIN");
    }

    #[test]
    fn a_foreign_key_brings_nothing_but_letters_into_the_code() {
        let of = |key| Refusal::invalid(key, "").msg().into_owned();
        assert_eq!(of("pins.my lamp"), "INVALID_VALUE:pins.my");
        assert_eq!(of("\u{0}: DROP"), "INVALID_VALUE");
    }
}
