//! Sounds, and what becomes of their windows.

use crate::domain::id::SoundId;
use crate::domain::string_enum::string_enum;
use crate::domain::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What engines hear: samples a second, one channel.
pub(crate) const HEARD_RATE: u32 = 16_000;
/// Longest window, in milliseconds.
pub(crate) const WINDOW_MS_MAX: u64 = 28_000;

string_enum!(
    /// Where a sound comes from.
    SoundSource {
        /// A bot that speaks WhisperLive's protocol.
        WhisperLive = "whisper_live",
        /// A bot's audio socket, with a stream for each speaker.
        Bot = "bot",
        /// Jitsi's videobridge.
        Jitsi = "jitsi",
        /// An uploaded recording.
        Upload = "upload",
        /// What a bot has recorded of its meeting: it is kept, and no words are made of it.
        Recording = "recording",
    }
);

string_enum!(
    /// How a sound is written in the spool.
    SoundCodec {
        /// Opus packets (RFC 6716).
        Opus = "opus",
        /// Signed samples of 16 bits, little-endian, channels interleaved.
        S16le = "s16le",
        /// The file of a recording as it was sent, in pieces. Nothing of it is read here.
        File = "file",
    }
);

/// The form of a sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundFormat {
    /// How it is written.
    pub codec: SoundCodec,
    /// Samples a second of one channel; of Opus 48,000.
    pub rate: u32,
    /// Channels.
    pub channels: u8,
}

/// A sound of a meeting that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MeetingSound {
    /// Its id: `GET /meetings/{id}/audio?sound=` gives it back.
    pub id: SoundId,
    /// Where it comes from.
    #[schema(example = "bot")]
    pub source: String,
    /// Whose it is, where the source keeps speakers apart.
    #[schema(required, example = "Ada")]
    pub speaker: Option<String>,
    /// The moment of its file's first second, on the clock.
    pub started_at: Time,
    /// How long it is, in seconds.
    #[schema(minimum = 0, example = 1860)]
    pub seconds: i64,
}

string_enum!(
    /// What became of a window.
    WindowOutcome {
        /// Its words are stored.
        Words = "words",
        /// Nobody speaks in it.
        Silent = "silent",
        /// All that was heard in it is withheld.
        Withheld = "withheld",
        /// No engine took it for a day.
        GivenUp = "given_up",
    }
);

string_enum!(
    /// How far the words of a recording are.
    TranscriptionState {
        /// Nobody has heard any of it.
        Waiting = "waiting",
        /// Its words come.
        Hearing = "hearing",
        /// All its words are there.
        Done = "done",
        /// It was given up.
        Failed = "failed",
    }
);

string_enum!(
    /// Why words are not believed.
    WithheldReason {
        /// The text repeats itself.
        Repeats = "repeats",
        /// The engine's own figures speak against it.
        Unsure = "unsure",
        /// A sentence that engines are known to say of silence.
        KnownOfSilence = "known_of_silence",
        /// Nobody spoke there.
        NoVoice = "no_voice",
    }
);
