//! Bodies of requests in the API document.

use crate::api::route::Route;
use crate::http::request::extractor::{BodyRule, Place};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, Required};

/// The name of the handler as client generators write it: `create_user` becomes `createUser`.
pub(super) fn operation_id(route: &Route) -> String {
    let mut words = route.name.split('_');
    let mut id = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(1);
        id.push_str(&first.to_uppercase());
        id.push_str(rest);
    }
    id
}

/// The name of a route's body: `CreateUserBody`.
pub(super) fn body_name(route: &Route) -> String {
    let id = operation_id(route);
    let (first, rest) = id.split_at(1);
    format!("{}{rest}Body", first.to_uppercase())
}

/// The body of a request as the document has it.
pub(super) fn request_body(route: &Route) -> RequestBody {
    if matches!(route.body, BodyRule::Form | BodyRule::FormOrFile) {
        return form_body(route);
    }
    let example: Option<serde_json::Value> = serde_json::from_str(route.example).ok();
    if route.body == BodyRule::Raw {
        let message = ObjectBuilder::new().schema_type(Type::Object).build();
        let content = ContentBuilder::new().schema(Some(message)).example(example).build();
        let body = RequestBodyBuilder::new().content("application/json", content);
        return body.required(Some(Required::True)).build();
    }
    let required = match route.body {
        BodyRule::Required | BodyRule::Raw | BodyRule::Form | BodyRule::FormOrFile => {
            Required::True
        }
        BodyRule::Optional | BodyRule::None => Required::False,
    };
    let schema = Ref::from_schema_name(body_name(route));
    let content = ContentBuilder::new().schema(Some(schema)).example(example).build();
    RequestBodyBuilder::new().content("application/json", content).required(Some(required)).build()
}

/// A form with a file; the file may come alone where the route takes that.
fn form_body(route: &Route) -> RequestBody {
    let mut form = ObjectBuilder::new().schema_type(Type::Object);
    for field in (route.fields)().into_iter().filter(|field| field.place == Place::Form) {
        form = form.property(field.name, field.schema);
        if field.required {
            form = form.required(field.name);
        }
    }
    let content = ContentBuilder::new().schema(Some(form)).build();
    let mut body = RequestBodyBuilder::new().content("multipart/form-data", content);
    if route.body == BodyRule::FormOrFile {
        let file = ObjectBuilder::new().schema_type(Type::String).build();
        let content = ContentBuilder::new().schema(Some(file)).build();
        body = body.content("application/octet-stream", content);
    }
    body.required(Some(Required::True)).build()
}
