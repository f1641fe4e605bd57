//! The JSON messages of the live feed: a change as the texts that all its subscribers get.

use crate::domain::{
    MeetingId, MeetingStatus, Offset, Platform, Segment, SpeakerSource, Time, Word,
};
use crate::store::{Change, Moved, Stored, WordsLate};
use serde::Serialize;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// A text holds segments up to about this many bytes, and at least one: every subscriber's
/// connection keeps a copy of the last text that it sent.
const TEXT_BYTES: usize = 32 * 1024;
/// What a segment takes besides its text and its speaker, in bytes.
const SEGMENT_BYTES: usize = 420;
/// Most ids of removed segments in a text.
const REMOVED_MAX: usize = 100;

#[derive(Serialize)]
struct Push<'a, P> {
    #[serde(rename = "type")]
    kind: &'static str,
    meeting: Named<'a>,
    payload: P,
    ts: Time,
}

#[derive(Serialize)]
struct Named<'a> {
    id: MeetingId,
    platform: &'a Word<Platform>,
    native_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Status<'a> {
    status: &'a Word<MeetingStatus>,
}

/// How late words are.
#[derive(Serialize)]
struct Lag {
    seconds: Offset,
    windows: u64,
}

#[derive(Serialize)]
struct Segments<'a> {
    segments: Vec<SpokenText<'a>>,
    /// The ids of segments that are gone; these come first.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    removed: &'a [String],
}

#[derive(Serialize)]
struct SpokenText<'a> {
    segment_id: &'a str,
    text: &'a str,
    speaker: Option<&'a str>,
    speaker_source: SpeakerSource,
    completed: bool,
    /// What is shown of a correction; nothing where there is none.
    #[serde(flatten)]
    correction: Option<Corrected<'a>>,
    language: Option<&'a str>,
    session_uid: &'a str,
    start: Offset,
    end_time: Offset,
    absolute_start_time: Time,
    absolute_end_time: Time,
    updated_at: Time,
}

#[derive(Serialize)]
struct Corrected<'a> {
    corrected: bool,
    original_text: Option<&'a str>,
    corrected_at: Option<Time>,
}

impl<'a> Corrected<'a> {
    fn of(segment: &'a Segment) -> Option<Self> {
        segment.corrected.then_some(Self {
            corrected: true,
            original_text: segment.original_text.as_deref(),
            corrected_at: segment.corrected_at,
        })
    }
}

/// The meeting whose subscribers get a change; `None` where nobody does.
pub(super) fn meeting_of(change: &Change) -> Option<MeetingId> {
    match change {
        Change::MeetingMoved(moved) => Some(moved.meeting.id),
        Change::SegmentsStored(stored) => Some(stored.meeting_id),
        Change::WordsLate(late) => Some(late.meeting_id),
        _ => None,
    }
}

/// The texts of a change, in order.
pub(super) fn texts(change: &Change) -> Vec<Utf8Bytes> {
    let mut texts = Vec::new();
    match change {
        Change::MeetingMoved(moved) => {
            // The last words come before the end.
            for stored in &moved.settled {
                add_segments(&mut texts, stored);
            }
            texts.extend(status_text(moved));
        }
        Change::SegmentsStored(stored) => add_segments(&mut texts, stored),
        Change::WordsLate(late) => texts.extend(lag_text(late)),
        _ => {}
    }
    texts
}

fn add_segments(texts: &mut Vec<Utf8Bytes>, stored: &Stored) {
    let mut removed = stored.removed.as_slice();
    let mut rest = stored.segments.as_slice();
    while !rest.is_empty() || !removed.is_empty() {
        let (ids, more_ids) = removed.split_at(removed.len().min(REMOVED_MAX));
        // Nothing replaces what another text removes.
        let count = if more_ids.is_empty() { fitting(rest) } else { 0 };
        let (piece, after) = rest.split_at(count);
        texts.extend(segments_text(stored, piece, ids));
        (removed, rest) = (more_ids, after);
    }
}

fn status_text(moved: &Moved) -> Option<Utf8Bytes> {
    let meeting = &moved.meeting;
    let named = Named {
        id: meeting.id,
        platform: &meeting.platform,
        native_id: meeting.native_meeting_id.as_deref(),
    };
    let payload = Status { status: &meeting.status };
    text(&Push { kind: "meeting.status", meeting: named, payload, ts: moved.at })
}

fn lag_text(late: &WordsLate) -> Option<Utf8Bytes> {
    let named = Named {
        id: late.meeting_id,
        platform: &late.platform,
        native_id: late.native_meeting_id.as_deref(),
    };
    let payload = Lag { seconds: Offset(late.late_ms), windows: late.windows };
    text(&Push { kind: "transcription.lag", meeting: named, payload, ts: late.at })
}

fn segments_text(stored: &Stored, segments: &[Segment], removed: &[String]) -> Option<Utf8Bytes> {
    let named = Named {
        id: stored.meeting_id,
        platform: &stored.platform,
        native_id: stored.native_meeting_id.as_deref(),
    };
    let mut spoken = Vec::new();
    for segment in segments {
        spoken.push(spoken_text(stored, segment));
    }
    let payload = Segments { segments: spoken, removed };
    text(&Push { kind: "transcript.mutable", meeting: named, payload, ts: stored.at })
}

fn spoken_text<'a>(stored: &'a Stored, segment: &'a Segment) -> SpokenText<'a> {
    SpokenText {
        segment_id: &segment.segment_id,
        text: &segment.text,
        speaker: segment.speaker.as_deref(),
        speaker_source: segment.speaker_source,
        completed: segment.completed,
        correction: Corrected::of(segment),
        language: segment.language.as_deref(),
        session_uid: &stored.session_uid,
        start: segment.start,
        end_time: segment.end,
        absolute_start_time: segment.absolute_start_time,
        absolute_end_time: segment.absolute_end_time,
        updated_at: stored.at,
    }
}

fn text<P: Serialize>(push: &Push<'_, P>) -> Option<Utf8Bytes> {
    match serde_json::to_string(push) {
        Ok(text) => Some(Utf8Bytes::from(text)),
        Err(error) => {
            log::error!("a message of the live feed cannot be serialised: {error}");
            None
        }
    }
}

/// How many of the first segments fit into a text of about [`TEXT_BYTES`]; at least one, where
/// there is one.
fn fitting(segments: &[Segment]) -> usize {
    let mut bytes = 0;
    let mut count = 0;
    for segment in segments {
        let speaker_bytes = segment.speaker.as_ref().map_or(0, String::len);
        let original_bytes = segment.original_text.as_ref().map_or(0, String::len);
        bytes += SEGMENT_BYTES + segment.text.len() + original_bytes + 2 * speaker_bytes;
        if bytes > TEXT_BYTES {
            break;
        }
        count += 1;
    }
    count.max(1).min(segments.len())
}
