//! The two shapes of an answer, and the one mapping from refusals to HTTP statuses.

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use std::borrow::Cow;
use std::time::Duration;
use tve_config::ConfigErrors;
use tve_control::{Refusal, RefusalClass, Reply};

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How to log in.
const CHALLENGES: [HeaderValue; 2] = [
    HeaderValue::from_static("Basic realm=\"TVE-micro\""),
    HeaderValue::from_static("Bearer realm=\"TVE-micro\""),
];

/// A refusal on its way out: `{"success": false, "msg": ...}` with its status.
#[derive(Debug, Clone)]
pub(crate) struct Denied {
    pub(crate) status: StatusCode,
    msg: Cow<'static, str>,
    detail: Option<String>,
    errors: Vec<String>,
    allow: Option<&'static str>,
    /// Seconds of `Retry-After` where the status is 429.
    retry_after: u64,
}

/// The debounce is a quarter of a second and the header counts in whole ones.
const RETRY_AFTER_S: u64 = 1;

impl Denied {
    pub(crate) fn new(status: StatusCode, msg: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            msg: msg.into(),
            detail: Some(detail.into()),
            errors: Vec::new(),
            allow: None,
            retry_after: RETRY_AFTER_S,
        }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("there is no {what}"))
    }

    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let detail = format!("this path has {allow}");
        let denied = Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", detail);
        Self { allow: Some(allow), ..denied }
    }

    /// Says when to come back, in whole seconds.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self { retry_after: seconds.max(RETRY_AFTER_S), ..self }
    }

    /// A configuration that is refused whole, with every fault.
    pub(crate) fn bad_config(errors: &ConfigErrors) -> Self {
        let errors: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        let detail = errors.join("; ");
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, "INVALID_CONFIG", detail) }
    }

    /// What `msg` says, with the detail where there is one.
    pub(crate) fn sentence(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{}: {detail}", self.msg),
            None => self.msg.clone().into_owned(),
        }
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL",
            "a fault of the service; its log says more",
        )
    }
}

/// The status of a class of refusals.
pub(crate) const fn status_of(class: RefusalClass) -> StatusCode {
    match class {
        RefusalClass::BadInput => StatusCode::BAD_REQUEST,
        RefusalClass::NotFound => StatusCode::NOT_FOUND,
        RefusalClass::Conflict => StatusCode::CONFLICT,
        RefusalClass::TooFast => StatusCode::TOO_MANY_REQUESTS,
        RefusalClass::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        let status = status_of(refusal.code.class());
        let msg: Cow<'static, str> = match (refusal.code, &refusal.detail) {
            (tve_control::RefusalCode::Invalid, Some(sentence)) => sentence.clone().into(),
            _ => refusal.code.name().into(),
        };
        let detail = refusal.detail.filter(|d| *d != msg);
        Self { status, msg, detail, errors: Vec::new(), allow: None, retry_after: RETRY_AFTER_S }
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let body = tve_api::Refused {
            success: false,
            msg: self.msg.into_owned(),
            detail: self.detail,
            errors: self.errors,
        };
        let mut response = json(self.status, crate::view::json(&body));
        let headers = response.headers_mut();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.retry_after));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            for challenge in CHALLENGES {
                headers.append(WWW_AUTHENTICATE, challenge);
            }
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

/// A JSON body with a status.
pub(crate) fn json(status: StatusCode, body: impl Into<bytes::Bytes>) -> Response {
    let mut response = Response::new(axum::body::Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// The answer to an accepted command.
pub(crate) fn success(reply: Reply) -> Response {
    let body = tve_api::Success { success: true, msg: reply.msg, value: reply.value };
    json(StatusCode::OK, crate::view::json(&body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_control::RefusalCode;

    #[test]
    fn a_sentence_stands_for_the_code_of_invalid_input_and_is_not_said_twice() {
        let denied = Denied::from(Refusal::invalid("z1 must be a number"));
        assert_eq!(denied.status, StatusCode::BAD_REQUEST);
        assert_eq!(denied.msg, "z1 must be a number");
        assert_eq!(denied.detail, None);
    }

    #[test]
    fn too_fast_says_when_to_come_back() {
        let response = Denied::from(Refusal::from(RefusalCode::RelayDebounce)).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }

    #[test]
    fn no_refusal_is_a_success_or_an_unmapped_server_error() {
        for code in RefusalCode::ALL {
            let status = status_of(code.class());
            assert!(status.is_client_error() || status == StatusCode::SERVICE_UNAVAILABLE);
        }
    }
}
