//! Why the door did not do what was asked: a refusal, and what else its sender is told.
//!
//! Its number is that of HTTP, because the audit journal keeps it and every front can be told by it
//! whose fault it was. This is the one mapping from refusals to numbers.

use std::borrow::Cow;
use std::time::Duration;
use tve_config::ConfigErrors;
use tve_control::{Refusal, RefusalClass, RefusalCode};

/// Refused, or failed. Nothing has changed, unless the reason says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    refusal: Refusal,
    errors: Vec<String>,
    retry_after: Duration,
}

/// Least time to wait after what came too fast: the debounce is a quarter of a second, and clients
/// count in whole ones.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl ServiceError {
    /// A code with a sentence.
    pub fn new(code: RefusalCode, reason: impl Into<String>) -> Self {
        Refusal::with(code, reason).into()
    }

    /// There is no `what`.
    pub fn not_found(what: &str) -> Self {
        Self::new(RefusalCode::NotFound, format!("there is no {what}"))
    }

    /// A fault of ours.
    pub fn internal() -> Self {
        Self::new(RefusalCode::Internal, "a fault of the service; its log says more")
    }

    /// A configuration that is refused whole, with every fault.
    pub fn bad_config(code: RefusalCode, errors: &ConfigErrors) -> Self {
        let errors: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        Self { errors: errors.clone(), ..Self::new(code, errors.join("; ")) }
    }

    /// Come back after `wait`.
    pub(crate) fn too_fast(code: RefusalCode, reason: impl Into<String>, wait: Duration) -> Self {
        Self { retry_after: wait.max(RETRY_AFTER), ..Self::new(code, reason) }
    }

    /// The number of HTTP, 400 to 599.
    pub fn status(&self) -> u16 {
        status_of(self.refusal.code.class())
    }

    /// The code.
    pub fn code(&self) -> RefusalCode {
        self.refusal.code
    }

    /// The code, as clients read it.
    pub fn msg(&self) -> Cow<'static, str> {
        self.refusal.msg()
    }

    /// The sentence, where there is more to say than the code.
    pub fn reason(&self) -> Option<&str> {
        self.refusal.reason.as_deref()
    }

    /// The faults one by one, where a document has several.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// When to come back, for 429 and for what passes; 1 s or more.
    pub fn retry_after(&self) -> Duration {
        self.retry_after
    }

    /// The code, with the reason where there is one.
    pub fn sentence(&self) -> String {
        self.refusal.to_string()
    }
}

/// The number of a class of refusals.
const fn status_of(class: RefusalClass) -> u16 {
    match class {
        RefusalClass::BadInput => 400,
        RefusalClass::Unauthenticated => 401,
        RefusalClass::Forbidden => 403,
        RefusalClass::NotFound => 404,
        RefusalClass::MethodNotAllowed => 405,
        RefusalClass::TimedOut => 408,
        RefusalClass::Conflict => 409,
        RefusalClass::PreconditionFailed => 412,
        RefusalClass::TooLarge => 413,
        RefusalClass::UnsupportedMedia => 415,
        RefusalClass::PreconditionRequired => 428,
        RefusalClass::TooFast => 429,
        RefusalClass::Internal => 500,
        RefusalClass::Unavailable => 503,
    }
}

impl From<Refusal> for ServiceError {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, errors: Vec::new(), retry_after: RETRY_AFTER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_refusal_is_a_success_and_none_but_a_fault_of_ours_is_an_internal_one() {
        for code in RefusalCode::ALL {
            let status = status_of(code.class());
            let ours = status == 500;
            assert_eq!(ours, *code == RefusalCode::Internal, "{}", code.name());
            assert!((400..500).contains(&status) || status == 503 || ours, "{}", code.name());
        }
    }
}
