//! What tools do for which there is no route of its own: they use what routes use.

use crate::api::bot_target::refused;
use crate::api::meetings::{StoredNameInPath, owned};
use crate::app::App;
use crate::auth::User;
use crate::domain::link::{self, MeetingLink};
use crate::domain::text::SingleLine;
use crate::domain::{Meeting, MeetingId, Platform};
use crate::error::Result;
use crate::http::Json;
use crate::http::request::input::input;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

input! {
    /// Arguments of `parse_meeting_link`.
    pub(crate) struct ParseLinkInput, body Required {
        required meeting_url: SingleLine<4096>,
    }
}

/// Where a link leads.
#[derive(Serialize, ToSchema)]
pub(crate) struct ParsedLink {
    platform: Platform,
    native_meeting_id: String,
    meeting_url: String,
    passcode: Option<String>,
}

/// Says which meeting a link leads to, as `POST /bots` reads it.
pub(super) async fn parse_meeting_link(
    app: Arc<App>,
    _: User,
    input: ParseLinkInput,
) -> Result<Json<ParsedLink>> {
    let found = link::parse(&input.meeting_url.0, &app.config.bots.hosts);
    let MeetingLink { platform, native_id, url, passcode } =
        found.map_err(|why| refused("meeting_url", &why))?;
    Ok(Json(ParsedLink { platform, native_meeting_id: native_id, meeting_url: url, passcode }))
}

input! {
    /// Arguments of `get_notes`.
    pub(crate) struct GetNotesInput {
        flatten name: StoredNameInPath,
        query meeting_id: Option<MeetingId>,
    }
}

/// Gets a meeting with its notes and without its transcript, as `GET /meetings` lists it.
pub(super) async fn get_notes(
    app: Arc<App>,
    caller: User,
    input: GetNotesInput,
) -> Result<Json<Meeting>> {
    let name = owned(&caller, input.name, input.meeting_id)?;
    Ok(Json(app.store.meeting(&name)?))
}
