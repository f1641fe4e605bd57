//! Server information, health check and metrics.

use crate::api::guard::Anonymous;
use crate::app::App;
use crate::domain::Time;
use crate::error::Result;
use crate::http::response::AnswerDoc;
use crate::http::{IntoResponse, Json, Page, Response};
use crate::metrics::{Format, Reading};
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use serde::{Deserialize, Serialize};
use std::path::absolute;
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

    fn describe() -> Vec<AnswerDoc> {
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

/// The health of the server.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`; otherwise the status of the response is 503.
    #[schema(example = "ok")]
    pub status: String,
    /// The version of the server.
    pub version: String,
    /// When the server started.
    pub started_at: Time,
    /// Details, for callers who are surely on the same machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Inside>,
}

/// Details of the server, which only callers on the same machine get.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct Inside {
    /// The address on which the server listens.
    pub address: String,
    /// The path of the database file.
    pub database: String,
    /// Size of the database and its WAL, in bytes.
    pub database_bytes: u64,
    /// Number of users.
    pub users: u64,
    /// Number of tokens.
    pub tokens: u64,
}

/// Checks that the database can be read.
pub(crate) async fn get_health(app: Arc<App>, caller: Anonymous, (): ()) -> Result<Json<Health>> {
    app.store.check()?;
    let server = if caller.locality.is_sure() { Some(inside(&app).await?) } else { None };
    Ok(Json(Health {
        status: "ok".to_owned(),
        version: VERSION.to_owned(),
        started_at: app.started_at,
        server,
    }))
}

async fn inside(app: &App) -> Result<Inside> {
    let (users, tokens) = app.store.count().await?;
    Ok(Inside {
        address: app.transport.address.to_string(),
        database: absolute(app.store.path()).unwrap_or_default().display().to_string(),
        database_bytes: app.store.size_bytes(),
        users,
        tokens,
    })
}

/// Gets the metrics, in the text format of Prometheus that is asked for.
pub(crate) async fn get_metrics(app: Arc<App>, caller: Anonymous, (): ()) -> Result<Page> {
    let written = app.store.written();
    let budgets = &app.transport.budgets;
    let mut readings = vec![
        ("http_connections", "Open connections", app.transport.connections.count() as u64),
        ("live_sockets", "Open live sockets", budgets.sockets.used()),
        ("body_bytes", "Bytes of request bodies that are counted", budgets.bodies.used()),
        ("response_bytes", "Bytes of responses that are counted", budgets.responses.used()),
        ("long_responses", "Responses of more than one page", budgets.long_responses.used()),
        ("tokens_in_memory", "Tokens that are known in memory", app.auth.known_tokens() as u64),
        (
            "tokens_in_memory_bytes",
            "What the tokens in memory take, in bytes",
            app.auth.known_bytes() as u64,
        ),
        ("bots_running", "Bots that run, those that are leaving too", app.bots.running()),
        (
            "erasures_waiting",
            "Deletions of which something may be left in the files",
            app.store.erasures_waiting()?,
        ),
        ("store_bytes", "Size of the database and its WAL", app.store.size_bytes()),
    ];
    readings.extend(backup_readings(&app));
    let counters = [
        (
            "connections_evicted",
            "Connections closed since the start because another needed their place",
            app.transport.connections.evicted(),
        ),
        (
            "budget_refusals",
            "Requests refused since the start because their caller, or all, held too much",
            budgets.refused(),
        ),
        ("backup_failures", "Backups that failed since the start", app.backups.failures()),
        ("store_writes", "Writes committed since the start", written.verbs),
        ("store_commits", "Commits that they shared", written.commits),
    ];
    let format = match caller.wants_openmetrics {
        true => Format::OpenMetrics,
        false => Format::Classic,
    };
    let started_at = app.started_at.as_millis() / 1000;
    let text = app.metrics.text(format, &readings, &counters, started_at)?;
    Ok(Page {
        bytes: text.into(),
        content_type: HeaderValue::from_static(format.content_type()),
        headers: vec![(header::VARY, HeaderValue::from_static("Accept"))],
    })
}

/// What is known of the backups in the folder.
fn backup_readings(app: &App) -> [Reading; 3] {
    let good = app.backups.last_good();
    let took = good.as_ref().and_then(|good| good.took).unwrap_or_default();
    [
        (
            "backup_last_success_timestamp_seconds",
            "As of when the last good backup in the folder is, in seconds since 1970; 0 is none",
            good.as_ref().map_or(0, |good| (good.at.as_millis() / 1000).cast_unsigned()),
        ),
        (
            "backup_seconds",
            "How long the last backup took, rounded up; 0 where it was made before the start",
            took.as_secs() + u64::from(took.subsec_nanos() > 0),
        ),
        (
            "backup_bytes",
            "Size of the last good backup in the folder",
            good.as_ref().map_or(0, |good| good.bytes),
        ),
    ]
}
