//! The kinds of responses, and how the API document describes each.

use crate::auth::{LIMIT, POLICY, ResponseHeaders};
use crate::error::{Error, Result};
use crate::http::response_body::Body;
use bytes::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use serde::Serialize;
use std::sync::LazyLock;
use utoipa::ToSchema;
use utoipa::openapi::{Ref, RefOr, Schema};

/// The id of the request.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Keeps what is answered out of the processes of other sites (Fetch, section 3.7).
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// What search engines may do with a response.
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");
/// Headers of a usual response; there is a place for each.
const HEADERS_USUAL: usize = 12;
/// The headers that every response carries, and a place for each that depends on the request
/// ([`fill`]). A copy of a map costs less than its headers one by one.
static COMMON: LazyLock<HeaderMap> = LazyLock::new(|| {
    let mut headers = HeaderMap::with_capacity(HEADERS_USUAL);
    for name in [REQUEST_ID, LIMIT, POLICY] {
        headers.insert(name, HeaderValue::from_static(""));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers
});
/// The same of a JSON response, which may hold secrets, so no cache may keep it.
static COMMON_OF_JSON: LazyLock<HeaderMap> = LazyLock::new(|| {
    let mut headers = COMMON.clone();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
});
/// Bytes of a usual JSON response, such as a user with a token or a meeting; room for them is made
/// at once.
const JSON_BYTES_USUAL: usize = 512;

/// A response of the server.
pub(crate) type Response = hyper::Response<Body>;

/// A response with a whole body.
pub(crate) fn whole(status: StatusCode, bytes: Bytes) -> Response {
    with_headers(status, Body::whole(bytes), &COMMON)
}

/// 200 with a body of any kind.
pub(crate) fn of_body(body: Body) -> Response {
    with_headers(StatusCode::OK, body, &COMMON)
}

/// Adds the headers that depend on the request, and takes away the places that stay empty. The
/// places are found by walking over the few headers, which costs less than to hash their names.
pub(crate) fn fill(headers: &mut HeaderMap, id: HeaderValue, mut others: ResponseHeaders) {
    let mut id = Some(id);
    let mut stays_empty = false;
    for (name, place) in headers.iter_mut() {
        if !place.is_empty() {
            continue;
        }
        if *name == REQUEST_ID {
            *place = id.take().unwrap_or(HeaderValue::from_static("-"));
        } else if let Some(at) = others.iter().position(|(other, _)| other == name) {
            *place = others.swap_remove(at).1;
        } else {
            stays_empty = true;
        }
    }
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in others {
        headers.insert(name, value);
    }
    if stays_empty {
        for name in [LIMIT, POLICY] {
            if headers.get(&name).is_some_and(HeaderValue::is_empty) {
                headers.remove(name);
            }
        }
    }
}

fn with_headers(status: StatusCode, body: Body, headers: &HeaderMap) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers.clone();
    response
}

/// Adds the headers of what a link opens: no search engine lists it, and no page that is opened
/// from it learns its address.
pub(crate) fn keep_private(headers: &mut HeaderMap) {
    headers.insert(ROBOTS, HeaderValue::from_static("noindex"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// One possible response of a route, for the API document.
pub struct ResponseDoc {
    /// The status.
    pub status: StatusCode,
    /// The description.
    pub about: &'static str,
    /// Its media type and, for JSON, its schema.
    pub content: Option<(&'static str, Option<RefOr<Schema>>)>,
    /// The named schemas that the content refers to.
    pub schemas: Vec<(String, RefOr<Schema>)>,
}

/// What a handler returns.
pub trait IntoResponse: Send {
    /// The response.
    fn into_response(self) -> Result<Response>;

    /// Every successful response, for the API document.
    fn describe() -> Vec<ResponseDoc>;
}

/// 200 with a JSON body.
pub(crate) struct Json<T>(pub T);

/// 201 with a JSON body.
pub(crate) struct Created<T>(pub T);

/// 202 with a JSON body.
pub(crate) struct Accepted<T>(pub T);

/// 201 with a JSON body if the value is new, 200 if it existed.
pub(crate) struct CreatedOrFound<T> {
    /// The value that was created or found.
    pub value: T,
    /// Whether it was created.
    pub is_new: bool,
}

/// 204 without a body.
pub(crate) struct NoContent;

/// A response with one more header.
pub(crate) struct WithHeader<T> {
    /// The response.
    pub response: T,
    /// The name and the value of the header.
    pub header: (HeaderName, HeaderValue),
}

/// 200 with a body of any other media type, which a browser may show.
pub(crate) struct Page {
    /// The body.
    pub bytes: Bytes,
    /// Its media type.
    pub content_type: HeaderValue,
    /// More headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl<T: Serialize + ToSchema + Send> IntoResponse for Json<T> {
    fn into_response(self) -> Result<Response> {
        json(StatusCode::OK, &self.0)
    }

    fn describe() -> Vec<ResponseDoc> {
        vec![json_doc::<T>(StatusCode::OK, "Done")]
    }
}

impl<T: Serialize + ToSchema + Send> IntoResponse for Created<T> {
    fn into_response(self) -> Result<Response> {
        json(StatusCode::CREATED, &self.0)
    }

    fn describe() -> Vec<ResponseDoc> {
        vec![json_doc::<T>(StatusCode::CREATED, "Created")]
    }
}

impl<T: Serialize + ToSchema + Send> IntoResponse for Accepted<T> {
    fn into_response(self) -> Result<Response> {
        json(StatusCode::ACCEPTED, &self.0)
    }

    fn describe() -> Vec<ResponseDoc> {
        vec![json_doc::<T>(StatusCode::ACCEPTED, "Accepted")]
    }
}

impl<T: Serialize + ToSchema + Send> IntoResponse for CreatedOrFound<T> {
    fn into_response(self) -> Result<Response> {
        json(if self.is_new { StatusCode::CREATED } else { StatusCode::OK }, &self.value)
    }

    fn describe() -> Vec<ResponseDoc> {
        vec![
            json_doc::<T>(StatusCode::CREATED, "Created"),
            json_doc::<T>(StatusCode::OK, "It existed already"),
        ]
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Result<Response> {
        Ok(whole(StatusCode::NO_CONTENT, Bytes::new()))
    }

    fn describe() -> Vec<ResponseDoc> {
        vec![ResponseDoc {
            status: StatusCode::NO_CONTENT,
            about: "Done",
            content: None,
            schemas: Vec::new(),
        }]
    }
}

impl<T: IntoResponse> IntoResponse for WithHeader<T> {
    fn into_response(self) -> Result<Response> {
        let (name, value) = self.header;
        let mut response = self.response.into_response()?;
        response.headers_mut().insert(name, value);
        Ok(response)
    }

    fn describe() -> Vec<ResponseDoc> {
        T::describe()
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Result<Response> {
        let mut response = whole(StatusCode::OK, self.bytes);
        response.headers_mut().insert(header::CONTENT_TYPE, self.content_type);
        response.headers_mut().extend(self.headers);
        Ok(response)
    }

    fn describe() -> Vec<ResponseDoc> {
        vec![ResponseDoc {
            status: StatusCode::OK,
            about: "The page",
            content: None,
            schemas: Vec::new(),
        }]
    }
}

/// A response whose body is this value as JSON.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Result<Response> {
    let mut bytes = Vec::with_capacity(JSON_BYTES_USUAL);
    serde_json::to_writer(&mut bytes, value).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(json_bytes(status, bytes.into()))
}

/// A response of JSON that is serialised already.
pub(crate) fn json_bytes(status: StatusCode, bytes: Bytes) -> Response {
    with_headers(status, Body::whole(bytes), &COMMON_OF_JSON)
}

/// Describes a JSON response.
pub(crate) fn json_doc<T: ToSchema>(status: StatusCode, about: &'static str) -> ResponseDoc {
    let mut schemas = Vec::new();
    T::schemas(&mut schemas);
    // A list has no name of its own; what it holds has.
    let schema = match T::schema() {
        list @ RefOr::T(Schema::Array(_)) => list,
        schema => {
            schemas.push((T::name().into_owned(), schema));
            Ref::from_schema_name(T::name()).into()
        }
    };
    let content = Some(("application/json", Some(schema)));
    ResponseDoc { status, about, content, schemas }
}
