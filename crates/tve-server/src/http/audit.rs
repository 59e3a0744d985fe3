//! The audited way of a command: carried out to its end, noted with who asked and what came of it.

use super::commands::authorize;
use super::files::on_disk;
use super::handlers::{Answered, Asked, Page, Shared, asked, number, ok};
use super::reply::{Denied, success};
use crate::app::App;
use axum::extract::State;
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;
use tve_access::Caller;
use tve_api as api;
use tve_audit::{Change, Event, masked};
use tve_config::{Config, Difference, differences};
use tve_control::{Command, Refusal, Reply};

/// Lines of the journal on one page.
const PAGE_LINES: u64 = 200;

/// Something that somebody asks for, on its way into the journal.
pub(crate) struct Request {
    pub(crate) caller: Caller,
    /// Name of the command, or method and path.
    pub(crate) name: String,
    pub(crate) value: Value,
}

impl Request {
    /// A request that is its path.
    pub(crate) fn of_path(caller: Caller, path: &str, value: Value) -> Self {
        Self { caller, name: path.to_owned(), value }
    }

    /// A request that names its command in the body; `path` stands for the name where the body
    /// cannot be read.
    pub(crate) fn of_body(caller: Caller, path: &str, body: Result<Value, Denied>) -> Self {
        let Ok(mut body) = body else {
            return Self::of_path(caller, path, Value::Null);
        };
        let name = body["command"].as_str().unwrap_or("?").to_owned();
        let value = body.get_mut("value").map(Value::take).unwrap_or_default();
        Self { caller, name, value }
    }

    /// Notes what has become of it.
    pub(crate) fn note(
        self,
        app: &App,
        status: u16,
        msg: Option<String>,
        differences: Vec<Difference>,
    ) {
        let Caller { user, address, .. } = self.caller;
        let mut event =
            Event::command(user.as_deref(), address, &self.name, self.value, status, msg);
        if let Event::Command { changes, .. } = &mut event {
            changes.extend(differences.into_iter().map(change));
        }
        app.audit.record(&event);
    }

    /// Notes a refusal and passes it on.
    pub(crate) fn refuse(self, app: &App, denied: Denied) -> Denied {
        self.note(app, denied.status().as_u16(), Some(denied.sentence()), Vec::new());
        denied
    }
}

/// A difference without its secrets.
fn change(difference: Difference) -> Change {
    let Difference { path, old, new } = difference;
    let key = path.rsplit('.').next().unwrap_or_default().to_owned();
    let mask = |value: Value| match value {
        Value::Null => Value::Null,
        // The key says whether its value is a secret.
        value => masked(serde_json::json!({ key.clone(): value }))[&key].take(),
    };
    let (old, new) = (mask(old), mask(new));
    Change { path, old, new }
}

/// Runs `work` to its end, also when the client goes away meanwhile: what is carried out must be
/// noted.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Denied>> + Send + 'static,
) -> Result<T, Denied> {
    tokio::spawn(work).await.unwrap_or_else(|_| Err(Denied::internal()))
}

/// Has a command carried out and noted, and the configuration saved where that belongs to it; what
/// has been denied is noted as that.
/// Whichever way a command has come, nobody gets one past here that they may not send.
pub(crate) async fn run(
    app: Arc<App>,
    request: Request,
    command: Result<Command, Denied>,
) -> Answered {
    let work = async move {
        let may = |command: Command| {
            authorize(&app.access, &request.caller, command.kind()).map(|()| command)
        };
        let command = match command.and_then(may) {
            Ok(command) => command,
            Err(denied) => return Err(request.refuse(&app, denied)),
        };
        // What comes too fast is counted and leaves no line: the journal is not there to be filled.
        if !command.only_calms() {
            app.access.take(&request.caller)?;
        }
        let saves = command.saves();
        let (answer, changed) = carry_out(&app, command).await;
        let answer = match answer {
            Ok(reply) if saves => super::config::save(Arc::clone(&app)).await.map(|()| reply),
            other => other,
        };
        note_answer(&app, request, answer, changed)
    };
    to_the_end(work).await.map(success)
}

fn note_answer(
    app: &App,
    request: Request,
    answer: Result<Reply, Refusal>,
    changed: Vec<Difference>,
) -> Result<Reply, Denied> {
    match answer {
        Ok(reply) => {
            request.note(app, 200, reply.msg.clone(), changed);
            Ok(reply)
        }
        Err(refusal) => {
            let denied = Denied::from(refusal);
            request.note(app, denied.status().as_u16(), Some(denied.sentence()), changed);
            Err(denied)
        }
    }
}

/// Sends a command and finds out what it has changed in the configuration.
async fn carry_out(app: &App, command: Command) -> (Result<Reply, Refusal>, Vec<Difference>) {
    if !command.configures() {
        return (app.commands.send(command).await, Vec::new());
    }
    let _alone = app.configuring.lock().await;
    let before = Arc::clone(&app.newest.load().config);
    let answer = app.commands.send(command).await;
    (answer, since(app, &before))
}

/// What has changed in the configuration since it was `before`.
pub(crate) fn since(app: &App, before: &Arc<Config>) -> Vec<Difference> {
    let after = Arc::clone(&app.newest.load().config);
    if Arc::ptr_eq(before, &after) { Vec::new() } else { differences(before, &after) }
}

/// `GET /api/audit`.
pub(super) async fn page(State(app): Shared, query: Asked<Page>) -> Answered {
    let query = asked(query)?;
    let page: u64 = number("page", &query.page, 0)?;
    let folder = app.data_dir.join(tve_audit::FOLDER);
    let tve_audit::Page { total, lines } =
        on_disk(move || tve_audit::page(&folder, page, PAGE_LINES)).await?;
    Ok(ok(&api::AuditPage { success: true, page, total, lines }))
}
