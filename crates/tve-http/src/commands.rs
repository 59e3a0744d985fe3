//! The handlers that change something: commands, tune, recording.

use crate::app::App;
use crate::ask::{Answered, By, Elsewhere, HeaderFault, Shared};
use crate::audit;
use crate::body::{self, json_body, parse};
use crate::reply::{ApiError, success};
use axum::extract::{Extension, Request, State};
use serde_json::Value;
use tve_access::Caller;
use tve_control::{Command, CommandKind, Endpoint, Refusal, control_kind, parse_gpio};
use tve_hal::Names;
use tve_runtime::access::{Arrival, Lane};

/// The command that a body asks for.
fn command_in(
    body: &Result<Value, ApiError>,
    parse: impl FnOnce(&Value) -> Result<Command, Refusal>,
) -> Result<Command, ApiError> {
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
    // There while logins are asked for: who sends it is not shown yet.
    let arrival = parts.extensions.get::<Arrival>();
    let elsewhere = parts.extensions.get::<Elsewhere>();
    let read = body::read(body, parts.extensions.get()).await;
    if body::asks_for_emergency_stop(&read.bytes) {
        let stop = Asked { kind: CommandKind::EmergencyStop, command: Ok(Command::EmergencyStop) };
        let (caller, command) = admit(&app, arrival, caller, Ok(stop)).await?;
        let name = CommandKind::EmergencyStop.row().name;
        return match elsewhere {
            None => audit::run(app, audit::of_path(caller, name, Value::Null), command).await,
            Some(Elsewhere(shown)) => {
                command?;
                let asked = audit::of_path(caller, name, shown.clone());
                Ok(success(app.door.stop_from_elsewhere(asked).await?))
            }
        };
    }
    let fault = parts.extensions.get::<HeaderFault>().map(|f| f.0.clone()).or(read.fault);
    let body = match fault {
        None => parse(&read.bytes),
        // What nobody has shown to have sent leaves no line, nor what a page of elsewhere sends: the
        // journal is not a stranger's to fill.
        Some(fault) if arrival.is_some() || elsewhere.is_some() => return Err(fault),
        Some(fault) => Err(fault),
    };
    let asked = match &body {
        Ok(body) => Asked::of(body, &app.door.newest().machine.names).map_err(ApiError::from),
        Err(denied) => Err(denied.clone()),
    };
    let (caller, command) = admit(&app, arrival, caller, asked).await?;
    audit::run(app, audit::of_body(caller, "POST /api/control", body), command).await
}

/// What a body asks for: a kind of the table, and the command if its value is good. What names no
/// kind is no such thing, so that nothing can be authorised by a name.
struct Asked {
    kind: CommandKind,
    command: Result<Command, Refusal>,
}

impl Asked {
    fn of(body: &Value, names: &Names) -> Result<Self, Refusal> {
        let kind = control_kind(body)?;
        Ok(Self { kind, command: kind.parse(body.get("value"), names) })
    }
}

/// Who asks, and the command if that one may send it. Whether its value is good is told to nobody
/// else; that a body names no command, to whoever has a login.
async fn admit(
    app: &App,
    arrival: Option<&Arrival>,
    caller: Caller,
    asked: Result<Asked, ApiError>,
) -> Result<(Caller, Result<Command, ApiError>), ApiError> {
    let asked = match (asked, arrival) {
        (Ok(asked), _) => asked,
        (Err(denied), None) => return Ok((caller, Err(denied))),
        (Err(denied), Some(arrival)) => {
            let caller = app.door.access().authenticate(arrival, Lane::Ordinary).await?;
            return Ok((caller, Err(denied)));
        }
    };
    let caller = match arrival {
        None => caller,
        Some(arrival) => authenticate(app, arrival, &asked).await?,
    };
    let command = match app.door.access().authorize(&caller, asked.kind) {
        Ok(()) => asked.command.map_err(ApiError::from),
        Err(error) => Err(error.into()),
    };
    Ok((caller, command))
}

/// Who sends a command: authenticated where the command needs a login.
async fn authenticate(app: &App, arrival: &Arrival, asked: &Asked) -> Result<Caller, ApiError> {
    let access = app.door.access();
    if access.role_for(asked.kind)?.is_none() {
        return Ok(access.glance(arrival));
    }
    let calms = asked.command.as_ref().is_ok_and(Command::only_calms);
    let lane = if calms { Lane::Calming } else { Lane::Ordinary };
    Ok(access.authenticate(arrival, lane).await?)
}

/// `POST /api/gpio`.
pub(crate) async fn gpio(State(app): Shared, Extension(caller): By, request: Request) -> Answered {
    let body = json_body(request).await;
    let command = command_in(&body, |body| parse_gpio(body, &app.door.newest().machine.names));
    audit::run(app, audit::of_body(caller, "POST /api/gpio", body), command).await
}

/// `POST /api/tune/start`.
pub(crate) async fn tune_start(app: Shared, by: By, request: Request) -> Answered {
    tune(app, by, CommandKind::TuneStart, request).await
}

/// `POST /api/tune/stop`.
pub(crate) async fn tune_stop(app: Shared, by: By, request: Request) -> Answered {
    tune(app, by, CommandKind::TuneStop, request).await
}

/// `POST /api/tune/apply`.
pub(crate) async fn tune_apply(app: Shared, by: By, request: Request) -> Answered {
    tune(app, by, CommandKind::TuneApply, request).await
}

/// A command with a route of its own, whose body is its value.
async fn tune(
    State(app): Shared,
    Extension(caller): By,
    kind: CommandKind,
    request: Request,
) -> Answered {
    let name = match kind.row().endpoint {
        Endpoint::Route(route) => route,
        Endpoint::Control | Endpoint::Gpio | Endpoint::Inside => kind.row().name,
    };
    let body = json_body(request).await;
    let command = match &body {
        Ok(body) => {
            kind.parse(Some(body), &app.door.newest().machine.names).map_err(ApiError::from)
        }
        Err(denied) => Err(denied.clone()),
    };
    let asked = audit::of_path(caller, name, body.unwrap_or_default());
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
