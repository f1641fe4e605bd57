//! What an engine is asked, and what it answers.

use crate::domain::UserId;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Windows that are heard at once: each holds its samples in memory.
pub(crate) const WINDOWS_MAX: usize = 16;

/// How urgent a request is. Drafts yield to all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// A draft of a window that still grows.
    Draft,
    /// A recording.
    Recording,
    /// A window of a meeting that goes on, or a caller who waits.
    Live,
}

/// The sound of a request.
#[derive(Debug, Clone)]
pub(crate) enum AskedSound {
    /// Samples of one channel at [`crate::domain::sound::HEARD_RATE`].
    Samples(Vec<i16>),
    /// A file as it came, with its name; the engine inside does not take it.
    File { name: String, bytes: Bytes },
}

/// What an engine is asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The sound.
    pub sound: AskedSound,
    /// In which language it is spoken (ISO 639-1), where that is known; else it is detected.
    pub language: Option<String>,
    /// Whether words are to be translated into English.
    pub translates: bool,
    /// Whether the times of words are asked for.
    pub words: bool,
    /// Names and terms that may occur.
    pub prompt: Option<String>,
    /// How urgent it is.
    pub urgency: Urgency,
    /// Whose sound it is: they may have an engine of their own.
    pub user_id: UserId,
}

/// What an engine heard.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// The language that was spoken, where the engine says so.
    pub language: Option<String>,
    /// How sure the engine is of it, from 0 to 1.
    pub language_probability: Option<f64>,
    /// How long the sound is, in milliseconds, where the engine says so.
    pub duration_ms: Option<u64>,
    /// The segments, by time.
    pub segments: Vec<HeardSegment>,
}

impl Heard {
    /// How long the sound is, in milliseconds, as far as the engine tells.
    pub(crate) fn length_ms(&self) -> u64 {
        let end_ms = self.segments.iter().map(|segment| segment.end_ms).max();
        self.duration_ms.unwrap_or_default().max(end_ms.unwrap_or_default())
    }
}

/// One segment of it. What an engine does not say is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct HeardSegment {
    /// When it begins, in milliseconds from the beginning of the sound.
    pub start_ms: u64,
    /// When it ends.
    pub end_ms: u64,
    /// The words.
    pub text: String,
    /// Mean of the logarithms of its tokens' probabilities.
    pub avg_logprob: Option<f64>,
    /// How probable it is that nobody speaks, from 0 to 1.
    pub no_speech_prob: Option<f64>,
    /// How far its text can be compressed: what repeats itself can be compressed far.
    pub compression_ratio: Option<f64>,
    /// Its words with times, where the engine gives them.
    pub words: Vec<HeardWord>,
}

/// One word.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct HeardWord {
    /// When it begins, in milliseconds from the beginning of the sound.
    pub start_ms: u64,
    /// When it ends.
    pub end_ms: u64,
    /// The word.
    pub word: String,
    /// How sure the engine is of it, from 0 to 1.
    pub probability: Option<f64>,
}
