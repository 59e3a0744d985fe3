//! The API described by OpenAPI 3.1, generated from the table of routes and the types of the wire.

mod commands;
mod tags;

use crate::routes::{Content, Docs, IfMatch, Operation as Row, Route, Verb};
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeSet;
use tve_access::Need;
use tve_api as api;
use tve_tags::Tags;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathItemBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathsBuilder, Ref,
    RefOr, Required, ResponseBuilder, Schema,
};
use utoipa::{PartialSchema, ToSchema};

/// The document as JSON text, for the machine whose tags these are.
pub fn document(machine: &Tags) -> Bytes {
    crate::view::json(&complete(machine)).into()
}

/// The document with those schemas that are data already.
fn complete(machine: &Tags) -> Value {
    let names = &machine.machine().names;
    let mut document = serde_json::to_value(describe()).unwrap_or_default();
    let schemas = &mut document["components"]["schemas"];
    schemas["ControlRequest"] = commands::control(names);
    schemas["RestoreRequest"] = commands::restore();
    schemas["ConfirmRequest"] = commands::confirm();
    schemas["GpioRequest"] = commands::gpio(names);
    schemas["TuneStartRequest"] = commands::tune_start(names);
    schemas["Refused"]["properties"]["msg"] = commands::codes();
    for (reply, fields) in tags::REPLIES {
        tags::describe(&mut schemas[reply], fields, machine);
    }
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
        let described = row.operations.iter().filter_map(|row| Some((row, row.docs.as_ref()?)));
        let mut item = None;
        for (operation, docs) in described {
            let described = describe_operation(row.path, operation, docs);
            item = Some(item.unwrap_or_else(PathItemBuilder::new).operation(
                match operation.verb {
                    Verb::Get => HttpMethod::Get,
                    Verb::Post => HttpMethod::Post,
                    Verb::Put => HttpMethod::Put,
                },
                described,
            ));
        }
        if let Some(item) = item {
            paths = paths.path(row.path, item.build());
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
    components::<api::ConfirmRequest>(&mut schemas);
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

fn describe_operation(path: &str, row: &Row, docs: &Docs) -> Operation {
    let mut operation = operation(docs.summary, &docs.reply);
    for (name, description) in docs.parameters {
        let (within, required) = if path.contains(&format!("{{{name}}}")) {
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
    operation = match docs.if_match {
        IfMatch::Never => operation,
        IfMatch::May => operation.parameter(if_match(Required::False)),
        IfMatch::Must => operation.parameter(if_match(Required::True)),
    };
    if let Some(name) = docs.body {
        let content = || ContentBuilder::new().schema(Some(reference(name))).build();
        // What pages of ours may also send as text/plain is no part of what clients are told.
        let request = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content("application/json", content());
        operation = operation.request_body(Some(request.build()));
    }
    // A foreign Host is refused on every route.
    let mut statuses: BTreeSet<u16> = docs.refusals.iter().copied().chain([403]).collect();
    let operation = guarded(operation, row.need, &mut statuses);
    let is_ready = matches!(docs.reply, Content::Json("Ready"));
    refusals(operation, &statuses, is_ready).build()
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
        let tags = Tags::of(tve_config::Config::embedded().machine());
        serde_json::from_slice(&document(&tags)).unwrap()
    }

    #[test]
    fn every_operation_that_clients_use_is_described_with_its_refusals() {
        let document = parsed();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["components"]["securitySchemes"]["basic"]["scheme"], "basic");
        assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
        for row in Route::TABLE {
            let hidden = matches!(row.route, Route::Socket | Route::Static | Route::Unknown);
            assert_eq!(document["paths"][row.path].is_object(), !hidden, "{}", row.path);
            for operation in row.operations.iter().filter(|_| !hidden) {
                let verb = operation.verb.name();
                let described = &document["paths"][row.path][verb.to_lowercase()];
                assert!(described.is_object(), "{verb} {}", row.path);
                // Whatever may need a login says so and the rest does not.
                let guarded = operation.need != Need::Open;
                for status in ["401", "429"] {
                    let said = described["responses"][status].is_object();
                    assert_eq!(said, guarded, "{verb} {} {status}", row.path);
                }
                assert_eq!(described["security"].is_array(), guarded, "{verb} {}", row.path);
            }
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
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let document = parsed();
        walk(&document, &document);
    }
}
