//! The tables of what was said: segments by the clock of their session, and chunks of sound with
//! segments in each.

use crate::domain::import::Remark;
use crate::domain::spoken::without_controls;
use crate::domain::{SentTime, Time};
use crate::exit::StartupError;
use crate::import::dump::{Dump, Table};
use crate::import::reading::Reading;
use crate::store::OldSegment;
use serde_json::{Value, json};
use std::io::Read;

/// How long a chunk is that does not say it, in seconds.
const CHUNK_SECONDS: f64 = 10.0;
/// The last millisecond of the year 9999.
const MILLIS_MAX: i64 = 253_402_300_799_999;

/// Reads `transcriptions`.
pub(super) fn transcriptions<R: Read>(
    dump: &mut Dump<R>,
    table: &Table,
    to: &mut Reading<'_>,
) -> Result<(), StartupError> {
    let (id, meeting_id) = (table.column("id")?, table.column("meeting_id")?);
    let [start, end, text] = ["start_time", "end_time", "text"].map(|c| table.column(c));
    let (start, end, text) = (start?, end?, text?);
    let [speaker, language, created_at, uid, segment_id] =
        ["speaker", "language", "created_at", "session_uid", "segment_id"].map(|c| table.find(c));
    while let Some(row) = dump.next_row()? {
        let row_id = row.id(id)?;
        let times = (sent(row.number(start)?), sent(row.number(end)?));
        let meeting_id = row.id(meeting_id)?;
        let words = row.text(text).unwrap_or_default();
        let words = without_controls(&words);
        let (speaker, language) = (row.line(speaker), row.line(language));
        let (uid, segment_id) = (row.line(uid), row.line(segment_id));
        let created_at = row.time(created_at, &to.zone)?;
        to.count(table, &row);
        let (Some(start), Some(end)) = times else {
            to.remarks.add(Remark::SegmentTimes, || format!("segment {row_id}"));
            continue;
        };
        let segment = OldSegment {
            meeting_id,
            uid: uid.as_deref(),
            start,
            end,
            text: words.trim(),
            speaker: speaker.as_deref(),
            language: language.as_deref(),
            created_at,
            segment_id: segment_id.as_deref(),
            row_id,
        };
        put(&segment, to)?;
    }
    Ok(())
}

/// Reads `audio_chunks`: each has its time on the clock, and segments or a text.
pub(super) fn chunks<R: Read>(
    dump: &mut Dump<R>,
    table: &Table,
    to: &mut Reading<'_>,
) -> Result<(), StartupError> {
    let (id, meeting_id) = (table.column("id")?, table.column("meeting_id")?);
    let began = table.column("chunk_timestamp")?;
    let [duration, full_text, segments, speaker, language, created_at, uid] =
        ["duration", "full_text", "segments", "speaker", "language", "created_at", "session_uid"]
            .map(|c| table.find(c));
    while let Some(row) = dump.next_row()? {
        let (chunk_id, meeting_id) = (row.id(id)?, row.id(meeting_id)?);
        let began = row.integer(began)?.filter(|millis| (0..=MILLIS_MAX).contains(millis));
        let seconds = row.number(duration)?.filter(|seconds| seconds.is_finite());
        let chunk = Chunk { began, seconds: seconds.unwrap_or(CHUNK_SECONDS) };
        let listed = listed(&row.text(segments).unwrap_or_default());
        if listed.is_none() {
            to.remarks.add(Remark::ChunkUnread, || format!("chunk {chunk_id}"));
        }
        let mut listed = listed.unwrap_or_default();
        if listed.is_empty() {
            let text = row.text(full_text).unwrap_or_default();
            listed.push(json!({ "start": 0, "text": text }));
        }
        let (speaker, language) = (row.line(speaker), row.line(language));
        let (uid, created_at) = (row.line(uid), row.time(created_at, &to.zone)?);
        to.count(table, &row);
        for heard in &listed {
            to.chunk_segments += 1;
            let Some(words) = words(heard) else {
                to.remarks.add(Remark::SegmentUnread, || format!("chunk {chunk_id}"));
                continue;
            };
            let Some((start, end)) = chunk.times(heard) else {
                to.remarks.add(Remark::SegmentTimes, || format!("chunk {chunk_id}"));
                continue;
            };
            let words = without_controls(words);
            let segment = OldSegment {
                meeting_id,
                uid: uid.as_deref(),
                start,
                end,
                text: words.trim(),
                speaker: speaker.as_deref(),
                language: language.as_deref(),
                created_at,
                segment_id: None,
                // Those of chunks count down, so that no two segments have one number.
                row_id: -to.chunk_segments,
            };
            put(&segment, to)?;
        }
    }
    Ok(())
}

/// The segments of a chunk, as they are listed; `None` of what is no list.
fn listed(json: &str) -> Option<Vec<Value>> {
    if json.is_empty() {
        return Some(Vec::new());
    }
    match serde_json::from_str(json).ok()? {
        Value::Array(listed) => Some(listed),
        Value::Null => Some(Vec::new()),
        _ => None,
    }
}

/// The words of a segment of a chunk; `None` of what is no segment.
fn words(heard: &Value) -> Option<&str> {
    match heard.as_object()?.get("text") {
        None | Some(Value::Null) => Some(""),
        Some(text) => text.as_str(),
    }
}

/// A chunk of sound: when it began, in milliseconds since 1970, and how long it is.
struct Chunk {
    began: Option<i64>,
    seconds: f64,
}

impl Chunk {
    /// When a segment began and ended. Its times are seconds from the beginning of the chunk, or
    /// since 1970; without them it is as long as the chunk. `None` of what is no time.
    fn times(&self, heard: &Value) -> Option<(SentTime, SentTime)> {
        let start = seconds_of(&heard["start"], 0.0)?;
        let is_absolute = matches!(sent(Some(start))?, SentTime::Clock(_));
        let end = seconds_of(&heard["end"], if is_absolute { start } else { self.seconds })?;
        Some((self.on_clock(start)?, self.on_clock(end)?))
    }

    fn on_clock(&self, seconds: f64) -> Option<SentTime> {
        match sent(Some(seconds))? {
            SentTime::Offset(millis) => {
                Some(SentTime::Clock(Time::from_millis(self.began? + millis)))
            }
            absolute @ SentTime::Clock(_) => Some(absolute),
        }
    }
}

/// A number of seconds, or its digits in a text; the default where there is none.
fn seconds_of(value: &Value, default: f64) -> Option<f64> {
    match value {
        Value::Null => Some(default),
        Value::Number(number) => number.as_f64(),
        Value::String(digits) => digits.trim().parse().ok(),
        _ => None,
    }
}

/// A number of seconds as bots send it; none where it is no number, or beyond all bounds.
fn sent(seconds: Option<f64>) -> Option<SentTime> {
    let seconds = seconds.filter(|seconds| seconds.is_finite())?;
    SentTime::from_seconds(seconds).ok()
}

fn put(segment: &OldSegment<'_>, to: &mut Reading<'_>) -> Result<(), StartupError> {
    let is_swapped = match (segment.start, segment.end) {
        (SentTime::Offset(start), SentTime::Offset(end)) => end < start,
        (SentTime::Clock(start), SentTime::Clock(end)) => end < start,
        _ => false,
    };
    if is_swapped {
        to.remarks.add(Remark::SegmentSwapped, || format!("segment {}", segment.row_id));
    }
    Reading::kept(to.importing.put_segment(segment))
}
