//! The audit log: listed, verified and exported.

use crate::api::users::PageLimit;
use crate::app::App;
use crate::auth::Admin;
use crate::domain::audit::Entry;
use crate::domain::bounded_int::{BoundedInt, EXACT_MAX};
use crate::domain::text::SingleLine;
use crate::domain::{Action, Time, UserId};
use crate::error::Result;
use crate::http::json_stream::write_line;
use crate::http::request::input::input;
use crate::http::response::ResponseDoc;
use crate::http::{Json, PageSource, StreamedResponse};
use crate::store::{AuditPage, Verification};
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Entries on a page of the export.
const EXPORT_PAGE: i64 = 500;

/// The number of an entry.
type EntryNumber = BoundedInt<0, EXACT_MAX>;

input! {
    for AuditPage {
        query after: Option<EntryNumber> => after.map(|number| number.0),
        query before: Option<EntryNumber> => before.map(|number| number.0),
        query user_id: Option<UserId>,
        query action: Option<Action>,
        query actor: Option<SingleLine<255>> => actor.map(|actor| actor.0),
        query from: Option<Time>,
        query to: Option<Time>,
        query_or(BoundedInt(100)) limit: PageLimit => limit.0,
        ..AuditPage::default()
    }
}

/// A page of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct Entries {
    /// The entries, newest first.
    entries: Vec<Entry>,
    /// `before` of the next page; null on the last page.
    #[schema(required)]
    next: Option<i64>,
}

/// Lists a page of the audit log, newest first.
pub(crate) async fn list_audit_log(
    app: Arc<App>,
    _: Admin,
    page: AuditPage,
) -> Result<Json<Entries>> {
    let entries = app.store.audit(page.clone()).await?;
    let is_full = i64::try_from(entries.len()).is_ok_and(|count| count == page.limit);
    let mut next = None;
    if let Some(entry) = entries.last()
        && is_full
    {
        next = Some(entry.id);
    }
    Ok(Json(Entries { entries, next }))
}

/// Verifies the hash of every entry and the chain of entries.
pub(crate) async fn verify_audit_log(
    app: Arc<App>,
    _: Admin,
    (): (),
) -> Result<Json<Verification>> {
    Ok(Json(app.store.verify_audit().await?))
}

/// An export of the audit log that is being sent, an entry a line.
pub(crate) struct AuditLines {
    app: Arc<App>,
    last: Option<i64>,
}

impl PageSource for AuditLines {
    fn content_type(&self) -> &'static str {
        "application/jsonl"
    }

    async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let page = AuditPage {
            after: self.last,
            ascending: true,
            limit: EXPORT_PAGE,
            ..AuditPage::default()
        };
        let entries = self.app.store.audit(page).await?;
        for entry in &entries {
            write_line(out, entry)?;
        }
        if let Some(entry) = entries.last() {
            self.last = Some(entry.id);
        }
        Ok(i64::try_from(entries.len()).is_ok_and(|count| count < EXPORT_PAGE))
    }

    fn describe() -> Vec<ResponseDoc> {
        let content = Some(("application/jsonl", None));
        vec![ResponseDoc {
            status: StatusCode::OK,
            about: "An entry a line",
            content,
            schemas: Vec::new(),
        }]
    }
}

/// Exports the audit log as JSON lines, oldest first.
pub(crate) async fn export_audit_log(
    app: Arc<App>,
    _: Admin,
    (): (),
) -> Result<StreamedResponse<AuditLines>> {
    StreamedResponse::begin(AuditLines { app, last: None }).await
}
