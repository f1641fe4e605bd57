//! Transcript segments that a bot sends.

use crate::app::App;
use crate::auth::Bot;
use crate::domain::segment::{SpokenText, TEXT_CHARS_MAX};
use crate::domain::text::SingleLine;
use crate::domain::{Offset, SegmentInput};
use crate::error::Result;
use crate::http::Json;
use crate::http::request::input::input;
use crate::store::StoreSegments;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Most segments in one request.
const SEGMENTS_MAX: usize = 1000;
/// The longest body of `POST /bots/internal/segments`, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;

input! {
    /// Body of `POST /bots/internal/segments`.
    pub(crate) struct StoreSegmentsInput, body Required {
        required uid: SingleLine<255>,
        list(SEGMENTS_MAX) segments: Vec<SegmentInput>,
    }
}

input! {
    for SegmentInput {
        required start: Offset,
        required end: Offset,
        required text: SpokenText<TEXT_CHARS_MAX> => text.0,
        optional language: Option<SpokenText<32>> => language.and_then(|text| trimmed(&text.0)),
        optional speaker: Option<SpokenText<255>> => speaker.and_then(|text| trimmed(&text.0)),
    }
}

fn trimmed(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// How many segments of a batch were stored, and the bot's language and task from now on.
#[derive(Serialize, ToSchema)]
pub(crate) struct BatchAccepted {
    /// How many segments are stored; those without words or without length are left out.
    accepted: usize,
    /// The language that is spoken; null where none was set.
    #[schema(required, example = "en")]
    language: Option<String>,
    /// The task of the bot; null where none was set.
    #[schema(required, example = "transcribe")]
    task: Option<String>,
}

/// Stores the segments of a bot; the response is sent once they are durable.
pub(crate) async fn store_segments(
    app: Arc<App>,
    bot: Bot,
    input: StoreSegmentsInput,
) -> Result<Json<BatchAccepted>> {
    let heard = input.segments.into_iter().filter_map(SegmentInput::tidy).collect();
    let now = app.clock.now();
    let verb = StoreSegments { token_hash: bot.token_hash(), uid: input.uid.0, heard, now };
    let stored = app.store.write(verb).await?;
    if let Some(token_id) = stored.token_id {
        app.auth.usage().record_transcript(stored.user_id, token_id, stored.more_ms, now);
    }
    Ok(Json(BatchAccepted {
        accepted: stored.accepted,
        language: stored.language,
        task: stored.task,
    }))
}
