//! Health: `/healthz` and `/ready` for probes, and all findings for administrators.
//!
//! Whoever asks from elsewhere learns by a word why the server does not work, as the responses to
//! other requests would tell as well, and nothing else: no warning, no number, no path.

use crate::api::general::VERSION;
use crate::api::guard::Anonymous;
use crate::app::App;
use crate::auth::Admin;
use crate::domain::Time;
use crate::error::Result;
use crate::health::{Finding as Found, Severity};
use crate::http::peer::Door;
use crate::http::request::input::input;
use crate::http::response::{ResponseDoc, json, json_doc};
use crate::http::{IntoResponse, Json, Response};
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use serde::{Deserialize, Serialize};
use std::path::absolute;
use std::sync::Arc;
use utoipa::ToSchema;

/// The status of a server that works.
const OK: &str = "ok";
/// The status of a server that does not work, or should get no requests.
const UNAVAILABLE: &str = "unavailable";

/// The health of the server.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`, or `unavailable`; then the status of the response is 503.
    #[schema(example = "ok")]
    pub status: String,
    /// Why it is unavailable, as codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The version of the server, for callers who are surely on the same machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When the server started, for the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// Details, for callers who are surely on the same machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Inside>,
    /// Everything that was found, for callers who are surely on the same machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
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

/// Something that was found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Finding {
    /// What it is, as a word.
    #[schema(example = "disk_low")]
    pub code: String,
    /// How bad it is: `dead`, `not_ready`, `warning` or `note`.
    pub severity: Severity,
    /// What was found, in a sentence.
    pub message: String,
    /// What to do about it, in a sentence.
    pub advice: String,
}

impl From<&Found> for Finding {
    fn from(found: &Found) -> Self {
        Self {
            code: found.code.word().to_owned(),
            severity: found.code.severity(),
            message: found.message.clone(),
            advice: found.code.advice().to_owned(),
        }
    }
}

/// Whether the server should get requests.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ok`, or `unavailable`; then the status of the response is 503.
    #[schema(example = "ok")]
    status: &'static str,
    /// Why it is unavailable, as codes.
    reasons: Vec<&'static str>,
    /// Everything that was found, for callers who are surely on the same machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
}

/// A response with this body: 200 if all is well, 503 otherwise.
pub(crate) struct Answer<T> {
    is_well: bool,
    body: T,
}

impl<T: Serialize + ToSchema + Send> IntoResponse for Answer<T> {
    fn into_response(self) -> Result<Response> {
        if self.is_well {
            return json(StatusCode::OK, &self.body);
        }
        let mut response = json(StatusCode::SERVICE_UNAVAILABLE, &self.body)?;
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        Ok(response)
    }

    fn describe() -> Vec<ResponseDoc> {
        vec![
            json_doc::<T>(StatusCode::OK, "All is well"),
            json_doc::<T>(StatusCode::SERVICE_UNAVAILABLE, "It is not, and why"),
        ]
    }
}

/// The response of a server that works, of which nothing else is known yet.
pub(super) fn works() -> Result<Response> {
    let body = Health {
        status: OK.to_owned(),
        reasons: Vec::new(),
        version: None,
        started_at: None,
        server: None,
        findings: Vec::new(),
    };
    Answer { is_well: true, body }.into_response()
}

/// The response of a server that should get no requests, for this reason alone.
pub(super) fn not_ready(reason: &'static str) -> Result<Response> {
    let reasons = vec![reason];
    let body = Readiness { status: UNAVAILABLE, reasons, findings: Vec::new() };
    Answer { is_well: false, body }.into_response()
}

/// Whether a finding keeps the server from working.
fn is_dead(found: &Found) -> bool {
    found.code.severity() == Severity::Dead
}

/// Whether a finding keeps the server from being ready.
fn is_unready(found: &Found) -> bool {
    matches!(found.code.severity(), Severity::Dead | Severity::NotReady)
}

fn words(findings: &[Found], which: fn(&Found) -> bool) -> Vec<&'static str> {
    findings.iter().filter(|found| which(found)).map(|found| found.code.word()).collect()
}

/// Whether the caller is surely on this machine; at the address for monitoring nobody is.
fn sees_details(caller: &Anonymous) -> bool {
    caller.door != Door::Monitoring && caller.locality.is_sure()
}

/// Those of the findings that a caller may see.
fn shown(findings: &[Found], may_see: bool) -> Vec<Finding> {
    match may_see {
        true => findings.iter().map(Finding::from).collect(),
        false => Vec::new(),
    }
}

/// Checks that the server works: that it reads and writes.
pub(crate) async fn get_health(app: Arc<App>, caller: Anonymous, (): ()) -> Result<Answer<Health>> {
    let findings = app.health.findings().await;
    let reasons = words(&findings, is_dead);
    let may_see = sees_details(&caller);
    let mut server = None;
    if may_see && reasons.is_empty() {
        // Whoever asks for the health must be answered with it, and soon, also where lists are busy.
        server = inside(&app).await;
    }
    let status = if reasons.is_empty() { OK } else { UNAVAILABLE };
    let body = Health {
        status: status.to_owned(),
        reasons: reasons.iter().map(|&reason| reason.to_owned()).collect(),
        version: may_see.then(|| VERSION.to_owned()),
        started_at: may_see.then_some(app.started_at),
        server,
        findings: shown(&findings, may_see),
    };
    Ok(Answer { is_well: reasons.is_empty(), body })
}

async fn inside(app: &App) -> Option<Inside> {
    let (users, tokens) = app.health.count_rows().await?;
    Some(Inside {
        address: app.transport.address.to_string(),
        database: absolute(app.store.path()).unwrap_or_default().display().to_string(),
        database_bytes: app.store.size_bytes(),
        users,
        tokens,
    })
}

/// Checks that the server should get requests: that it works, does not stop,
/// and can store what it is sent.
pub(crate) async fn get_readiness(
    app: Arc<App>,
    caller: Anonymous,
    (): (),
) -> Result<Answer<Readiness>> {
    let findings = app.health.findings().await;
    let reasons = words(&findings, is_unready);
    let is_well = reasons.is_empty();
    let may_see = sees_details(&caller);
    let status = if is_well { OK } else { UNAVAILABLE };
    Ok(Answer { is_well, body: Readiness { status, reasons, findings: shown(&findings, may_see) } })
}

/// What `GET /admin/health` takes.
pub(crate) struct HealthWanted {
    check_file: bool,
}

input! {
    for HealthWanted {
        query_or(false) check_file: bool,
    }
}

/// All that is known of the health of the server.
#[derive(Serialize, ToSchema)]
pub(crate) struct FullHealth {
    /// Whether it works.
    works: bool,
    /// Whether it should get requests.
    ready: bool,
    /// The version of the server.
    version: &'static str,
    /// When the server started.
    started_at: Time,
    /// The path of the database file.
    database: String,
    /// Size of the database and its WAL, in bytes.
    database_bytes: u64,
    /// Size of the WAL alone, in bytes.
    wal_bytes: u64,
    /// Bytes of the database's disk that are free; null where the system does not say.
    #[schema(required)]
    disk_free_bytes: Option<u64>,
    /// Whether all bytes of the file were checked.
    file_checked: bool,
    /// Everything that was found, the worst first.
    findings: Vec<Finding>,
}

/// Gets every finding. With `check_file=true` all bytes of the file are checked too, and the audit
/// log, which takes as long as reading the file.
pub(crate) async fn get_full_health(
    app: Arc<App>,
    _: Admin,
    wanted: HealthWanted,
) -> Result<Json<FullHealth>> {
    let mut findings = app.health.full_findings().await;
    let works = !findings.iter().any(is_dead);
    if works && wanted.check_file {
        findings.extend(app.health.findings_of_file().await?);
    }
    let ready = !findings.iter().any(is_unready);
    Ok(Json(FullHealth {
        works,
        ready,
        version: VERSION,
        started_at: app.started_at,
        database: absolute(app.store.path()).unwrap_or_default().display().to_string(),
        database_bytes: app.store.size_bytes(),
        wal_bytes: app.store.wal_bytes(),
        disk_free_bytes: app.store.disk_free_bytes(),
        file_checked: works && wanted.check_file,
        findings: shown(&findings, true),
    }))
}
