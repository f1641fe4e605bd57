//! The configuration of a bot, in the two forms that bots read.

use crate::domain::bot::Task;
use crate::domain::id::MeetingId;
use crate::domain::language::Language;
use serde::Serialize;

/// What bots of either form are told; what is null is absent.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BotTold<'a> {
    /// Which meeting.
    #[serde(rename = "meeting_id")]
    pub meeting_id: MeetingId,
    /// Where it is held.
    pub platform: &'a str,
    /// The address to open.
    pub meeting_url: &'a str,
    /// What to call itself.
    pub bot_name: &'a str,
    /// The secret of this one meeting.
    pub token: &'a str,
    /// The platform's id of the meeting.
    pub native_meeting_id: &'a str,
    /// The name of the session, and the bot's credential on the callbacks.
    pub connection_id: &'a str,
    /// What is spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// What to make of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// A Redis, or the Redis endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_url: Option<&'a str>,
    /// What runs it is called so.
    #[serde(rename = "container_name")]
    pub container_name: &'a str,
    /// When to leave by itself.
    pub automatic_leave: AutomaticLeave,
    /// Whether it is to write down what it hears.
    pub transcribe_enabled: bool,
    /// Whether it is to bring a recording: where sound is kept.
    pub recording_enabled: bool,
    /// Where to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording_upload_url: Option<&'a str>,
    /// Where it sends what it hears.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcription_service_url: Option<&'a str>,
    /// With which token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcription_service_token: Option<&'a str>,
    /// Whether it makes a voice and a microphone for itself: without it, most versions do not
    /// speak.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_agent_enabled: Option<bool>,
}

/// What a bot finds in `BOT_CONFIG`, as one JSON object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BotConfig<'a> {
    /// What every bot is told.
    #[serde(flatten)]
    pub told: BotTold<'a>,
    /// Where to report the end; the other callbacks are beside it.
    #[serde(rename = "botManagerCallbackUrl")]
    pub callback_url: &'a str,
    /// The same, as later bots call it.
    #[serde(rename = "meetingApiCallbackUrl")]
    pub same_callback_url: &'a str,
}

/// What a bot finds in `VEXA_BOT_CONFIG`, as one JSON object. It refuses members that it does not
/// know.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StrictBotConfig<'a> {
    /// What every bot is told.
    #[serde(flatten)]
    pub told: BotTold<'a>,
    /// What opens the meeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passcode: Option<&'a str>,
    /// Where to report every change of its status.
    #[serde(rename = "meetingApiCallbackUrl")]
    pub callback_url: &'a str,
    /// The secret of the meeting, with which this form's bots send recordings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_secret: Option<&'a str>,
    /// The model of the transcription service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcription_model: Option<&'a str>,
}

/// When a bot leaves by itself; in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AutomaticLeave {
    /// Nobody lets it in.
    pub waiting_room_timeout: u64,
    /// Nobody comes.
    pub no_one_joined_timeout: u64,
    /// Everybody has left.
    pub everyone_left_timeout: u64,
}
