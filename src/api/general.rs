//! Server information.

use crate::api::guard::Anonymous;
use crate::app::App;
use crate::error::Result;
use crate::http::response::ResponseDoc;
use crate::http::{IntoResponse, Json, Response};
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Server information.
#[derive(Serialize, ToSchema)]
pub(crate) struct Welcome {
    /// A greeting.
    #[schema(example = "Welcome to Vomeet")]
    message: &'static str,
    /// The version of the server.
    version: &'static str,
    /// The path of the API documentation.
    #[schema(example = "/docs")]
    docs: &'static str,
}

/// The server information; a browser is redirected to a page.
pub(crate) struct Front {
    /// Where a browser is sent; `None` for everyone else.
    page: Option<&'static str>,
}

impl IntoResponse for Front {
    fn into_response(self) -> Result<Response> {
        let mut response =
            Json(Welcome { message: "Welcome to Vomeet", version: VERSION, docs: "/docs" })
                .into_response()?;
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
        if let Some(page) = self.page {
            *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(page));
        }
        Ok(response)
    }

    fn describe() -> Vec<ResponseDoc> {
        let [mut redirect, welcome] = [Json::<Welcome>::describe(), Json::<Welcome>::describe()];
        for answer in &mut redirect {
            answer.status = StatusCode::TEMPORARY_REDIRECT;
            answer.about =
                "A browser is sent to the console, or to the documentation where there is none";
        }
        welcome.into_iter().chain(redirect).collect()
    }
}

/// Gets the server information, or redirects a browser to the console or the documentation.
pub(crate) async fn get_server_info(app: Arc<App>, caller: Anonymous, (): ()) -> Result<Front> {
    let page = if app.config.console { "console/" } else { "docs" };
    Ok(Front { page: caller.wants_page.then_some(page) })
}
