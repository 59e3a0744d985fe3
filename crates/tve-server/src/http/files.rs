//! What lies in the data folder: run files and incidents, listed and sent.

use super::handlers::{Answered, Asked, Page, Shared, asked, number, ok, on_thread};
use super::reply::Denied;
use crate::app::App;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use std::io;
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;
use tve_api as api;
use tve_control::{Refusal, RefusalCode};
use tve_recorder::RunList;

/// Size of the pieces in which a file is read.
const FILE_PIECE: usize = 64 * 1024;

pub(super) fn unreadable(error: &io::Error) -> Denied {
    tracing::warn!(%error, "the data folder cannot be read");
    Refusal::with(
        RefusalCode::DiskFailed,
        format!("the data folder cannot be read: {error}; check the disk of the data folder"),
    )
    .into()
}

/// Runs what reads or writes the data folder.
pub(super) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Denied> {
    on_thread(work).await?.map_err(|error| unreadable(&error))
}

/// How many files there are, and those of one page.
async fn on_page(
    app: &App,
    page: usize,
    list: fn(&std::path::Path, usize) -> io::Result<RunList>,
) -> Result<(u64, Vec<api::RunFile>), Denied> {
    let folder = app.data_dir.clone();
    let RunList { runs, total } = on_disk(move || list(&folder, page)).await?;
    let files = runs
        .into_iter()
        .map(|file| api::RunFile { name: file.name, size: file.size, modified: file.modified })
        .collect();
    Ok((total as u64, files))
}

/// `GET /api/log`.
pub(super) async fn log(State(app): Shared, query: Asked<Page>) -> Answered {
    let query = asked(query)?;
    let page: usize = number("page", &query.page, 0)?;
    let status = app.recorder.status();
    let (total, files) = on_page(&app, page, tve_recorder::list_runs).await?;
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
        total,
        files,
    }))
}

/// `GET /api/incidents`.
pub(super) async fn incidents(State(app): Shared, query: Asked<Page>) -> Answered {
    let query = asked(query)?;
    let page: usize = number("page", &query.page, 0)?;
    let (total, files) = on_page(&app, page, tve_recorder::list_incidents).await?;
    Ok(ok(&api::IncidentList { success: true, page: page as u64, total, files }))
}

fn no_such_run() -> Denied {
    Denied::not_found("run file of that name; GET /api/log lists them")
}

fn no_such_incident() -> Denied {
    Denied::not_found("incident file of that name; GET /api/incidents lists them")
}

type Name = Result<Path<String>, PathRejection>;

/// `GET /api/log/{file}`.
pub(super) async fn run(State(app): Shared, name: Name) -> Answered {
    const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");
    send_file(app, name, tve_recorder::open_run, CSV, no_such_run).await
}

/// `GET /api/incidents/{file}`.
pub(super) async fn incident(State(app): Shared, name: Name) -> Answered {
    const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
    send_file(app, name, tve_recorder::open_incident, BYTES, no_such_incident).await
}

/// A file of the data folder, in pieces.
async fn send_file(
    app: Arc<App>,
    name: Name,
    open: fn(&std::path::Path, &str) -> io::Result<(std::fs::File, u64)>,
    media: HeaderValue,
    absent: fn() -> Denied,
) -> Answered {
    let Ok(Path(name)) = name else {
        return Err(absent());
    };
    let folder = app.data_dir.clone();
    let wanted = name.clone();
    let opened = on_disk(move || match open(&folder, &wanted) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    });
    let (file, length) = opened.await?.ok_or_else(absent)?;
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
