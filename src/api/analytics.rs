//! Statistics of the meetings of all users, for callers with an admin key.

use crate::api::users::{PageLimit, Skip};
use crate::app::App;
use crate::auth::Admin;
use crate::domain::analytics::{
    MeetingSummary, MeetingsWithUsers, Telematics, UserAnalytics, UserSummary,
};
use crate::domain::bounded_int::BoundedInt;
use crate::domain::text::SingleLine;
use crate::domain::{MeetingId, Platform, UserId};
use crate::error::Result;
use crate::http::Json;
use crate::http::request::input::input;
use crate::store::{ListPage, MeetingsWanted, TelematicsWanted};
use std::sync::Arc;

input! {
    for ListPage {
        query_or(BoundedInt(0)) skip: Skip => skip.0,
        query_or(BoundedInt(100)) limit: PageLimit => limit.0,
    }
}

/// Lists the meetings of all users with their users, newest first.
pub(crate) async fn list_meetings_with_users(
    app: Arc<App>,
    _: Admin,
    page: ListPage,
) -> Result<Json<MeetingsWithUsers>> {
    Ok(Json(app.store.meetings_with_users(page).await?))
}

/// Lists all users by id, without their data.
pub(crate) async fn list_user_summaries(
    app: Arc<App>,
    _: Admin,
    page: ListPage,
) -> Result<Json<Vec<UserSummary>>> {
    Ok(Json(app.store.user_summaries(page).await?))
}

input! {
    for MeetingsWanted {
        flatten page: ListPage,
        query user_id: Option<UserId>,
        query platform: Option<Platform>,
        query native_meeting_id: Option<SingleLine<255>> => native_meeting_id.map(|id| id.0),
    }
}

/// Lists the meetings of all users without their data, newest first.
pub(crate) async fn list_meeting_summaries(
    app: Arc<App>,
    _: Admin,
    wanted: MeetingsWanted,
) -> Result<Json<Vec<MeetingSummary>>> {
    Ok(Json(app.store.meeting_summaries(wanted).await?))
}

input! {
    for TelematicsWanted {
        path id: MeetingId,
        query_or(false) transcriptions: bool as "include_transcriptions",
        query_or(false) sessions: bool as "include_sessions",
    }
}

/// Gets sessions, transcription statistics and timings of a meeting.
pub(crate) async fn get_telematics(
    app: Arc<App>,
    _: Admin,
    wanted: TelematicsWanted,
) -> Result<Json<Telematics>> {
    Ok(Json(app.store.telematics(wanted).await?))
}

input! {
    /// Path and query of `GET /admin/analytics/users/{id}/details`.
    pub(crate) struct UserDetailsInput {
        path id: UserId,
        query_or(false) include_tokens: bool,
    }
}

/// Gets statistics of a user's meetings.
pub(crate) async fn get_user_details(
    app: Arc<App>,
    _: Admin,
    input: UserDetailsInput,
) -> Result<Json<UserAnalytics>> {
    let (user, meeting_stats, usage_patterns) = app.store.user_figures(input.id).await?;
    let mut api_tokens = None;
    if input.include_tokens {
        let (_, tokens) = app.auth.user_with_tokens(input.id, &app.store).await?;
        api_tokens = Some(tokens);
    }
    Ok(Json(UserAnalytics { user, meeting_stats, usage_patterns, api_tokens }))
}
