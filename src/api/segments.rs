//! Transcript segments that a bot sends or takes back, and who spoke when.

use crate::app::App;
use crate::auth::Bot;
use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::segment::TEXT_CHARS_MAX;
use crate::domain::sent_time::{ClockTime, SentMillis};
use crate::domain::spoken::SpokenText;
use crate::domain::text::SingleLine;
use crate::domain::{AbsoluteTimes, SegmentInput, SentTime, SpeakerChange, SpeakerEvent, Time};
use crate::error::Result;
use crate::http::request::rows::{RefusedRow, Rows};
use crate::http::{BodyRule, Extractor, FromRequest, Json};
use crate::store::{Accepted, RetractSegments, StoreSegmentBatch};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// Most segments, and most speaker events, in one request.
pub(crate) const SEGMENTS_MAX: usize = 1000;
/// The longest body of `POST /bots/internal/segments`, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What was heard in a stream, and the body of `POST /bots/internal/segments`. Written out, because
/// one of the lists must be there.
pub(crate) struct Heard {
    pub uid: String,
    pub started_at: Option<Time>,
    pub segments: Rows<SegmentInput>,
    pub events: Rows<SpeakerEvent>,
}

impl FromRequest for Heard {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let uid = extractor.required::<SingleLine<255>>("uid");
        let started_at = extractor.optional::<ClockTime>("started_at");
        let segments = extractor.rows::<SegmentInput>("segments", SEGMENTS_MAX);
        let events = extractor.rows::<SpeakerEvent>("speaker_events", SEGMENTS_MAX);
        if let (Some(_), Some(None), Some(None)) = (&uid, &segments, &events) {
            extractor.refuse("segments", Invalid::new("missing", "Field required"));
        }
        Some(Self {
            uid: uid?.0,
            started_at: started_at?.map(|time| time.0),
            segments: segments?.unwrap_or_default(),
            events: events?.unwrap_or_default(),
        })
    }
}

/// The name of a segment: text, or a whole number.
pub(crate) struct SegmentName(pub String);

impl Field for SegmentName {
    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Integer]))
            .max_length(Some(255))
            .build()
    }

    fn read(raw: Raw<'_>) -> std::result::Result<Self, Invalid> {
        if let Raw::Json(json) = raw
            && json.get().bytes().all(|byte| byte.is_ascii_digit())
        {
            return Ok(Self(json.get().to_owned()));
        }
        SingleLine::<255>::read(raw).map(|text| Self(text.0))
    }
}

/// Whether words are final: JSON's own `true` and `false`, or the same as text.
struct Completed(bool);

impl Field for Completed {
    fn schema() -> Object {
        let about = "False is a draft: it may still change, or go.";
        ObjectBuilder::new().schema_type(Type::Boolean).description(Some(about)).build()
    }

    fn read(raw: Raw<'_>) -> std::result::Result<Self, Invalid> {
        match raw {
            Raw::Json(json) if json.get().starts_with('"') => {
                bool::read(Raw::Text(&raw.string()?)).map(Self)
            }
            raw => bool::read(raw).map(Self),
        }
    }
}

/// What text says without blanks around it; nothing where none is left.
fn trimmed<const MAX: usize>(text: Option<SpokenText<MAX>>) -> Option<String> {
    text.and_then(SpokenText::trimmed)
}

/// Written out, because one of two fields says when the segment began.
impl FromRequest for SegmentInput {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let segment_id = extractor.optional::<SegmentName>("segment_id");
        let start = extractor.optional::<SentTime>("start");
        let end = extractor.optional::<SentTime>("end");
        let absolute_start = extractor.optional::<ClockTime>("absolute_start_time");
        let absolute_end = extractor.optional::<ClockTime>("absolute_end_time");
        let text = extractor.required::<SpokenText<TEXT_CHARS_MAX>>("text");
        let speaker = extractor.optional::<SpokenText<255>>("speaker");
        let speaker_source = extractor.optional::<SpokenText<32>>("speaker_source");
        let language = extractor.optional::<SpokenText<32>>("language");
        let completed = extractor.optional::<Completed>("completed");
        let (absolute_start, absolute_end) = (absolute_start?, absolute_end?);
        let on_clock = |time: ClockTime| SentTime::Clock(time.0);
        let start = start?.or(absolute_start.map(on_clock));
        let end = end?.or(absolute_end.map(on_clock));
        for (name, time) in [("start", start), ("end", end)] {
            if time.is_none() {
                extractor.refuse(name, Invalid::new("missing", "Field required"));
            }
        }
        let by_platform = trimmed(speaker_source?).is_some_and(|source| source == "platform");
        Some(Self {
            segment_id: segment_id?.map(|id| id.0.trim().to_owned()).filter(|id| !id.is_empty()),
            start: start?,
            end: end?,
            absolute: absolute_start
                .map(|start| AbsoluteTimes { start: start.0, end: absolute_end.map(|end| end.0) }),
            text: text?.0,
            speaker: trimmed(speaker?),
            by_platform,
            language: trimmed(language?),
            completed: completed?.is_none_or(|completed| completed.0),
        })
    }
}

/// What a speaker event says: `SPEAKER_START` or `SPEAKER_END`, in any case.
pub(crate) struct EventType(pub SpeakerChange);

impl Field for EventType {
    fn schema() -> Object {
        let words = ["SPEAKER_START", "SPEAKER_END"];
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
    }

    fn read(raw: Raw<'_>) -> std::result::Result<Self, Invalid> {
        match raw.string()?.trim().to_ascii_uppercase().as_str() {
            "SPEAKER_START" => Ok(Self(SpeakerChange::Start)),
            "SPEAKER_END" => Ok(Self(SpeakerChange::End)),
            _ => Err(Invalid::new("enum", "Input should be 'SPEAKER_START' or 'SPEAKER_END'")),
        }
    }
}

/// Written out, because one of two fields says when it was.
impl FromRequest for SpeakerEvent {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let change = extractor.required::<EventType>("event_type");
        let name = extractor.required::<SpokenText<255>>("participant_name");
        let participant_id = extractor.optional::<SpokenText<255>>("participant_id");
        let relative = extractor.optional::<SentMillis>("relative_ms");
        let timestamp = extractor.optional::<ClockTime>("timestamp");
        let at = match (relative?, timestamp?) {
            (_, Some(time)) => Some(SentTime::Clock(time.0)),
            (Some(millis), None) => Some(millis.0),
            (None, None) => {
                extractor.refuse("relative_ms", Invalid::new("missing", "Field required"));
                None
            }
        };
        let name = name?.trimmed();
        if name.is_none() {
            let msg = "String should have at least 1 character";
            extractor.refuse("participant_name", Invalid::new("string_too_short", msg));
        }
        Some(Self {
            change: change?.0,
            name: name?,
            participant_id: trimmed(participant_id?),
            at: at?,
        })
    }
}

/// What was stored of a batch, and the bot's language and task from now on.
#[derive(Serialize, ToSchema)]
pub(crate) struct BatchAccepted {
    /// How many segments are stored; those without words are left out.
    accepted: usize,
    /// The segments that cannot be read. The others are stored.
    refused: Vec<RefusedRow>,
    /// The speaker events that cannot be read. The others are stored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused_events: Vec<RefusedRow>,
    /// The language that is spoken; null where none was set.
    #[schema(required, example = "en")]
    language: Option<String>,
    /// The task of the bot; null where none was set.
    #[schema(required, example = "transcribe")]
    task: Option<String>,
}

/// Stores what a bot heard, row by row; the response is sent once it is durable.
pub(crate) async fn store_segments(
    app: Arc<App>,
    bot: Bot,
    input: Heard,
) -> Result<Json<BatchAccepted>> {
    Ok(Json(store_heard(&app, &bot, input).await?))
}

/// Stores what was heard in the meeting of a bot.
pub(crate) async fn store_heard(app: &App, bot: &Bot, input: Heard) -> Result<BatchAccepted> {
    let now = app.clock.now();
    let verb = StoreSegmentBatch {
        token_hash: bot.token_hash(),
        uid: input.uid,
        started_at: input.started_at,
        segments: input.segments.read,
        events: input.events.read,
        now,
    };
    let stored = app.store.write(verb).await?;
    record_usage(app, &stored, now);
    Ok(BatchAccepted {
        accepted: stored.accepted,
        refused: input.segments.refused,
        refused_events: input.events.refused,
        language: stored.language,
        task: stored.task,
    })
}

/// Counts what is stored longer, or shorter, for the token by which the bot was sent.
pub(crate) fn record_usage(app: &App, stored: &Accepted, now: Time) {
    if let Some(token_id) = stored.token_id {
        app.auth.usage().record_transcript(stored.user_id, token_id, stored.more_ms, now);
    }
}

/// Body of `DELETE /bots/internal/segments`.
pub(crate) struct RetractSegmentsInput {
    segment_ids: Vec<SegmentName>,
}

impl FromRequest for RetractSegmentsInput {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let segment_ids = extractor.optional_list("segment_ids", SEGMENTS_MAX);
        if let Some(None) = &segment_ids {
            extractor.refuse("segment_ids", Invalid::new("missing", "Field required"));
        }
        Some(Self { segment_ids: segment_ids?? })
    }
}

/// What was deleted.
#[derive(Serialize, ToSchema)]
pub(crate) struct Retracted {
    /// How many segments are deleted; ids of which there is no segment are left out.
    removed: usize,
}

/// Deletes segments that a bot takes back, by their ids.
pub(crate) async fn retract_segments(
    app: Arc<App>,
    bot: Bot,
    input: RetractSegmentsInput,
) -> Result<Json<Retracted>> {
    let now = app.clock.now();
    let segment_ids = input.segment_ids.into_iter().map(|id| id.0).collect();
    let verb = RetractSegments { token_hash: bot.token_hash(), segment_ids, now };
    let retracted = app.store.write(verb).await?;
    record_usage(&app, &retracted, now);
    Ok(Json(Retracted { removed: retracted.accepted }))
}
