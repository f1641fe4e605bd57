//! The front door, the health check and the figures.

use crate::api::guard::Anonymous;
use crate::app::App;
use crate::domain::Time;
use crate::error::Result;
use crate::http::response::AnswerDoc;
use crate::http::{IntoResponse, Json, Page, Response};
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

impl IntoResponse for Front {
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
pub async fn get_server_info(_: Arc<App>, visitor: Anonymous, (): ()) -> Result<Front> {
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
pub async fn get_health(app: Arc<App>, visitor: Anonymous, (): ()) -> Result<Json<Health>> {
    app.store.check()?;
    let server = if visitor.is_local { Some(inside(&app).await?) } else { None };
    Ok(Json(Health { status: "ok".to_owned(), version: VERSION.to_owned(), started_at: app.started_at, server }))
}

async fn inside(app: &App) -> Result<Inside> {
    let (users, tokens) = app.store.count().await?;
    Ok(Inside {
        address: app.transport.address.to_string(),
        database: app.store.path().display().to_string(),
        database_bytes: app.store.size_bytes(),
        users,
        tokens,
    })
}

/// The metrics, in the text format of Prometheus.
pub async fn get_metrics(app: Arc<App>, _: Anonymous, (): ()) -> Result<Page> {
    let written = app.store.written();
    let readings = [
        ("http_connections", "Open connections", app.transport.connections.count() as u64),
        ("live_sockets", "Open live sockets", app.transport.sockets.count() as u64),
        ("tokens_in_memory", "Tokens that are known in memory", app.auth.known_tokens() as u64),
        ("store_writes", "Writes committed since the start", written.verbs),
        ("store_commits", "Commits that they shared", written.commits),
        ("erasures_waiting", "Deletions of which something may be left in the files", app.store.scrubs_pending()?),
        ("store_bytes", "Size of the database and its WAL", app.store.size_bytes()),
    ];
    let text = app.metrics.text(&readings, app.started_at.as_millis() / 1000)?;
    Ok(Page { bytes: text.into(), content_type: HeaderValue::from_static(metrics::CONTENT_TYPE), headers: Vec::new() })
}
