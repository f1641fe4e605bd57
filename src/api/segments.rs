//! What a bot hears.

use crate::app::App;
use crate::auth::Bot;
use crate::domain::segment::{SpokenText, TEXT_CHARS_MAX};
use crate::domain::text::SingleLine;
use crate::domain::{Offset, SegmentInput};
use crate::error::Result;
use crate::http::request::extractor::BodyRule;
use crate::http::{Extractor, FromRequest, Json};
use crate::store::StoreSegments;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Most segments in one request.
const SEGMENTS_MAX: usize = 1000;
/// The longest body of `POST /bots/internal/segments`, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Body of `POST /bots/internal/segments`.
pub struct SegmentBatch {
    uid: SingleLine<255>,
    segments: Vec<SegmentInput>,
}

impl FromRequest for SegmentBatch {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let uid = extractor.required("uid");
        let segments = extractor.list("segments", SEGMENTS_MAX, heard);
        Some(Self { uid: uid?, segments: segments? })
    }
}

fn heard(extractor: &mut Extractor<'_>) -> Option<SegmentInput> {
    let start = extractor.required::<Offset>("start");
    let end = extractor.required::<Offset>("end");
    let text = extractor.required::<SpokenText<TEXT_CHARS_MAX>>("text");
    let language = extractor.optional::<SpokenText<32>>("language");
    let speaker = extractor.optional::<SpokenText<255>>("speaker");
    let (language, speaker) = (language?, speaker?);
    let (language, speaker) = (language.and_then(|text| trimmed(&text.0)), speaker.and_then(|text| trimmed(&text.0)));
    Some(SegmentInput { start: start?, end: end?, text: text?.0, speaker, language })
}

fn trimmed(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// What became of a batch, and what the bot is to do from now on.
#[derive(Serialize, ToSchema)]
pub struct BatchAccepted {
    /// How many segments are stored; what had no words or no length is not among them.
    accepted: usize,
    /// The language that is spoken; null where nobody said.
    #[schema(required, example = "en")]
    language: Option<String>,
    /// What to make of it; null where nobody said.
    #[schema(required, example = "transcribe")]
    task: Option<String>,
}

/// Stores what a bot heard; the answer leaves once it is durable.
pub async fn store_segments(app: Arc<App>, bot: Bot, batch: SegmentBatch) -> Result<Json<BatchAccepted>> {
    let heard = batch.segments.into_iter().filter_map(SegmentInput::tidy).collect();
    let now = app.clock.now();
    let verb = StoreSegments { token_hash: bot.token_hash(), uid: batch.uid.0, heard, now };
    let stored = app.store.write(verb).await?;
    if let Some(token_id) = stored.token_id {
        app.auth.usage().record_transcript(stored.user_id, token_id, stored.more_ms, now);
    }
    Ok(Json(BatchAccepted { accepted: stored.accepted, language: stored.language, task: stored.task }))
}
