//! The router, and the handlers that only read: pins, permissives, history, health, metrics.

use super::audit;
use super::commands;
use super::config;
use super::files;
use super::pages;
use super::reply::{Denied, json};
use crate::app::App;
use crate::runner::OVERRUN;
use crate::{openapi, view};
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use std::sync::Arc;
use tower_http::services::ServeDir;
use tve_access::Caller;
use tve_api as api;
use tve_control::{Refusal, RefusalCode};

/// Samples of a history reply without `points`.
const HISTORY_NEWEST: usize = 1000;

/// Most points that one history reply may have: a day at one a second.
const HISTORY_POINTS_MAX: usize = 86_400;

/// Characters of a wrong argument that its refusal repeats.
const SHOWN: usize = 40;

pub(super) type Answered = Result<Response, Denied>;
pub(super) type Shared = State<Arc<App>>;

/// On whose behalf; the connection puts it into each request.
pub(super) type By = Extension<Caller>;

/// The routes that are not answered before the router.
pub(crate) fn router(app: Arc<App>, www: Option<&str>) -> Router {
    let router = Router::new()
        .route("/api/control", post(commands::control))
        .route("/api/gpio", get(gpio).post(commands::gpio))
        .route("/api/log", get(files::log))
        .route("/api/log/start", post(commands::log_start))
        .route("/api/log/stop", post(commands::log_stop))
        .route("/api/log/{file}", get(files::run))
        .route("/api/incidents", get(files::incidents))
        .route("/api/incidents/{file}", get(files::incident))
        .route("/api/tune/start", post(commands::tune_start))
        .route("/api/tune/stop", post(commands::tune_stop))
        .route("/api/tune/apply", post(commands::tune_apply))
        .route("/api/config", get(config::show).put(config::replace))
        .route("/api/config/generations", get(config::generations))
        .route("/api/config/generations/{generation}", get(config::show_generation))
        .route("/api/config/restore", post(config::restore))
        .route("/api/audit", get(audit::page))
        .route("/api/permissives", get(permissives))
        .route("/api/history/sensors", get(history))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi_document))
        .fallback(|| async { Denied::not_found("such path") });
    let router = match www {
        None => router.route("/", get(pages::index)),
        Some(folder) => {
            let folder = ServeDir::new(folder);
            router.fallback(move |request| pages::file(folder.clone(), request))
        }
    };
    router.with_state(app)
}

async fn gpio(State(app): Shared) -> Response {
    let newest = app.newest.load();
    ok(&view::gpio(&newest.snapshot, &newest.config))
}

async fn permissives(State(app): Shared) -> Response {
    ok(&view::permissives(&app.newest.load().snapshot.permissives))
}

pub(super) fn ok<T: serde::Serialize>(body: &T) -> Response {
    json(StatusCode::OK, view::json(body))
}

/// A query string that axum may have refused, which it says in plain text.
pub(super) type Asked<T> = Result<Query<T>, QueryRejection>;

pub(super) fn asked<T>(query: Asked<T>) -> Result<T, Refusal> {
    match query {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => Err(Refusal::with(RefusalCode::InvalidQuery, rejection.body_text())),
    }
}

#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    pub(super) page: String,
}

/// A whole number of a query string; empty means `default`.
pub(super) fn number<T: std::str::FromStr>(
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

#[derive(Deserialize)]
struct HistoryQuery {
    #[serde(default)]
    since: String,
    #[serde(default)]
    points: String,
}

async fn history(State(app): Shared, query: Asked<HistoryQuery>) -> Answered {
    let query = asked(query)?;
    let since: i64 = number("since", &query.since, 0)?;
    let points: usize = number("points", &query.points, HISTORY_NEWEST)?;
    if points == 0 || points > HISTORY_POINTS_MAX {
        let reason = format!("points must be 1 to {HISTORY_POINTS_MAX}, not {points}");
        return Err(Denied::new(RefusalCode::InvalidQuery, reason));
    }
    let all = query.since.is_empty() && query.points.is_empty();
    let body = on_thread(move || {
        let samples = if all {
            app.recorder.history_newest(HISTORY_NEWEST)
        } else {
            app.recorder.history_since(since, points)
        };
        let config = Arc::clone(&app.newest.load().config);
        let samples: Vec<_> = samples.iter().map(|s| view::history_sample(s, &config)).collect();
        view::json(&samples)
    });
    Ok(json(StatusCode::OK, body.await?))
}

/// Runs what takes long on a thread that may be held up.
pub(super) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Denied> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Denied::internal())
}

async fn health(State(app): Shared) -> Response {
    ok(&api::Health {
        status: "ok".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        uptime_s: app.stats.uptime().as_secs_f64(),
    })
}

async fn ready(State(app): Shared) -> Response {
    let control_ticking = app.stats.since_last_tick() < OVERRUN;
    let hardware_present = app.stats.hardware_present();
    let config_valid = app.config_errors.is_empty();
    let ready = control_ticking && hardware_present && config_valid;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = api::Ready { ready, control_ticking, hardware_present, config_valid };
    json(status, view::json(&body))
}

async fn metrics(State(app): Shared) -> Response {
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    let mut response = crate::metrics::render(&app).into_response();
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

async fn openapi_document() -> Response {
    json(StatusCode::OK, openapi::document())
}
