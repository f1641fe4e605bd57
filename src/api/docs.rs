//! The API documentation in the binary: the page, its files, and the OpenAPI document.

use crate::api::carried::{serve, text};
use crate::api::guard::Anonymous;
use crate::app::App;
use crate::domain::text::SingleLine;
use crate::error::{Error, Result};
use crate::http::Asset;
use crate::http::asset::Served;
use crate::http::request::input::input;
use hyper::header::{self, HeaderName, HeaderValue};
use std::sync::{Arc, OnceLock};
use tokio::sync::OnceCell;
use utoipa_swagger_ui::Config;

const PAGE: &str = include_str!("docs/index.html");
const START: &str = include_str!("docs/start.js");
const STYLE: &str = include_str!("docs/style.css");

/// The content security policy of the page: it loads nothing but files of this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";

/// Gets the page of the API documentation.
pub(crate) async fn get_docs(_: Arc<App>, caller: Anonymous, (): ()) -> Result<Served> {
    static ASSET: OnceLock<Asset> = OnceLock::new();
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    let page = text(&ASSET, PAGE, "text/html; charset=utf-8");
    Ok(serve(page, &caller).with(headers))
}

input! {
    /// Path of `GET /docs/{file}`.
    pub(crate) struct DocsFileInput {
        path file: SingleLine<64>,
    }
}

/// Gets a file of the page: its own script and style, or a file of Swagger UI.
pub(crate) async fn get_docs_file(
    _: Arc<App>,
    caller: Anonymous,
    input: DocsFileInput,
) -> Result<Served> {
    static SCRIPT_ASSET: OnceLock<Asset> = OnceLock::new();
    static STYLE_ASSET: OnceLock<Asset> = OnceLock::new();
    static BUNDLE_ASSET: OnceCell<Asset> = OnceCell::const_new();
    static BUNDLE_STYLE_ASSET: OnceCell<Asset> = OnceCell::const_new();
    let asset = match input.file.0.as_str() {
        "start.js" => text(&SCRIPT_ASSET, START, "text/javascript; charset=utf-8"),
        "style.css" => text(&STYLE_ASSET, STYLE, "text/css; charset=utf-8"),
        "swagger-ui-bundle.js" => swagger_ui(&BUNDLE_ASSET, "swagger-ui-bundle.js").await?,
        "swagger-ui.css" => swagger_ui(&BUNDLE_STYLE_ASSET, "swagger-ui.css").await?,
        _ => return Err(Error::PageNotFound),
    };
    Ok(serve(asset, &caller))
}

/// Gets the OpenAPI document.
pub(crate) async fn get_openapi(app: Arc<App>, caller: Anonymous, (): ()) -> Result<Served> {
    static ASSET: OnceLock<Asset> = OnceLock::new();
    let document = (app.table.document)()?;
    Ok(serve(text(&ASSET, document, "application/json"), &caller))
}

/// A file of Swagger UI.
async fn swagger_ui(cell: &'static OnceCell<Asset>, name: &'static str) -> Result<&'static Asset> {
    made_once(cell, move || swagger_ui_asset(name)).await
}

/// What is made by the first request for it, while the others wait: it takes too long for a thread
/// that serves others.
async fn made_once<T: Send + 'static>(
    cell: &OnceCell<T>,
    make: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<&T> {
    let on_thread = async || {
        let outcome = tokio::task::spawn_blocking(make).await;
        outcome.map_err(|panic| Error::Internal(panic.to_string()))?
    };
    cell.get_or_try_init(on_thread).await
}

fn swagger_ui_asset(name: &str) -> Result<Asset> {
    let fault = |error: &dyn std::fmt::Display| Error::Internal(format!("{name}: {error}"));
    let file = utoipa_swagger_ui::serve(name, Arc::new(Config::from("openapi.json")))
        .map_err(|error| fault(&error))?;
    let file = file.ok_or(Error::PageNotFound)?;
    let content_type = HeaderValue::try_from(file.content_type).map_err(|error| fault(&error))?;
    Ok(Asset::new(file.bytes, content_type))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn of_many_first_requests_one_makes_it() {
        let (cell, count) = (OnceCell::new(), Arc::new(AtomicUsize::new(0)));
        let ask = |_| {
            let count = Arc::clone(&count);
            made_once(&cell, move || Ok(count.fetch_add(1, Ordering::SeqCst)))
        };
        let answers = join_all((0..20).map(ask)).await;
        assert!(answers.into_iter().all(|answer| answer.is_ok_and(|number| *number == 0)));
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn what_could_not_be_made_is_tried_again() {
        let cell = OnceCell::new();
        assert!(made_once(&cell, || Err(Error::PageNotFound)).await.is_err());
        assert_eq!(made_once(&cell, || Ok(7)).await.ok(), Some(&7));
    }
}
