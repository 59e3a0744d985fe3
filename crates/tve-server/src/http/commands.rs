//! The handlers that change something: commands, tune, recording.

use super::audit;
use super::body;
use super::connection::HeaderFault;
use super::handlers::{Answered, By, Shared};
use super::reply::{Denied, success};
use crate::app::App;
use crate::auth::{self, Access, Arrival, Lane};
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use serde_json::Value;
use tve_access::{Caller, Need, table};
use tve_control::{
    Command, Refusal, Reply, lenient_json, parse_control, parse_gpio, parse_tune_start,
};

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

/// The command that a body asks for.
fn command_in(
    body: &Result<Value, Denied>,
    parse: fn(&Value) -> Result<Command, Refusal>,
) -> Result<Command, Denied> {
    match body {
        Ok(body) => Ok(parse(body)?),
        Err(denied) => Err(denied.clone()),
    }
}

/// `POST /api/control`.
pub(super) async fn control(
    State(app): Shared,
    Extension(caller): By,
    request: Request,
) -> Answered {
    let (parts, body) = request.into_parts();
    // There while logins are asked for: who sends it is not proven yet.
    let arrival = parts.extensions.get::<Arrival>();
    let read = body::read(body).await;
    if body::asks_for_emergency_stop(&read.bytes) {
        let caller = match arrival {
            Some(arrival) => prove(&app, arrival, "EMERGENCY_STOP", true).await?,
            None => caller,
        };
        let command =
            grant(&app.access, &caller, "EMERGENCY_STOP").map(|()| Command::EmergencyStop);
        let asked = audit::Request::of_path(caller, "EMERGENCY_STOP", Value::Null);
        return audit::run(app, asked, command).await;
    }
    let fault = parts.extensions.get::<HeaderFault>().map(|f| f.0.clone()).or(read.fault);
    let body = match (fault, arrival) {
        (None, _) => parse(&read.bytes),
        (Some(fault), None) => Err(fault),
        // What nobody has proven to have sent leaves no line: the journal is not a stranger's to
        // fill.
        (Some(fault), Some(_)) => return Err(fault),
    };
    let mut command = command_in(&body, parse_control);
    let caller = match arrival {
        None => caller,
        Some(arrival) => {
            let named = body.as_ref().ok().and_then(|body| body.get("command")?.as_str());
            let name = named.unwrap_or("");
            let calms = command.as_ref().is_ok_and(Command::only_calms);
            let caller = prove(&app, arrival, name, calms).await?;
            command = grant(&app.access, &caller, name).and(command);
            caller
        }
    };
    audit::run(app, audit::Request::of_body(caller, "POST /api/control", body), command).await
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

/// `POST /api/gpio`.
pub(super) async fn gpio(State(app): Shared, Extension(caller): By, request: Request) -> Answered {
    let body = json_body(request).await;
    let command = command_in(&body, parse_gpio);
    audit::run(app, audit::Request::of_body(caller, "POST /api/gpio", body), command).await
}

/// `POST /api/tune/start`.
pub(super) async fn tune_start(app: Shared, by: By, request: Request) -> Answered {
    tune(app, by, "POST /api/tune/start", request, parse_tune_start).await
}

/// `POST /api/tune/stop`.
pub(super) async fn tune_stop(app: Shared, by: By, request: Request) -> Answered {
    tune(app, by, "POST /api/tune/stop", request, |_| Ok(Command::TuneStop)).await
}

/// `POST /api/tune/apply`.
pub(super) async fn tune_apply(app: Shared, by: By, request: Request) -> Answered {
    tune(app, by, "POST /api/tune/apply", request, |_| Ok(Command::TuneApply)).await
}

async fn tune(
    State(app): Shared,
    Extension(caller): By,
    path: &str,
    request: Request,
    parse: fn(&Value) -> Result<Command, Refusal>,
) -> Answered {
    let body = json_body(request).await;
    let command = command_in(&body, parse);
    let asked = audit::Request::of_path(caller, path, body.unwrap_or_default());
    audit::run(app, asked, command).await
}

/// `POST /api/log/start`.
pub(super) async fn log_start(State(app): Shared, Extension(caller): By) -> Answered {
    app.access.take(&caller)?;
    app.recorder.start_run();
    Ok(log_order(&app, caller, "POST /api/log/start"))
}

/// `POST /api/log/stop`.
pub(super) async fn log_stop(State(app): Shared, Extension(caller): By) -> Answered {
    app.access.take(&caller)?;
    app.recorder.stop_run();
    Ok(log_order(&app, caller, "POST /api/log/stop"))
}

fn log_order(app: &App, caller: Caller, path: &str) -> Response {
    audit::Request::of_path(caller, path, Value::Null).note(app, 200, None, Vec::new());
    success(Reply::OK)
}
