//! Requests on their way into the audit journal, and the journal as a reply.

use crate::app::App;
use crate::ask::{Answered, Asked, Page, Shared, asked, number, ok};
use crate::files::LIST_KEPT;
use crate::in_flight::{Allowance, Purpose};
use crate::reply::{ApiError, success};
use axum::extract::{Extension, State};
use serde_json::Value;
use std::sync::Arc;
use tve_access::Caller;
use tve_api as api;
use tve_control::Command;

/// Lines of the journal on one page.
const PAGE_LINES: u64 = 200;

/// A request that is its path.
pub(crate) fn of_path(caller: Caller, path: &str, value: Value) -> tve_runtime::Asked {
    tve_runtime::Asked { caller, name: path.to_owned(), value }
}

/// A request that names its command in the body; `path` stands for the name where the body cannot
/// be read.
pub(crate) fn of_body(
    caller: Caller,
    path: &str,
    body: Result<Value, ApiError>,
) -> tve_runtime::Asked {
    let Ok(mut body) = body else {
        return of_path(caller, path, Value::Null);
    };
    let name = body["command"].as_str().unwrap_or("?").to_owned();
    let value = body.get_mut("value").map(Value::take).unwrap_or_default();
    tve_runtime::Asked { caller, name, value }
}

/// Has a command carried out; what has been denied is noted as that.
pub(crate) async fn run(
    app: Arc<App>,
    asked: tve_runtime::Asked,
    command: Result<Command, ApiError>,
) -> Answered {
    let command = command.map_err(ApiError::into_inner);
    Ok(success(app.door.execute(asked, command).await?))
}

/// `GET /api/audit`.
pub(crate) async fn page(
    State(app): Shared,
    Extension(allowance): Extension<Allowance>,
    query: Asked<Page>,
) -> Answered {
    let _kept = allowance.claim(LIST_KEPT, Purpose::Read)?;
    let query = asked(query)?;
    let page: u64 = number("page", &query.page, 0)?;
    let found = app.door.audit_page(page, PAGE_LINES).await?;
    Ok(ok(&api::AuditPage { success: true, page, total: found.total, lines: found.lines }))
}
