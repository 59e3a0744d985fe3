//! The vocabulary of handlers: what they are given and what they answer.

use crate::app::App;
use crate::reply::{ApiError, json};
use crate::view;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::Response;
use hyper::StatusCode;
use serde::Deserialize;
use std::sync::Arc;
use tve_access::Caller;
use tve_control::{Refusal, RefusalCode};

/// Characters of a wrong argument that its refusal repeats.
const SHOWN: usize = 40;

pub(crate) type Answered = Result<Response, ApiError>;
pub(crate) type Shared = State<Arc<App>>;

/// On whose behalf; the connection puts it into each request.
pub(crate) type By = Extension<Caller>;

/// A fault of the headers that a POST /api/control still has to report after it has looked for an
/// emergency stop in the body.
#[derive(Clone)]
pub(crate) struct HeaderFault(pub(crate) ApiError);

/// A command that comes from elsewhere, with what its head says of that: only an emergency stop is
/// taken.
#[derive(Clone)]
pub(crate) struct Elsewhere(pub(crate) serde_json::Value);

/// A query string that axum may have refused, which it says in plain text.
pub(crate) type Asked<T> = Result<Query<T>, QueryRejection>;

pub(crate) fn asked<T>(query: Asked<T>) -> Result<T, Refusal> {
    match query {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => Err(Refusal::with(RefusalCode::InvalidQuery, rejection.body_text())),
    }
}

#[derive(Deserialize)]
pub(crate) struct Page {
    #[serde(default)]
    pub(crate) page: String,
}

/// A whole number of a query string; empty means `default`.
pub(crate) fn number<T: std::str::FromStr>(
    name: &str,
    text: &str,
    default: T,
) -> Result<T, Refusal> {
    if text.is_empty() {
        return Ok(default);
    }
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
        let reason = format!("{name} must be a whole number, not \"{shown}\"");
        Refusal::with(RefusalCode::InvalidQuery, reason)
    })
}

/// A reply with status 200.
pub(crate) fn ok<T: serde::Serialize>(body: &T) -> Response {
    json(StatusCode::OK, view::json(body))
}
