//! The two shapes of an answer, and the one mapping from refusals to HTTP statuses.

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use std::time::Duration;
use tve_config::ConfigErrors;
use tve_control::{Refusal, RefusalClass, RefusalCode, Reply};

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How to log in.
const CHALLENGES: [HeaderValue; 2] = [
    HeaderValue::from_static("Basic realm=\"TVE-micro\""),
    HeaderValue::from_static("Bearer realm=\"TVE-micro\""),
];

/// A refusal on its way out: `{"success": false, "msg": CODE, "reason": ...}` with its status.
#[derive(Debug, Clone)]
pub(crate) struct Denied {
    refusal: Refusal,
    errors: Vec<String>,
    allow: Option<&'static str>,
    /// Seconds of `Retry-After` where the status is 429.
    retry_after: u64,
}

/// The debounce is a quarter of a second and the header counts in whole ones.
const RETRY_AFTER_S: u64 = 1;

impl Denied {
    pub(crate) fn new(code: RefusalCode, reason: impl Into<String>) -> Self {
        Refusal::with(code, reason).into()
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(RefusalCode::NotFound, format!("there is no {what}"))
    }

    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let reason = format!("this path has {allow}");
        Self { allow: Some(allow), ..Self::new(RefusalCode::MethodNotAllowed, reason) }
    }

    /// Says when to come back, in whole seconds.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self { retry_after: seconds.max(RETRY_AFTER_S), ..self }
    }

    /// A configuration that is refused whole, with every fault.
    pub(crate) fn bad_config(code: RefusalCode, errors: &ConfigErrors) -> Self {
        let errors: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        Self { errors: errors.clone(), ..Self::new(code, errors.join("; ")) }
    }

    pub(crate) fn status(&self) -> StatusCode {
        status_of(self.refusal.code.class())
    }

    /// The code, with the reason where there is one.
    pub(crate) fn sentence(&self) -> String {
        self.refusal.to_string()
    }

    pub(crate) fn internal() -> Self {
        Self::new(RefusalCode::Internal, "a fault of the service; its log says more")
    }
}

/// The status of a class of refusals.
pub(crate) const fn status_of(class: RefusalClass) -> StatusCode {
    match class {
        RefusalClass::BadInput => StatusCode::BAD_REQUEST,
        RefusalClass::Unauthenticated => StatusCode::UNAUTHORIZED,
        RefusalClass::Forbidden => StatusCode::FORBIDDEN,
        RefusalClass::NotFound => StatusCode::NOT_FOUND,
        RefusalClass::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        RefusalClass::TimedOut => StatusCode::REQUEST_TIMEOUT,
        RefusalClass::Conflict => StatusCode::CONFLICT,
        RefusalClass::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        RefusalClass::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
        RefusalClass::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        RefusalClass::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        RefusalClass::TooFast => StatusCode::TOO_MANY_REQUESTS,
        RefusalClass::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        RefusalClass::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, errors: Vec::new(), allow: None, retry_after: RETRY_AFTER_S }
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = tve_api::Refused {
            success: false,
            msg: self.refusal.msg().into_owned(),
            reason: self.refusal.reason,
            errors: self.errors,
        };
        let mut response = json(status, crate::view::json(&body));
        let headers = response.headers_mut();
        if status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.retry_after));
        }
        if status == StatusCode::UNAUTHORIZED {
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

    async fn body(denied: Denied) -> serde_json::Value {
        use http_body_util::BodyExt as _;
        let bytes = denied.into_response().into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn msg_is_a_code_and_the_sentence_stands_in_reason() {
        let denied = Denied::from(Refusal::invalid("z1", "z1 must be a number"));
        assert_eq!(denied.status(), StatusCode::BAD_REQUEST);
        let said = body(denied).await;
        assert_eq!(said["msg"], "INVALID_VALUE:z1");
        assert_eq!(said["reason"], "z1 must be a number");
        let said = body(Denied::from(Refusal::from(RefusalCode::AlarmActive))).await;
        assert_eq!(said, serde_json::json!({"success": false, "msg": "ALARM_ACTIVE"}));
    }

    #[test]
    fn too_fast_says_when_to_come_back() {
        let response = Denied::from(Refusal::from(RefusalCode::RelayDebounce)).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }

    #[test]
    fn no_refusal_is_a_success_and_none_but_a_fault_of_ours_is_an_internal_one() {
        for code in RefusalCode::ALL {
            let status = status_of(code.class());
            let ours = status == StatusCode::INTERNAL_SERVER_ERROR;
            assert_eq!(ours, *code == RefusalCode::Internal, "{}", code.name());
            let unavailable = status == StatusCode::SERVICE_UNAVAILABLE;
            assert!(status.is_client_error() || unavailable || ours, "{}", code.name());
        }
    }
}
