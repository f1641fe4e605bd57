//! Counts how meetings end, by the words of the closed lists: what a bot says itself is no label.

use crate::domain::lifecycle::{CompletionReason, FailureStage};
use crate::domain::{Meeting, MeetingStatus};
use std::sync::atomic::{AtomicU64, Ordering};

/// The word for an end whose reason is not of the lists.
const OTHER: &str = "other";

/// The ends of meetings since the start.
#[derive(Default)]
pub(crate) struct MeetingEnds {
    /// By [`CompletionReason`], and last those without one.
    completed: [AtomicU64; CompletionReason::WORDS.len() + 1],
    /// By [`FailureStage`], and last those without one.
    failed: [AtomicU64; FailureStage::WORDS.len() + 1],
}

impl MeetingEnds {
    /// Counts a meeting that has moved on, if it is over now.
    pub(crate) fn count(&self, meeting: &Meeting) {
        let (counts, words, member) = match meeting.status.acted_on() {
            MeetingStatus::Completed => {
                (&self.completed[..], CompletionReason::WORDS, "completion_reason")
            }
            MeetingStatus::Failed => (&self.failed[..], FailureStage::WORDS, "failure_stage"),
            _ => return,
        };
        let mut at = words.len();
        if let Some(raw) = meeting.data.members().get(member)
            && let Ok(said) = serde_json::from_str::<String>(raw.get())
        {
            at = words.iter().position(|word| *word == said).unwrap_or(at);
        }
        if let Some(count) = counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Status, reason, and how many.
    pub(crate) fn counted(&self) -> Vec<(&'static str, &'static str, u64)> {
        let mut all = Vec::new();
        for (status, counts, words) in [
            (MeetingStatus::Completed, &self.completed[..], CompletionReason::WORDS),
            (MeetingStatus::Failed, &self.failed[..], FailureStage::WORDS),
        ] {
            for (at, count) in counts.iter().enumerate() {
                let word = words.get(at).copied().unwrap_or(OTHER);
                all.push((status.as_str(), word, count.load(Ordering::Relaxed)));
            }
        }
        all
    }
}
