//! Segments: what somebody said, and when.

use crate::domain::sent_time::{OFFSET_MS_MAX, SentTime};
use crate::domain::speaker::SpeakerSource;
use crate::domain::time::Time;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// Longest text of a segment, in characters.
pub(crate) const TEXT_CHARS_MAX: usize = 8192;

/// A time from the start of a meeting, in milliseconds; written in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(pub i64);

impl Offset {
    /// The nearest millisecond to a number of seconds; what lies outside the bounds is moved to the
    /// nearer one.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and is then held within the bounds"
    )]
    pub fn from_seconds(seconds: f64) -> Self {
        Self(((seconds * 1000.0).round() as i64).clamp(0, OFFSET_MS_MAX))
    }
}

impl Serialize for Offset {
    #[expect(clippy::cast_precision_loss, reason = "the bound is far below 2^53")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1000.0)
    }
}

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Ok(Self::from_seconds(seconds))
    }
}

/// What a bot heard, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentInput {
    /// Its name in the meeting, where it has one.
    pub segment_id: Option<String>,
    /// When it began.
    pub start: SentTime,
    /// When it ended.
    pub end: SentTime,
    /// Where it lies on the clock, where that was sent too.
    pub absolute: Option<AbsoluteTimes>,
    /// The words.
    pub text: String,
    /// Who spoke.
    pub speaker: Option<String>,
    /// Whether the platform keeps each participant's sound apart.
    pub by_platform: bool,
    /// In which language.
    pub language: Option<String>,
    /// Whether the words are final; else it is a draft.
    pub completed: bool,
}

/// Where a segment lies on the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsoluteTimes {
    /// When it began.
    pub start: Time,
    /// When it ended; as long after the start as the other times say, where it was not sent.
    pub end: Option<Time>,
}

impl SegmentInput {
    /// When it began and ended on the clock, in a stream that began at `started_at`. Times that
    /// are swapped are swapped back, and what has no length is given a millisecond.
    pub fn on_clock(&self, started_at: Time) -> (Time, Time) {
        let one = self.start.on_clock(started_at).as_millis();
        let other = self.end.on_clock(started_at).as_millis();
        let (mut start, mut end) = (one.min(other), one.max(other));
        if let Some(absolute) = self.absolute {
            let length = end - start;
            start = absolute.start.as_millis();
            end = absolute.end.map_or(start + length, Time::as_millis);
            (start, end) = (start.min(end), start.max(end));
        }
        let end = end.max(start + 1);
        (Time::from_millis(start), Time::from_millis(end))
    }

    /// Where the name of the speaker comes from, as far as the segment says it.
    pub fn sent_source(&self) -> Option<SpeakerSource> {
        self.speaker.as_ref()?;
        Some(if self.by_platform { SpeakerSource::Platform } else { SpeakerSource::Stream })
    }
}

/// A segment of a transcript.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Segment {
    /// Its name in the meeting: the one that was sent, or one that is made of its stream, its start
    /// and its speaker.
    #[schema(example = "1:12500:Ada")]
    pub segment_id: String,
    /// When it began, in seconds from the start of the meeting.
    #[schema(value_type = f64, minimum = 0, example = 12.5)]
    pub start: Offset,
    /// When it ended, in seconds from the start of the meeting.
    #[schema(value_type = f64, minimum = 0, example = 15.25)]
    pub end: Offset,
    /// What was said.
    #[schema(example = "Good morning.")]
    pub text: String,
    /// In which language.
    #[schema(required, example = "en")]
    pub language: Option<String>,
    /// Who said it.
    #[schema(required, example = "Ada")]
    pub speaker: Option<String>,
    /// Where the name of the speaker comes from.
    pub speaker_source: SpeakerSource,
    /// Whether the words are final. A draft may still change, or go.
    pub completed: bool,
    /// When it was first stored.
    pub created_at: Time,
    /// When it began, on the clock.
    pub absolute_start_time: Time,
    /// When it ended, on the clock.
    pub absolute_end_time: Time,
    /// True where somebody has corrected the words; left out where nobody has.
    #[serde(skip_serializing_if = "is_not")]
    pub corrected: bool,
    /// The words as they came, where they are corrected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Good mourning.")]
    pub original_text: Option<String>,
    /// When they were corrected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrected_at: Option<Time>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_not(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bots_send_is_put_in_order() {
        let offset = SentTime::Offset;
        let clock = |millis| SentTime::Clock(Time::from_millis(millis));
        let absolute = |start, end: Option<i64>| {
            Some(AbsoluteTimes { start: Time::from_millis(start), end: end.map(Time::from_millis) })
        };
        for (start, end, absolute, expected) in [
            (offset(1000), offset(2000), None, (101_000, 102_000)),
            (offset(2000), offset(1000), None, (101_000, 102_000)),
            (offset(1000), offset(1000), None, (101_000, 101_001)),
            (offset(-5000), offset(1000), None, (95_000, 101_000)),
            (clock(200_000), clock(201_500), None, (200_000, 201_500)),
            (clock(200_000), offset(150_000), None, (200_000, 250_000)),
            (offset(1000), offset(3000), absolute(7000, None), (7000, 9000)),
            (offset(1000), offset(3000), absolute(7000, Some(7500)), (7000, 7500)),
            (offset(1000), offset(3000), absolute(7500, Some(7000)), (7000, 7500)),
        ] {
            let heard = SegmentInput {
                segment_id: None,
                start,
                end,
                absolute,
                text: "a".to_owned(),
                speaker: None,
                by_platform: false,
                language: None,
                completed: true,
            };
            let (began, ended) = heard.on_clock(Time::from_millis(100_000));
            let found = (began.as_millis(), ended.as_millis());
            assert_eq!(found, expected, "{start:?} to {end:?}, {absolute:?}");
        }
    }

    #[test]
    fn offsets_are_written_in_seconds() {
        for (millis, text) in
            [(0, "0.0"), (1, "0.001"), (12_500, "12.5"), (36_000_001, "36000.001")]
        {
            assert_eq!(serde_json::to_string(&Offset(millis)).expect("JSON"), text);
            assert_eq!(serde_json::from_str::<Offset>(text).expect("JSON"), Offset(millis));
        }
    }
}
