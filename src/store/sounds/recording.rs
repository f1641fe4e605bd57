//! What a bot has recorded of its meeting: a sound of which no words are made.

use crate::domain::sound::{SoundCodec, SoundSource};
use crate::domain::{MeetingId, SoundId, Time};
use crate::error::{Error, Result};
use crate::store::segments::session::Session;
use crate::store::segments::streams;
use crate::store::writer::verb::Verb;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// The stream of a recording. Bots name theirs otherwise.
const STREAM: &str = "vomeet:recording";

/// Notes that a meeting has a recording, of which a part has come. It is a sound that has ended and of
/// which nothing is cut into windows.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeepRecording {
    /// The meeting. It must have a session, and must not be redacted.
    pub meeting_id: MeetingId,
    /// When the recording began; what is noted first stays.
    pub started_at: Time,
    /// Where the spool of the meeting ends.
    pub spool_end: i64,
    /// The time of the change.
    pub now: Time,
}

/// A recording whose parts go to the spool.
#[derive(Debug, Clone, Copy)]
pub struct KeptRecording {
    /// The sound that it is.
    pub sound_id: SoundId,
    /// Before this offset the spool of the meeting takes nothing more.
    pub spool_from: i64,
}

impl Verb for KeepRecording {
    type Answer = KeptRecording;

    fn apply(&self, db: &Connection) -> Result<KeptRecording> {
        let session = Session::of_meeting(db, self.meeting_id)?.ok_or(Error::NoSuchMeeting)?;
        let stream = streams::find_or_begin_of_sound(db, &session, STREAM, self.started_at)?;
        let mut find =
            db.prepare_cached("UPDATE sounds SET ended_at = ?2 WHERE stream_id = ?1 RETURNING id")?;
        let found = find.query_row(params![stream.id, self.now], |row| row.get(0)).optional()?;
        let sound_id = match found {
            Some(id) => id,
            None => self.insert(db, stream.id)?,
        };
        let mut find =
            db.prepare_cached("SELECT max(cut_offset) FROM sounds WHERE meeting_id = ?1")?;
        let spool_from = find.query_row([self.meeting_id], |row| row.get(0))?;
        Ok(KeptRecording { sound_id, spool_from })
    }
}

impl KeepRecording {
    fn insert(&self, db: &Connection, stream_id: i64) -> rusqlite::Result<SoundId> {
        let mut insert = db.prepare_cached(
            "INSERT INTO sounds (meeting_id, stream_id, source, codec, rate, channels, ended_at, cut_offset)
             VALUES (?1, ?2, ?3, ?4, 0, 0, ?5, ?6)",
        )?;
        insert.execute(params![
            self.meeting_id,
            stream_id,
            SoundSource::Recording,
            SoundCodec::File,
            self.now,
            self.spool_end
        ])?;
        Ok(SoundId(db.last_insert_rowid()))
    }
}
