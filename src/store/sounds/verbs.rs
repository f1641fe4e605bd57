//! Sounds begin, grow, end, and are deleted.

use crate::domain::sound::{SoundFormat, SoundSource};
use crate::domain::{Day, MeetingId, SoundId, Time, TokenId, UsageCounts, UsageKey, UserId};
use crate::error::{Error, Result};
use crate::store::segments::session::Session;
use crate::store::segments::streams;
use crate::store::usage::verbs::add as add_usage;
use crate::store::windows::read::sound_state;
use crate::store::writer::verb::Verb;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// Usage of nobody's token.
const NO_TOKEN: TokenId = TokenId(0);

/// Begins a sound of a meeting, in the stream of this name; one that has begun already goes on.
#[derive(Debug, Serialize, Deserialize)]
pub struct BeginSound {
    /// The meeting. It must have a session, and must not be redacted.
    pub meeting_id: MeetingId,
    /// The stream.
    pub uid: String,
    /// Where the sound comes from.
    pub source: SoundSource,
    /// Its form; one that goes on keeps it.
    pub format: SoundFormat,
    /// Whose it is, where the source keeps speakers apart.
    pub speaker: Option<String>,
    /// In which language it is spoken, where that is said.
    pub language: Option<String>,
    /// The API token that its seconds are counted to; none is that of the session.
    pub token_id: Option<TokenId>,
    /// When a new stream began.
    pub started_at: Time,
    /// Where the spool of the meeting ends: a new sound is read from there on.
    pub spool_end: i64,
    /// The time of the change.
    pub now: Time,
}

/// A sound that has begun, or goes on.
#[derive(Debug, Clone)]
pub struct SoundBegun {
    /// Its id.
    pub id: SoundId,
    /// When its stream began.
    pub started_at: Time,
    /// How much of it came before, in milliseconds of its clock.
    pub heard_ms: i64,
    /// Before this offset the spool of the meeting takes nothing more.
    pub spool_from: i64,
}

impl Verb for BeginSound {
    type Answer = SoundBegun;

    fn apply(&self, db: &Connection) -> Result<SoundBegun> {
        let session = Session::of_meeting(db, self.meeting_id)?.ok_or(Error::NoSuchMeeting)?;
        let stream = streams::find_or_begin_of_sound(db, &session, &self.uid, self.started_at)?;
        let id = match self.find(db, stream.id)? {
            Some(id) => self.go_on(db, id)?,
            None => self.insert(db, stream.id, session.token_id)?,
        };
        let mut find = db.prepare_cached(
            "SELECT heard_ms, (SELECT max(cut_offset) FROM sounds WHERE meeting_id = ?2) FROM sounds WHERE id = ?1",
        )?;
        let (heard_ms, spool_from) =
            find.query_row(params![id, self.meeting_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(SoundBegun { id, started_at: stream.started_at, heard_ms, spool_from })
    }
}

impl BeginSound {
    fn find(&self, db: &Connection, stream_id: i64) -> Result<Option<SoundId>> {
        let mut find =
            db.prepare_cached("SELECT id, codec, rate, channels FROM sounds WHERE stream_id = ?1")?;
        let found = find.query_row([stream_id], |row| {
            let format =
                SoundFormat { codec: row.get(1)?, rate: row.get(2)?, channels: row.get(3)? };
            Ok((row.get(0)?, format))
        });
        match found.optional()? {
            None => Ok(None),
            Some((id, format)) if format == self.format => Ok(Some(id)),
            Some(_) => Err(Error::Malformed("The sound of this stream has another format.")),
        }
    }

    fn go_on(&self, db: &Connection, id: SoundId) -> Result<SoundId> {
        let mut go_on = db.prepare_cached(
            "UPDATE sounds SET ended_at = NULL, speaker = coalesce(?2, speaker), language = coalesce(?3, language)
             WHERE id = ?1",
        )?;
        go_on.execute(params![id, self.speaker, self.language])?;
        Ok(id)
    }

    fn insert(
        &self,
        db: &Connection,
        stream_id: i64,
        of_session: Option<TokenId>,
    ) -> Result<SoundId> {
        let mut insert = db.prepare_cached(
            "INSERT INTO sounds (meeting_id, stream_id, source, codec, rate, channels, speaker, language, token_id, cut_offset)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        insert.execute(params![
            self.meeting_id,
            stream_id,
            self.source,
            self.format.codec,
            self.format.rate,
            self.format.channels,
            self.speaker,
            self.language,
            self.token_id.or(of_session),
            self.spool_end
        ])?;
        Ok(SoundId(db.last_insert_rowid()))
    }
}

/// Notes how much of a sound has come, and counts it as used.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoteHeard {
    /// The sound; one that is gone is passed over.
    pub sound_id: SoundId,
    /// Up to where there is sound, in milliseconds of its clock.
    pub heard_ms: i64,
    /// How much came since this was noted last, in milliseconds; gaps are not in it.
    pub more_ms: i64,
    /// The time of the change.
    pub now: Time,
}

impl Verb for NoteHeard {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut note =
            db.prepare_cached("UPDATE sounds SET heard_ms = max(heard_ms, ?2) WHERE id = ?1")?;
        note.execute(params![self.sound_id, self.heard_ms])?;
        count(db, self.sound_id, self.more_ms, self.now)
    }
}

/// Ends a sound: nothing more comes, unless it goes on.
#[derive(Debug, Serialize, Deserialize)]
pub struct EndSound {
    /// The sound; one that is gone is passed over.
    pub sound_id: SoundId,
    /// Up to where there is sound in the spool, in milliseconds of its clock.
    pub heard_ms: i64,
    /// How much came since that was noted last, in milliseconds.
    pub more_ms: i64,
    /// The time of the change.
    pub now: Time,
}

impl Verb for EndSound {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut end =
            db.prepare_cached("UPDATE sounds SET heard_ms = ?2, ended_at = ?3 WHERE id = ?1")?;
        end.execute(params![self.sound_id, self.heard_ms, self.now])?;
        count(db, self.sound_id, self.more_ms, self.now)
    }
}

/// Counts what came of a sound as used by the user of its meeting.
pub(crate) fn count(db: &Connection, id: SoundId, more_ms: i64, now: Time) -> Result<()> {
    if more_ms <= 0 {
        return Ok(());
    }
    let mut find = db.prepare_cached(
        "SELECT m.user_id, s.token_id FROM sounds s JOIN meetings m ON m.id = s.meeting_id WHERE s.id = ?1",
    )?;
    let found: Option<(UserId, Option<TokenId>)> =
        find.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((user_id, token_id)) = found else { return Ok(()) };
    let key = UsageKey { user_id, day: Day::of(now), token_id: token_id.unwrap_or(NO_TOKEN) };
    let counts = UsageCounts { sound_ms: more_ms, ..UsageCounts::default() };
    Ok(add_usage(db, &key, &counts)?)
}

/// Decides that the sound of a meeting is deleted, and nothing else of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct EraseSound {
    /// The meeting.
    pub meeting_id: MeetingId,
    /// It is deleted only where the meeting is over, all of its sound is cut, no window waits, and
    /// none was given up since then; `None` deletes it whatever waits.
    pub given_up_since: Option<Time>,
}

impl Verb for EraseSound {
    /// Whether it is deleted.
    type Answer = bool;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<bool> {
        if let Some(since) = self.given_up_since {
            let state = sound_state(db, self.meeting_id, since)?;
            if !state.is_some_and(|state| state.is_heard) {
                return Ok(false);
            }
        }
        mark_sound_of_meeting(db, self.meeting_id)?;
        Ok(true)
    }
}

/// Notes that the files of a meeting's sound are deleted.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetSound {
    /// The meeting.
    pub meeting_id: MeetingId,
}

impl Verb for ForgetSound {
    type Answer = ();

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut forget = db.prepare_cached("DELETE FROM erased_sounds WHERE meeting_id = ?1")?;
        forget.execute([self.meeting_id])?;
        Ok(())
    }
}

/// Notes that the files of a meeting's sound are to be deleted, if it has any: what a transaction
/// deletes from the database must not stay in the spool, also where the server ends before that is
/// done.
pub(crate) fn mark_sound_of_meeting(db: &Connection, id: MeetingId) -> rusqlite::Result<()> {
    mark(db, "m.id = ?1", id.0)
}

/// The same of all meetings of a user.
pub(crate) fn mark_sounds_of_user(db: &Connection, id: UserId) -> rusqlite::Result<()> {
    mark(db, "m.user_id = ?1", id.0)
}

fn mark(db: &Connection, which: &str, id: i64) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT OR IGNORE INTO erased_sounds (meeting_id) SELECT m.id FROM meetings m WHERE {which}
           AND (EXISTS (SELECT 1 FROM sounds WHERE meeting_id = m.id)
             OR EXISTS (SELECT 1 FROM uploads WHERE meeting_id = m.id)) ORDER BY m.id"
    );
    db.prepare_cached(&sql)?.execute([id]).map(drop)
}
