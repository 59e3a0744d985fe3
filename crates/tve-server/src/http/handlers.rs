//! The handlers behind the router: commands, recorder, tune, history, health.

use super::audit;
use super::body;
use super::config;
use super::connection::HeaderFault;
use super::pages;
use super::reply::{Denied, json, success};
use crate::app::App;
use crate::auth::{self, Access, Arrival, Lane};
use crate::runner::OVERRUN;
use crate::{openapi, view};
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::StatusCode;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;
use tower_http::services::ServeDir;
use tve_access::{Caller, Need, table};
use tve_api as api;
use tve_control::{
    Command, Refusal, RefusalCode, Reply, lenient_json, parse_control, parse_gpio, parse_tune_start,
};

/// Samples of a history reply without `points`.
const HISTORY_NEWEST: usize = 1000;

/// Most points that one history reply may have: a day at one a second.
const HISTORY_POINTS_MAX: usize = 86_400;

/// Size of the pieces in which a run file is read.
const FILE_PIECE: usize = 64 * 1024;

/// Characters of a wrong argument that its refusal repeats.
const SHOWN: usize = 40;

pub(super) type Answered = Result<Response, Denied>;
pub(super) type Shared = State<Arc<App>>;

/// The routes that are not answered before the router.
pub(crate) fn router(app: Arc<App>, www: Option<&str>) -> Router {
    let router = Router::new()
        .route("/api/control", post(control))
        .route("/api/gpio", get(gpio).post(gpio_command))
        .route("/api/log", get(log))
        .route("/api/log/start", post(log_start))
        .route("/api/log/stop", post(log_stop))
        .route("/api/log/{file}", get(log_file))
        .route("/api/incidents", get(incidents))
        .route("/api/incidents/{file}", get(incident_file))
        .route("/api/tune/start", post(tune_start))
        .route("/api/tune/stop", post(tune_stop))
        .route("/api/tune/apply", post(tune_apply))
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

/// The JSON of a body; an empty one is `{}`.
pub(super) async fn json_body(request: Request) -> Result<Value, Denied> {
    let read = body::read(request.into_body()).await;
    match read.fault {
        Some(fault) => Err(fault),
        None => parse(&read.bytes),
    }
}

fn parse(bytes: &[u8]) -> Result<Value, Denied> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    Ok(lenient_json(bytes)?)
}

/// On whose behalf; the connection puts it into each request.
type By = Extension<Caller>;

async fn control(State(app): Shared, Extension(caller): By, request: Request) -> Answered {
    let (parts, body) = request.into_parts();
    // There while logins are asked for: who sends it is not proven yet.
    let arrival = parts.extensions.get::<Arrival>();
    let read = body::read(body).await;
    if body::asks_for_emergency_stop(&read.bytes) {
        let caller = match arrival {
            Some(arrival) => prove(&app, arrival, "EMERGENCY_STOP", true).await?,
            None => caller,
        };
        let granted = grant(&app.access, &caller, "EMERGENCY_STOP");
        let asked = audit::Request { caller, name: "EMERGENCY_STOP".into(), value: Value::Null };
        return match granted {
            Ok(()) => audit::run(app, asked, Ok(Command::EmergencyStop)).await,
            Err(denied) => Err(asked.refuse(&app, denied)),
        };
    }
    let header_fault = parts.extensions.get::<HeaderFault>().cloned();
    let Some(arrival) = arrival else {
        let body = match header_fault.map(|f| f.0).or(read.fault) {
            Some(fault) => Err(fault),
            None => parse(&read.bytes),
        };
        return command(app, caller, "POST /api/control", body, parse_control).await;
    };
    // What nobody has proven to have sent leaves no line: the journal is not a stranger's to fill.
    if let Some(fault) = header_fault.map(|f| f.0).or(read.fault) {
        return Err(fault);
    }
    let body = parse(&read.bytes);
    let name = body.as_ref().ok().and_then(|body| body.get("command")?.as_str()).unwrap_or("");
    let calms = body.as_ref().is_ok_and(|body| parse_control(body).is_ok_and(|c| c.only_calms()));
    let caller = prove(&app, arrival, name, calms).await?;
    if let Err(denied) = grant(&app.access, &caller, name) {
        let body = body.unwrap_or_default();
        return Err(audit::Request::of_body(caller, body).refuse(&app, denied));
    }
    command(app, caller, "POST /api/control", body, parse_control).await
}

/// What a command needs; one of no row is unknown, and told so to whoever may send any.
fn need(name: &str) -> Need {
    table::command(name).unwrap_or(Need::Commands)
}

/// Who sends a command, proven where the command needs a login.
async fn prove(app: &App, arrival: &Arrival, name: &str, calms: bool) -> Result<Caller, Denied> {
    if app.access.role(need(name)).is_none() {
        return Ok(app.access.glance(arrival));
    }
    let lane = if calms { Lane::Calming } else { Lane::Ordinary };
    app.access.login(arrival, lane).await
}

/// Whether `caller` may send a command.
fn grant(access: &Access, caller: &Caller, name: &str) -> Result<(), Denied> {
    access.role(need(name)).map_or(Ok(()), |role| auth::grant(caller, role, name))
}

async fn gpio_command(State(app): Shared, Extension(caller): By, request: Request) -> Answered {
    let body = json_body(request).await;
    command(app, caller, "POST /api/gpio", body, parse_gpio).await
}

/// Carries out the command that a body names; `path` stands for the name where there is no body.
async fn command(
    app: Arc<App>,
    caller: Caller,
    path: &str,
    body: Result<Value, Denied>,
    parse: fn(&Value) -> Result<Command, Refusal>,
) -> Answered {
    match body {
        Ok(body) => {
            let command = parse(&body);
            audit::run(app, audit::Request::of_body(caller, body), command).await
        }
        Err(denied) => {
            let asked = audit::Request { caller, name: path.into(), value: Value::Null };
            Err(asked.refuse(&app, denied))
        }
    }
}

/// Carries out the command that `path` is.
async fn command_of_path(
    app: Arc<App>,
    caller: Caller,
    path: &str,
    body: Result<Value, Denied>,
    parse: impl FnOnce(&Value) -> Result<Command, Refusal>,
) -> Answered {
    let mut asked = audit::Request { caller, name: path.into(), value: Value::Null };
    match body {
        Ok(body) => {
            let command = parse(&body);
            asked.value = body;
            audit::run(app, asked, command).await
        }
        Err(denied) => Err(asked.refuse(&app, denied)),
    }
}

async fn tune_start(State(app): Shared, Extension(caller): By, request: Request) -> Answered {
    let body = json_body(request).await;
    command_of_path(app, caller, "POST /api/tune/start", body, parse_tune_start).await
}

async fn tune_stop(State(app): Shared, Extension(caller): By, request: Request) -> Answered {
    let body = json_body(request).await;
    command_of_path(app, caller, "POST /api/tune/stop", body, |_| Ok(Command::TuneStop)).await
}

async fn tune_apply(State(app): Shared, Extension(caller): By, request: Request) -> Answered {
    let body = json_body(request).await;
    command_of_path(app, caller, "POST /api/tune/apply", body, |_| Ok(Command::TuneApply)).await
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

async fn log_start(State(app): Shared, Extension(caller): By) -> Answered {
    app.access.take(&caller)?;
    app.recorder.start_run();
    Ok(log_order(&app, caller, "POST /api/log/start"))
}

async fn log_stop(State(app): Shared, Extension(caller): By) -> Answered {
    app.access.take(&caller)?;
    app.recorder.stop_run();
    Ok(log_order(&app, caller, "POST /api/log/stop"))
}

fn log_order(app: &App, caller: Caller, path: &str) -> Response {
    let asked = audit::Request { caller, name: path.into(), value: Value::Null };
    asked.note(app, 200, None, Vec::new());
    success(Reply::OK)
}

/// A query string that axum may have refused, which it says in plain text.
pub(super) type Asked<T> = Result<Query<T>, QueryRejection>;

pub(super) fn asked<T>(query: Asked<T>) -> Result<T, Refusal> {
    match query {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => Err(Refusal::invalid(rejection.body_text())),
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
        Refusal::invalid(format!("{name} must be a whole number, not \"{shown}\""))
    })
}

async fn log(State(app): Shared, query: Asked<Page>) -> Answered {
    let query = asked(query)?;
    let page: usize = number("page", &query.page, 0)?;
    let status = app.recorder.status();
    let folder = app.data_dir.clone();
    let list = tokio::task::spawn_blocking(move || tve_recorder::list_runs(&folder, page)).await;
    let list = match list {
        Ok(Ok(list)) => list,
        Ok(Err(error)) => return Err(unreadable(&error)),
        Err(_) => return Err(Denied::internal()),
    };
    Ok(ok(&api::LogStatus {
        success: true,
        recording: status.recording,
        suspended: status.suspended,
        file: status.file,
        rows: status.rows,
        dropped_rows: status.dropped_rows,
        write_failures: status.write_failures,
        last_flush: status.last_flush,
        bytes_free: status.bytes_free,
        disk_low: status.disk_low,
        failed: status.failed,
        page: page as u64,
        total: list.total as u64,
        files: list
            .runs
            .into_iter()
            .map(|run| api::RunFile { name: run.name, size: run.size, modified: run.modified })
            .collect(),
    }))
}

pub(super) fn unreadable(error: &std::io::Error) -> Denied {
    tracing::warn!(%error, "the data folder cannot be read");
    Refusal::with(
        RefusalCode::Hardware,
        format!("the data folder cannot be read: {error}; check the disk of the data folder"),
    )
    .into()
}

fn no_such_run() -> Denied {
    Denied::not_found("run file of that name; GET /api/log lists them")
}

fn no_such_incident() -> Denied {
    Denied::not_found("incident file of that name; GET /api/incidents lists them")
}

type Name = Result<Path<String>, PathRejection>;

async fn log_file(State(app): Shared, name: Name) -> Answered {
    const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");
    send_file(app, name, tve_recorder::open_run, CSV, no_such_run).await
}

async fn incident_file(State(app): Shared, name: Name) -> Answered {
    const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
    send_file(app, name, tve_recorder::open_incident, BYTES, no_such_incident).await
}

async fn incidents(State(app): Shared, query: Asked<Page>) -> Answered {
    let query = asked(query)?;
    let page: usize = number("page", &query.page, 0)?;
    let folder = app.data_dir.clone();
    let list = tokio::task::spawn_blocking(move || tve_recorder::list_incidents(&folder, page));
    let list = match list.await {
        Ok(Ok(list)) => list,
        Ok(Err(error)) => return Err(unreadable(&error)),
        Err(_) => return Err(Denied::internal()),
    };
    Ok(ok(&api::IncidentList {
        success: true,
        page: page as u64,
        total: list.total as u64,
        files: list
            .runs
            .into_iter()
            .map(|file| api::RunFile { name: file.name, size: file.size, modified: file.modified })
            .collect(),
    }))
}

/// A file of the data folder, in pieces.
async fn send_file(
    app: Arc<App>,
    name: Name,
    open: fn(&std::path::Path, &str) -> std::io::Result<(std::fs::File, u64)>,
    media: HeaderValue,
    absent: fn() -> Denied,
) -> Answered {
    let Ok(Path(name)) = name else {
        return Err(absent());
    };
    let folder = app.data_dir.clone();
    let wanted = name.clone();
    let opened = tokio::task::spawn_blocking(move || open(&folder, &wanted)).await;
    let (file, length) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(absent());
        }
        Ok(Err(error)) => return Err(unreadable(&error)),
        Err(_) => return Err(Denied::internal()),
    };
    // A run that is still being written may grow meanwhile; what was announced is what is sent.
    let bytes = tokio::fs::File::from_std(file).take(length);
    let mut response =
        Response::new(Body::from_stream(ReaderStream::with_capacity(bytes, FILE_PIECE)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
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
        return Err(Refusal::invalid(reason).into());
    }
    let all = query.since.is_empty() && query.points.is_empty();
    let work = tokio::task::spawn_blocking(move || {
        let samples = if all {
            app.recorder.history_newest(HISTORY_NEWEST)
        } else {
            app.recorder.history_since(since, points)
        };
        let config = Arc::clone(&app.newest.load().config);
        let samples: Vec<_> = samples.iter().map(|s| view::history_sample(s, &config)).collect();
        view::json(&samples)
    });
    match work.await {
        Ok(body) => Ok(json(StatusCode::OK, body)),
        Err(_) => Err(Denied::internal()),
    }
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
