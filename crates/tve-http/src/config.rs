//! The configuration as a whole: read, replaced under If-Match, restored from an older file.

use crate::ask::{Answered, By, Shared, ok};
use crate::audit;
use crate::body::{self, json_body};
use crate::reply::{ApiError, success};
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::response::Response;
use hyper::header::{ETAG, HeaderMap, HeaderValue, IF_MATCH};
use serde_json::Value;
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use tve_api as api;
use tve_control::{Refusal, RefusalCode};
use tve_runtime::{ConfigChange, Expected, tag};

fn tagged(mut response: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// `GET /api/config`.
pub(crate) async fn show(State(app): Shared) -> Response {
    let config = Arc::clone(&app.door.newest().config);
    tagged(ok(&config.to_public_json()), &tag(&config))
}

/// The tags that `If-Match` names.
fn expected(headers: &HeaderMap) -> Option<Expected> {
    let lines: Vec<_> = headers.get_all(IF_MATCH).iter().filter_map(|v| v.to_str().ok()).collect();
    let tags = || lines.iter().flat_map(|line| line.split(',')).map(|tag| tag.trim().to_owned());
    (!lines.is_empty()).then(|| Expected(tags().collect()))
}

/// `PUT /api/config`.
pub(crate) async fn replace(
    State(app): Shared,
    Extension(caller): By,
    request: Request,
) -> Answered {
    let asked = audit::of_path(caller, "PUT /api/config", Value::Null);
    let refused = |asked, error: ApiError| Err(app.door.refuse(asked, error.into_inner()).into());
    let Some(expected) = expected(request.headers()) else {
        return refused(
            asked,
            ApiError::new(
                RefusalCode::IfMatchRequired,
                "send If-Match with the ETag of GET /api/config, so that no change of another is lost",
            ),
        );
    };
    let (parts, body) = request.into_parts();
    let read = body::read(body, parts.extensions.get()).await;
    if let Some(fault) = read.fault {
        return refused(asked, fault);
    }
    Ok(changed(app.door.replace_config(asked, expected, read.bytes).await?))
}

/// `POST /api/config/restore`.
pub(crate) async fn restore(
    State(app): Shared,
    Extension(caller): By,
    request: Request,
) -> Answered {
    let expected = expected(request.headers());
    let mut asked = audit::of_path(caller, "POST /api/config/restore", Value::Null);
    let body = match json_body(request).await {
        Ok(body) => body,
        Err(error) => return Err(app.door.refuse(asked, error.into_inner()).into()),
    };
    asked.value = body;
    // A whole number may come with a point, or as a text.
    let number = match asked.value.get("generation") {
        Some(Value::String(text)) => text.trim().parse().ok(),
        other => other.and_then(Value::as_f64),
    };
    let Some(number) = number.filter(|n: &f64| *n >= 1.0 && n.fract() == 0.0) else {
        let sentence = "generation must be the number of one, such as 1";
        let refusal = Refusal::invalid("generation", sentence);
        return Err(app.door.refuse(asked, refusal.into()).into());
    };
    Ok(changed(app.door.restore_config(asked, expected, number as u32).await?))
}

/// `POST /api/config/confirm`.
pub(crate) async fn confirm(
    State(app): Shared,
    Extension(caller): By,
    request: Request,
) -> Answered {
    let mut asked = audit::of_path(caller, "POST /api/config/confirm", Value::Null);
    let body = match json_body(request).await {
        Ok(body) => body,
        Err(error) => return Err(app.door.refuse(asked, error.into_inner()).into()),
    };
    asked.value = body;
    let Some(code) = asked.value.get("code").and_then(Value::as_str).map(str::to_owned) else {
        let refusal = Refusal::invalid("code", "code must be the text that the refusal told");
        return Err(app.door.refuse(asked, refusal.into()).into());
    };
    Ok(success(app.door.confirm(asked, code).await?))
}

fn changed(change: ConfigChange) -> Response {
    let ConfigChange { tag, changed, restart_needed } = change;
    let body = api::ConfigChanged { success: true, etag: tag.clone(), changed, restart_needed };
    tagged(ok(&body), &tag)
}

/// `GET /api/config/generations`.
pub(crate) async fn generations(State(app): Shared) -> Answered {
    let listed = app.door.config_generations().await?;
    let generations = listed
        .into_iter()
        .map(|old| api::ConfigGeneration {
            generation: old.number,
            size: old.size,
            modified: old
                .modified
                .duration_since(UNIX_EPOCH)
                .map_or(0.0, |since| since.as_secs_f64()),
        })
        .collect();
    Ok(ok(&api::ConfigGenerations { success: true, generations }))
}

/// `GET /api/config/generations/{generation}`.
pub(crate) async fn show_generation(
    State(app): Shared,
    number: Result<Path<u32>, PathRejection>,
) -> Answered {
    // Nothing has the number 0, and the door says so.
    let number = number.map_or(0, |Path(number)| number);
    let config = app.door.config_generation(number).await?;
    Ok(ok(&config.to_public_json()))
}
