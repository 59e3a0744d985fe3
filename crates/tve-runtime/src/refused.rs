//! Why the door did not do what was asked: a number, a code, a sentence.
//!
//! The number is that of HTTP, because the audit journal keeps it and every front can be told by it
//! whose fault it was. This is the one mapping from refusals to numbers.

use std::borrow::Cow;
use std::time::Duration;
use tve_access::Role;
use tve_config::ConfigErrors;
use tve_control::{Refusal, RefusalClass, RefusalCode};

/// Refused, or failed. Nothing has changed, unless the sentence says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    status: u16,
    msg: Cow<'static, str>,
    detail: Option<String>,
    errors: Vec<String>,
    retry_after: Duration,
}

/// Least time to wait after what came too fast: the debounce is a quarter of a second, and clients
/// count in whole ones.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl ServiceError {
    /// A refusal with a number of HTTP (400 to 599), a code and a sentence.
    pub fn new(status: u16, msg: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            msg: msg.into(),
            detail: Some(detail.into()),
            errors: Vec::new(),
            retry_after: RETRY_AFTER,
        }
    }

    /// 404: there is no `what`.
    pub fn not_found(what: &str) -> Self {
        Self::new(404, "NOT_FOUND", format!("there is no {what}"))
    }

    /// 500: a fault of ours.
    pub fn internal() -> Self {
        Self::new(500, "INTERNAL", "a fault of the service; its log says more")
    }

    /// 400: a configuration that is refused whole, with every fault.
    pub fn bad_config(errors: &ConfigErrors) -> Self {
        let errors: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        let detail = errors.join("; ");
        Self { errors, ..Self::new(400, "INVALID_CONFIG", detail) }
    }

    /// 401: who asks is not known.
    pub(crate) fn unauthenticated(msg: &'static str, detail: &'static str) -> Self {
        Self::new(401, msg, detail)
    }

    /// 403: `what` needs the role `needed`.
    pub(crate) fn forbidden(what: &str, needed: Role, role: Role) -> Self {
        let (needed, role) = (needed.name(), role.name());
        let detail = format!("{what} needs the role {needed}; this login is {role}");
        Self::new(403, "ROLE_TOO_LOW", detail)
    }

    /// 429: come back after `wait`.
    pub(crate) fn too_fast(msg: &'static str, detail: impl Into<String>, wait: Duration) -> Self {
        Self { retry_after: wait.max(RETRY_AFTER), ..Self::new(429, msg, detail) }
    }

    /// The same with another number.
    #[must_use]
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The number of HTTP, 400 to 599.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The code.
    pub fn msg(&self) -> &str {
        &self.msg
    }

    /// The sentence, where there is more to say than the code.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The faults one by one, where a document has several.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// When to come back, for 429; 1 s or more.
    pub fn retry_after(&self) -> Duration {
        self.retry_after
    }

    /// What `msg` says, with the detail where there is one.
    pub fn sentence(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{}: {detail}", self.msg),
            None => self.msg.clone().into_owned(),
        }
    }
}

/// The number of a class of refusals.
const fn status_of(class: RefusalClass) -> u16 {
    match class {
        RefusalClass::BadInput => 400,
        RefusalClass::NotFound => 404,
        RefusalClass::Conflict => 409,
        RefusalClass::TooFast => 429,
        RefusalClass::Unavailable => 503,
    }
}

impl From<Refusal> for ServiceError {
    fn from(refusal: Refusal) -> Self {
        let status = status_of(refusal.code.class());
        let msg: Cow<'static, str> = match (refusal.code, &refusal.detail) {
            (RefusalCode::Invalid, Some(sentence)) => sentence.clone().into(),
            _ => refusal.code.name().into(),
        };
        let detail = refusal.detail.filter(|d| *d != msg);
        Self { status, msg, detail, errors: Vec::new(), retry_after: RETRY_AFTER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_stands_for_the_code_of_invalid_input_and_is_not_said_twice() {
        let error = ServiceError::from(Refusal::invalid("z1 must be a number"));
        assert_eq!(error.status, 400);
        assert_eq!(error.msg, "z1 must be a number");
        assert_eq!(error.detail, None);
    }

    #[test]
    fn no_refusal_is_a_success_or_an_unmapped_server_error() {
        for code in RefusalCode::ALL {
            let status = status_of(code.class());
            assert!((400..500).contains(&status) || status == 503);
        }
    }
}
