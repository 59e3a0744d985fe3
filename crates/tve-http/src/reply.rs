//! The two shapes of an answer.

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use tve_control::{Refusal, Reply};
use tve_runtime::ServiceError;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How to log in.
const CHALLENGES: [HeaderValue; 2] = [
    HeaderValue::from_static("Basic realm=\"TVE-micro\""),
    HeaderValue::from_static("Bearer realm=\"TVE-micro\""),
];

/// A refusal on its way out: `{"success": false, "msg": ...}` with its status.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    inner: ServiceError,
    allow: Option<String>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, msg: &'static str, detail: impl Into<String>) -> Self {
        ServiceError::new(status.as_u16(), msg, detail).into()
    }

    pub(crate) fn not_found(what: &str) -> Self {
        ServiceError::not_found(what).into()
    }

    pub(crate) fn method_not_allowed(allow: String) -> Self {
        let detail = format!("this path has {allow}");
        let error = Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", detail);
        Self { allow: Some(allow), ..error }
    }

    pub(crate) fn internal() -> Self {
        ServiceError::internal().into()
    }

    /// What the service knows of it.
    pub(crate) fn into_inner(self) -> ServiceError {
        self.inner
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.inner.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<ServiceError> for ApiError {
    fn from(inner: ServiceError) -> Self {
        Self { inner, allow: None }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        ServiceError::from(refusal).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = tve_api::Refused {
            success: false,
            msg: self.inner.msg().to_owned(),
            detail: self.inner.detail().map(str::to_owned),
            errors: self.inner.errors().to_vec(),
        };
        let mut response = json(status, crate::view::json(&body));
        let headers = response.headers_mut();
        if status == StatusCode::TOO_MANY_REQUESTS {
            // Whole seconds, and not too early.
            let wait = self.inner.retry_after();
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            for challenge in CHALLENGES {
                headers.append(WWW_AUTHENTICATE, challenge);
            }
        }
        if let Some(allow) = self.allow.and_then(|allow| HeaderValue::from_str(&allow).ok()) {
            headers.insert(ALLOW, allow);
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
    fn too_fast_says_when_to_come_back() {
        let response = ApiError::from(Refusal::from(RefusalCode::RelayDebounce)).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }
}
