//! Why a meeting has no words, or words without what belongs to them: whose fault it is, in one
//! sentence out of a table, and what to do.

use crate::domain::lifecycle::{CompletionReason, FailureStage};
use crate::domain::meeting::{MeetingStatus, StoredStatus};
use crate::domain::string_enum::string_enum;
use crate::domain::time::Time;
use serde::{Deserialize, Serialize};

/// Sound is behind, in milliseconds, where more of it waits than the longest window takes.
const BEHIND_MS: i64 = 45_000;

string_enum!(
    /// What is wrong with a meeting.
    Fault {
        /// Nothing.
        None = "none",
        /// Its words were deleted.
        Deleted = "deleted",
        /// Its bot is planned for later.
        Planned = "planned",
        /// Its bot is on its way.
        OnItsWay = "on_its_way",
        /// Its bot waits to be let in.
        AwaitsAdmission = "awaits_admission",
        /// Its bot was never let in.
        NotAdmitted = "not_admitted",
        /// Its bot did not reach the meeting.
        NotJoined = "not_joined",
        /// Its bot did not start.
        NotStarted = "not_started",
        /// Its bot was told to leave before it was let in.
        LeftEarly = "left_early",
        /// The recording that it is made of waits.
        RecordingWaits = "recording_waits",
        /// The recording that it is made of was given up.
        RecordingGivenUp = "recording_given_up",
        /// Sound came, and nobody is there to hear it.
        NoEngine = "no_engine",
        /// Engines do not take its sound.
        EngineAway = "engine_away",
        /// Engines are slower than its sound.
        EngineBehind = "engine_behind",
        /// Sound of it was given up.
        GivenUp = "given_up",
        /// What was heard is doubtful throughout, and a language was set.
        OtherLanguage = "other_language",
        /// All that was heard is withheld.
        AllWithheld = "all_withheld",
        /// Sound came, and nobody spoke.
        NobodySpoke = "nobody_spoke",
        /// Its bot failed in the meeting.
        BotFailed = "bot_failed",
        /// Its bot opened a way for sound, and none came.
        NoSound = "no_sound",
        /// Its bot sent neither sound nor words.
        NothingSent = "nothing_sent",
        /// Its bot sent no words, and there is no engine to send sound to.
        NoWordsSent = "no_words_sent",
        /// Its words have no names.
        NoNames = "no_names",
        /// Its events did not reach a webhook.
        EventsLost = "events_lost",
    }
);

/// What of a meeting decides whose fault it is.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Facts {
    /// Where the meeting stands.
    pub status: StoredStatus,
    /// Whether its bot was let in, or its words came otherwise.
    pub was_active: bool,
    /// Where it stood when it failed.
    pub failure_stage: Option<FailureStage>,
    /// Why it was completed.
    pub completion_reason: Option<CompletionReason>,
    /// Whether its words were deleted.
    pub is_redacted: bool,
    /// Whether an engine is configured.
    pub has_engine: bool,
    /// Whether a language was set for it.
    pub has_language: bool,
    /// Whether the recording that it is made of waits to be read or heard.
    pub recording_waits: bool,
    /// What went wrong with that recording last; none where it was read, or there is none.
    pub recording_error: Option<String>,
    /// Sources of sound.
    pub sounds: i64,
    /// How much sound came, in milliseconds.
    pub heard_ms: i64,
    /// How much of it nobody has listened to, or for how long the oldest window of it waits, in
    /// milliseconds.
    pub behind_ms: i64,
    /// Windows that wait.
    pub waiting: i64,
    /// Since when the oldest of them waits.
    pub waiting_since: Option<Time>,
    /// Why an engine did not take one of them, the last time.
    pub last_error: Option<String>,
    /// Windows that were given up.
    pub given_up: i64,
    /// Windows of which all is withheld.
    pub withheld: i64,
    /// Withheld segments of which the engine itself was unsure, or that repeat themselves.
    pub doubted: i64,
    /// Withheld segments.
    pub withheld_segments: i64,
    /// Segments.
    pub segments: i64,
    /// Segments that show a speaker.
    pub named: i64,
    /// Events that were given up.
    pub lost_events: i64,
}

impl Facts {
    /// What is wrong. Where several things are, the first one in the order of the way that words
    /// take: a bot that is not there hears nothing, and an engine that is away writes nothing.
    pub(crate) fn fault(&self) -> Fault {
        if self.is_redacted {
            return Fault::Deleted;
        }
        self.fault_of_bot()
            .or_else(|| self.fault_of_recording())
            .or_else(|| self.fault_of_engine())
            .or_else(|| if self.segments > 0 { None } else { Some(self.fault_of_sound()) })
            .unwrap_or_else(|| self.fault_of_words())
    }

    /// What keeps the bot from the meeting.
    fn fault_of_bot(&self) -> Option<Fault> {
        use CompletionReason as Reason;
        match self.status.known() {
            Some(MeetingStatus::Scheduled) => return Some(Fault::Planned),
            Some(MeetingStatus::Requested | MeetingStatus::Joining) => {
                return Some(Fault::OnItsWay);
            }
            Some(MeetingStatus::AwaitingAdmission) => return Some(Fault::AwaitsAdmission),
            _ => {}
        }
        if self.was_active || self.segments > 0 || self.sounds > 0 {
            return None;
        }
        let is_refused = matches!(
            self.completion_reason,
            Some(
                Reason::AwaitingAdmissionTimeout
                    | Reason::AwaitingAdmissionRejected
                    | Reason::AdmissionRejectedByAdmin
            )
        );
        let has_failed = self.status == MeetingStatus::Failed;
        Some(match self.failure_stage {
            _ if is_refused => Fault::NotAdmitted,
            Some(FailureStage::AwaitingAdmission) if has_failed => Fault::NotAdmitted,
            Some(FailureStage::Joining) if has_failed => Fault::NotJoined,
            _ if has_failed => Fault::NotStarted,
            _ => Fault::LeftEarly,
        })
    }

    /// What keeps the recording that it is made of from being read.
    fn fault_of_recording(&self) -> Option<Fault> {
        match self.recording_waits {
            true => Some(Fault::RecordingWaits),
            false if self.recording_error.is_some() => Some(Fault::RecordingGivenUp),
            false => None,
        }
    }

    /// What keeps sound from becoming words.
    fn fault_of_engine(&self) -> Option<Fault> {
        let is_behind = self.behind_ms >= BEHIND_MS;
        match () {
            () if (is_behind || self.waiting > 0) && !self.has_engine => Some(Fault::NoEngine),
            () if self.waiting > 0 && self.last_error.is_some() => Some(Fault::EngineAway),
            // It is not even cut: that is done while some engine takes work.
            () if is_behind && self.waiting == 0 => Some(Fault::EngineAway),
            () if is_behind => Some(Fault::EngineBehind),
            () if self.given_up > 0 => Some(Fault::GivenUp),
            () => None,
        }
    }

    /// Why a meeting whose bot was in it has no words.
    fn fault_of_sound(&self) -> Fault {
        let is_doubted = self.doubted > 0 && 2 * self.doubted >= self.withheld_segments;
        match () {
            () if self.withheld > 0 && is_doubted && self.has_language => Fault::OtherLanguage,
            () if self.withheld > 0 => Fault::AllWithheld,
            () if self.status == MeetingStatus::Failed => Fault::BotFailed,
            () if self.heard_ms > 0 => Fault::NobodySpoke,
            () if self.sounds > 0 => Fault::NoSound,
            () if self.has_engine => Fault::NothingSent,
            () => Fault::NoWordsSent,
        }
    }

    /// What is wrong with a meeting that has words.
    fn fault_of_words(&self) -> Fault {
        match () {
            () if self.status == MeetingStatus::Failed => Fault::BotFailed,
            () if self.named == 0 => Fault::NoNames,
            () if self.lost_events > 0 => Fault::EventsLost,
            () => Fault::None,
        }
    }
}

mod sentences;
mod tests;
