//! The record of administrative changes: looked at, verified, taken away.

use super::users::PageLimit;
use crate::app::App;
use crate::auth::Admin;
use crate::domain::audit::Entry;
use crate::domain::number::{EXACT_MAX, Whole};
use crate::domain::text::Line;
use crate::error::{Error, Result};
use crate::http::answer::AnswerDoc;
use crate::http::{Form, Input, Json, Pages, Streamed};
use crate::store::{AuditPage, Verification};
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Entries that are read at once for an export.
const EXPORT_PAGE: i64 = 500;

/// The number of an entry.
type EntryNumber = Whole<0, EXACT_MAX>;

impl Input for AuditPage {
    fn read(form: &mut Form<'_>) -> Option<Self> {
        let after = form.query::<EntryNumber>("after");
        let before = form.query::<EntryNumber>("before");
        let user_id = form.query("user_id");
        let action = form.query("action");
        let actor = form.query::<Line<255>>("actor");
        let from = form.query("from");
        let to = form.query("to");
        let limit = form.query_or("limit", Whole(100) as PageLimit);
        Some(Self {
            after: after?.map(|number| number.0),
            before: before?.map(|number| number.0),
            user_id: user_id?,
            action: action?,
            actor: actor?.map(|actor| actor.0),
            from: from?,
            to: to?,
            ascending: false,
            limit: limit?.0,
        })
    }
}

/// A page of the record.
#[derive(Serialize, ToSchema)]
pub struct Entries {
    /// The newest first.
    entries: Vec<Entry>,
    /// `before` of the next page; null where there is none.
    #[schema(required)]
    next: Option<i64>,
}

/// A page of the record, the newest first.
pub async fn list(app: Arc<App>, _: Admin, page: AuditPage) -> Result<Json<Entries>> {
    let entries = app.store.audit(page.clone()).await?;
    let is_full = i64::try_from(entries.len()).is_ok_and(|count| count == page.limit);
    let next = entries.last().filter(|_| is_full).map(|entry| entry.id);
    Ok(Json(Entries { entries, next }))
}

/// Holds every entry against its hash and its neighbours.
pub async fn verify(app: Arc<App>, _: Admin, (): ()) -> Result<Json<Verification>> {
    Ok(Json(app.store.verify_audit().await?))
}

/// The whole record on its way, an entry a line.
pub struct AuditLines {
    app: Arc<App>,
    last: Option<i64>,
}

impl Pages for AuditLines {
    fn content_type(&self) -> &'static str {
        "application/jsonl"
    }

    async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let page = AuditPage { after: self.last, ascending: true, limit: EXPORT_PAGE, ..AuditPage::default() };
        let entries = self.app.store.audit(page).await?;
        for entry in &entries {
            serde_json::to_writer(&mut *out, entry).map_err(|error| Error::Internal(error.to_string()))?;
            out.push(b'\n');
        }
        self.last = entries.last().map(|entry| entry.id).or(self.last);
        Ok(i64::try_from(entries.len()).is_ok_and(|count| count < EXPORT_PAGE))
    }

    fn describe() -> Vec<AnswerDoc> {
        let content = Some(("application/jsonl", None));
        vec![AnswerDoc { status: StatusCode::OK, about: "An entry a line", content, schemas: Vec::new() }]
    }
}

/// The whole record as JSON lines, the oldest first.
pub async fn export(app: Arc<App>, _: Admin, (): ()) -> Result<Streamed<AuditLines>> {
    Streamed::begin(AuditLines { app, last: None }).await
}
