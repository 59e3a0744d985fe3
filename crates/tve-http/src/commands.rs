//! The handlers that change something: commands, tune, recording.

use crate::app::App;
use crate::ask::{Answered, By, HeaderFault, Shared};
use crate::audit;
use crate::body::{self, json_body, parse};
use crate::reply::{ApiError as Denied, success};
use axum::extract::{Extension, Request, State};
use serde_json::Value;
use tve_access::{Caller, Need, table};
use tve_control::{Command, Refusal, parse_control, parse_gpio, parse_tune_start};
use tve_runtime::access::{Access, Arrival, Lane, authorize};

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
pub(crate) async fn control(
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
            grant(app.door.access(), &caller, "EMERGENCY_STOP").map(|()| Command::EmergencyStop);
        let asked = audit::of_path(caller, "EMERGENCY_STOP", Value::Null);
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
            command = grant(app.door.access(), &caller, name).and(command);
            caller
        }
    };
    audit::run(app, audit::of_body(caller, "POST /api/control", body), command).await
}

/// What a command needs; one of no row is unknown, and told so to whoever may send any.
fn need(name: &str) -> Need {
    table::command(name).unwrap_or(Need::Commands)
}

/// Who sends a command, proven where the command needs a login.
async fn prove(app: &App, arrival: &Arrival, name: &str, calms: bool) -> Result<Caller, Denied> {
    let access = app.door.access();
    if access.role(need(name)).is_none() {
        return Ok(access.glance(arrival));
    }
    let lane = if calms { Lane::Calming } else { Lane::Ordinary };
    Ok(access.authenticate(arrival, lane).await?)
}

/// Whether `caller` may send a command.
fn grant(access: &Access, caller: &Caller, name: &str) -> Result<(), Denied> {
    match access.role(need(name)) {
        Some(role) => Ok(authorize(caller, role, name)?),
        None => Ok(()),
    }
}

/// `POST /api/gpio`.
pub(crate) async fn gpio(State(app): Shared, Extension(caller): By, request: Request) -> Answered {
    let body = json_body(request).await;
    let command = command_in(&body, parse_gpio);
    audit::run(app, audit::of_body(caller, "POST /api/gpio", body), command).await
}

/// `POST /api/tune/start`.
pub(crate) async fn tune_start(app: Shared, by: By, request: Request) -> Answered {
    tune(app, by, "POST /api/tune/start", request, parse_tune_start).await
}

/// `POST /api/tune/stop`.
pub(crate) async fn tune_stop(app: Shared, by: By, request: Request) -> Answered {
    tune(app, by, "POST /api/tune/stop", request, |_| Ok(Command::TuneStop)).await
}

/// `POST /api/tune/apply`.
pub(crate) async fn tune_apply(app: Shared, by: By, request: Request) -> Answered {
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
    let asked = audit::of_path(caller, path, body.unwrap_or_default());
    audit::run(app, asked, command).await
}

/// `POST /api/log/start`.
pub(crate) async fn log_start(State(app): Shared, Extension(caller): By) -> Answered {
    let asked = audit::of_path(caller, "POST /api/log/start", Value::Null);
    Ok(success(app.door.start_run(asked)?))
}

/// `POST /api/log/stop`.
pub(crate) async fn log_stop(State(app): Shared, Extension(caller): By) -> Answered {
    let asked = audit::of_path(caller, "POST /api/log/stop", Value::Null);
    Ok(success(app.door.stop_run(asked)?))
}
