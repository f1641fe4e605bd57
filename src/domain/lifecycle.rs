//! The life of a meeting: which state may follow which, and who may cause it.

use crate::domain::meeting::MeetingStatus;
use crate::domain::meeting::MeetingStatus::{
    Active, AwaitingAdmission, Completed, Failed, Joining, Requested, Scheduled, Stopping,
};
use crate::domain::string_enum::string_enum;
use crate::domain::word::Word;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

string_enum!(
    /// Who caused a change of state.
    TransitionSource {
        /// The meeting's owner.
        User = "user",
        /// The bot, by a callback.
        Bot = "bot_callback",
        /// The server: what runs the bot ended, or a time ran out.
        Server = "server",
    }
);

string_enum!(
    /// Why a meeting was completed.
    CompletionReason {
        /// The bot was told to leave, or left by itself without another reason.
        Stopped = "stopped",
        /// The bot could not use what it was told.
        ValidationError = "validation_error",
        /// Nobody let the bot in for too long.
        AwaitingAdmissionTimeout = "awaiting_admission_timeout",
        /// Somebody refused to let the bot in.
        AwaitingAdmissionRejected = "awaiting_admission_rejected",
        /// Everybody else had left.
        LeftAlone = "left_alone",
        /// The meeting ended for the bot.
        Evicted = "evicted",
        /// Somebody removed the bot.
        RemovedByAdmin = "removed_by_admin",
        /// Somebody refused the bot's request to come in.
        AdmissionRejectedByAdmin = "admission_rejected_by_admin",
        /// The planned end was over and nobody spoke.
        IdleAfterScheduledEnd = "idle_after_scheduled_end",
    }
);

string_enum!(
    /// Where a meeting stood when it failed.
    FailureStage {
        /// The bot had not reported yet.
        Requested = "requested",
        /// The bot was on its way.
        Joining = "joining",
        /// The bot waited to be let in.
        AwaitingAdmission = "awaiting_admission",
        /// The bot listened.
        Active = "active",
    }
);

/// Which states may follow each. A bot may skip forward; nothing leads back, and nothing follows an
/// end.
#[rustfmt::skip]
const NEXT: &[(MeetingStatus, &[MeetingStatus])] = &[
    (Requested,         &[Joining, AwaitingAdmission, Active, Stopping, Completed, Failed]),
    (Joining,           &[AwaitingAdmission, Active, Stopping, Completed, Failed]),
    (AwaitingAdmission, &[Active, Stopping, Completed, Failed]),
    (Active,            &[Stopping, Completed, Failed]),
    (Stopping,          &[Completed, Failed]),
    (Completed,         &[]),
    (Failed,            &[]),
];

/// Who may bring a meeting into each state.
#[rustfmt::skip]
const CAUSES: &[(MeetingStatus, &[TransitionSource])] = &[
    (Requested,         &[]),
    (Joining,           &[TransitionSource::Bot]),
    (AwaitingAdmission, &[TransitionSource::Bot]),
    (Active,            &[TransitionSource::Bot]),
    (Stopping,          &[TransitionSource::User, TransitionSource::Bot, TransitionSource::Server]),
    (Completed,         &[TransitionSource::Bot, TransitionSource::Server]),
    (Failed,            &[TransitionSource::Bot, TransitionSource::Server]),
];

/// Exit codes of what SIGINT, SIGKILL or SIGTERM ended.
const SIGNAL_EXIT_CODES: [i64; 3] = [130, 137, 143];

/// What a report does to a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransitionOutcome {
    /// The meeting moves on.
    Move,
    /// It stands there already; nothing changes.
    Stay,
    /// It cannot go there, or not by this cause; nothing changes.
    Refuse,
}

/// What becomes of a meeting in `from` when `by` reports `to`.
pub fn step(from: MeetingStatus, to: MeetingStatus, by: TransitionSource) -> TransitionOutcome {
    match () {
        () if from == to => TransitionOutcome::Stay,
        () if from == Scheduled => step_of_plan(to, by),
        () if listed(NEXT, from, &to) && listed(CAUSES, to, &by) => TransitionOutcome::Move,
        () => TransitionOutcome::Refuse,
    }
}

/// What becomes of a plan: its owner cancels it; at its time the server requests the bot, or says
/// why not.
fn step_of_plan(to: MeetingStatus, by: TransitionSource) -> TransitionOutcome {
    let is_move = match by {
        TransitionSource::User => to == Completed,
        TransitionSource::Server => matches!(to, Requested | Failed),
        TransitionSource::Bot => false,
    };
    if is_move { TransitionOutcome::Move } else { TransitionOutcome::Refuse }
}

fn listed<T: PartialEq>(table: &[(MeetingStatus, &[T])], row: MeetingStatus, wanted: &T) -> bool {
    table.iter().any(|(state, allowed)| *state == row && allowed.contains(wanted))
}

impl Word<MeetingStatus> {
    /// Whether the meeting is over. A status that is not of the list has no bot, and nothing
    /// follows.
    pub fn is_over(&self) -> bool {
        self.known().is_none_or(MeetingStatus::is_over)
    }

    /// The status by which its bot is treated.
    pub fn acted_on(&self) -> MeetingStatus {
        self.known().unwrap_or(Failed)
    }
}

impl MeetingStatus {
    /// Whether the meeting is over: nothing follows.
    pub fn is_over(self) -> bool {
        matches!(self, Completed | Failed)
    }

    /// Whether it has a bot, or one is on its way: it is neither planned nor over.
    pub fn has_bot(self) -> bool {
        self != Scheduled && !self.is_over()
    }

    /// Whether its bot counts against the user's limit; a bot that was told to leave does not.
    pub fn takes_seat(self) -> bool {
        matches!(self, Requested | Joining | AwaitingAdmission | Active)
    }

    /// The stage that a failure in this state is put down to.
    pub fn failure_stage(self) -> Option<FailureStage> {
        FailureStage::from_word(self.as_str())
    }
}

/// A report about a meeting: the state that it should be in, and all that was said about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusReport {
    /// Where it should stand.
    pub to: MeetingStatus,
    /// Who says so.
    pub by: TransitionSource,
    /// Why, in a sentence or a word.
    pub reason: Option<String>,
    /// The exit code of what ran the bot.
    pub exit_code: Option<i64>,
    /// Details of an error, as the bot sent them.
    pub error_details: Option<Box<RawValue>>,
    /// What the platform said.
    pub platform_specific_error: Option<String>,
    /// When it happened, by the bot's clock.
    pub bot_timestamp: Option<String>,
    /// Why it was completed; [`CompletionReason::Stopped`] where absent.
    pub completion_reason: Option<CompletionReason>,
    /// Where it stood when it failed; the state that it was in where absent.
    pub failure_stage: Option<FailureStage>,
    /// The report counts only while the meeting is in this state.
    pub only_from: Option<MeetingStatus>,
    /// What was said, where it is not of the lists.
    #[serde(default)]
    pub said: SaidWords,
}

/// Words of a report that are not of the lists, as the bot said them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SaidWords {
    /// For the status.
    #[serde(rename = "reported_status", skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// For the reason of the end.
    #[serde(rename = "reported_completion_reason", skip_serializing_if = "Option::is_none")]
    pub completion_reason: Option<String>,
    /// For the stage of the failure.
    #[serde(rename = "reported_failure_stage", skip_serializing_if = "Option::is_none")]
    pub failure_stage: Option<String>,
}

impl StatusReport {
    /// A report without any detail.
    pub fn new(to: MeetingStatus, by: TransitionSource) -> Self {
        Self {
            to,
            by,
            reason: None,
            exit_code: None,
            error_details: None,
            platform_specific_error: None,
            bot_timestamp: None,
            completion_reason: None,
            failure_stage: None,
            only_from: None,
            said: SaidWords::default(),
        }
    }

    /// What the report says of a meeting in `from`: a bot that was told to leave and that a signal
    /// ended, or that says that it was stopped, did what it was told, whatever it calls that. `None`
    /// where it says what it is.
    pub(crate) fn as_stopped(&self, from: MeetingStatus) -> Option<Self> {
        let is_failure_of_bot = self.to == Failed && self.by == TransitionSource::Bot;
        if from != Stopping || !is_failure_of_bot {
            return None;
        }
        if !self.names_signal() && !self.names_stop() {
            return None;
        }
        Some(Self {
            to: Completed,
            completion_reason: Some(CompletionReason::Stopped),
            ..self.clone()
        })
    }

    /// What the report does to a meeting in `from`: a planned bot that is to leave is cancelled.
    /// `None` where it does what it says.
    pub(crate) fn as_cancelled(&self, from: MeetingStatus) -> Option<Self> {
        let is_stop = self.to == Stopping && self.by == TransitionSource::User;
        if from != Scheduled || !is_stop {
            return None;
        }
        Some(Self {
            to: Completed,
            completion_reason: Some(CompletionReason::Stopped),
            ..self.clone()
        })
    }

    /// Whether a signal ended the bot: 128 and its number is then the exit code.
    fn names_signal(&self) -> bool {
        let by_code = self.exit_code.is_some_and(|code| SIGNAL_EXIT_CODES.contains(&code));
        let by_reason = self.reason.as_deref().is_some_and(|reason| reason.starts_with("signal_"));
        by_code || by_reason
    }

    /// Whether the bot calls it a failure that it was stopped: some do so before they are admitted,
    /// and exit with 0.
    fn names_stop(&self) -> bool {
        let is_stopped = self.completion_reason == Some(CompletionReason::Stopped);
        is_stopped && self.said.completion_reason.is_none() && self.exit_code == Some(0)
    }

    /// The same report with a reason.
    #[must_use]
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract's own lines, written out: every pair of states that may follow each other.
    const ALLOWED: &[(&str, &str)] = &[
        ("scheduled", "requested completed failed"),
        ("requested", "joining awaiting_admission active stopping completed failed"),
        ("joining", "awaiting_admission active stopping completed failed"),
        ("awaiting_admission", "active stopping completed failed"),
        ("active", "stopping completed failed"),
        ("stopping", "completed failed"),
        ("completed", ""),
        ("failed", ""),
    ];

    #[test]
    fn every_pair_of_states_by_every_cause() {
        let all = || MeetingStatus::WORDS.iter().filter_map(|word| MeetingStatus::from_word(word));
        let mut moves = 0;
        for from in all() {
            let (_, next) = ALLOWED
                .iter()
                .find(|(state, _)| *state == from.as_str())
                .expect("a row for each state");
            for to in all() {
                for by in [TransitionSource::User, TransitionSource::Bot, TransitionSource::Server]
                {
                    let may = match by {
                        TransitionSource::User if from == Scheduled => to == Completed,
                        TransitionSource::Bot if from == Scheduled => false,
                        TransitionSource::Server if from == Scheduled => {
                            to == Requested || to == Failed
                        }
                        TransitionSource::User => to == Stopping,
                        TransitionSource::Bot => to != Requested,
                        TransitionSource::Server => to.is_over() || to == Stopping,
                    };
                    let follows = next.split(' ').any(|state| state == to.as_str());
                    let expected = match () {
                        () if from == to => TransitionOutcome::Stay,
                        () if follows && may => TransitionOutcome::Move,
                        () => TransitionOutcome::Refuse,
                    };
                    assert_eq!(step(from, to, by), expected, "{from:?} to {to:?} by {by:?}");
                    moves += usize::from(expected == TransitionOutcome::Move);
                }
            }
        }
        assert_eq!(moves, 41, "moves in all");
    }

    #[test]
    fn a_bot_that_a_signal_ended_while_it_was_to_leave_has_stopped() {
        for (from, exit_code, reason, is_stopped) in [
            (Stopping, Some(143), None, true),
            (Stopping, Some(137), Some("killed"), true),
            (Stopping, Some(130), None, true),
            (Stopping, None, Some("signal_sigterm"), true),
            (Stopping, Some(1), Some("signal_sigint"), true),
            (Stopping, Some(1), Some("no signal_"), false),
            (Stopping, Some(139), None, false),
            (Stopping, None, None, false),
            (Active, Some(143), Some("signal_sigterm"), false),
        ] {
            let mut report = StatusReport::new(Failed, TransitionSource::Bot);
            report.exit_code = exit_code;
            report.reason = reason.map(str::to_owned);
            let stopped = report.as_stopped(from).map(|stopped| (stopped.to, stopped.exit_code));
            let expected = is_stopped.then_some((Completed, exit_code));
            assert_eq!(stopped, expected, "{from:?} {exit_code:?} {reason:?}");
        }
        let mut stopped = StatusReport::new(Failed, TransitionSource::Bot);
        stopped.completion_reason = Some(CompletionReason::Stopped);
        for (from, exit_code, is_stopped) in
            [(Stopping, Some(0), true), (Stopping, Some(1), false), (Active, Some(0), false)]
        {
            stopped.exit_code = exit_code;
            assert_eq!(stopped.as_stopped(from).is_some(), is_stopped, "{from:?} {exit_code:?}");
        }
        let other =
            SaidWords { completion_reason: Some("crash".to_owned()), ..SaidWords::default() };
        let nearest = StatusReport { said: other, exit_code: Some(0), ..stopped };
        assert!(nearest.as_stopped(Stopping).is_none(), "another word is no stop");
        let mut seen = StatusReport::new(Failed, TransitionSource::Server);
        seen.exit_code = Some(143);
        assert!(seen.as_stopped(Stopping).is_none(), "only the bot's own words are read so");
    }

    #[test]
    fn seats_and_ends() {
        for word in MeetingStatus::WORDS {
            let state = MeetingStatus::from_word(word).expect(word);
            let seat = ["requested", "joining", "awaiting_admission", "active"].contains(word);
            assert_eq!(state.takes_seat(), seat, "{word}");
            assert_eq!(state.failure_stage().is_some(), seat, "{word}");
            assert_eq!(state.is_over(), ["completed", "failed"].contains(word), "{word}");
            let has_bot = seat || *word == "stopping";
            assert_eq!(state.has_bot(), has_bot, "{word}");
        }
    }
}
