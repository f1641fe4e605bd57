//! `GET /meetings/{id}/explain`: what happened to a meeting, whose fault it is that words are
//! missing, and what to do.

use crate::api::by_id::owned;
use crate::api::users::ById;
use crate::app::App;
use crate::auth::{Admin, User};
use crate::domain::MeetingId;
use crate::domain::explain::MeetingExplanation;
use crate::error::Result;
use crate::http::Json;
use std::sync::Arc;

/// Explains a meeting of the caller's: what happened in order, what is wrong in one sentence, and
/// what to do.
pub(crate) async fn explain_meeting(
    app: Arc<App>,
    caller: User,
    ById(id): ById<MeetingId>,
) -> Result<Json<MeetingExplanation>> {
    let meeting = owned(&app, &caller, id)?;
    explain(&app, meeting.id).await
}

/// Explains a meeting of any user.
pub(crate) async fn explain_any_meeting(
    app: Arc<App>,
    _: Admin,
    ById(id): ById<MeetingId>,
) -> Result<Json<MeetingExplanation>> {
    explain(&app, id).await
}

async fn explain(app: &App, id: MeetingId) -> Result<Json<MeetingExplanation>> {
    let has_engine = app.config.may_hear();
    Ok(Json(app.store.explain(id, has_engine, app.clock.now()).await?))
}
