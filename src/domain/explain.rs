//! What happened to a meeting on the way to its words, as it is explained.

use crate::domain::alarm::Alarm;
use crate::domain::fault::Fault;
use crate::domain::id::{MeetingId, SoundId};
use crate::domain::meeting::StoredStatus;
use crate::domain::time::Time;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What happened to a meeting, whose fault it is that words are missing, and what to do.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeetingExplanation {
    /// The meeting.
    pub meeting_id: MeetingId,
    /// Where it stands.
    pub status: StoredStatus,
    /// What is wrong, as a word for programs.
    pub fault: Fault,
    /// What is wrong, and whose fault it is, in a sentence.
    #[schema(example = "Its bot was never let in: nobody in the meeting admitted it.")]
    pub sentence: String,
    /// What to do about it.
    #[schema(example = "Ask somebody in the meeting to let it in.")]
    pub what_to_do: &'static str,
    /// What happened, in order.
    pub events: Vec<Happened>,
    /// Where sound came from, by source, in order.
    pub sounds: Vec<ExplainedSound>,
    /// Stretches of sound with voice, by what became of them; `waiting` is not done yet.
    #[schema(example = json!({"words": 12, "silent": 1}))]
    pub windows: BTreeMap<String, i64>,
    /// Why engines did not take a stretch, the last ones, newest first.
    pub engine_errors: Vec<EngineError>,
    /// What was heard and is not believed, by reason.
    #[schema(example = json!({"unsure": 2}))]
    pub withheld: BTreeMap<String, i64>,
    /// The words.
    pub words: ExplainedWords,
    /// Segments, by where the name of their speaker comes from.
    #[schema(example = json!({"events": 40}))]
    pub names: BTreeMap<String, i64>,
    /// What was missing while the bot was in the meeting.
    pub alarms: Vec<Alarm>,
    /// Its events for webhooks, by where they stand.
    #[schema(example = json!({"delivered": 5}))]
    pub webhooks: BTreeMap<String, i64>,
    /// Why an event was not delivered, the last time.
    #[schema(required)]
    pub webhook_error: Option<String>,
}

/// Something that happened to a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Happened {
    /// When.
    pub at: Time,
    /// What.
    #[schema(example = "active")]
    pub what: String,
    /// Who caused it, where that is known: `user`, `bot_callback`, `server`, or a source of sound.
    #[schema(required)]
    pub source: Option<String>,
}

/// A source of sound.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainedSound {
    /// Its id: `GET /meetings/{id}/audio?sound=` gives it back while it is kept.
    pub id: SoundId,
    /// Where it comes from.
    #[schema(example = "whisper_live")]
    pub source: String,
    /// Whose it is, where the source keeps speakers apart.
    #[schema(required)]
    pub speaker: Option<String>,
    /// When it began.
    pub started_at: Time,
    /// Since when nothing more comes.
    #[schema(required)]
    pub ended_at: Option<Time>,
    /// How much of it came, in seconds.
    #[schema(minimum = 0)]
    pub heard_seconds: i64,
    /// How much of it nobody has listened to yet, in seconds.
    #[schema(minimum = 0)]
    pub behind_seconds: i64,
}

/// Why an engine did not take a stretch of sound.
#[derive(Debug, Serialize, ToSchema)]
pub struct EngineError {
    /// Since when the stretch waits, or waited.
    pub since: Time,
    /// How often it was tried.
    #[schema(minimum = 0)]
    pub attempts: i64,
    /// Why the last attempt failed.
    pub error: String,
}

/// The words of a meeting.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct ExplainedWords {
    /// Segments whose words are final.
    #[schema(minimum = 0)]
    pub segments: i64,
    /// Drafts.
    #[schema(minimum = 0)]
    pub drafts: i64,
    /// When the first one was stored.
    #[schema(required)]
    pub first_at: Option<Time>,
    /// When the last one was.
    #[schema(required)]
    pub last_at: Option<Time>,
}
