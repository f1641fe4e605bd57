//! The API documentation in the binary: the page, its files, and the OpenAPI document.

use crate::api::guard::Anonymous;
use crate::app::App;
use crate::domain::text::SingleLine;
use crate::error::{Error, Result};
use crate::http::Page;
use crate::http::request::input::input;
use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use std::borrow::Cow;
use std::sync::Arc;
use utoipa_swagger_ui::Config;

const PAGE: &str = include_str!("docs/index.html");
const START: &str = include_str!("docs/start.js");
const STYLE: &str = include_str!("docs/style.css");

/// The content security policy of the page: it loads nothing but files of this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";

/// Gets the page of the API documentation.
pub(crate) async fn get_docs(_: Arc<App>, _: Anonymous, (): ()) -> Result<Page> {
    let headers = vec![
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Ok(Page { headers, ..text(PAGE, "text/html; charset=utf-8") })
}

input! {
    /// Path of `GET /docs/{file}`.
    pub(crate) struct DocsFileInput {
        path file: SingleLine<64>,
    }
}

/// Gets a file of the page: its own script and style, or a file of Swagger UI.
pub(crate) async fn get_docs_file(_: Arc<App>, _: Anonymous, input: DocsFileInput) -> Result<Page> {
    let name = input.file.0;
    match name.as_str() {
        "start.js" => Ok(text(START, "text/javascript; charset=utf-8")),
        "style.css" => Ok(text(STYLE, "text/css; charset=utf-8")),
        "swagger-ui.css" | "swagger-ui-bundle.js" => swagger_ui(&name),
        _ => Err(Error::PageNotFound),
    }
}

/// Gets the OpenAPI document.
pub(crate) async fn get_openapi(app: Arc<App>, _: Anonymous, (): ()) -> Result<Page> {
    Ok(text((app.table.document)()?, "application/json"))
}

fn text(body: &'static str, content_type: &'static str) -> Page {
    let headers = vec![(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
    Page {
        bytes: Bytes::from_static(body.as_bytes()),
        content_type: HeaderValue::from_static(content_type),
        headers,
    }
}

fn swagger_ui(name: &str) -> Result<Page> {
    let fault = |error: &dyn std::fmt::Display| Error::Internal(format!("{name}: {error}"));
    let file = utoipa_swagger_ui::serve(name, Arc::new(Config::from("/openapi.json")))
        .map_err(|error| fault(&error))?;
    let file = file.ok_or(Error::PageNotFound)?;
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let content_type = HeaderValue::try_from(file.content_type).map_err(|error| fault(&error))?;
    Ok(Page {
        bytes,
        content_type,
        headers: vec![(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))],
    })
}
