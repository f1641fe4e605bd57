//! Alarms: a meeting that goes on and should bring words with names, and does not.
//!
//! The rule, for a meeting whose bot is in it (`active`). Silence is no fault, so each alarm needs
//! a sign that somebody spoke, or that a bot which always sends sound sends none:
//!
//! - **no sound**: none has come for [`AFTER_SECONDS`] from a bot that sends sound without a pause,
//!   speech or not (`WhisperLive`'s protocol). Sources that keep speakers apart send nothing while
//!   all are muted, and are not judged. Where nothing has come at all, the bot is judged only where
//!   an engine is configured and bots of its user are known, or not known otherwise, to bring sound.
//! - **no words**: no words came for [`AFTER_SECONDS`], and voice that is older became none: windows
//!   with voice that no engine took, sound that nobody listened to because no engine is there, or
//!   speech that the platform's speaker events tell of. Windows without voice, and what the gate
//!   withheld, are no voice: noise may be taken for it.
//! - **no names**: words came, at least [`NAMELESS_MIN`] segments that are older than
//!   [`AFTER_SECONDS`], and none of the last [`LOOKED_BACK_SECONDS`] shows a speaker.

use crate::domain::id::MeetingId;
use crate::domain::string_enum::string_enum;
use crate::domain::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An alarm is raised when what must come has not come for so many seconds: with the time between
/// two looks it is less than a minute.
pub(crate) const AFTER_SECONDS: i64 = 45;
/// Speech that events tell of counts from so many milliseconds of it on: a cough is none.
const SPOKEN_MS_MIN: i64 = 10_000;
/// Sound that nobody has listened to is this much behind, in milliseconds, only where no engine
/// takes any: a window is at most 28 s long.
const BEHIND_MS: i64 = 45_000;
/// Segments without a name that make an alarm.
const NAMELESS_MIN: i64 = 3;
/// Names, and speech by events, are looked for in so many seconds before now.
pub(crate) const LOOKED_BACK_SECONDS: i64 = 600;

string_enum!(
    /// What a meeting that goes on does not bring.
    AlarmKind {
        /// No sound comes from its bot.
        NoSound = "no_sound",
        /// Somebody speaks, and no words come.
        NoWords = "no_words",
        /// Words come, and nobody's name.
        NoNames = "no_names",
    }
);

impl AlarmKind {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::NoSound, Self::NoWords, Self::NoNames];

    /// What it is, and what to do, in a sentence each.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::NoSound => {
                "The bot is in the meeting and no sound comes from it. Look at the end of its log: \
                 it must reach this server at the address that it is told (bots.callback_url), and \
                 hear the meeting in its browser."
            }
            Self::NoWords => {
                "Somebody speaks and no words come. Ask for the explanation of this meeting \
                 (GET /meetings/{id}/explain): it says whether an engine is away, too slow, or hears \
                 another language."
            }
            Self::NoNames => {
                "Words come and nobody's name. The bot tells of no speaker: let it send speaker \
                 events or a stream for each speaker, or name the speakers yourself (PATCH \
                 /transcripts/by-id/{id}/speakers)."
            }
        }
    }
}

/// An alarm of a meeting, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Alarm {
    /// What is missing.
    pub kind: AlarmKind,
    /// Since when.
    pub raised_at: Time,
    /// When it came again; null while it is missing, and for ever where the meeting ended so.
    #[schema(required)]
    pub cleared_at: Option<Time>,
    /// What to do.
    pub what_to_do: &'static str,
}

impl Alarm {
    /// An alarm of this kind.
    pub(crate) fn new(kind: AlarmKind, raised_at: Time, cleared_at: Option<Time>) -> Self {
        Self { kind, raised_at, cleared_at, what_to_do: kind.advice() }
    }
}

/// The sound of a meeting, as the database knows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SoundKnown {
    /// Whether any source of sound has begun.
    pub is_any: bool,
    /// Whether one of them sends sound without a pause.
    pub is_steady: bool,
    /// How much of it came, in milliseconds.
    pub heard_ms: i64,
    /// How much of it nobody has listened to, in milliseconds.
    pub behind_ms: i64,
}

/// What is known of a meeting that goes on.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    /// The meeting.
    pub meeting_id: MeetingId,
    /// Since when its bot is in it.
    pub active_since: Time,
    /// Its sound.
    pub sound: SoundKnown,
    /// Whether its bot is to bring sound by a socket, as far as is known.
    pub brings_sound: bool,
    /// When words of it were stored last.
    pub last_words_at: Option<Time>,
    /// Since when the oldest window with voice waits that came after the last words.
    pub unheard_since: Option<Time>,
    /// How long somebody spoke after the last words and more than [`AFTER_SECONDS`] ago, by speaker
    /// events, in milliseconds.
    pub spoken_ms: i64,
    /// Latest segments that are older than [`AFTER_SECONDS`] and show no speaker.
    pub nameless: i64,
    /// Latest segments that show one.
    pub named: i64,
    /// The alarms that are raised.
    pub raised: Vec<AlarmKind>,
}

impl Watched {
    /// What is missing at this time, where sound came last at `sound_at`.
    pub(crate) fn missing(&self, sound_at: Option<Time>, now: Time) -> Vec<AlarmKind> {
        let mut missing = Vec::new();
        let since = now.plus_seconds(-AFTER_SECONDS);
        let is_old = |at: Option<Time>| at.is_none_or(|at| at <= since);
        if self.active_since > since {
            return missing;
        }
        let has_words = !is_old(self.last_words_at);
        // Words that came without sound of ours are made by others.
        let should_begin = !self.sound.is_any && self.brings_sound && self.last_words_at.is_none();
        if (self.sound.is_steady || should_begin) && !has_words && is_old(sound_at) {
            missing.push(AlarmKind::NoSound);
        }
        let is_unheard = self.unheard_since.is_some_and(|at| at <= since);
        let is_behind = self.sound.behind_ms >= BEHIND_MS;
        let is_spoken = self.spoken_ms >= SPOKEN_MS_MIN;
        if !has_words && (is_unheard || is_behind || is_spoken) {
            missing.push(AlarmKind::NoWords);
        }
        if self.nameless >= NAMELESS_MIN && self.named == 0 {
            missing.push(AlarmKind::NoNames);
        }
        missing
    }

    /// Which raised alarms are over, where these are missing. A pause is no name.
    pub(crate) fn over(&self, missing: &[AlarmKind]) -> Vec<AlarmKind> {
        let mut over = self.raised.clone();
        over.retain(|kind| !missing.contains(kind));
        over.retain(|kind| *kind != AlarmKind::NoNames || self.named > 0);
        over
    }
}
