//! The API document (OpenAPI 3.1), made from the route table and the types.

use crate::api::general::VERSION;
use crate::api::groups;
use crate::api::guard::{Access, KEY_PARAMETER, TICKET_PARAMETER};
use crate::api::openapi_bodies::{body_name, operation_id, request_body};
use crate::api::route::Route;
use crate::domain::field_error::FieldError;
use crate::domain::ticket::TicketPath;
use crate::domain::{KeyRejection, Permission, SentInstead};
use crate::error::{Error, Result};
use crate::http::pipeline::HEADERS_MAX;
use crate::http::problem::{Detail, status};
use crate::http::request::extractor::{BodyRule, FieldDoc, Place};
use crate::http::request::object_schema;
use crate::http::response::ResponseDoc;
use hyper::{Method, StatusCode};
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, HttpMethod, InfoBuilder, LicenseBuilder, OpenApi,
    OpenApiBuilder, PathsBuilder, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
    ServerBuilder,
};
use utoipa::{PartialSchema, ToSchema};

const ADMIN_KEY: &str = "AdminKey";
const API_TOKEN: &str = "ApiToken";
const BOT_TOKEN: &str = "BotToken";
const ABOUT: &str = "Users, API tokens, meetings, bots and transcripts of a self-hosted Vomeet. \
                     Routes under `/admin/` take the admin key, the others a user's token.";

/// The rate limits, as errors of the guards.
const TOO_MANY_KEYS: Error = Error::TooManyFailedKeys { retry_after: 1 };
const TOO_MANY_REQUESTS: Error = Error::TooManyRequests { retry_after: 1 };

/// The document of a table, as JSON.
pub(crate) fn openapi(table: &[Route]) -> Result<String> {
    document(table).to_json().map_err(|error| Error::Internal(error.to_string()))
}

fn document(table: &[Route]) -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut schemas: BTreeMap<String, RefOr<Schema>> = named::<FieldError>().into_iter().collect();
    schemas.extend([
        ("Error".to_owned(), error_schema()),
        ("ValidationError".to_owned(), validation_error_schema()),
    ]);
    for route in table {
        if matches!(route.body, BodyRule::Optional | BodyRule::Required) {
            schemas.insert(body_name(route), object_schema(&(route.fields)()).into());
        }
        let responses = (route.responses)();
        schemas.extend(responses.iter().flat_map(|response| response.schemas.clone()));
        paths = paths.path(
            route.path,
            PathItem::new(http_method(&route.method), operation(route, &responses)),
        );
    }
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(
            ADMIN_KEY,
            scheme("X-Admin-API-Key", "The admin key: `ADMIN_API_TOKEN` of the server."),
        )
        .security_scheme(
            API_TOKEN,
            scheme("X-API-Key", "A user's API token: 40 letters and digits."),
        )
        .security_scheme(
            BOT_TOKEN,
            bearer("The secret of one meeting: `token` in the bot's `BOT_CONFIG`."),
        );
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("Vomeet")
        .version(VERSION)
        .description(Some(ABOUT))
        .license(Some(license))
        .build();
    // Relative to the document, so that it holds behind a proxy that adds a path.
    let server = ServerBuilder::new().url(".").description(Some("This server")).build();
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([server]))
        .tags(Some(groups::all()))
        .paths(paths.build())
        .components(Some(components.build()))
        .build()
}

fn named<T: ToSchema>() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![(T::name().into_owned(), <T as PartialSchema>::schema())];
    T::schemas(&mut schemas);
    schemas
}

fn scheme(header: &str, about: &str) -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(header, about)))
}

fn bearer(about: &str) -> SecurityScheme {
    SecurityScheme::Http(
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build(),
    )
}

fn http_method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn operation(route: &Route, responses: &[ResponseDoc]) -> OperationBuilder {
    let fields = (route.fields)();
    let mut operation = OperationBuilder::new()
        .summary(Some(route.summary))
        .description(Some(access(route)))
        .operation_id(Some(operation_id(route)))
        .tag(groups::of(route.path))
        .request_body((route.body != BodyRule::None).then(|| request_body(route)));
    for field in fields.iter().filter(|field| !matches!(field.place, Place::Body | Place::Form)) {
        operation = operation.parameter(parameter(field));
    }
    if route.access == Access::Socket {
        operation = operation.parameter(token_in_query());
    }
    if TicketPath::is_of_row(route.path) {
        operation = operation.parameter(ticket_in_query());
    }
    let security = security(route.access).iter();
    operation = operation.securities(Some(
        security.map(|name| SecurityRequirement::new(*name, Vec::<String>::new())),
    ));
    for alike in responses.chunk_by(|one, next| one.status == next.status) {
        operation = operation.response(alike[0].status.as_str(), response(route, alike));
    }
    let is_answered = |status: StatusCode| responses.iter().any(|known| known.status == status);
    for (status, failures) in by_status(failures(route, !fields.is_empty())) {
        if is_answered(status) {
            continue;
        }
        operation = operation.response(status.as_str(), failure(status, &failures));
    }
    operation
}

/// The keys that a guard accepts, any one of them.
fn security(access: Access) -> &'static [&'static str] {
    match access {
        Access::Open | Access::Session | Access::SoundSocket => &[],
        Access::Admin => &[ADMIN_KEY],
        Access::User | Access::Socket | Access::Mcp => &[API_TOKEN],
        Access::Sound => &[API_TOKEN, BOT_TOKEN],
        Access::Bot => &[BOT_TOKEN],
    }
}

fn parameter(field: &FieldDoc) -> Parameter {
    let (place, required) = match field.place {
        Place::Path => (ParameterIn::Path, Required::True),
        Place::Header => (ParameterIn::Header, Required::False),
        _ => (ParameterIn::Query, Required::False),
    };
    ParameterBuilder::new()
        .name(field.name)
        .parameter_in(place)
        .required(required)
        .schema(Some(field.schema.clone()))
        .build()
}

/// Who may call, in a sentence.
fn access(route: &Route) -> String {
    match route.access {
        Access::Open => "Needs no key.".to_owned(),
        Access::Session => "Needs the `connection_id` of a bot's `BOT_CONFIG`.".to_owned(),
        Access::SoundSocket => {
            "Needs the secret of a meeting, in the first text over the socket.".to_owned()
        }
        Access::Admin => "Needs the admin key.".to_owned(),
        Access::Bot => "Needs the secret of the bot's meeting.".to_owned(),
        Access::Mcp => {
            "Needs an API token, which may also come as `Authorization: Bearer`.".to_owned()
        }
        Access::Sound => {
            "Needs an API token with the permission `transcribe`, which may also come \
                          as `Authorization: Bearer`, or the secret of a meeting."
                .to_owned()
        }
        Access::User | Access::Socket => match route.permission {
            None | Some(Permission::Nothing) => "Needs an API token.".to_owned(),
            Some(permission) => {
                format!("Needs an API token with the permission `{}`.", permission.as_str())
            }
        },
    }
}

/// The token of a WebSocket that a browser opens.
fn token_in_query() -> Parameter {
    ParameterBuilder::new()
        .name(KEY_PARAMETER)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some("The API token, for browsers, which cannot set headers here."))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// A ticket, in place of the token.
fn ticket_in_query() -> Parameter {
    ParameterBuilder::new()
        .name(TICKET_PARAMETER)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some("A ticket from `POST /tickets`, in place of the API token."))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// Responses of one status: they differ in their media types.
fn response(route: &Route, alike: &[ResponseDoc]) -> Response {
    let mut response = ResponseBuilder::new().description(alike[0].about);
    if alike[0].status == StatusCode::OK {
        for media_type in route.media_types {
            response = response.content(*media_type, ContentBuilder::new().build());
        }
    }
    for (media_type, schema) in alike.iter().filter_map(|one| one.content.as_ref()) {
        response =
            response.content(*media_type, ContentBuilder::new().schema(schema.clone()).build());
    }
    response.build()
}

/// Every error of a route: of its guard, its input, its body, its own, and of the server's state.
fn failures(route: &Route, has_input: bool) -> Vec<Error> {
    let mut failures = vec![
        Error::Malformed("A request has exactly one Host header."),
        Error::WrongHost,
        Error::TooManyHeaders(HEADERS_MAX),
    ];
    match route.access {
        Access::Open => {}
        Access::Admin => {
            failures.extend([Error::AdminKeyRefused(KeyRejection::Unknown), TOO_MANY_KEYS]);
        }
        Access::User => failures.extend([
            Error::TokenMissing(SentInstead::Nothing),
            Error::TokenRefused(KeyRejection::Unknown),
            TOO_MANY_KEYS,
            TOO_MANY_REQUESTS,
        ]),
        Access::Socket => failures.extend([
            Error::NoWebSocket,
            Error::ForeignOrigin,
            TOO_MANY_KEYS,
            TOO_MANY_REQUESTS,
        ]),
        Access::SoundSocket => failures.extend([Error::NoWebSocket, Error::ForeignOrigin]),
        Access::Mcp => failures.extend([
            Error::BearerRefused(KeyRejection::Missing(SentInstead::Nothing)),
            Error::BearerRefused(KeyRejection::Unknown),
            Error::ForeignOrigin,
            TOO_MANY_KEYS,
            TOO_MANY_REQUESTS,
        ]),
        Access::Sound => failures.extend([
            Error::BearerRefused(KeyRejection::Missing(SentInstead::Nothing)),
            Error::BearerRefused(KeyRejection::Unknown),
            TOO_MANY_KEYS,
            TOO_MANY_REQUESTS,
        ]),
        Access::Bot | Access::Session => {
            failures.extend([Error::BotRefused(SentInstead::Nothing), TOO_MANY_KEYS]);
        }
    }
    if route.permission.is_some_and(|permission| permission != Permission::Nothing) {
        failures.push(Error::NotAllowed("This token may only read.".to_owned()));
    }
    if has_input {
        failures.push(Error::Invalid(Vec::new()));
    }
    if route.body != BodyRule::None {
        failures.extend([Error::TooSlow, Error::TooLarge(route.body_max(65_536))]);
    }
    if route.method != Method::GET {
        failures.push(Error::DiskFull);
    }
    failures.extend(route.failures.iter().cloned());
    failures.extend([
        Error::Busy,
        Error::StoreFailed(String::new()),
        Error::Internal(String::new()),
    ]);
    failures
}

fn by_status(failures: Vec<Error>) -> BTreeMap<StatusCode, Vec<Error>> {
    let mut grouped: BTreeMap<StatusCode, Vec<Error>> = BTreeMap::new();
    for failure in failures {
        grouped.entry(status(&failure)).or_default().push(failure);
    }
    grouped
}

fn failure(status: StatusCode, failures: &[Error]) -> Response {
    let schema =
        if status == StatusCode::UNPROCESSABLE_ENTITY { "ValidationError" } else { "Error" };
    let sentences: Vec<_> = failures
        .iter()
        .filter_map(|failure| serde_json::to_value(Detail::of(failure)).ok())
        .collect();
    let mut content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema)));
    let mut about = status.canonical_reason().unwrap_or("Refused").to_owned();
    if status != StatusCode::UNPROCESSABLE_ENTITY {
        content = content.example(sentences.first().map(|message| json!({ "detail": message })));
        let texts: Vec<_> = sentences.iter().filter_map(|message| message.as_str()).collect();
        about = texts.join(" Or: ");
    }
    ResponseBuilder::new().description(about).content("application/json", content.build()).build()
}

fn error_schema() -> RefOr<Schema> {
    let message = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("What is wrong, in a sentence."));
    let code = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("Why the caller was refused, in a word."));
    let reason =
        ObjectBuilder::new().schema_type(Type::String).description(Some("The same in a sentence."));
    let error = ObjectBuilder::new().property("detail", message).required("detail");
    error.property("code", code).property("reason", reason).into()
}

/// The response that lists every invalid field.
fn validation_error_schema() -> RefOr<Schema> {
    let faults = utoipa::openapi::schema::ArrayBuilder::new()
        .items(Ref::from_schema_name(FieldError::name()));
    ObjectBuilder::new().property("detail", faults).required("detail").into()
}
