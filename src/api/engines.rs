//! The engines and how far words are behind their sound, for callers with an admin key.

use crate::app::App;
use crate::auth::Admin;
use crate::domain::Time;
use crate::domain::engine_state::EngineState;
use crate::error::Result;
use crate::http::Json;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// The engines, and how far words are behind their sound.
#[derive(Serialize, ToSchema)]
pub(crate) struct TranscriptionOverview {
    /// The time of the server.
    at: Time,
    /// Since when the server counts.
    since: Time,
    /// The engines of the server, in the order in which they are asked.
    engines: Vec<EngineState>,
    /// Whether users may have an engine of their own (`transcription.user_engines`).
    user_engines: bool,
    /// Live sound.
    live: LiveSound,
    /// Windows of sound that wait for their words.
    waiting: WaitingWindows,
    /// Windows that are done since the start, by what became of them.
    #[schema(value_type = BTreeMap<String, u64>, example = json!({"words": 120, "silent": 3, "withheld": 2, "given_up": 0}))]
    windows: BTreeMap<&'static str, u64>,
    /// Segments of them that are withheld, by the reason.
    #[schema(value_type = BTreeMap<String, u64>, example = json!({"repeats": 1, "unsure": 2, "known_of_silence": 4, "no_voice": 0}))]
    withheld: BTreeMap<&'static str, u64>,
}

/// Live sound: what comes now, and what the engines keep up with.
#[derive(Serialize, ToSchema)]
pub(crate) struct LiveSound {
    /// Meetings whose sound comes now.
    #[schema(minimum = 0, example = 2)]
    meetings: u64,
    /// With how many meetings the engines keep up, by their measured speed; one more is refused. Null
    /// while it was not measured, or where all engines rest: then none is refused.
    #[schema(required, minimum = 1, example = 8)]
    meetings_max: Option<u64>,
    /// Sounds that come now: a meeting may have one for each speaker.
    #[schema(minimum = 0, example = 5)]
    sounds: u64,
}

/// Windows of sound that wait for their words.
#[derive(Serialize, ToSchema)]
pub(crate) struct WaitingWindows {
    /// Of live sound.
    #[schema(minimum = 0, example = 1)]
    live: u64,
    /// Of recordings.
    #[schema(minimum = 0, example = 0)]
    recordings: u64,
    /// When the sound of the oldest window of live sound ended; null where none waits.
    #[schema(required)]
    oldest_live_at: Option<Time>,
}

/// Gets the engines, how they do, how much live sound they keep up with, how far words are behind
/// their sound, and what is withheld.
pub(crate) async fn get_transcription(
    app: Arc<App>,
    _: Admin,
    (): (),
) -> Result<Json<TranscriptionOverview>> {
    let waiting = app.store.waiting_words().await?;
    let transcription = &app.transcription;
    Ok(Json(TranscriptionOverview {
        at: app.clock.now(),
        since: app.started_at,
        engines: transcription.engine_states(),
        user_engines: app.config.transcription.user_engines,
        live: LiveSound {
            meetings: waiting.live_meetings,
            meetings_max: transcription.live_meetings_max(),
            sounds: waiting.live_sounds,
        },
        waiting: WaitingWindows {
            live: waiting.live_windows,
            recordings: waiting.recorded_windows,
            oldest_live_at: waiting.oldest_live,
        },
        windows: transcription.counters.windows(),
        withheld: transcription.counters.withheld(),
    }))
}
