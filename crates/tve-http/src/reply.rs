//! The two shapes of an answer.

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use tve_control::{Refusal, RefusalCode, Reply};
use tve_runtime::ServiceError;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How to log in.
const CHALLENGES: [HeaderValue; 2] = [
    HeaderValue::from_static("Basic realm=\"TVE-micro\""),
    HeaderValue::from_static("Bearer realm=\"TVE-micro\""),
];

/// A refusal on its way out: `{"success": false, "msg": CODE, "reason": ...}` with its status.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    inner: ServiceError,
    allow: Option<String>,
}

impl ApiError {
    pub(crate) fn new(code: RefusalCode, reason: impl Into<String>) -> Self {
        ServiceError::new(code, reason).into()
    }

    pub(crate) fn not_found(what: &str) -> Self {
        ServiceError::not_found(what).into()
    }

    pub(crate) fn method_not_allowed(allow: String) -> Self {
        let error = Self::new(RefusalCode::MethodNotAllowed, format!("this path has {allow}"));
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
            msg: self.inner.msg().into_owned(),
            reason: self.inner.reason().map(str::to_owned),
            errors: self.inner.errors().to_vec(),
        };
        let mut response = json(status, crate::view::json(&body));
        let headers = response.headers_mut();
        let code = self.inner.code();
        let passes = matches!(code, RefusalCode::Overloaded | RefusalCode::TooManyConnections);
        if status == StatusCode::TOO_MANY_REQUESTS || passes {
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

    async fn body(error: ApiError) -> serde_json::Value {
        use http_body_util::BodyExt as _;
        let bytes = error.into_response().into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn msg_is_a_code_and_the_sentence_stands_in_reason() {
        let error = ApiError::from(Refusal::invalid("z1", "z1 must be a number"));
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
        let said = body(error).await;
        assert_eq!(said["msg"], "INVALID_VALUE:z1");
        assert_eq!(said["reason"], "z1 must be a number");
        let said = body(ApiError::from(Refusal::from(RefusalCode::AlarmActive))).await;
        assert_eq!(said, serde_json::json!({"success": false, "msg": "ALARM_ACTIVE"}));
    }

    #[test]
    fn too_fast_says_when_to_come_back() {
        let response = ApiError::from(Refusal::from(RefusalCode::RelayDebounce)).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }
}
