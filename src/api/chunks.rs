//! Words from a recogniser that posts its own: a chunk of sound at a time, or segments as a bot
//! sends them.

use crate::api::segments::{BatchAccepted, Heard, SEGMENTS_MAX, store_heard};
use crate::app::App;
use crate::auth::Bot;
use crate::domain::field::Invalid;
use crate::domain::segment::TEXT_CHARS_MAX;
use crate::domain::sent_time::ClockTime;
use crate::domain::spoken::SpokenText;
use crate::domain::text::SingleLine;
use crate::domain::{SegmentInput, SentTime, Time};
use crate::error::Result;
use crate::http::request::rows::Rows;
use crate::http::{BodyRule, Extractor, FromRequest, Json};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Body of `POST /transcripts/webhook`. Written out, because of some fields one must be there.
pub(crate) struct StoreChunkInput {
    /// The stream: the session of the bot, or a connection of its recogniser.
    uid: String,
    /// When the sound ended, on the clock; without it times count from the start of the stream.
    ended_at: Option<Time>,
    /// How long the sound is; 0 where that was not sent.
    duration_ms: i64,
    segments: Rows<SegmentInput>,
    text: Option<String>,
    speaker: Option<String>,
    language: Option<String>,
}

impl FromRequest for StoreChunkInput {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let session_id = extractor.optional::<SingleLine<255>>("session_id");
        let uid = extractor.optional::<SingleLine<255>>("uid");
        let timestamp = extractor.optional::<ClockTime>("timestamp");
        let duration = extractor.optional::<SentTime>("duration");
        let segments = extractor.rows::<SegmentInput>("segments", SEGMENTS_MAX);
        let text = extractor.optional::<SpokenText<TEXT_CHARS_MAX>>("text");
        let speaker = extractor.optional::<SpokenText<255>>("speaker");
        let language = extractor.optional::<SpokenText<32>>("language");
        if let (Some(None), Some(None)) = (&session_id, &uid) {
            extractor.require("session_id");
        }
        if let (Some(None), Some(None)) = (&segments, &text) {
            extractor.require("text");
        }
        if let (Some(None), Some(None), Some(Some(_))) = (&segments, &timestamp, &text) {
            let why = "Field required where there are no segments";
            extractor.refuse("timestamp", Invalid::new("missing", why));
        }
        Some(Self {
            uid: session_id?.or(uid?)?.0,
            ended_at: timestamp?.map(|time| time.0),
            duration_ms: duration?.map_or(0, offset_ms),
            segments: segments?.unwrap_or_default(),
            text: text?.and_then(SpokenText::trimmed),
            speaker: speaker?.and_then(SpokenText::trimmed),
            language: language?.and_then(SpokenText::trimmed),
        })
    }
}

/// Milliseconds from a start; a point on the clock is none.
fn offset_ms(time: SentTime) -> i64 {
    match time {
        SentTime::Offset(millis) => millis.max(0),
        SentTime::Clock(_) => 0,
    }
}

impl StoreChunkInput {
    /// When the sound of the chunk began: as long before its end as it lasts.
    fn began_at(&self) -> Option<Time> {
        let mut length_ms = self.duration_ms;
        if length_ms == 0 {
            for segment in &self.segments.read {
                length_ms = length_ms.max(offset_ms(segment.end));
            }
        }
        let ended_at = self.ended_at?;
        Some(Time::from_millis(ended_at.as_millis().saturating_sub(length_ms)))
    }

    /// The whole chunk as one segment.
    fn whole(&self, text: String) -> Option<SegmentInput> {
        Some(SegmentInput {
            segment_id: None,
            start: SentTime::Clock(self.began_at()?),
            end: SentTime::Clock(self.ended_at?),
            absolute: None,
            text,
            speaker: None,
            by_platform: false,
            language: None,
            completed: true,
        })
    }

    /// What was heard, with its times on the clock where the chunk has one, and with the speaker and
    /// the language of the chunk where a segment has none of its own.
    fn heard(mut self) -> Heard {
        let began_at = self.began_at();
        let mut segments = std::mem::take(&mut self.segments);
        if segments.read.is_empty() && segments.refused.is_empty() {
            let text = self.text.take();
            segments.read.extend(text.and_then(|text| self.whole(text)));
        }
        for segment in &mut segments.read {
            if let Some(began_at) = began_at {
                segment.start = SentTime::Clock(segment.start.on_clock(began_at));
                segment.end = SentTime::Clock(segment.end.on_clock(began_at));
            }
            if segment.speaker.is_none() {
                segment.speaker.clone_from(&self.speaker);
            }
            if segment.language.is_none() {
                segment.language.clone_from(&self.language);
            }
        }
        Heard { uid: self.uid, started_at: began_at, segments, events: Rows::default() }
    }
}

/// What was stored of a chunk.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChunkAccepted {
    /// `success`.
    #[schema(example = "success")]
    status: &'static str,
    #[serde(flatten)]
    accepted: BatchAccepted,
}

/// Stores what a recogniser heard, row by row; the response is sent once it is durable.
pub(crate) async fn store_chunk(
    app: Arc<App>,
    bot: Bot,
    input: StoreChunkInput,
) -> Result<Json<ChunkAccepted>> {
    let accepted = store_heard(&app, &bot, input.heard()).await?;
    Ok(Json(ChunkAccepted { status: "success", accepted }))
}
