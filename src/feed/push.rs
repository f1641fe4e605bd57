//! What is pushed: an event as the texts that all its watchers get.

use crate::domain::{MeetingId, MeetingStatus, Offset, Platform, Segment, Time};
use crate::store::{Change, Moved, Stored};
use serde::Serialize;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// A text holds segments up to about this many bytes, and at least one: every watcher's connection keeps a copy of the
/// last text that it sent.
const TEXT_BYTES: usize = 32 * 1024;
/// What a segment takes besides its words and its speaker.
const SEGMENT_BYTES: usize = 320;

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
    platform: Platform,
    native_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Status {
    status: MeetingStatus,
}

#[derive(Serialize)]
struct Words<'a> {
    segments: Vec<SpokenText<'a>>,
}

#[derive(Serialize)]
struct SpokenText<'a> {
    text: &'a str,
    speaker: Option<&'a str>,
    language: Option<&'a str>,
    session_uid: &'a str,
    start: Offset,
    end_time: Offset,
    absolute_start_time: Time,
    absolute_end_time: Time,
    updated_at: Time,
}

/// The meeting whose watchers hear of a change.
pub fn meeting_of(change: &Change) -> Option<MeetingId> {
    match change {
        Change::MeetingMoved(moved) => Some(moved.meeting.id),
        Change::SegmentsStored(stored) => Some(stored.meeting_id),
        _ => None,
    }
}

/// What they hear, in order.
pub fn texts(change: &Change) -> Vec<Utf8Bytes> {
    match change {
        Change::MeetingMoved(moved) => status(moved).into_iter().collect(),
        Change::SegmentsStored(stored) => pieces(&stored.segments).filter_map(|piece| words(stored, piece)).collect(),
        _ => Vec::new(),
    }
}

fn status(Moved { meeting, at, .. }: &Moved) -> Option<Utf8Bytes> {
    let name = Named { id: meeting.id, platform: meeting.platform, native_id: meeting.native_meeting_id.as_deref() };
    let payload = Status { status: meeting.status };
    text(&Push { kind: "meeting.status", meeting: name, payload, ts: *at })
}

fn words(stored: &Stored, segments: &[Segment]) -> Option<Utf8Bytes> {
    let name =
        Named { id: stored.meeting_id, platform: stored.platform, native_id: stored.native_meeting_id.as_deref() };
    let payload = Words { segments: segments.iter().map(|segment| spoken(stored, segment)).collect() };
    text(&Push { kind: "transcript.mutable", meeting: name, payload, ts: stored.at })
}

fn spoken<'a>(stored: &'a Stored, segment: &'a Segment) -> SpokenText<'a> {
    SpokenText {
        text: &segment.text,
        speaker: segment.speaker.as_deref(),
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
    let written = serde_json::to_string(push).inspect_err(|error| log::error!("an event cannot be written: {error}"));
    written.ok().map(Utf8Bytes::from)
}

/// The segments in pieces of about [`TEXT_BYTES`].
fn pieces(mut segments: &[Segment]) -> impl Iterator<Item = &[Segment]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |segment: &&Segment| {
            bytes += SEGMENT_BYTES + segment.text.len() + segment.speaker.as_ref().map_or(0, String::len);
            bytes <= TEXT_BYTES
        };
        let count = segments.iter().take_while(fits).count().max(1);
        let (piece, rest) = segments.split_at_checked(count)?;
        segments = rest;
        Some(piece)
    })
}
