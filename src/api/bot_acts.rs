//! What users let their bots do in a meeting: speak, and write into the chat. Nothing of it is
//! stored; it is sent to the bot, if that listens.

use crate::api::meetings::{NameInPath, owned};
use crate::app::App;
use crate::auth::User;
use crate::bot_commands::Speech;
use crate::domain::text::SingleLine;
use crate::domain::{ActText, MeetingId, MeetingStatus};
use crate::error::{Error, Result};
use crate::http::Accepted;
use crate::http::request::input::input;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The name of a voice, or of a service that makes voices.
type VoiceName = SingleLine<64>;

input! {
    /// Path and body of `POST /bots/{platform}/{native_meeting_id}/speak`.
    pub(crate) struct SpeakInput, body Required {
        flatten name: NameInPath,
        required text: ActText,
        optional provider: Option<VoiceName>,
        optional voice: Option<VoiceName>,
    }
}

input! {
    /// Path and body of `POST /bots/{platform}/{native_meeting_id}/chat`.
    pub(crate) struct ChatInput, body Required {
        flatten name: NameInPath,
        required text: ActText,
    }
}

/// What was sent to a bot. Whether it does it is not known.
#[derive(Serialize, ToSchema)]
pub(crate) struct Sent {
    /// What was sent.
    #[schema(example = "Chat message sent")]
    message: &'static str,
    /// The meeting of the bot.
    meeting_id: MeetingId,
}

/// Lets a bot speak in its meeting.
pub(crate) async fn speak(
    app: Arc<App>,
    caller: User,
    input: SpeakInput,
) -> Result<Accepted<Sent>> {
    let meeting_id = active_meeting(&app, &caller, input.name)?;
    let speech = Speech {
        text: &input.text.0,
        provider: input.provider.as_ref().map(|name| name.0.as_str()),
        voice: input.voice.as_ref().map(|name| name.0.as_str()),
    };
    app.bot_commands.speak(meeting_id, &speech)?;
    Ok(Accepted(Sent { message: "Speak command sent", meeting_id }))
}

/// Lets a bot write into the chat of its meeting.
pub(crate) async fn chat(app: Arc<App>, caller: User, input: ChatInput) -> Result<Accepted<Sent>> {
    let meeting_id = active_meeting(&app, &caller, input.name)?;
    app.bot_commands.chat(meeting_id, &input.text.0)?;
    Ok(Accepted(Sent { message: "Chat message sent", meeting_id }))
}

/// The caller's meeting of this name, in which its bot must be.
fn active_meeting(app: &App, caller: &User, name: NameInPath) -> Result<MeetingId> {
    let meeting = app.store.meeting(&owned(caller, name, None)?)?;
    if meeting.status != MeetingStatus::Active {
        return Err(Error::NotThere(meeting.status));
    }
    Ok(meeting.id)
}

/// The error of a bot that is not in its meeting, for the route table.
pub(crate) fn not_there() -> Error {
    Error::NotThere(MeetingStatus::Joining.into())
}
