//! The configuration as a whole: read, replaced under If-Match, restored from an older file.

use super::audit::{self, to_the_end};
use super::body;
use super::commands::json_body;
use super::files::{on_disk, unreadable};
use super::handlers::{Answered, By, Shared, ok, on_thread};
use super::reply::Denied;
use crate::app::App;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::response::Response;
use hyper::header::{ETAG, HeaderMap, HeaderValue, IF_MATCH};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, PoisonError};
use std::time::UNIX_EPOCH;
use tve_api as api;
use tve_config::store::{self, LoadError};
use tve_config::{Config, Difference, Role};
use tve_control::{Command, Refusal, RefusalCode};

/// Sections that are read at start alone.
const AT_START: [&str; 4] = ["hardware", "plant", "security", "server"];

/// Tag of a configuration: the hash of what a client may see of it.
fn tag(config: &Config) -> String {
    let digest = Sha256::digest(config.to_public_json().to_string().as_bytes());
    format!("\"{}\"", hex::encode(&digest[..16]))
}

fn tagged(mut response: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// `GET /api/config`.
pub(super) async fn show(State(app): Shared) -> Response {
    let config = Arc::clone(&app.newest.load().config);
    tagged(ok(&config.to_public_json()), &tag(&config))
}

/// The condition of a change: the tags that `If-Match` names.
struct Condition(String);

impl Condition {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let text: Vec<_> =
            headers.get_all(IF_MATCH).iter().filter_map(|v| v.to_str().ok()).collect();
        (!text.is_empty()).then(|| Self(text.join(",")))
    }

    fn check(&self, config: &Config) -> Result<(), Denied> {
        let current = tag(config);
        if self.0.split(',').map(str::trim).any(|given| given == "*" || given == current) {
            return Ok(());
        }
        Err(Denied::new(
            RefusalCode::ConfigChanged,
            format!(
                "the configuration in force is {current}; read it again and repeat the change on it"
            ),
        ))
    }
}

/// `PUT /api/config`.
pub(super) async fn replace(
    State(app): Shared,
    Extension(caller): By,
    request: Request,
) -> Answered {
    let asked = audit::Request::of_path(caller, "PUT /api/config", Value::Null);
    let Some(condition) = Condition::of(request.headers()) else {
        return Err(asked.refuse(
            &app,
            Denied::new(
                RefusalCode::IfMatchRequired,
                "send If-Match with the ETag of GET /api/config, so that no change of another is lost",
            ),
        ));
    };
    let read = body::read(request.into_body()).await;
    if let Some(fault) = read.fault {
        return Err(asked.refuse(&app, fault));
    }
    let work = change(app, asked, Some(condition), move |_, current| {
        let text = std::str::from_utf8(&read.bytes)
            .map_err(|_| Denied::new(RefusalCode::InvalidJson, "the body must be UTF-8"))?;
        current
            .parse_update(text)
            .map_err(|errors| Denied::bad_config(RefusalCode::InvalidConfig, &errors))
    });
    to_the_end(work).await
}

/// `POST /api/config/restore`.
pub(super) async fn restore(
    State(app): Shared,
    Extension(caller): By,
    request: Request,
) -> Answered {
    let condition = Condition::of(request.headers());
    let mut asked = audit::Request::of_path(caller, "POST /api/config/restore", Value::Null);
    let body = match json_body(request).await {
        Ok(body) => body,
        Err(denied) => return Err(asked.refuse(&app, denied)),
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
        return Err(asked.refuse(&app, refusal.into()));
    };
    let number = number as u32;
    let work = change(app, asked, condition, move |app, current| {
        let mut old = generation(app, number)?;
        // Users that are gone must not come back, nor a key that is used no more.
        old.security = current.security.clone();
        old.server.tls.clone_from(&current.server.tls);
        Ok(old)
    });
    to_the_end(work).await
}

/// Makes a new configuration of the one in force, has it taken over and saved, and notes it.
async fn change(
    app: Arc<App>,
    asked: audit::Request,
    condition: Option<Condition>,
    make: impl FnOnce(&App, &Config) -> Result<Config, Denied> + Send + 'static,
) -> Answered {
    app.access.take(&asked.caller)?;
    let alone = app.configuring.lock().await;
    let before = Arc::clone(&app.newest.load().config);
    let made = {
        let (app, before, role) = (Arc::clone(&app), Arc::clone(&before), asked.caller.role);
        // Files may be read and a whole document is checked.
        on_thread(move || {
            if let Some(condition) = &condition {
                condition.check(&before)?;
            }
            let new = make(&app, &before)?;
            check_role(role, &before, &new)?;
            if before.server != new.server || before.security != new.security {
                check_start(&app, &new)?;
            }
            Ok(new)
        })
        .await
        .and_then(|made| made)
    };
    let new = match made {
        Ok(new) => new,
        Err(denied) => return Err(asked.refuse(&app, denied)),
    };
    if let Err(refusal) = app.commands.send(Command::ReplaceConfig(Box::new(new))).await {
        return Err(asked.refuse(&app, refusal.into()));
    }
    let changed = audit::since(&app, &before);
    let etag = tag(&app.newest.load().config);
    drop(alone);
    let reply = reply(etag.clone(), &changed);
    if let Err(refusal) = save(Arc::clone(&app)).await {
        let denied = Denied::from(refusal);
        asked.note(&app, denied.status().as_u16(), Some(denied.sentence()), changed);
        return Err(denied);
    }
    asked.note(&app, 200, None, changed);
    Ok(tagged(ok(&reply), &etag))
}

/// The next start must not fail by what was accepted today.
fn check_start(app: &App, new: &Config) -> Result<(), Denied> {
    let reach = match new.server.listen {
        Some(address) => crate::server::check_reach(address, new, app.insecure_open),
        None => Ok(()),
    };
    reach
        .and_then(|()| crate::server::check_files(new).map(|_| ()))
        .map_err(|error| Denied::new(RefusalCode::InvalidConfig, error.to_string()))
}

/// Who may come in, and which files are served, is for an admin to say.
fn check_role(role: Role, old: &Config, new: &Config) -> Result<(), Denied> {
    if role == Role::Admin || (&old.security, &old.server) == (&new.security, &new.server) {
        return Ok(());
    }
    Err(Denied::new(RefusalCode::RoleTooLow, "changing security or server needs the role admin"))
}

fn reply(etag: String, changed: &[Difference]) -> api::ConfigChanged {
    let changed: Vec<String> = changed.iter().map(|d| d.path.clone()).collect();
    let section = |path: &String| path.split(['.', '[']).next().unwrap_or_default().to_owned();
    let restart_needed =
        changed.iter().filter(|path| AT_START.contains(&section(path).as_str())).cloned().collect();
    api::ConfigChanged { success: true, etag, changed, restart_needed }
}

/// Writes the configuration in force to its file.
pub(super) async fn save(app: Arc<App>) -> Result<(), Refusal> {
    let task = tokio::task::spawn_blocking(move || {
        let _one = app.saving.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: of two saves the later one has the later configuration.
        let config = Arc::clone(&app.newest.load().config);
        let path = &app.config_path;
        store::save(path, &config).map_err(|error| {
            let path = path.display();
            tracing::error!(%path, %error, "the configuration could not be saved");
            Refusal::with(
                RefusalCode::DiskFailed,
                format!(
                    "the configuration is in force but {path} could not be written: {error}; \
                     check the disk and save again"
                ),
            )
        })
    });
    match task.await {
        Ok(saved) => saved.map(|_| ()),
        Err(_) => Err(Refusal::with(RefusalCode::DiskFailed, "saving was cut off; save again")),
    }
}

/// `GET /api/config/generations`.
pub(super) async fn generations(State(app): Shared) -> Answered {
    let listed = on_disk(move || store::generations(&app.config_path)).await?;
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
pub(super) async fn show_generation(
    State(app): Shared,
    number: Result<Path<u32>, PathRejection>,
) -> Answered {
    let Ok(Path(number)) = number else {
        return Err(no_such_generation());
    };
    let config = on_thread(move || generation(&app, number)).await??;
    Ok(ok(&config.to_public_json()))
}

fn no_such_generation() -> Denied {
    Denied::not_found("generation of that number; GET /api/config/generations lists them")
}

fn generation(app: &App, number: u32) -> Result<Config, Denied> {
    if !(1..=store::GENERATIONS).contains(&number) {
        return Err(no_such_generation());
    }
    store::load_generation(&app.config_path, number).map_err(|error| match error {
        LoadError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            no_such_generation()
        }
        LoadError::Read { source, .. } => unreadable(&source),
        // An older file may be from before a rule of today.
        LoadError::Invalid { errors, .. } => {
            Denied::bad_config(RefusalCode::OutdatedConfig, &errors)
        }
    })
}
