//! What lies in the data folder: run files and incidents, listed and sent.

use crate::ask::{Answered, Asked, Page, Shared, asked, number, ok};
use crate::in_flight::{Allowance, Grant, Purpose};
use crate::reply::ApiError;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use std::fs::File;
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;
use tve_api as api;
use tve_recorder::RunFile;

/// Size of the pieces in which a file is read.
const FILE_PIECE: usize = 64 * 1024;

/// What the service keeps of a file on its way to a client.
pub(crate) const FILE_KEPT: usize = 2 * FILE_PIECE;

/// Bytes of a list, about.
pub(crate) const LIST_KEPT: usize = 32 * 1024;

fn shown(files: Vec<RunFile>) -> Vec<api::RunFile> {
    files
        .into_iter()
        .map(|file| api::RunFile { name: file.name, size: file.size, modified: file.modified })
        .collect()
}

/// `GET /api/log`.
pub(crate) async fn log(
    State(app): Shared,
    Extension(allowance): Extension<Allowance>,
    query: Asked<Page>,
) -> Answered {
    let _kept = allowance.claim(LIST_KEPT, Purpose::Read)?;
    let query = asked(query)?;
    let page: usize = number("page", &query.page, 0)?;
    let status = app.door.recorder_status();
    let list = app.door.runs(page).await?;
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
        files: shown(list.runs),
    }))
}

/// `GET /api/incidents`.
pub(crate) async fn incidents(
    State(app): Shared,
    Extension(allowance): Extension<Allowance>,
    query: Asked<Page>,
) -> Answered {
    let _kept = allowance.claim(LIST_KEPT, Purpose::Read)?;
    let query = asked(query)?;
    let page: usize = number("page", &query.page, 0)?;
    let list = app.door.incidents(page).await?;
    let (total, files) = (list.total as u64, shown(list.runs));
    Ok(ok(&api::IncidentList { success: true, page: page as u64, total, files }))
}

fn no_such_run() -> ApiError {
    ApiError::not_found("run file of that name; GET /api/log lists them")
}

fn no_such_incident() -> ApiError {
    ApiError::not_found("incident file of that name; GET /api/incidents lists them")
}

type Name = Result<Path<String>, PathRejection>;

/// `GET /api/log/{file}`.
pub(crate) async fn run(
    State(app): Shared,
    Extension(allowance): Extension<Allowance>,
    name: Name,
) -> Answered {
    const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");
    let Path(name) = name.map_err(|_| no_such_run())?;
    let (file, length) = app.door.open_run(name.clone()).await?.ok_or_else(no_such_run)?;
    Ok(send(&name, file, length, CSV, allowance.claim(FILE_KEPT, Purpose::Read)?))
}

/// `GET /api/incidents/{file}`.
pub(crate) async fn incident(
    State(app): Shared,
    Extension(allowance): Extension<Allowance>,
    name: Name,
) -> Answered {
    const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
    let Path(name) = name.map_err(|_| no_such_incident())?;
    let opened = app.door.open_incident(name.clone()).await?;
    let (file, length) = opened.ok_or_else(no_such_incident)?;
    Ok(send(&name, file, length, BYTES, allowance.claim(FILE_KEPT, Purpose::Read)?))
}

/// A file of the data folder, in pieces, with leave to keep one on its way and one behind it.
fn send(name: &str, file: File, length: u64, media: HeaderValue, grant: Grant) -> Response {
    // A run that is still being written may grow meanwhile; what was announced is what is sent.
    let bytes = tokio::fs::File::from_std(file).take(length);
    let mut response =
        Response::new(Body::from_stream(ReaderStream::with_capacity(bytes, FILE_PIECE)));
    response.extensions_mut().insert(Arc::new(grant));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}
