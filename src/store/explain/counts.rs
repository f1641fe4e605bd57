//! What there is of a meeting, counted: windows, names, events, sounds.

use crate::domain::explain::{EngineError, ExplainedSound, ExplainedWords};
use crate::domain::{MeetingId, SpeakerSource, Time};
use crate::store::corrections::shown::shown_speaker;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;

/// Errors of engines that are shown.
const ERRORS_MAX: u16 = 5;

/// How many there are of each kind.
pub(crate) type Counts = BTreeMap<String, i64>;

fn count(db: &Connection, sql: &str, id: MeetingId) -> rusqlite::Result<Counts> {
    let mut list = db.prepare_cached(sql)?;
    list.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Windows by outcome.
pub(crate) fn windows(db: &Connection, id: MeetingId) -> rusqlite::Result<Counts> {
    let sql = "SELECT coalesce(w.outcome, 'waiting'), count(*)
               FROM sounds s JOIN windows w ON w.sound_id = s.id WHERE s.meeting_id = ?1 GROUP BY 1";
    count(db, sql, id)
}

/// When the oldest window that waits was cut; none where none waits.
pub(crate) fn waiting_since(db: &Connection, id: MeetingId) -> rusqlite::Result<Option<Time>> {
    let sql = "SELECT min(w.created_at) FROM sounds s JOIN windows w ON w.sound_id = s.id
               WHERE s.meeting_id = ?1 AND w.outcome IS NULL";
    db.prepare_cached(sql)?.query_row([id], |row| row.get(0))
}

/// Withheld segments by reason.
pub(crate) fn withheld(db: &Connection, id: MeetingId) -> rusqlite::Result<Counts> {
    let sql = "SELECT h.reason, count(*) FROM sounds s JOIN windows w ON w.sound_id = s.id
                 JOIN withheld h ON h.window_id = w.id
               WHERE s.meeting_id = ?1 GROUP BY 1";
    count(db, sql, id)
}

/// Events for webhooks by state.
pub(crate) fn events(db: &Connection, id: MeetingId) -> rusqlite::Result<Counts> {
    let sql = "SELECT CASE WHEN next_at IS NOT NULL THEN 'waiting'
                 WHEN delivered_at IS NOT NULL THEN 'delivered' ELSE 'given_up' END, count(*)
               FROM deliveries WHERE meeting_id = ?1 GROUP BY 1";
    count(db, sql, id)
}

/// Why the newest event that is not delivered is not.
pub(crate) fn event_error(db: &Connection, id: MeetingId) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT last_error FROM deliveries
               WHERE meeting_id = ?1 AND delivered_at IS NULL AND last_error IS NOT NULL
               ORDER BY id DESC LIMIT 1";
    db.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()
}

/// Segments by where the name of their speaker comes from, as they are shown.
pub(crate) fn names(db: &Connection, id: MeetingId) -> rusqlite::Result<Counts> {
    let mut list = db.prepare_cached(concat!(
        "SELECT CASE WHEN s.speaker IS NOT ",
        shown_speaker!(),
        " THEN ?2 ELSE s.speaker_source END, count(*)
         FROM segments s WHERE s.meeting_id = ?1 AND s.completed GROUP BY 1"
    ))?;
    let values = params![id, SpeakerSource::Corrected];
    list.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The words.
pub(crate) fn words(db: &Connection, id: MeetingId) -> rusqlite::Result<ExplainedWords> {
    let mut find = db.prepare_cached(
        "SELECT count(*) FILTER (WHERE completed), count(*) FILTER (WHERE NOT completed),
           min(created_at), max(created_at)
         FROM segments WHERE meeting_id = ?1",
    )?;
    find.query_row([id], |row| {
        Ok(ExplainedWords {
            segments: row.get(0)?,
            drafts: row.get(1)?,
            first_at: row.get(2)?,
            last_at: row.get(3)?,
        })
    })
}

/// The sounds, in order.
pub(crate) fn sounds(db: &Connection, id: MeetingId) -> rusqlite::Result<Vec<ExplainedSound>> {
    let mut list = db.prepare_cached(
        "SELECT s.source, s.speaker, t.started_at, s.ended_at, s.heard_ms, s.heard_ms - s.cut_ms, s.id
         FROM sounds s JOIN streams t ON t.id = s.stream_id
         WHERE s.meeting_id = ?1 ORDER BY t.started_at, s.id",
    )?;
    list.query_map([id], sound_at)?.collect()
}

fn sound_at(row: &Row<'_>) -> rusqlite::Result<ExplainedSound> {
    let (heard_ms, behind_ms): (i64, i64) = (row.get(4)?, row.get(5)?);
    Ok(ExplainedSound {
        id: row.get(6)?,
        source: row.get(0)?,
        speaker: row.get(1)?,
        started_at: row.get(2)?,
        ended_at: row.get(3)?,
        heard_seconds: heard_ms / 1000,
        behind_seconds: behind_ms.max(0) / 1000,
    })
}

/// Why engines did not take windows, the newest first.
pub(crate) fn engine_errors(db: &Connection, id: MeetingId) -> rusqlite::Result<Vec<EngineError>> {
    let mut list = db.prepare_cached(
        "SELECT w.created_at, w.attempts, w.last_error
         FROM sounds s JOIN windows w ON w.sound_id = s.id
         WHERE s.meeting_id = ?1 AND w.last_error IS NOT NULL
           AND (w.outcome IS NULL OR w.outcome = 'given_up')
         ORDER BY w.id DESC LIMIT ?2",
    )?;
    let error = |row: &Row<'_>| {
        Ok(EngineError { since: row.get(0)?, attempts: row.get(1)?, error: row.get(2)? })
    };
    list.query_map(params![id, ERRORS_MAX], error)?.collect()
}
