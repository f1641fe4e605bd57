//! Figures about everybody's meetings, for the holder of the admin key.

use crate::api::users::{PageLimit, Skip};
use crate::app::App;
use crate::auth::Admin;
use crate::domain::UserId;
use crate::domain::analytics::{MeetingSummary, MeetingsWithUsers, Telematics, UserAnalytics, UserSummary};
use crate::domain::bounded_int::BoundedInt;
use crate::domain::text::SingleLine;
use crate::error::Result;
use crate::http::{Extractor, FromRequest, Json};
use crate::store::{ListPage, MeetingsWanted, TelematicsWanted};
use std::sync::Arc;

impl FromRequest for ListPage {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let skip = extractor.query_or("skip", BoundedInt(0) as Skip);
        let limit = extractor.query_or("limit", BoundedInt(100) as PageLimit);
        Some(Self { skip: skip?.0, limit: limit?.0 })
    }
}

/// Everybody's meetings with their owners, newest first.
pub async fn list_meetings_with_users(app: Arc<App>, _: Admin, page: ListPage) -> Result<Json<MeetingsWithUsers>> {
    Ok(Json(app.store.meetings_with_users(page).await?))
}

/// All users by id, without their data.
pub async fn list_user_summaries(app: Arc<App>, _: Admin, page: ListPage) -> Result<Json<Vec<UserSummary>>> {
    Ok(Json(app.store.user_summaries(page).await?))
}

impl FromRequest for MeetingsWanted {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let page = ListPage::read(extractor);
        let user_id = extractor.query("user_id");
        let platform = extractor.query("platform");
        let native_meeting_id = extractor.query::<SingleLine<255>>("native_meeting_id");
        Some(Self {
            user_id: user_id?,
            platform: platform?,
            native_meeting_id: native_meeting_id?.map(|id| id.0),
            page: page?,
        })
    }
}

/// Everybody's meetings, newest first, without their data.
pub async fn list_meeting_summaries(
    app: Arc<App>,
    _: Admin,
    wanted: MeetingsWanted,
) -> Result<Json<Vec<MeetingSummary>>> {
    Ok(Json(app.store.meeting_summaries(wanted).await?))
}

impl FromRequest for TelematicsWanted {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let id = extractor.path("id");
        let transcriptions = extractor.query_or("include_transcriptions", false);
        let sessions = extractor.query_or("include_sessions", false);
        Some(Self { id: id?, transcriptions: transcriptions?, sessions: sessions? })
    }
}

/// How one meeting went.
pub async fn get_telematics(app: Arc<App>, _: Admin, wanted: TelematicsWanted) -> Result<Json<Telematics>> {
    Ok(Json(app.store.telematics(wanted).await?))
}

/// Path and query of `GET /admin/analytics/users/{id}/details`.
pub struct DetailsWanted {
    id: UserId,
    tokens: bool,
}

impl FromRequest for DetailsWanted {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let id = extractor.path("id");
        let tokens = extractor.query_or("include_tokens", false);
        Some(Self { id: id?, tokens: tokens? })
    }
}

/// What one user does with their meetings.
pub async fn get_user_details(app: Arc<App>, _: Admin, wanted: DetailsWanted) -> Result<Json<UserAnalytics>> {
    let (user, meeting_stats, usage_patterns) = app.store.user_figures(wanted.id).await?;
    let mut api_tokens = None;
    if wanted.tokens {
        let (_, tokens) = app.auth.user_with_tokens(wanted.id, &app.store).await?;
        api_tokens = Some(tokens);
    }
    Ok(Json(UserAnalytics { user, meeting_stats, usage_patterns, api_tokens }))
}
