//! Figures about everybody's meetings, for the holder of the admin key.

use super::users::{PageLimit, Skip};
use crate::app::App;
use crate::auth::Admin;
use crate::domain::UserId;
use crate::domain::analytics::{MeetingSummary, MeetingsWithUsers, Telematics, UserAnalytics, UserSummary};
use crate::domain::number::Whole;
use crate::domain::text::Line;
use crate::error::Result;
use crate::http::{Form, Input, Json};
use crate::store::{ListPage, MeetingsWanted, TelematicsWanted};
use std::sync::Arc;

impl Input for ListPage {
    fn read(form: &mut Form<'_>) -> Option<Self> {
        let skip = form.query_or("skip", Whole(0) as Skip);
        let limit = form.query_or("limit", Whole(100) as PageLimit);
        Some(Self { skip: skip?.0, limit: limit?.0 })
    }
}

/// Everybody's meetings with their owners, newest first.
pub async fn meetings_users(app: Arc<App>, _: Admin, page: ListPage) -> Result<Json<MeetingsWithUsers>> {
    Ok(Json(app.store.meetings_with_users(page).await?))
}

/// All users by id, without their data.
pub async fn users(app: Arc<App>, _: Admin, page: ListPage) -> Result<Json<Vec<UserSummary>>> {
    Ok(Json(app.store.user_summaries(page).await?))
}

impl Input for MeetingsWanted {
    fn read(form: &mut Form<'_>) -> Option<Self> {
        let page = ListPage::read(form);
        let user_id = form.query("user_id");
        let platform = form.query("platform");
        let native_meeting_id = form.query::<Line<255>>("native_meeting_id");
        Some(Self {
            user_id: user_id?,
            platform: platform?,
            native_meeting_id: native_meeting_id?.map(|id| id.0),
            page: page?,
        })
    }
}

/// Everybody's meetings, newest first, without their data.
pub async fn meetings(app: Arc<App>, _: Admin, wanted: MeetingsWanted) -> Result<Json<Vec<MeetingSummary>>> {
    Ok(Json(app.store.meeting_summaries(wanted).await?))
}

impl Input for TelematicsWanted {
    fn read(form: &mut Form<'_>) -> Option<Self> {
        let id = form.path("id");
        let transcriptions = form.query_or("include_transcriptions", false);
        let sessions = form.query_or("include_sessions", false);
        Some(Self { id: id?, transcriptions: transcriptions?, sessions: sessions? })
    }
}

/// How one meeting went.
pub async fn telematics(app: Arc<App>, _: Admin, wanted: TelematicsWanted) -> Result<Json<Telematics>> {
    Ok(Json(app.store.telematics(wanted).await?))
}

/// Path and query of `GET /admin/analytics/users/{id}/details`.
pub struct DetailsWanted {
    id: UserId,
    tokens: bool,
}

impl Input for DetailsWanted {
    fn read(form: &mut Form<'_>) -> Option<Self> {
        let id = form.path("id");
        let tokens = form.query_or("include_tokens", false);
        Some(Self { id: id?, tokens: tokens? })
    }
}

/// What one user does with their meetings.
pub async fn user_details(app: Arc<App>, _: Admin, wanted: DetailsWanted) -> Result<Json<UserAnalytics>> {
    let (user, meeting_stats, usage_patterns) = app.store.user_figures(wanted.id).await?;
    let mut api_tokens = None;
    if wanted.tokens {
        let (_, mut tokens) = app.store.user_with_tokens(wanted.id).await?;
        app.auth.usage().freshen(&mut tokens);
        api_tokens = Some(tokens);
    }
    Ok(Json(UserAnalytics { user, meeting_stats, usage_patterns, api_tokens }))
}
