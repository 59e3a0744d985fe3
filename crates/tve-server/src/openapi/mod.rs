//! The API described by OpenAPI 3.1, generated from the table of routes and the types of the wire.

mod commands;

use crate::http::{Media, Route};
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use tve_access::{Need, table};
use tve_api as api;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathItemBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem,
    PathsBuilder, Ref, RefOr, Required, ResponseBuilder, Schema,
};
use utoipa::{PartialSchema, ToSchema};

/// What can be said about a body.
enum Content {
    /// One of the types of the wire, by name.
    Json(&'static str),
    /// A list of them.
    JsonList(&'static str),
    /// Anything of that media type.
    Media(&'static str),
}

/// The document as JSON text.
pub(crate) fn document() -> Bytes {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    TEXT.get_or_init(|| crate::view::json(&complete()).into()).clone()
}

/// The document with those schemas that are data already.
fn complete() -> Value {
    let mut document = serde_json::to_value(describe()).unwrap_or_default();
    let schemas = &mut document["components"]["schemas"];
    schemas["ControlRequest"] = commands::control();
    schemas["RestoreRequest"] = commands::restore();
    schemas["GpioRequest"] = commands::gpio();
    schemas["TuneStartRequest"] = commands::tune_start();
    schemas["Refused"]["properties"]["msg"] = commands::codes();
    schemas["Config"] = tve_config::json_schema();
    // Those of a document of its own.
    if let Some(members) = schemas["Config"].as_object_mut() {
        members.retain(|key, _| !key.starts_with('$'));
    }
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|p| p.values_mut());
    let parameters = paths.filter_map(|path| path.pointer_mut("/get/parameters")?.as_array_mut());
    for parameter in parameters.flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        parameter["schema"] = commands::parameter(name);
    }
    document
}

fn describe() -> OpenApi {
    let mut paths = PathsBuilder::new();
    for row in Route::TABLE {
        if let Some(item) = path_item(row.route) {
            paths = paths.path(row.path, item);
        }
    }
    let mut schemas = Vec::new();
    components::<api::Status>(&mut schemas);
    components::<api::Data>(&mut schemas);
    components::<api::ControlRequest>(&mut schemas);
    components::<api::TuneStartRequest>(&mut schemas);
    components::<api::Success>(&mut schemas);
    components::<api::Refused>(&mut schemas);
    components::<api::GpioStatus>(&mut schemas);
    components::<api::LogStatus>(&mut schemas);
    components::<api::IncidentList>(&mut schemas);
    components::<api::HistorySample>(&mut schemas);
    components::<api::Permissives>(&mut schemas);
    components::<api::Health>(&mut schemas);
    components::<api::Ready>(&mut schemas);
    components::<api::IoUpdate>(&mut schemas);
    components::<api::ConfigChanged>(&mut schemas);
    components::<api::ConfigGenerations>(&mut schemas);
    components::<api::RestoreRequest>(&mut schemas);
    components::<api::AuditPage>(&mut schemas);
    OpenApiBuilder::new()
        .info(InfoBuilder::new().title("TVE-micro").version(env!("CARGO_PKG_VERSION")).description(
            Some(
                "Controller of a small plastics extruder. A refusal is always \
                     {\"success\": false, \"msg\": CODE, \"reason\": SENTENCE} and changes nothing.",
            ),
        ))
        .paths(paths)
        .components(Some(
            ComponentsBuilder::new()
                .schemas_from_iter(schemas)
                .security_scheme(
                    BASIC,
                    scheme(HttpAuthScheme::Basic, "A user of the configuration."),
                )
                .security_scheme(
                    BEARER,
                    scheme(HttpAuthScheme::Bearer, "A token made by `tve token create`."),
                )
                .build(),
        ))
        .build()
}

/// Names of the two ways to log in.
const BASIC: &str = "basic";
const BEARER: &str = "bearer";

fn scheme(scheme: HttpAuthScheme, description: &str) -> SecurityScheme {
    let http = HttpBuilder::new().scheme(scheme).description(Some(description));
    SecurityScheme::Http(http.build())
}

/// Adds the ways to log in that an operation takes, and their refusals to `statuses`.
fn guarded(
    mut operation: OperationBuilder,
    need: Need,
    statuses: &mut BTreeSet<u16>,
) -> OperationBuilder {
    if need == Need::Open {
        return operation;
    }
    if need == Need::Read || need == Need::Commands {
        // Reads while they are not protected, and stops.
        operation = operation.security(SecurityRequirement::default());
    }
    // 403 for a role that is too low, 429 for a user and address that are locked.
    statuses.extend([401, 403, 429]);
    let by = |name: &str| SecurityRequirement::new(name, Vec::<String>::new());
    operation.security(by(BASIC)).security(by(BEARER))
}

/// A type and everything it refers to.
fn components<T: ToSchema + PartialSchema>(into: &mut Vec<(String, RefOr<Schema>)>) {
    into.push((T::name().into_owned(), T::schema()));
    T::schemas(into);
}

fn path_item(route: Route) -> Option<PathItem> {
    let mut item = PathItemBuilder::new();
    let mut described = false;
    if let Some(operation) = get(route) {
        described = true;
        item = item.operation(HttpMethod::Get, operation);
    }
    if let Some(operation) = post(route) {
        described = true;
        item = item.operation(HttpMethod::Post, operation);
    }
    if route == Route::Config {
        item = item.operation(HttpMethod::Put, put_config());
    }
    described.then(|| item.build())
}

fn get(route: Route) -> Option<Operation> {
    use Content::{Json, JsonList, Media};
    let (summary, content, others): (_, _, &[u16]) = match route {
        Route::Data => ("The newest values.", Json("Data"), &[]),
        Route::Status => ("The machine and its whole configuration.", Json("Status"), &[]),
        Route::Gpio => ("The header pins.", Json("GpioStatus"), &[]),
        Route::Log => {
            ("The recorder and its run files, 200 a page.", Json("LogStatus"), &[400, 503])
        }
        Route::LogFile => ("One run file.", Media("text/csv"), &[404, 503]),
        Route::Incidents => (
            "Incident files: what happened around alarms, 200 a page.",
            Json("IncidentList"),
            &[400, 503],
        ),
        Route::IncidentFile => {
            ("One incident file, for `tve replay`.", Media("application/octet-stream"), &[404, 503])
        }
        Route::Config => ("The configuration without its secrets.", Json("Config"), &[]),
        Route::Generations => {
            ("The files that saving has replaced, newest first.", Json("ConfigGenerations"), &[503])
        }
        Route::Generation => ("One of them.", Json("Config"), &[404, 409, 503]),
        Route::Audit => ("The audit journal, 200 lines a page.", Json("AuditPage"), &[400, 503]),
        Route::Permissives => {
            ("What must hold before the screw may turn.", Json("Permissives"), &[])
        }
        Route::History => (
            "The past: the newest 1000 samples, or `points` since `since`, oldest first.",
            JsonList("HistorySample"),
            &[400],
        ),
        Route::Health => ("Whether the process answers.", Json("Health"), &[]),
        Route::Ready => ("Whether the machine can be used.", Json("Ready"), &[503]),
        Route::Metrics => ("Figures for Prometheus.", Media("text/plain"), &[]),
        Route::OpenApi => ("This document.", Media("application/json"), &[]),
        Route::Index => ("The HMI, or a page of links.", Media("text/html"), &[]),
        _ => return None,
    };
    let mut operation = operation(summary, &content);
    for (name, description) in parameters(route) {
        let within_path = row_has(route, name);
        let (within, required) = if within_path {
            (ParameterIn::Path, Required::True)
        } else {
            (ParameterIn::Query, Required::False)
        };
        operation = operation.parameter(
            ParameterBuilder::new()
                .name(*name)
                .parameter_in(within)
                .required(required)
                .description(Some(*description)),
        );
    }
    // A foreign Host is refused on every route.
    let mut statuses: BTreeSet<u16> = others.iter().copied().chain([403]).collect();
    let operation = guarded(operation, table::route("GET", route.row().path), &mut statuses);
    Some(refusals(operation, &statuses, route == Route::Ready).build())
}

/// Whether the path of `route` has a place for `name`.
fn row_has(route: Route, name: &str) -> bool {
    route.row().path.contains(&format!("{{{name}}}"))
}

/// `If-Match`, with the tag of the configuration that the change was made on.
fn if_match(required: Required) -> ParameterBuilder {
    ParameterBuilder::new()
        .name("If-Match")
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some("ETag of the configuration that the change was made on, or *."))
        .schema(Some(String::schema()))
}

fn put_config() -> Operation {
    let body = RequestBodyBuilder::new().required(Some(Required::True)).content(
        "application/json",
        ContentBuilder::new().schema(Some(reference("Config"))).build(),
    );
    let operation = operation(
        "Replace the configuration as a whole. What is missing in `security` stays as it is, every \
         other missing key takes its default.",
        &Content::Json("ConfigChanged"),
    )
    .parameter(if_match(Required::True))
    .request_body(Some(body.build()));
    let mut statuses = BTreeSet::from([400, 403, 408, 409, 412, 413, 415, 428, 503]);
    let need = table::route("PUT", Route::Config.row().path);
    let operation = guarded(operation, need, &mut statuses);
    refusals(operation, &statuses, false).build()
}

fn parameters(route: Route) -> &'static [(&'static str, &'static str)] {
    match route {
        Route::Generation => &[("generation", "1 for the newest, up to 10.")],
        Route::Audit => &[("page", "Page of the lines, newest first, from 0.")],
        Route::Log | Route::Incidents => &[("page", "Page of the files, from 0.")],
        Route::IncidentFile => &[("file", "Name of an incident file.")],
        Route::LogFile => &[("file", "Name of a run file.")],
        Route::History => &[
            ("since", "Oldest sample, milliseconds since the Unix epoch."),
            ("points", "Most samples, 1 to 86400; more are thinned so that extremes stay."),
        ],
        _ => &[],
    }
}

fn post(route: Route) -> Option<Operation> {
    let (summary, body) = match route {
        Route::Control => ("Carry out a command.", Some("ControlRequest")),
        Route::Gpio => ("SET_GPIO_MODE or SET_GPIO_VALUE.", Some("GpioRequest")),
        Route::LogStart => ("Start recording a run.", None),
        Route::LogStop => ("End the run.", None),
        Route::TuneStart => ("Start a relay autotune.", Some("TuneStartRequest")),
        Route::TuneStop => ("Give the autotune up.", None),
        Route::Restore => ("Take an older configuration over again.", Some("RestoreRequest")),
        Route::TuneApply => ("Take the gains over and save them.", None),
        _ => return None,
    };
    let reply = if route == Route::Restore { "ConfigChanged" } else { "Success" };
    let mut operation = operation(summary, &Content::Json(reply));
    if route == Route::Restore {
        operation = operation.parameter(if_match(Required::False));
    }
    if let Some(name) = body {
        let mut request = RequestBodyBuilder::new().required(Some(Required::True)).content(
            "application/json",
            ContentBuilder::new().schema(Some(reference(name))).build(),
        );
        if route.row().post == Some(Media::JsonOrText) {
            request = request
                .content("text/plain", ContentBuilder::new().schema(Some(reference(name))).build());
        }
        operation = operation.request_body(Some(request.build()));
    }
    let others: &[u16] = match route {
        Route::LogStart | Route::LogStop => &[403, 413, 415],
        Route::Control => &[400, 403, 404, 408, 409, 413, 415, 429, 503],
        Route::Restore => &[400, 403, 404, 408, 409, 412, 413, 415, 503],
        _ => &[400, 403, 408, 409, 413, 415, 503],
    };
    let mut statuses: BTreeSet<u16> = others.iter().copied().collect();
    let operation = guarded(operation, table::route("POST", route.row().path), &mut statuses);
    Some(refusals(operation, &statuses, false).build())
}

fn reference(name: &str) -> Ref {
    Ref::from_schema_name(name)
}

fn operation(summary: &str, content: &Content) -> OperationBuilder {
    let body = ContentBuilder::new();
    let (media, body) = match content {
        Content::Json(name) => ("application/json", body.schema(Some(reference(name)))),
        Content::JsonList(name) => (
            "application/json",
            body.schema(Some(utoipa::openapi::ArrayBuilder::new().items(reference(name)).build())),
        ),
        Content::Media(media) => (*media, body),
    };
    OperationBuilder::new().summary(Some(summary)).response(
        "200",
        ResponseBuilder::new().description("Done.").content(media, body.build()).build(),
    )
}

fn refusals(
    mut operation: OperationBuilder,
    statuses: &BTreeSet<u16>,
    ready: bool,
) -> OperationBuilder {
    for &status in statuses {
        let description = match status {
            400 => "Bad input.",
            401 => "No login, or one that is not accepted; see WWW-Authenticate.",
            403 => "Foreign host or origin, or a role that is too low.",
            404 => "There is no such thing.",
            408 => "The body did not arrive in time.",
            409 => "Right request at the wrong time.",
            412 => "The configuration has changed since.",
            428 => "If-Match is missing.",
            413 => "The body is over 64 KiB.",
            415 => "The body is not JSON.",
            429 => "Too fast, or locked after five failed logins; see Retry-After.",
            503 if ready => "Not ready.",
            _ => "The machine, its queue or its disk cannot take it.",
        };
        let name = if ready && status == 503 { "Ready" } else { "Refused" };
        let content = ContentBuilder::new().schema(Some(reference(name))).build();
        operation = operation.response(
            status.to_string(),
            ResponseBuilder::new()
                .description(description)
                .content("application/json", content)
                .build(),
        );
    }
    operation
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed() -> Value {
        serde_json::from_slice(&document()).unwrap()
    }

    #[test]
    fn every_route_that_clients_use_is_described() {
        let document = parsed();
        assert_eq!(document["openapi"], "3.1.0");
        for row in Route::TABLE {
            let hidden = matches!(row.route, Route::Socket | Route::Static | Route::Unknown);
            let item = &document["paths"][row.path];
            assert_eq!(item["get"].is_object(), row.get && !hidden, "{}", row.path);
            assert_eq!(item["post"].is_object(), row.post.is_some() && !hidden, "{}", row.path);
            assert_eq!(item["put"].is_object(), row.put, "{}", row.path);
        }
    }

    #[test]
    fn whatever_may_need_a_login_says_so_and_the_rest_does_not() {
        let document = parsed();
        assert_eq!(document["components"]["securitySchemes"]["basic"]["scheme"], "basic");
        assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
        for (method, path, need) in table::ROUTES {
            let operation = &document["paths"][path][method.to_lowercase()];
            if !operation.is_object() {
                continue;
            }
            let guarded = *need != Need::Open;
            for status in ["401", "429"] {
                let described = operation["responses"][status].is_object();
                assert_eq!(described, guarded, "{method} {path} {status}");
            }
            assert_eq!(operation["security"].is_array(), guarded, "{method} {path}");
        }
    }

    #[test]
    fn every_reference_has_its_schema() {
        fn walk(value: &Value, document: &Value) {
            match value {
                Value::Object(map) => {
                    if let Some(Value::String(target)) = map.get("$ref") {
                        let pointer = target.trim_start_matches('#');
                        assert!(document.pointer(pointer).is_some(), "{target}");
                    }
                    map.values().for_each(|v| walk(v, document));
                }
                Value::Array(list) => list.iter().for_each(|v| walk(v, document)),
                _ => {}
            }
        }
        let document = parsed();
        walk(&document, &document);
    }
}
