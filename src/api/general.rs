//! Server information.

use crate::api::guard::Anonymous;
use crate::app::App;
use crate::error::Result;
use crate::http::response::AnswerDoc;
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

/// The server information; a browser is redirected to the documentation.
pub(crate) struct Front {
    is_browser: bool,
}

impl IntoResponse for Front {
    fn into_response(self) -> Result<Response> {
        let mut response =
            Json(Welcome { message: "Welcome to Vomeet", version: VERSION, docs: "/docs" })
                .into_response()?;
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
        if self.is_browser {
            *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("docs"));
        }
        Ok(response)
    }

    fn describe() -> Vec<AnswerDoc> {
        let [mut redirect, welcome] = [Json::<Welcome>::describe(), Json::<Welcome>::describe()];
        for answer in &mut redirect {
            answer.status = StatusCode::TEMPORARY_REDIRECT;
            answer.about = "A browser is sent to the documentation";
        }
        welcome.into_iter().chain(redirect).collect()
    }
}

/// Gets the server information, or redirects a browser to the documentation.
pub(crate) async fn get_server_info(_: Arc<App>, caller: Anonymous, (): ()) -> Result<Front> {
    Ok(Front { is_browser: caller.wants_page })
}
