//! Engines as an administrator sees them.

use crate::domain::string_enum::string_enum;
use crate::domain::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

string_enum!(
    /// What an engine is.
    EngineKind {
        /// Whisper inside the program.
        Inside = "inside",
        /// A server with the API of OpenAI.
        Server = "server",
    }
);

string_enum!(
    /// How an engine does.
    EngineHealth {
        /// It has answered nothing since the start, and has not failed either.
        Untried = "untried",
        /// It answers.
        Well = "well",
        /// It rests after a failure, for at most a minute.
        Resting = "resting",
        /// It failed last, or did not take the sound, and is tried with the next sound.
        Due = "due",
    }
);

/// An engine, and how it does.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct EngineState {
    /// Its name, in the log and in metrics too.
    #[schema(example = "office")]
    pub name: String,
    /// What it is.
    pub kind: EngineKind,
    /// The model that it is asked for; of the engine inside the file of it.
    #[schema(example = "large-v3")]
    pub model: String,
    /// How it does.
    pub health: EngineHealth,
    /// How many requests it has now: windows, drafts, and sounds of callers who wait.
    #[schema(minimum = 0, example = 1)]
    pub requests_now: u64,
    /// How many it may have.
    #[schema(minimum = 1, example = 2)]
    pub requests_max: u64,
    /// Longest sound that it gets, in seconds; null is any.
    #[schema(required, minimum = 1, example = 600)]
    pub seconds_max: Option<u32>,
    /// Seconds of sound that it hears in a second in each request, by the last ones; null before it
    /// was measured.
    #[schema(required, minimum = 0, example = 12.5)]
    pub sound_per_second: Option<f64>,
    /// When it answered last; null where it has not since the start.
    #[schema(required)]
    pub answered_at: Option<Time>,
    /// Its last failure; null where it has not failed since the start.
    #[schema(required)]
    pub last_failure: Option<EngineFailure>,
    /// Requests since the start.
    #[schema(minimum = 0, example = 1204)]
    pub requests: u64,
    /// Sounds that it did not take since the start.
    #[schema(minimum = 0, example = 0)]
    pub refused: u64,
    /// Requests that failed since the start, by the reason.
    #[schema(value_type = BTreeMap<String, u64>, example = json!({"slow": 3}))]
    pub failures: BTreeMap<&'static str, u64>,
    /// Seconds of sound that it has heard since the start.
    #[schema(minimum = 0, example = 10_412.5)]
    pub sound_seconds: f64,
}

/// A failure of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EngineFailure {
    /// When.
    pub at: Time,
    /// Why, in a sentence. It has no key, no address and nothing of what a server wrote.
    #[schema(example = "Engine office did not answer within 86 seconds.")]
    pub why: String,
}
