//! Finished words of elsewhere become a finished meeting.

use crate::domain::{
    Data, Meeting, MeetingId, MeetingStatus, Platform, SegmentId, SpeakerSource, Time, TokenId,
    UserId,
};
use crate::error::{Error, Result};
use crate::store::meetings::gathered;
use crate::store::meetings::read::by_id;
use crate::store::segments::row::{SegmentRow, identity};
use crate::store::users::read::BEING_ERASED;
use crate::store::writer::verb::Verb;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

/// The revision of a transcript that came at once.
const FIRST_REVISION: i64 = 1;

/// Makes a finished meeting of a transcript.
#[derive(Debug, Serialize, Deserialize)]
pub struct ImportMeeting {
    /// Whose it is.
    pub user_id: UserId,
    /// The API token by which it came.
    pub token_id: TokenId,
    /// Where the meeting was held.
    pub platform: Platform,
    /// The platform's id of it.
    pub native_meeting_id: String,
    /// A name for its session: a UUID v4.
    pub uid: String,
    /// Its name, for people.
    pub name: Option<String>,
    /// From where its times are shown.
    pub clock: Time,
    /// When it began.
    pub start_time: Time,
    /// When it ended.
    pub end_time: Time,
    /// What was said, in its order.
    pub segments: Vec<ImportedRow>,
    /// The time of the change.
    pub now: Time,
}

/// A segment of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImportedRow {
    /// Its name in the meeting, where it has one; no two have the same.
    pub segment_id: Option<String>,
    /// When it began, on the clock.
    pub start: Time,
    /// When it ended.
    pub end: Time,
    /// The words.
    pub text: String,
    /// Who spoke.
    pub speaker: Option<String>,
    /// Where the name comes from.
    pub speaker_source: SpeakerSource,
    /// In which language.
    pub language: Option<String>,
    /// When it was first stored.
    pub created_at: Time,
}

impl Verb for ImportMeeting {
    type Answer = Meeting;

    fn apply(&self, db: &Connection) -> Result<Meeting> {
        let sql = format!("SELECT 1 FROM users WHERE id = ?1 AND id NOT IN {BEING_ERASED}");
        if !db.prepare_cached(&sql)?.exists([self.user_id])? {
            return Err(Error::UserNotFound);
        }
        let id = self.insert_meeting(db)?;
        let before = gathered::gathered(db, id)?;
        let stream_id = self.insert_stream(db, id)?;
        for (number, segment) in self.segments.iter().enumerate() {
            let row = segment.row(stream_id, number);
            row.insert(db, id, self.user_id, FIRST_REVISION)?;
        }
        gathered::gather_again(db, id, &before, self.now)?;
        by_id(db, id)?.ok_or_else(|| Error::Internal("a meeting is gone at once".to_owned()))
    }
}

impl ImportMeeting {
    fn insert_meeting(&self, db: &Connection) -> Result<MeetingId> {
        let mut meeting = db.prepare_cached(
            "INSERT INTO meetings (user_id, platform, native_meeting_id, status, start_time, end_time, data,
               created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
        )?;
        meeting.execute(params![
            self.user_id,
            self.platform,
            self.native_meeting_id,
            MeetingStatus::Completed,
            self.start_time,
            self.end_time,
            Data::default().with("name", self.name.as_ref()),
            self.now
        ])?;
        Ok(MeetingId(db.last_insert_rowid()))
    }

    fn insert_stream(&self, db: &Connection, id: MeetingId) -> Result<i64> {
        let mut session = db.prepare_cached(
            "INSERT INTO sessions (meeting_id, uid, bot_name, started_at, cleared_at, token_id)
             VALUES (?1, ?2, '', ?3, ?4, ?5)",
        )?;
        session.execute(params![id, self.uid, self.clock, self.now, self.token_id])?;
        let mut stream = db.prepare_cached(
            "INSERT INTO streams (meeting_id, uid, started_at) VALUES (?1, ?2, ?3)",
        )?;
        stream.execute(params![id, self.uid, self.clock])?;
        Ok(db.last_insert_rowid())
    }
}

impl ImportedRow {
    fn row(&self, stream_id: i64, number: usize) -> SegmentRow {
        let made = format!("{stream_id}:{number}");
        let identity = match &self.segment_id {
            Some(id) => identity(Some(id), stream_id, 0, None),
            None => made,
        };
        SegmentRow {
            id: SegmentId(0),
            stream_id,
            identity,
            start: self.start,
            end: self.end,
            text: self.text.clone(),
            speaker: self.speaker.clone(),
            speaker_source: self.speaker_source,
            language: self.language.clone(),
            completed: true,
            created_at: self.created_at,
            is_indexed: false,
        }
    }
}
