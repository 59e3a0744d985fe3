//! What a browser gets at `/`: the files of the HMI, or one page with the live machine and links.

use crate::reply::ApiError;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{Html, IntoResponse, Response};
use hyper::StatusCode;
use std::io::ErrorKind;
use tower_http::services::ServeDir;
use tve_control::RefusalCode;

/// A file of `server.www`.
pub(crate) async fn file(mut folder: ServeDir, request: Request) -> Response {
    match folder.try_call(request).await {
        Ok(response) if response.status() == StatusCode::NOT_FOUND => no_such_file(),
        Ok(response) => response.map(Body::new),
        Err(error) if is_no_file(error.kind()) => no_such_file(),
        Err(error) => {
            tracing::warn!(%error, "a file of server.www cannot be read");
            let reason = format!("the file cannot be read: {error}; check the disk of server.www");
            ApiError::new(RefusalCode::DiskFailed, reason).into_response()
        }
    }
}

/// Whether there is nothing of that name to be had, also where no file could have it.
fn is_no_file(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::NotADirectory
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput
    )
}

fn no_such_file() -> Response {
    ApiError::not_found("such file").into_response()
}

/// The page of links.
pub(crate) async fn index() -> Html<&'static str> {
    Html(include_str!("index.html"))
}
