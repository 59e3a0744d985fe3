//! The table of routes: one row says all that is known of a route, and everybody reads it.
//!
//! The match of a path, the router, the check of roles, the header `Allow`, the labels of the metrics,
//! OpenAPI and `roles.md` are made of it.

mod row;

pub(crate) use row::{Content, Docs, Handler, IfMatch, Media, Operation, Verb};

use crate::app::App;
use crate::{audit, commands, config, files, handlers, pages};
use Content::{Json, JsonList, Media as Bytes};
use Handler::{Files, Hot, Page, Routed, Sockets};
use Need::{At, Commands, Open, Read};
use Place::{Below, Elsewhere, Here, Nowhere, Under};
use axum::Router;
use axum::routing::on;
use hyper::Method;
use row::{get, hidden, post, put, told};
use std::sync::Arc;
use tower_http::services::ServeDir;
use tve_access::Need;
use tve_access::Role::{Engineer, Operator};

/// Which paths belong to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The path itself.
    Here,
    /// One name in place of the parameter that ends it.
    Below,
    /// Everything that begins like it.
    Under,
    /// What belongs to no row above and not to the API, where there are files.
    Elsewhere,
    /// None.
    Nowhere,
}

/// A handler for the router.
macro_rules! to {
    ($handler:path) => {
        |method| on(method, $handler)
    };
}

/// One row of the table.
pub(crate) struct Row {
    pub(crate) route: Route,
    /// Path template, as in metrics and OpenAPI.
    pub(crate) path: &'static str,
    place: Place,
    pub(crate) operations: &'static [Operation],
}

macro_rules! routes {
    ($($(#[$doc:meta])* $route:ident = $place:ident $path:literal [$($operation:expr,)*];)*) => {
        /// Where a request goes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Route { $($(#[$doc])* $route,)* }

        impl Route {
            /// Every row, in the order of the enum.
            pub(crate) const TABLE: &'static [Row] = &[$(Row {
                route: Route::$route, path: $path, place: $place, operations: &[$($operation),*],
            },)*];
        }
    };
}

/// Statuses of whatever commands the machine with a body.
const ORDER: &[u16] = &[400, 403, 408, 409, 413, 415, 503];
const SUCCESS: Content = Json("Success");
const FILES_PAGE: &[(&str, &str)] = &[("page", "Page of the files, from 0.")];

// The first row that fits is taken.
routes! {
    /// The newest values.
    Data = Here "/api/data" [
        get(Read, Hot(App::data_body), told("The newest values.", Json("Data"), &[])),
    ];
    /// Everything, with the configuration.
    Status = Here "/api/status" [
        get(Read, Hot(App::status_body),
            told("The machine and its whole configuration.", Json("Status"), &[503])),
    ];
    /// A command.
    Control = Here "/api/control" [
        post(Commands, Media::Json, Routed(to!(commands::control)),
            told("Carry out a command.", SUCCESS, &[400, 403, 404, 408, 409, 413, 415, 429, 503])
                .takes("ControlRequest")),
    ];
    /// Header pins.
    Gpio = Here "/api/gpio" [
        get(Read, Routed(to!(handlers::gpio)), told("The header pins.", Json("GpioStatus"), &[])),
        post(At(Engineer), Media::Json, Routed(to!(commands::gpio)),
            told("SET_GPIO_MODE or SET_GPIO_VALUE.", SUCCESS, ORDER).takes("GpioRequest")),
    ];
    /// Start recording a run.
    LogStart = Here "/api/log/start" [
        post(At(Operator), Media::Json, Routed(to!(commands::log_start)),
            told("Start recording a run.", SUCCESS, &[403, 413, 415])),
    ];
    /// End it.
    LogStop = Here "/api/log/stop" [
        post(At(Operator), Media::Json, Routed(to!(commands::log_stop)),
            told("End the run.", SUCCESS, &[403, 413, 415])),
    ];
    /// The recorder and its files.
    Log = Here "/api/log" [
        get(Read, Routed(to!(files::log)),
            told("The recorder and its run files, 200 a page.", Json("LogStatus"), &[400, 503])
                .asks(FILES_PAGE)),
    ];
    /// One run file.
    LogFile = Below "/api/log/{file}" [
        get(Read, Routed(to!(files::run)),
            told("One run file.", Bytes("text/csv"), &[404, 503])
                .asks(&[("file", "Name of a run file.")])),
    ];
    /// The incident files of the black box.
    Incidents = Here "/api/incidents" [
        get(Read, Routed(to!(files::incidents)),
            told("Incident files: what happened around alarms, 200 a page.",
                Json("IncidentList"), &[400, 503]).asks(FILES_PAGE)),
    ];
    /// One of them.
    IncidentFile = Below "/api/incidents/{file}" [
        get(Read, Routed(to!(files::incident)),
            told("One incident file, for `tve replay`.", Bytes("application/octet-stream"),
                &[404, 503]).asks(&[("file", "Name of an incident file.")])),
    ];
    /// Start an autotune.
    TuneStart = Here "/api/tune/start" [
        post(At(Engineer), Media::JsonOrText, Routed(to!(commands::tune_start)),
            told("Start a relay autotune.", SUCCESS, ORDER).takes("TuneStartRequest")),
    ];
    /// Give it up, which only turns heaters down.
    TuneStop = Here "/api/tune/stop" [
        post(At(Operator), Media::JsonOrText, Routed(to!(commands::tune_stop)),
            told("Give the autotune up.", SUCCESS, ORDER)),
    ];
    /// Take its gains over and save them.
    TuneApply = Here "/api/tune/apply" [
        post(At(Engineer), Media::JsonOrText, Routed(to!(commands::tune_apply)),
            told("Take the gains over and save them.", SUCCESS, ORDER)),
    ];
    /// The configuration without its secrets. A change of users, roles or what is served needs more
    /// than the route: the role admin.
    Config = Here "/api/config" [
        get(At(Engineer), Routed(to!(config::show)),
            told("The configuration without its secrets.", Json("Config"), &[])),
        put(At(Engineer), Routed(to!(config::replace)),
            told("Replace the configuration as a whole. What is missing in `security` stays as it \
                  is, every other missing key takes its default.", Json("ConfigChanged"),
                &[400, 403, 408, 409, 412, 413, 415, 428, 503])
                .takes("Config").on_match(IfMatch::Must)),
    ];
    /// The files that saving has replaced.
    Generations = Here "/api/config/generations" [
        get(At(Engineer), Routed(to!(config::generations)),
            told("The files that saving has replaced, newest first.", Json("ConfigGenerations"),
                &[503])),
    ];
    /// One of them.
    Generation = Below "/api/config/generations/{generation}" [
        get(At(Engineer), Routed(to!(config::show_generation)),
            told("One of them.", Json("Config"), &[404, 409, 503])
                .asks(&[("generation", "1 for the newest, up to 10.")])),
    ];
    /// Takes one of them over again.
    Restore = Here "/api/config/restore" [
        post(At(Engineer), Media::Json, Routed(to!(config::restore)),
            told("Take an older configuration over again.", Json("ConfigChanged"),
                &[400, 403, 404, 408, 409, 412, 413, 415, 503])
                .takes("RestoreRequest").on_match(IfMatch::May)),
    ];
    /// The second confirmation of a change that can blind a trip.
    Confirm = Here "/api/config/confirm" [
        post(At(Engineer), Media::Json, Routed(to!(config::confirm)),
            told("Confirm, as a second person, a change that can blind a trip.", SUCCESS,
                &[400, 403, 404, 408, 409, 412, 413, 415, 503]).takes("ConfirmRequest")),
    ];
    /// The audit journal.
    Audit = Here "/api/audit" [
        get(At(Engineer), Routed(to!(audit::page)),
            told("The audit journal, 200 lines a page.", Json("AuditPage"), &[400, 503])
                .asks(&[("page", "Page of the lines, newest first, from 0.")])),
    ];
    /// Conditions for turning the screw.
    Permissives = Here "/api/permissives" [
        get(Read, Routed(to!(handlers::permissives)),
            told("What must hold before the screw may turn.", Json("Permissives"), &[])),
    ];
    /// The past.
    History = Here "/api/history/sensors" [
        get(Read, Routed(to!(handlers::history)),
            told("The past: the newest 1000 samples, or `points` since `since`, oldest first.",
                JsonList("HistorySample"), &[400, 503])
                .asks(&[
                    ("since", "Oldest sample, milliseconds since the Unix epoch."),
                    ("points", "Most samples, 1 to 86400; more are thinned so that extremes stay."),
                ])),
    ];
    /// The process answers.
    Health = Here "/health" [
        get(Open, Routed(to!(handlers::health)),
            told("Whether the process answers.", Json("Health"), &[])),
    ];
    /// The machine can be used.
    Ready = Here "/ready" [
        get(Open, Routed(to!(handlers::ready)),
            told("Whether the machine can be used.", Json("Ready"), &[503])),
    ];
    /// Figures for Prometheus.
    Metrics = Here "/metrics" [
        get(Read, Routed(to!(handlers::metrics)),
            told("Figures for Prometheus.", Bytes("text/plain"), &[503])),
    ];
    /// This API.
    OpenApi = Here "/openapi.json" [
        get(Read, Routed(to!(handlers::openapi_document)),
            told("This document.", Bytes("application/json"), &[503])),
    ];
    /// Events.
    Socket = Under "/socket.io/" [
        hidden(Verb::Get, Read, Sockets),
        hidden(Verb::Post, Read, Sockets),
    ];
    /// The HMI, or a page of links.
    Index = Here "/" [
        get(Read, Page(to!(pages::index)),
            told("The HMI, or a page of links.", Bytes("text/html"), &[])),
    ];
    /// Files of the HMI, where `server.www` is set.
    Static = Elsewhere "/{file}" [
        hidden(Verb::Get, Read, Files),
    ];
    /// Everything else.
    Unknown = Nowhere "unknown" [];
}

impl Row {
    /// Whether `path` belongs to the row; `files` says that paths of no API may name files.
    fn has(&self, path: &str, files: bool) -> bool {
        match self.place {
            Here => path == self.path,
            Below => self.path.split_once('{').is_some_and(|(folder, _)| {
                let name = path.strip_prefix(folder);
                name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
            }),
            Under => path.starts_with(self.path.trim_end_matches('/')),
            Elsewhere => files && path.starts_with('/') && !path.starts_with("/api/"),
            Nowhere => false,
        }
    }
}

impl Route {
    /// Where `path` goes. `files` says that paths of no API may name files of the HMI.
    pub(crate) fn of(path: &str, files: bool) -> Self {
        let row = Self::TABLE.iter().find(|row| row.has(path, files));
        row.map_or(Self::Unknown, |row| row.route)
    }

    /// The row of the table.
    pub(crate) const fn row(self) -> &'static Row {
        &Self::TABLE[self as usize]
    }

    /// What `method` does; `None` where the route does not have it.
    pub(crate) fn operation(self, method: &Method) -> Option<&'static Operation> {
        let verb = Verb::of(method)?;
        self.row().operations.iter().find(|operation| operation.verb == verb)
    }

    /// The `Allow` header.
    pub(crate) fn allow(self) -> String {
        let verbs = self.row().operations.iter().map(|operation| match operation.verb {
            Verb::Get => "GET, HEAD",
            verb @ (Verb::Post | Verb::Put) => verb.name(),
        });
        verbs.collect::<Vec<_>>().join(", ")
    }
}

/// The routes that are not answered before the router.
pub(crate) fn router(app: Arc<App>, www: Option<&str>) -> Router {
    let mut router = Router::new().fallback(handlers::nothing);
    for row in Route::TABLE {
        for operation in row.operations {
            match operation.handler {
                Routed(handler) => {
                    router = router.route(row.path, handler(operation.verb.filter()));
                }
                Page(handler) if www.is_none() => {
                    router = router.route(row.path, handler(operation.verb.filter()));
                }
                Hot(_) | Page(_) | Files | Sockets => {}
            }
        }
    }
    if let Some(folder) = www {
        let folder = ServeDir::new(folder);
        router = router.fallback(move |request| pages::file(folder.clone(), request));
    }
    router.with_state(app)
}

/// Method, path template and need of every operation, in the order of the table.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str, Need)> {
    Route::TABLE.iter().flat_map(|row| {
        row.operations.iter().map(|operation| (operation.verb.name(), row.path, operation.need))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_table_finds_its_row_and_its_row_is_its_own() {
        for row in Route::TABLE {
            assert_eq!(row.route.row().path, row.path);
            if row.place == Nowhere {
                continue;
            }
            let path = row.path.replace("{file}", "run_20260101_120000.csv");
            let path = path.replace("{generation}", "3");
            assert_eq!(Route::of(&path, true), row.route, "{path}");
        }
    }

    #[test]
    fn no_row_has_a_method_twice_and_a_body_is_judged_where_one_is_read() {
        for row in Route::TABLE {
            for (i, operation) in row.operations.iter().enumerate() {
                let before = &row.operations[..i];
                assert!(!before.iter().any(|o| o.verb == operation.verb), "{}", row.path);
                let judged = operation.media != Media::Unjudged;
                let read = operation.verb != Verb::Get && operation.docs.is_some();
                assert_eq!(judged, read, "{}", row.path);
            }
        }
    }

    #[test]
    fn allow_names_every_method_of_the_row() {
        assert_eq!(Route::Config.allow(), "GET, HEAD, PUT");
        assert_eq!(Route::Gpio.allow(), "GET, HEAD, POST");
        assert_eq!(Route::Control.allow(), "POST");
        assert_eq!(Route::Unknown.allow(), "");
    }

    #[test]
    fn unknown_paths_stay_unknown() {
        for path in [
            "/api/nowhere",
            "/api/log/a/b",
            "/api/log/",
            "/api/incidents/",
            "/api/config/generations/",
            "/api",
            "/api/data/",
            "unknown",
        ] {
            assert_eq!(Route::of(path, false), Route::Unknown, "{path}");
        }
        assert_eq!(Route::of("/api/nowhere", true), Route::Unknown, "the API has no files");
    }
}
