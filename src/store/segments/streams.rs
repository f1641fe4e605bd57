//! The streams of a meeting, each with its own clock, and the speaker events of each.

use crate::domain::field::Invalid;
use crate::domain::field_error::{FieldError, LocStep, SentValue};
use crate::domain::speaker::StoredEvent;
use crate::domain::{Spans, SpeakerChange, SpeakerEvent, Time};
use crate::error::{Error, Result};
use crate::store::segments::session::Session;
use rusqlite::{Connection, OptionalExtension, params};

/// Most streams of a meeting whose words somebody brings; those of sound are not counted.
const STREAMS_MAX: i64 = 200;
/// Most streams of a meeting, with those of sound: a bot that comes again begins another one each
/// time. How many of them are open at once has a bound of its own.
const SOUND_STREAMS_MAX: i64 = 5000;
/// Speaker events of a stream that are kept: the last ones.
const EVENTS_KEPT: i64 = 5000;

/// A clock, from which a connection of a recogniser counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    pub id: i64,
    /// When it began: what was said first is true for ever.
    pub started_at: Time,
}

/// The stream of this name; a new one begins at `started_at`, and that of the session when the
/// session did.
pub(crate) fn find_or_begin(
    db: &Connection,
    session: &Session,
    uid: &str,
    started_at: Time,
) -> Result<Stream> {
    let count = "SELECT count(*) FROM streams WHERE meeting_id = ?1
       AND NOT EXISTS (SELECT 1 FROM sounds WHERE stream_id = streams.id)";
    find_or_begin_of(db, session, uid, started_at, count, STREAMS_MAX)
}

/// The same for a stream of sound.
pub(crate) fn find_or_begin_of_sound(
    db: &Connection,
    session: &Session,
    uid: &str,
    started_at: Time,
) -> Result<Stream> {
    let count = "SELECT count(*) FROM streams WHERE meeting_id = ?1";
    find_or_begin_of(db, session, uid, started_at, count, SOUND_STREAMS_MAX)
}

/// The same where `count` says how many streams a meeting has, of `max`.
fn find_or_begin_of(
    db: &Connection,
    session: &Session,
    uid: &str,
    started_at: Time,
    count: &str,
    max: i64,
) -> Result<Stream> {
    let mut find =
        db.prepare_cached("SELECT id, started_at FROM streams WHERE meeting_id = ?1 AND uid = ?2")?;
    let found = find.query_row(params![session.meeting_id, uid], |row| {
        Ok(Stream { id: row.get(0)?, started_at: row.get(1)? })
    });
    if let Some(stream) = found.optional()? {
        return Ok(stream);
    }
    let mut count = db.prepare_cached(count)?;
    let count: i64 = count.query_row([session.meeting_id], |row| row.get(0))?;
    if count >= max {
        return Err(too_many(max));
    }
    let started_at = if uid == session.uid { session.started_at } else { started_at };
    let mut begin =
        db.prepare_cached("INSERT INTO streams (meeting_id, uid, started_at) VALUES (?1, ?2, ?3)")?;
    begin.execute(params![session.meeting_id, uid, started_at])?;
    Ok(Stream { id: db.last_insert_rowid(), started_at })
}

fn too_many(max: i64) -> Error {
    let msg = format!("Value error, a meeting has at most {max} streams");
    let loc = vec![LocStep::Name("body"), LocStep::Name("uid")];
    let invalid = Invalid::new("value_error", msg);
    Error::Invalid(vec![FieldError::new(loc, SentValue::Nothing, invalid)])
}

/// Stores speaker events; those that are there already change nothing. Whether any was new.
pub(crate) fn store_events(
    db: &Connection,
    stream: Stream,
    events: &[SpeakerEvent],
) -> rusqlite::Result<bool> {
    let mut insert = db.prepare_cached(
        "INSERT INTO speaker_events (stream_id, at, is_start, participant, name) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
    )?;
    let mut stored = 0;
    for event in events {
        let participant = event.participant_id.as_ref().unwrap_or(&event.name);
        stored += insert.execute(params![
            stream.id,
            event.at.on_clock(stream.started_at),
            event.change == SpeakerChange::Start,
            participant,
            event.name
        ])?;
    }
    if stored > 0 {
        let mut forget = db.prepare_cached(
            "DELETE FROM speaker_events WHERE stream_id = ?1 AND at <
               (SELECT at FROM speaker_events WHERE stream_id = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)",
        )?;
        forget.execute(params![stream.id, EVENTS_KEPT])?;
    }
    Ok(stored > 0)
}

/// When who spoke in a stream.
pub(crate) fn spans(db: &Connection, stream: Stream) -> rusqlite::Result<Spans> {
    let mut list = db.prepare_cached(
        "SELECT at, is_start, participant, name FROM speaker_events WHERE stream_id = ?1
         ORDER BY at, is_start, participant",
    )?;
    let events = list.query_map([stream.id], |row| {
        let is_start: bool = row.get(1)?;
        Ok(StoredEvent {
            at: row.get(0)?,
            change: if is_start { SpeakerChange::Start } else { SpeakerChange::End },
            participant: row.get(2)?,
            name: row.get(3)?,
        })
    })?;
    Ok(Spans::of(events.collect::<rusqlite::Result<_>>()?))
}
