//! Words of reports: bots of other versions say more than the lists have. What they say is kept as
//! it is, and the nearest word of the list is acted on.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::lifecycle::{CompletionReason, FailureStage};
use crate::domain::meeting::MeetingStatus;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType};

/// Longest word that is kept, in characters.
const WORD_CHARS_MAX: usize = 64;

/// What a bot says by one word. Whatever it is, it is not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportedWord(pub String);

impl Field for ReportedWord {
    fn schema() -> Object {
        let about = "A word of the list; any other is kept as it is, and the nearest is acted on.";
        ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(about)).build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = match raw {
            Raw::Text(text) => text.to_owned(),
            Raw::Json(json) => raw.string().unwrap_or_else(|_| json.get().to_owned()),
        };
        let cleaned = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
        Ok(Self(cleaned.take(WORD_CHARS_MAX).collect()))
    }
}

/// What is in a word that names each status, in the order in which they are looked for.
#[rustfmt::skip]
const STATUSES: &[(MeetingStatus, &[&str])] = &[
    // What fails while the bot is in the meeting is no end of it.
    (MeetingStatus::Active,            &["record", "transcri", "listen", "caption"]),
    (MeetingStatus::Failed,            &["fail", "error", "crash", "fatal", "denied", "exception", "unable"]),
    (MeetingStatus::AwaitingAdmission, &["await", "wait", "lobby", "admission", "knock"]),
    (MeetingStatus::Stopping,          &["stopping", "leaving", "exiting", "closing"]),
    (MeetingStatus::Completed,         &["complete", "ended", "disconnect", "done", "finish", "left", "exit", "stopped", "closed", "success", "removed", "kicked"]),
    (MeetingStatus::Joining,           &["joining", "starting", "start", "launch", "connecting", "navigat", "init", "request"]),
    (MeetingStatus::Active,            &["active", "joined", "admitted", "in_meeting", "in_call", "in_progress", "running", "connected"]),
];

/// What is in a word that names each reason of an end.
#[rustfmt::skip]
const REASONS: &[(CompletionReason, &[&str])] = &[
    (CompletionReason::LeftAlone,                 &["alone", "empty", "everyone_left", "no_participants", "nobody", "no_one"]),
    (CompletionReason::AdmissionRejectedByAdmin,  &["rejected_by", "denied_by"]),
    (CompletionReason::AwaitingAdmissionRejected, &["reject", "denied", "declined"]),
    (CompletionReason::AwaitingAdmissionTimeout,  &["admission", "lobby", "waiting_room"]),
    (CompletionReason::RemovedByAdmin,            &["removed", "kicked", "expelled"]),
    (CompletionReason::Evicted,                   &["evict", "meeting_ended", "ended_by_host", "host_ended"]),
    (CompletionReason::IdleAfterScheduledEnd,     &["scheduled", "idle"]),
    (CompletionReason::ValidationError,           &["validation", "invalid", "config"]),
    (CompletionReason::Stopped,                   &[""]),
];

/// What is in a word that names the stage of a failure.
#[rustfmt::skip]
const STAGES: &[(FailureStage, &[&str])] = &[
    (FailureStage::AwaitingAdmission, &["await", "wait", "lobby", "admission"]),
    (FailureStage::Active,            &["active", "meeting", "call", "record", "transcri"]),
    (FailureStage::Joining,           &["join", "connect", "navigat", "launch", "browser"]),
    (FailureStage::Requested,         &["request", "start", "init", "valid", "config"]),
];

fn nearest<T: Copy>(word: &str, table: &[(T, &[&str])]) -> Option<T> {
    let word = plain(word);
    let found = table.iter().find(|(_, parts)| parts.iter().any(|part| word.contains(part)));
    found.map(|(nearest, _)| *nearest)
}

/// The word as the lists write it: in lower case, with underscores.
fn plain(word: &str) -> String {
    let lower = word.trim().to_lowercase();
    lower.chars().map(|c| if c == '-' || c == ' ' { '_' } else { c }).collect()
}

/// The status that a word names. None where it names none, such as `needs_help`: it is
/// acknowledged, and nothing follows from it.
pub(crate) fn status_of(word: &str) -> Option<MeetingStatus> {
    let word = plain(word);
    if word.starts_with("needs_") {
        return None;
    }
    MeetingStatus::from_word(&word).or_else(|| nearest(&word, STATUSES))
}

/// The reason that a word names.
pub(crate) fn completion_reason_of(word: &str) -> Option<CompletionReason> {
    CompletionReason::from_word(&plain(word)).or_else(|| nearest(word, REASONS))
}

/// Reasons that some bots give beside `stopped`, by which they call every end of their own.
const TRUE_REASONS: [&str; 4] =
    ["left_alone_timeout", "startup_alone_timeout", "admission_timeout", "removed_by_admin"];

/// Why a meeting was completed, of what a bot says in `completion_reason` and in `reason`.
pub(crate) fn end_of(said: Option<&str>, reason: Option<&str>) -> Option<CompletionReason> {
    let named = said.and_then(completion_reason_of);
    match reason.map(plain) {
        Some(reason)
            if named == Some(CompletionReason::Stopped)
                && TRUE_REASONS.contains(&reason.as_str()) =>
        {
            completion_reason_of(&reason)
        }
        _ => named,
    }
}

/// The stage that a word names; none where it names none.
pub(crate) fn failure_stage_of(word: &str) -> Option<FailureStage> {
    FailureStage::from_word(&plain(word)).or_else(|| nearest(word, STAGES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_list_names_itself_and_others_the_nearest() {
        for word in MeetingStatus::WORDS {
            assert_eq!(status_of(word).map(MeetingStatus::as_str), Some(*word));
        }
        for word in CompletionReason::WORDS {
            assert_eq!(completion_reason_of(word).map(CompletionReason::as_str), Some(*word));
        }
        for word in FailureStage::WORDS {
            assert_eq!(failure_stage_of(word).map(FailureStage::as_str), Some(*word));
        }
        for (word, expected) in [
            (" Active ", Some("active")),
            ("in-meeting", Some("active")),
            ("joined", Some("active")),
            ("waiting_room", Some("awaiting_admission")),
            ("launching", Some("joining")),
            ("leaving", Some("stopping")),
            ("ended", Some("completed")),
            ("disconnected", Some("completed")),
            ("pending", None),
            ("recording_failed", Some("active")),
            ("join_failed", Some("failed")),
            ("needs_human_help", None),
            ("needs_help", None),
            ("Needs Human Help", None),
            ("purple", None),
            ("", None),
        ] {
            assert_eq!(status_of(word).map(MeetingStatus::as_str), expected, "{word:?}");
        }
        for (word, expected) in [
            ("left_alone_timeout", "left_alone"),
            ("startup_alone_timeout", "left_alone"),
            ("admission_timeout", "awaiting_admission_timeout"),
            ("host_ended_meeting", "evicted"),
            ("normal_completion", "stopped"),
            ("purple", "stopped"),
        ] {
            let found = completion_reason_of(word).map(CompletionReason::as_str);
            assert_eq!(found, Some(expected), "{word:?}");
        }
        for (word, expected) in
            [("waiting", Some("awaiting_admission")), ("in_call", Some("active")), ("purple", None)]
        {
            assert_eq!(failure_stage_of(word).map(FailureStage::as_str), expected, "{word:?}");
        }
    }

    #[test]
    fn the_reason_beside_stopped_is_the_truth() {
        for (said, reason, expected) in [
            (Some("stopped"), Some("left_alone_timeout"), Some("left_alone")),
            (Some("stopped"), Some("startup_alone_timeout"), Some("left_alone")),
            (Some("Stopped"), Some("Admission Timeout"), Some("awaiting_admission_timeout")),
            (Some("stopped"), Some("removed_by_admin"), Some("removed_by_admin")),
            (Some("stopped"), Some("self_initiated_leave"), Some("stopped")),
            (Some("stopped"), None, Some("stopped")),
            (Some("evicted"), Some("left_alone_timeout"), Some("evicted")),
            (None, Some("left_alone_timeout"), None),
        ] {
            let found = end_of(said, reason).map(CompletionReason::as_str);
            assert_eq!(found, expected, "{said:?} {reason:?}");
        }
    }

    #[test]
    fn whatever_is_said_is_read() {
        for (json, expected) in [
            (r#""active""#, "active"),
            ("7", "7"),
            ("null", "null"),
            (r#"{"a":1}"#, r#"{"a":1}"#),
            (r#""\ud800""#, r#""\ud800""#),
            (r#"" a\nb ""#, "a b"),
        ] {
            let raw: &serde_json::value::RawValue = serde_json::from_str(json).expect(json);
            let read = ReportedWord::read(Raw::Json(raw)).map(|word| word.0);
            assert_eq!(read.as_deref(), Ok(expected), "{json}");
        }
    }
}
