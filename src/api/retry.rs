//! A new bot for a meeting that failed.

use crate::api::bot_target::SendBotInput;
use crate::api::bots::send;
use crate::api::meetings::{NameInPath, owned};
use crate::app::App;
use crate::auth::User;
use crate::domain::{Meeting, MeetingStatus};
use crate::error::{Error, Result};
use crate::http::Created;
use std::sync::Arc;

/// Sends a bot again, with the name, language, task and voice of the one before, where the newest meeting
/// of that name has failed. It is another meeting, under the same limits as the first.
pub(crate) async fn retry_bot(
    app: Arc<App>,
    caller: User,
    name: NameInPath,
) -> Result<Created<Meeting>> {
    let meeting = app.store.meeting(&owned(&caller, name, None)?)?;
    if meeting.status != MeetingStatus::Failed {
        return Err(Error::NotFailed(meeting.status));
    }
    let settings = app.store.bot_settings(meeting.id)?;
    let sent = send(&app, &caller, SendBotInput::again(&meeting, settings)).await?;
    Ok(Created(sent.value))
}

/// The error of a meeting that has not failed, for the route table.
pub(crate) fn not_failed() -> Error {
    Error::NotFailed(MeetingStatus::Completed.into())
}
