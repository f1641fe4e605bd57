//! Who spoke: where the name of a segment comes from, and how speaker events name it.

use crate::domain::sent_time::SentTime;
use crate::domain::string_enum::string_enum;
use crate::domain::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

string_enum!(
    /// Where the name of a segment's speaker comes from.
    SpeakerSource {
        /// The segment came with it.
        Stream = "stream",
        /// The segment came with it, and the platform keeps each participant's sound apart.
        Platform = "platform",
        /// The speaker events of the stream.
        Events = "events",
        /// There is no name.
        Unknown = "unknown",
        /// Somebody who corrected the transcript gave it. The row of a segment never has it.
        Corrected = "corrected",
    }
);

impl SpeakerSource {
    /// Whether the name is the one that was sent.
    pub fn is_sent(self) -> bool {
        matches!(self, Self::Stream | Self::Platform)
    }
}

/// What a speaker event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpeakerChange {
    /// The participant begins to speak.
    Start,
    /// The participant ends.
    End,
}

impl SpeakerChange {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "SPEAKER_START",
            Self::End => "SPEAKER_END",
        }
    }
}

/// A participant begins or ends to speak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeakerEvent {
    /// Which of both.
    pub change: SpeakerChange,
    /// The participant's name.
    pub name: String,
    /// The participant's id, where the platform has one; else the name tells them apart.
    pub participant_id: Option<String>,
    /// When.
    pub at: SentTime,
}

/// A speaker event as it is stored, on the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredEvent {
    pub at: Time,
    pub change: SpeakerChange,
    pub participant: String,
    pub name: String,
}

/// A stretch of time in which a participant spoke.
#[derive(Debug, Clone)]
struct Span {
    participant: usize,
    from: i64,
    /// `i64::MAX` while it goes on.
    to: i64,
}

/// When the participants of a stream spoke.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spans {
    spans: Vec<Span>,
    /// The latest name of each participant.
    names: Vec<String>,
}

impl Spans {
    /// Of the events of a stream. They may come in any order.
    pub(crate) fn of(mut events: Vec<StoredEvent>) -> Self {
        // At one time an end comes first: the next stretch begins where the last one ends.
        events.sort_by_key(|event| (event.at, event.change == SpeakerChange::Start));
        let mut spans = Self::default();
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        let mut open: BTreeMap<usize, i64> = BTreeMap::new();
        for event in events {
            let next = spans.names.len();
            let participant = *numbers.entry(event.participant).or_insert(next);
            match spans.names.get_mut(participant) {
                Some(name) => *name = event.name,
                None => spans.names.push(event.name),
            }
            match event.change {
                SpeakerChange::Start => {
                    open.entry(participant).or_insert(event.at.as_millis());
                }
                SpeakerChange::End => {
                    if let Some(from) = open.remove(&participant) {
                        spans.spans.push(Span { participant, from, to: event.at.as_millis() });
                    }
                }
            }
        }
        for (participant, from) in open {
            spans.spans.push(Span { participant, from, to: i64::MAX });
        }
        spans
    }

    /// The participant who spoke for the greatest part of this time; nobody where that is not one.
    pub(crate) fn speaker(&self, from: Time, to: Time) -> Option<&str> {
        let mut spoken = vec![0; self.names.len()];
        for span in &self.spans {
            let begins = span.from.max(from.as_millis());
            let ends = span.to.min(to.as_millis());
            spoken[span.participant] += (ends - begins).max(0);
        }
        let most = spoken.iter().copied().max().filter(|&most| most > 0)?;
        let mut speaker = None;
        for (name, spoken) in self.names.iter().zip(&spoken) {
            if *spoken != most {
                continue;
            }
            if speaker.is_some_and(|other| other != name) {
                return None;
            }
            speaker = Some(name);
        }
        speaker.map(String::as_str)
    }

    /// How long the participants spoke in this time, in milliseconds; who speaks at the same time
    /// as others counts for each.
    pub(crate) fn spoken_ms(&self, from: Time, to: Time) -> i64 {
        let mut spoken = 0;
        for span in &self.spans {
            let begins = span.from.max(from.as_millis());
            let ends = span.to.min(to.as_millis());
            spoken += (ends - begins).max(0);
        }
        spoken
    }
}

#[cfg(test)]
mod tests {
    use super::SpeakerChange::{End, Start};
    use super::*;

    fn event(at: i64, change: SpeakerChange, name: &str) -> StoredEvent {
        let at = Time::from_millis(at);
        StoredEvent { at, change, participant: name.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn the_greatest_overlap_names_the_speaker() {
        let events = vec![
            event(1000, Start, "Ada"),
            event(4000, End, "Ada"),
            event(3500, Start, "Bob"),
            event(5000, Start, "Ada"),
            event(6000, End, "Bob"),
            event(9000, End, "Cleo"),
        ];
        let mut backwards = events.clone();
        backwards.reverse();
        for spans in [Spans::of(events), Spans::of(backwards)] {
            for (from, to, expected) in [
                (0, 900, None),
                (0, 1000, None),
                (0, 1001, Some("Ada")),
                (2000, 4000, Some("Ada")),
                (3000, 4800, Some("Bob")),
                (4000, 5000, Some("Bob")),
                (5000, 6000, None),
                (4000, 9000, Some("Ada")),
                (8000, 8001, Some("Ada")),
            ] {
                let found = spans.speaker(Time::from_millis(from), Time::from_millis(to));
                assert_eq!(found, expected, "{from} to {to}");
            }
        }
    }

    #[test]
    fn speech_is_counted_within_a_time() {
        let spans = Spans::of(vec![
            event(1000, Start, "Ada"),
            event(4000, End, "Ada"),
            event(9000, Start, "Bob"),
        ]);
        for (from, to, expected) in [
            (0, 900, 0),
            (0, 5000, 3000),
            (2000, 3000, 1000),
            (3000, 10_000, 2000),
            (5000, 4000, 0),
        ] {
            let spoken = spans.spoken_ms(Time::from_millis(from), Time::from_millis(to));
            assert_eq!(spoken, expected, "{from} to {to}");
        }
    }

    #[test]
    fn participants_are_told_apart_by_their_ids() {
        let of = |at, change, participant: &str, name: &str| StoredEvent {
            participant: participant.to_owned(),
            ..event(at, change, name)
        };
        let spans = Spans::of(vec![
            of(0, Start, "p1", "Ada"),
            of(600, End, "p1", "Ada"),
            of(500, Start, "p2", "Ada"),
            of(2000, End, "p2", "Ada L."),
        ]);
        let named = |from, to| spans.speaker(Time::from_millis(from), Time::from_millis(to));
        assert_eq!(named(0, 500), Some("Ada"));
        assert_eq!(named(0, 2000), Some("Ada L."));
    }
}
