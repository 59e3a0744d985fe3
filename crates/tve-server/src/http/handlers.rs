//! The handlers behind the router: commands, recorder, tune, history, health.

use super::body;
use super::connection::HeaderFault;
use super::pages;
use super::reply::{Denied, json, success};
use crate::app::App;
use crate::auth::{self, Access, Arrival, Lane};
use crate::runner::OVERRUN;
use crate::{openapi, view};
use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use hyper::StatusCode;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Arc, PoisonError};
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

type Answered = Result<Response, Denied>;
type Shared = State<Arc<App>>;
/// On whose behalf; the connection puts it into each request.
type By = Extension<Caller>;

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
async fn json_body(request: Request) -> Result<Value, Denied> {
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

async fn control(State(app): Shared, Extension(caller): By, request: Request) -> Answered {
    let (parts, body) = request.into_parts();
    let arrival = parts.extensions.get::<Arrival>();
    let read = body::read(body).await;
    if body::asks_for_emergency_stop(&read.bytes) {
        if let Some(arrival) = arrival {
            prove(&app.access, arrival, "EMERGENCY_STOP", true).await?;
        }
        return Ok(success(app.commands.send(Command::EmergencyStop).await?));
    }
    let header_fault = parts.extensions.get::<HeaderFault>().cloned();
    if let Some(fault) = header_fault.map(|f| f.0).or(read.fault) {
        return Err(fault);
    }
    let parsed = parse(&read.bytes).map(|body| {
        let command = parse_control(&body);
        (body, command)
    });
    let caller = match arrival {
        None => caller,
        Some(arrival) => {
            let name = parsed.as_ref().ok().and_then(|(body, _)| body.get("command")?.as_str());
            let calms = matches!(&parsed, Ok((_, Ok(command))) if command.only_calms());
            prove(&app.access, arrival, name.unwrap_or_default(), calms).await?
        }
    };
    run(app, &caller, parsed?.1?).await
}

/// Who sends a command, proven and granted as far as the command needs it.
async fn prove(
    access: &Arc<Access>,
    arrival: &Arrival,
    name: &str,
    calms: bool,
) -> Result<Caller, Denied> {
    // A command of no row is unknown, and told so to whoever may send any.
    let need = table::command(name).unwrap_or(Need::Commands);
    let Some(role) = access.role(need) else {
        return Ok(access.glance(arrival));
    };
    let lane = if calms { Lane::Calming } else { Lane::Ordinary };
    let caller = access.login(arrival, lane).await?;
    auth::grant(&caller, role, name)?;
    Ok(caller)
}

async fn gpio_command(State(app): Shared, Extension(caller): By, request: Request) -> Answered {
    let command = parse_gpio(&json_body(request).await?)?;
    run(app, &caller, command).await
}

async fn tune_start(State(app): Shared, Extension(caller): By, request: Request) -> Answered {
    let command = parse_tune_start(&json_body(request).await?)?;
    run(app, &caller, command).await
}

async fn tune_stop(State(app): Shared, Extension(caller): By, request: Request) -> Answered {
    json_body(request).await?;
    run(app, &caller, Command::TuneStop).await
}

async fn tune_apply(State(app): Shared, Extension(caller): By, request: Request) -> Answered {
    json_body(request).await?;
    run(app, &caller, Command::TuneApply).await
}

/// Has a command of `caller` carried out, and the configuration saved where that belongs to it.
async fn run(app: Arc<App>, caller: &Caller, command: Command) -> Answered {
    if !command.only_calms() {
        app.access.take(caller)?;
    }
    let saves = matches!(command, Command::SaveConfig | Command::TuneApply);
    let reply = app.commands.send(command).await?;
    if saves {
        save_config(app).await?;
    }
    Ok(success(reply))
}

/// Writes the configuration in force to its file.
async fn save_config(app: Arc<App>) -> Result<(), Refusal> {
    let task = tokio::task::spawn_blocking(move || {
        let _one = app.saving.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: of two saves the later one has the later configuration.
        let config = Arc::clone(&app.newest.load().config);
        let path = &app.config_path;
        tve_config::store::save(path, &config).map_err(|error| {
            let path = path.display();
            tracing::error!(%path, %error, "the configuration could not be saved");
            Refusal::with(
                RefusalCode::Hardware,
                format!(
                    "the configuration is in force but {path} could not be written: {error}; \
                     check the disk and save again"
                ),
            )
        })
    });
    match task.await {
        Ok(saved) => saved.map(|_| ()),
        Err(_) => Err(Refusal::with(RefusalCode::Hardware, "saving was cut off; save again")),
    }
}

async fn gpio(State(app): Shared) -> Response {
    let newest = app.newest.load();
    ok(&view::gpio(&newest.snapshot, &newest.config))
}

async fn permissives(State(app): Shared) -> Response {
    ok(&view::permissives(&app.newest.load().snapshot.permissives))
}

fn ok<T: serde::Serialize>(body: &T) -> Response {
    json(StatusCode::OK, view::json(body))
}

async fn log_start(State(app): Shared, Extension(caller): By) -> Answered {
    app.access.take(&caller)?;
    app.recorder.start_run();
    Ok(success(Reply::OK))
}

async fn log_stop(State(app): Shared, Extension(caller): By) -> Answered {
    app.access.take(&caller)?;
    app.recorder.stop_run();
    Ok(success(Reply::OK))
}

/// A query string that axum may have refused, which it says in plain text.
type Asked<T> = Result<Query<T>, QueryRejection>;

fn asked<T>(query: Asked<T>) -> Result<T, Refusal> {
    match query {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => Err(Refusal::invalid(rejection.body_text())),
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    page: String,
}

/// A whole number of a query string; empty means `default`.
fn number<T: std::str::FromStr>(name: &str, text: &str, default: T) -> Result<T, Refusal> {
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

fn unreadable(error: &std::io::Error) -> Denied {
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
