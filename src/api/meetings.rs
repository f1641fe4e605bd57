//! The caller's meetings.

use super::users::{PageLimit, Skip};
use crate::app::App;
use crate::auth::User;
use crate::domain::number::Whole;
use crate::domain::{Meeting, MeetingStatus, Platform};
use crate::error::{Error, Result};
use crate::http::answer::{AnswerDoc, json_doc};
use crate::http::{Form, Input, Pages, Streamed};
use crate::store::MeetingFilter;
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Query of `GET /meetings`.
pub struct MeetingQuery {
    limit: Option<PageLimit>,
    skip: Skip,
    status: Option<MeetingStatus>,
    platform: Option<Platform>,
}

impl Input for MeetingQuery {
    fn read(form: &mut Form<'_>) -> Option<Self> {
        let limit = form.query("limit");
        let skip = form.query_or("skip", Whole(0));
        let status = form.query("status");
        let platform = form.query("platform");
        Some(Self { limit: limit?, skip: skip?, status: status?, platform: platform? })
    }
}

/// A list of meetings.
#[derive(Serialize, ToSchema)]
pub struct Meetings {
    /// The newest first.
    meetings: Vec<Meeting>,
}

/// A list of meetings on its way.
pub struct MeetingPages {
    app: Arc<App>,
    /// What is left to read.
    filter: MeetingFilter,
    is_first: bool,
}

impl Pages for MeetingPages {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let page = self.app.store.meetings(self.filter).await?;
        if self.is_first {
            out.extend_from_slice(br#"{"meetings":["#);
        }
        write_items(out, page.rows.iter(), self.is_first)?;
        if page.is_last {
            out.extend_from_slice(b"]}");
        }
        let count = i64::try_from(page.rows.len()).unwrap_or(i64::MAX);
        self.filter = MeetingFilter {
            before: page.rows.last().map(|meeting| meeting.id).or(self.filter.before),
            skip: 0,
            limit: self.filter.limit.map(|limit| limit - count),
            ..self.filter
        };
        self.is_first = false;
        Ok(page.is_last)
    }

    fn describe() -> Vec<AnswerDoc> {
        vec![json_doc::<Meetings>(StatusCode::OK, "Done")]
    }
}

/// Writes items of a JSON list, with what separates them from each other and from those before.
pub fn write_items<'a, T: Serialize + 'a>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = &'a T>,
    mut is_first: bool,
) -> Result<()> {
    for item in items {
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, item).map_err(|error| Error::Internal(error.to_string()))?;
    }
    Ok(())
}

/// The caller's meetings, newest first.
pub async fn list(app: Arc<App>, caller: User, query: MeetingQuery) -> Result<Streamed<MeetingPages>> {
    let filter = MeetingFilter {
        user_id: caller.user.id,
        status: query.status,
        platform: query.platform,
        before: None,
        skip: query.skip.0,
        limit: query.limit.map(|limit| limit.0),
    };
    Streamed::begin(MeetingPages { app, filter, is_first: true }).await
}
