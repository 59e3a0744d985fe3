//! The handlers that only read: pins, permissives, history, health, metrics.

use crate::ask::{Answered, Asked, Shared, asked, number, ok, on_thread};
use crate::reply::{ApiError, json};
use crate::view;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use tve_api as api;
use tve_control::RefusalCode;

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
pub(crate) async fn history(State(app): Shared, query: Asked<HistoryQuery>) -> Answered {
    let query = asked(query)?;
    let since: i64 = number("since", &query.since, 0)?;
    let points: usize = number("points", &query.points, HISTORY_NEWEST)?;
    if points == 0 || points > HISTORY_POINTS_MAX {
        let reason = format!("points must be 1 to {HISTORY_POINTS_MAX}, not {points}");
        return Err(ApiError::new(RefusalCode::InvalidQuery, reason));
    }
    let all = query.since.is_empty() && query.points.is_empty();
    let samples = if all {
        app.door.history_newest(HISTORY_NEWEST).await?
    } else {
        app.door.history_since(since, points).await?
    };
    let body = on_thread(move || {
        let tags = app.tags(&app.door.newest());
        view::json(&view::history(&samples, &tags))
    });
    Ok(json(StatusCode::OK, body.await?))
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

/// `GET /metrics`.
pub(crate) async fn metrics(State(app): Shared) -> Response {
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    let mut response = crate::metrics::render(&app).into_response();
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

/// `GET /openapi.json`.
pub(crate) async fn openapi_document(State(app): Shared) -> Response {
    json(StatusCode::OK, app.description())
}
