//! The table of routes: path, methods, and what the metrics, the gate and OpenAPI know of each.

use hyper::Method;
use tve_access::{Need, table};

/// How the body of a POST is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/json`, or nothing at all.
    Json,
    /// The same, and JSON sent as `text/plain`, as the HMI does.
    JsonOrText,
}

/// One row of the table.
pub(crate) struct Row {
    pub(crate) route: Route,
    /// Path template, as in metrics and OpenAPI.
    pub(crate) path: &'static str,
    pub(crate) get: bool,
    pub(crate) post: Option<Media>,
    /// Takes a PUT of JSON.
    pub(crate) put: bool,
}

macro_rules! routes {
    ($($(#[$doc:meta])* $route:ident = $path:literal, $get:literal, $post:expr $(, $put:literal)?;)*) => {
        /// Where a request goes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Route { $($(#[$doc])* $route,)* }

        impl Route {
            /// Every row, in the order of the enum.
            pub(crate) const TABLE: &'static [Row] = &[$(Row {
                route: Route::$route, path: $path, get: $get, post: $post, put: false $(|| $put)?,
            },)*];
        }
    };
}

routes! {
    /// The newest values.
    Data = "/api/data", true, None;
    /// Everything, with the configuration.
    Status = "/api/status", true, None;
    /// A command.
    Control = "/api/control", false, Some(Media::Json);
    /// Header pins.
    Gpio = "/api/gpio", true, Some(Media::Json);
    /// Start recording a run.
    LogStart = "/api/log/start", false, Some(Media::Json);
    /// End it.
    LogStop = "/api/log/stop", false, Some(Media::Json);
    /// The recorder and its files.
    Log = "/api/log", true, None;
    /// One run file.
    LogFile = "/api/log/{file}", true, None;
    /// The incident files of the black box.
    Incidents = "/api/incidents", true, None;
    /// One of them.
    IncidentFile = "/api/incidents/{file}", true, None;
    /// Start an autotune.
    TuneStart = "/api/tune/start", false, Some(Media::JsonOrText);
    /// Give it up.
    TuneStop = "/api/tune/stop", false, Some(Media::JsonOrText);
    /// Take its gains over and save them.
    TuneApply = "/api/tune/apply", false, Some(Media::JsonOrText);
    /// The configuration without its secrets.
    Config = "/api/config", true, None, true;
    /// The files that saving has replaced.
    Generations = "/api/config/generations", true, None;
    /// One of them.
    Generation = "/api/config/generations/{generation}", true, None;
    /// Takes one of them over again.
    Restore = "/api/config/restore", false, Some(Media::Json);
    /// The audit journal.
    Audit = "/api/audit", true, None;
    /// Conditions for turning the screw.
    Permissives = "/api/permissives", true, None;
    /// The past.
    History = "/api/history/sensors", true, None;
    /// The process answers.
    Health = "/health", true, None;
    /// The machine can be used.
    Ready = "/ready", true, None;
    /// Figures for Prometheus.
    Metrics = "/metrics", true, None;
    /// This API.
    OpenApi = "/openapi.json", true, None;
    /// Events. The socket library checks methods itself.
    Socket = "/socket.io/", true, Some(Media::Json);
    /// The HMI, or a page of links.
    Index = "/", true, None;
    /// Files of the HMI, where `server.www` is set.
    Static = "/{file}", true, None;
    /// Everything else.
    Unknown = "unknown", false, None;
}

const LOG_FILES: &str = "/api/log/";
const INCIDENT_FILES: &str = "/api/incidents/";
const GENERATIONS: &str = "/api/config/generations/";

/// The rest of `path` below `folder`, when that is one name.
fn file_in<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder).filter(|name| !name.is_empty() && !name.contains('/'))
}

impl Route {
    /// Where `path` goes. `files` says that paths of no API may name files of the HMI.
    pub(crate) fn of(path: &str, files: bool) -> Self {
        match path {
            "/api/data" => Self::Data,
            "/api/status" => Self::Status,
            "/api/control" => Self::Control,
            "/api/gpio" => Self::Gpio,
            "/api/log/start" => Self::LogStart,
            "/api/log/stop" => Self::LogStop,
            "/api/log" => Self::Log,
            "/api/incidents" => Self::Incidents,
            "/api/tune/start" => Self::TuneStart,
            "/api/tune/stop" => Self::TuneStop,
            "/api/tune/apply" => Self::TuneApply,
            "/api/config" => Self::Config,
            "/api/config/generations" => Self::Generations,
            "/api/config/restore" => Self::Restore,
            "/api/audit" => Self::Audit,
            "/api/permissives" => Self::Permissives,
            "/api/history/sensors" => Self::History,
            "/health" => Self::Health,
            "/ready" => Self::Ready,
            "/metrics" => Self::Metrics,
            "/openapi.json" => Self::OpenApi,
            "/" => Self::Index,
            _ if path.starts_with("/socket.io") => Self::Socket,
            _ if file_in(path, LOG_FILES).is_some() => Self::LogFile,
            _ if file_in(path, INCIDENT_FILES).is_some() => Self::IncidentFile,
            _ if file_in(path, GENERATIONS).is_some() => Self::Generation,
            _ if files && !path.starts_with("/api/") => Self::Static,
            _ => Self::Unknown,
        }
    }

    /// The row of the table.
    pub(crate) const fn row(self) -> &'static Row {
        &Self::TABLE[self as usize]
    }

    /// Whether the route has `method`; HEAD goes where GET goes.
    pub(crate) fn allows(self, method: &Method) -> bool {
        let row = self.row();
        match *method {
            Method::GET | Method::HEAD => row.get,
            Method::POST => row.post.is_some(),
            Method::PUT => row.put,
            _ => false,
        }
    }

    /// What `method` needs; HEAD needs what GET needs.
    pub(crate) fn need(self, method: &Method) -> Need {
        table::route(method.as_str(), self.row().path)
    }

    /// How the body of a request with `method` is judged; `None` where it has none to judge.
    pub(crate) fn media(self, method: &Method) -> Option<Media> {
        match *method {
            Method::POST => self.row().post,
            Method::PUT if self.row().put => Some(Media::Json),
            _ => None,
        }
    }

    /// The `Allow` header.
    pub(crate) fn allow(self) -> &'static str {
        let row = self.row();
        match (row.get, row.post.is_some(), row.put) {
            (true, _, true) => "GET, HEAD, PUT",
            (true, true, false) => "GET, HEAD, POST",
            (true, false, false) => "GET, HEAD",
            (false, true, _) => "POST",
            (false, false, _) => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_a_route_is_its_own() {
        for row in Route::TABLE {
            assert_eq!(row.route.row().path, row.path);
        }
    }

    #[test]
    fn every_path_of_the_table_finds_its_route() {
        for row in Route::TABLE.iter().filter(|r| r.route != Route::Unknown) {
            let path = row.path.replace("{file}", "run_20260101_120000.csv");
            let path = path.replace("{generation}", "3");
            assert_eq!(Route::of(&path, true), row.route, "{path}");
        }
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
        ] {
            assert_eq!(Route::of(path, false), Route::Unknown, "{path}");
        }
        assert_eq!(Route::of("/api/nowhere", true), Route::Unknown, "the API has no files");
    }
}
