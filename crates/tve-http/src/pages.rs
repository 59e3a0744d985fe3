//! What a browser gets at `/`: the files of the HMI, or one page with the live machine and links.

use crate::reply::ApiError;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{Html, IntoResponse, Response};
use hyper::StatusCode;
use tower::ServiceExt as _;
use tower_http::services::ServeDir;

/// A file of `server.www`.
pub(crate) async fn file(folder: ServeDir, request: Request) -> Response {
    match folder.oneshot(request).await {
        Ok(response) if response.status() == StatusCode::NOT_FOUND => {
            ApiError::not_found("such file").into_response()
        }
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

/// The page of links.
pub(crate) async fn index() -> Html<&'static str> {
    Html(include_str!("index.html"))
}
