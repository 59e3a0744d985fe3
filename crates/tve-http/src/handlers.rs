//! The handlers that only read: pins, permissives, history, health, metrics.

use crate::ask::{Answered, Asked, Shared, asked, number, ok};
use crate::in_flight::{Allowance, Purpose};
use crate::past::{self, Past};
use crate::reply::{ApiError, JSON, json};
use crate::view;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use std::sync::Arc;
use tve_api as api;
use tve_control::RefusalCode;
use tve_runtime::read_on_thread;

/// Samples of a history reply without `points`.
const HISTORY_NEWEST: usize = 1000;

/// Most points that one history reply may have: a day at one a second.
const HISTORY_POINTS_MAX: usize = 86_400;

/// What no route has.
pub(crate) async fn nothing() -> ApiError {
    ApiError::not_found("such path")
}

/// `GET /api/gpio`.
pub(crate) async fn gpio(State(app): Shared) -> Response {
    let newest = app.door.newest();
    ok(&view::gpio(&newest.snapshot, &newest.config))
}

/// `GET /api/permissives`.
pub(crate) async fn permissives(State(app): Shared) -> Response {
    let newest = app.door.newest();
    ok(&view::permissives(&newest.snapshot, &app.tags(&newest)))
}

#[derive(Deserialize)]
pub(crate) struct HistoryQuery {
    #[serde(default)]
    since: String,
    #[serde(default)]
    points: String,
}

/// `GET /api/history/sensors`.
pub(crate) async fn history(
    State(app): Shared,
    Extension(allowance): Extension<Allowance>,
    query: Asked<HistoryQuery>,
) -> Answered {
    let query = asked(query)?;
    let since: i64 = number("since", &query.since, 0)?;
    let points: usize = number("points", &query.points, HISTORY_NEWEST)?;
    if points == 0 || points > HISTORY_POINTS_MAX {
        let reason = format!("points must be 1 to {HISTORY_POINTS_MAX}, not {points}");
        return Err(ApiError::new(RefusalCode::InvalidQuery, reason));
    }
    // Before anything is made: who finds no room costs nothing.
    let grant = allowance.claim(past::kept(points), Purpose::Read)?;
    let all = query.since.is_empty() && query.points.is_empty();
    let selection = if all {
        app.door.history_newest(HISTORY_NEWEST)
    } else {
        app.door.history_since(since, points).await?
    };
    let mut response = Response::new(Body::new(Past::new(app, selection)));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response.extensions_mut().insert(Arc::new(grant));
    Ok(response)
}

/// `GET /health`.
pub(crate) async fn health(State(app): Shared) -> Response {
    ok(&api::Health {
        status: "ok".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        uptime_s: app.door.loop_stats().uptime().as_secs_f64(),
    })
}

/// `GET /ready`.
pub(crate) async fn ready(State(app): Shared) -> Response {
    let control_ticking = app.door.loop_stats().is_ticking();
    let hardware_present = app.door.loop_stats().hardware_present();
    let config_valid = app.door.config_errors().is_empty();
    let ready = control_ticking && hardware_present && config_valid;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = api::Ready { ready, control_ticking, hardware_present, config_valid };
    json(status, view::json(&body))
}

/// Bytes of a page of metrics, about.
const METRICS_KEPT: usize = 64 * 1024;

/// `GET /metrics`.
pub(crate) async fn metrics(
    State(app): Shared,
    Extension(allowance): Extension<Allowance>,
) -> Answered {
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    // It takes a millisecond, of which requests that only read the machine know nothing.
    let grant = allowance.claim(METRICS_KEPT, Purpose::Read)?;
    let page = read_on_thread(move || crate::metrics::render(&app)).await?;
    let mut response = page.into_response();
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response.extensions_mut().insert(Arc::new(grant));
    Ok(response)
}

/// `GET /openapi.json`.
pub(crate) async fn openapi_document(State(app): Shared) -> Response {
    json(StatusCode::OK, app.description())
}
