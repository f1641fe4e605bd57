//! One person's data: all that the server has of a user, without secrets.

use crate::domain::data::Data;
use crate::domain::day::Day;
use crate::domain::id::{TokenId, WebhookId};
use crate::domain::meeting::Meeting;
use crate::domain::segment::Segment;
use crate::domain::share::Share;
use crate::domain::time::Time;
use crate::domain::token::{Hint, TokenTerms};
use crate::domain::usage::Shown;
use crate::domain::user::User;
use crate::domain::webhook::{Delivery, WebhookEvent};
use crate::domain::withheld::Withheld;
use serde::Serialize;
use utoipa::ToSchema;

/// All that the server has of a user, as of about one moment.
#[derive(Serialize, ToSchema)]
pub(crate) struct PersonalData {
    /// When the export began.
    pub exported_at: Time,
    /// The user.
    pub user: User,
    /// Where their events go, by `PUT /user/webhook`.
    pub webhook: ExportedWebhook,
    /// All places where their events go.
    pub webhooks: Vec<ExportedEndpoint>,
    /// Their own engine and vocabulary for words of sound.
    pub transcription: ExportedTranscription,
    /// Their tokens without the secrets, oldest first.
    pub tokens: Vec<ExportedToken>,
    /// Their meetings, oldest first.
    pub meetings: Vec<ExportedMeeting>,
    /// The events of their meetings, oldest first.
    pub deliveries: Vec<ExportedDelivery>,
    /// Their share links without the links themselves, oldest first.
    pub shares: Vec<Share>,
    /// What they used, by day and token.
    pub usage: Vec<ExportedUsage>,
    /// What administrators did about them, oldest first.
    pub audit: Vec<ExportedEntry>,
    /// False where the user was removed meanwhile: something is missing then.
    pub complete: bool,
}

/// Where a user's events go.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedWebhook {
    /// The address.
    #[schema(required)]
    pub url: Option<String>,
    /// Whether what is posted there is signed.
    pub is_signed: bool,
}

/// A webhook without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedEndpoint {
    /// The webhook's id; 0 is that of `PUT /user/webhook`.
    pub id: WebhookId,
    /// The address.
    #[schema(required)]
    pub url: Option<String>,
    /// Which events go there.
    pub events: Vec<WebhookEvent>,
    /// Whether what is posted there is signed.
    pub is_signed: bool,
    /// When it was made; not known of the one of `PUT /user/webhook`.
    #[schema(required)]
    pub created_at: Option<Time>,
}

/// What a user has set for the words of their sound.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedTranscription {
    /// Where their own engine is asked.
    #[schema(required)]
    pub engine_url: Option<String>,
    /// The model that it is asked for.
    #[schema(required)]
    pub model: Option<String>,
    /// Whether it is asked with a key.
    pub has_key: bool,
    /// Names and terms that engines are told.
    pub vocabulary: Vec<String>,
}

/// A token without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedToken {
    /// The token's id.
    pub id: TokenId,
    /// The first four characters of the token.
    pub hint: Hint,
    /// When it was made.
    pub created_at: Time,
    /// When it last opened a door.
    #[schema(required)]
    pub last_used_at: Option<Time>,
    /// From where.
    #[schema(required)]
    pub last_address: Option<String>,
    /// Since when it is refused.
    #[schema(required)]
    pub disabled_at: Option<Time>,
    /// What it was created with.
    #[serde(flatten)]
    pub terms: TokenTerms,
}

/// A meeting, its bot and what was said.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedMeeting {
    /// The meeting.
    #[serde(flatten)]
    pub meeting: Meeting,
    /// Its bot.
    #[schema(required)]
    pub session: Option<ExportedSession>,
    /// The names that its speakers were given, by those that they came with.
    pub renamed_speakers: Vec<ExportedName>,
    /// What was said, by the time on the clock.
    pub segments: Vec<Segment>,
    /// What an engine heard and is not believed, by its time.
    pub withheld: Vec<Withheld>,
    /// Who began and ended to speak, by stream.
    pub speaker_events: Vec<ExportedSpeakerEvent>,
}

/// A name that a speaker was given.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedName {
    /// The name that came; null for segments that came without one.
    #[schema(required)]
    pub speaker: Option<String>,
    /// The name that is shown.
    pub name: String,
}

/// A participant began or ended to speak.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedSpeakerEvent {
    /// The session or stream that saw it, by the name that is shown.
    pub session_uid: String,
    /// `SPEAKER_START` or `SPEAKER_END`.
    #[schema(example = "SPEAKER_START")]
    pub event_type: &'static str,
    /// The participant's name.
    pub participant_name: String,
    /// The participant's id on the platform; the name where it has none.
    pub participant_id: String,
    /// When.
    pub timestamp: Time,
}

/// The bot of a meeting, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedSession {
    /// The session's name.
    pub uid: String,
    /// What the bot called itself.
    pub bot_name: String,
    /// What was spoken.
    #[schema(required)]
    pub language: Option<String>,
    /// What the bot made of it.
    #[schema(required)]
    pub task: Option<String>,
    /// When its clock began.
    pub started_at: Time,
}

/// An event of a meeting and what was posted of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedDelivery {
    /// How it fared.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// What was posted.
    pub body: Data,
}

/// What was used on a day by a token.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedUsage {
    /// The day in UTC.
    pub day: Day,
    /// The token.
    pub token_id: TokenId,
    /// How much it was.
    #[serde(flatten)]
    pub amounts: Shown,
}

/// An entry of the record that concerns the user. From where it was done is the administrator's
/// data, not theirs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedEntry {
    /// The entry's id.
    pub id: i64,
    /// When.
    pub at: Time,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// To which.
    #[schema(required)]
    pub subject_id: Option<i64>,
    /// What it was before.
    #[schema(required)]
    pub before: Option<Data>,
    /// What it was afterwards.
    #[schema(required)]
    pub after: Option<Data>,
}
