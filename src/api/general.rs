//! The front door, the health check and the figures.

use crate::app::App;
use crate::domain::Time;
use crate::error::Result;
use crate::http::answer::AnswerDoc;
use crate::http::router::Visitor;
use crate::http::{Json, Output, Page, Response};
use crate::metrics;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the front door says.
#[derive(Serialize, ToSchema)]
pub struct Welcome {
    /// A greeting.
    #[schema(example = "Welcome to Vomeet")]
    message: &'static str,
    /// The version of the server.
    version: &'static str,
    /// Where the documentation is.
    #[schema(example = "/docs")]
    docs: &'static str,
}

/// A greeting for programs, the documentation for people.
pub struct Front {
    is_browser: bool,
}

impl Output for Front {
    fn into_response(self) -> Result<Response> {
        let mut response =
            Json(Welcome { message: "Welcome to Vomeet", version: VERSION, docs: "/docs" }).into_response()?;
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
        if self.is_browser {
            *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/docs"));
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

/// Greets, or shows a browser to the documentation.
pub async fn front(_: Arc<App>, visitor: Visitor, (): ()) -> Result<Front> {
    Ok(Front { is_browser: visitor.wants_page })
}

/// How the server is.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Always `ok`: a server that is not answers 503.
    #[schema(example = "ok")]
    pub status: String,
    /// The version of the server.
    pub version: String,
    /// Since when it runs.
    pub started_at: Time,
    /// The rest, for callers on the same machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Inside>,
}

/// What is told on the same machine only.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Inside {
    /// Where the server listens.
    pub address: String,
    /// The database file.
    pub database: String,
    /// Size of the database and its log.
    pub database_bytes: u64,
    /// How many users there are.
    pub users: u64,
    /// How many tokens there are.
    pub tokens: u64,
}

/// Says that all is well, if the database answers.
pub async fn health(app: Arc<App>, visitor: Visitor, (): ()) -> Result<Json<Health>> {
    app.store.check()?;
    let server = if visitor.is_local { Some(inside(&app).await?) } else { None };
    Ok(Json(Health { status: "ok".to_owned(), version: VERSION.to_owned(), started_at: app.started_at, server }))
}

async fn inside(app: &App) -> Result<Inside> {
    let (users, tokens) = app.store.count().await?;
    Ok(Inside {
        address: app.address.to_string(),
        database: app.store.path().display().to_string(),
        database_bytes: app.store.size_bytes(),
        users,
        tokens,
    })
}

/// What is counted, for Prometheus.
pub async fn figures(app: Arc<App>, _: Visitor, (): ()) -> Result<Page> {
    let text = app.metrics.text(&app)?;
    Ok(Page { bytes: text.into(), content_type: HeaderValue::from_static(metrics::CONTENT_TYPE), headers: Vec::new() })
}
