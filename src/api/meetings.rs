//! The caller's meetings.

use super::users::{PageLimit, Skip};
use crate::app::App;
use crate::auth::User;
use crate::domain::number::Whole;
use crate::domain::{Meeting, MeetingStatus, Platform};
use crate::error::Result;
use crate::http::{Form, Input, Json};
use crate::store::MeetingFilter;
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

/// The caller's meetings, newest first.
pub async fn list(app: Arc<App>, caller: User, query: MeetingQuery) -> Result<Json<Meetings>> {
    let filter = MeetingFilter {
        user_id: caller.user.id,
        status: query.status,
        platform: query.platform,
        skip: query.skip.0,
        limit: query.limit.map(|limit| limit.0),
    };
    Ok(Json(Meetings { meetings: app.store.meetings(filter).await? }))
}
