//! Recordings become meetings, and their words come from where recordings are heard as a whole.

use crate::domain::sound::{SoundCodec, SoundSource};
use crate::domain::{
    Data, Language, Meeting, MeetingId, MeetingStatus, Platform, SoundId, Time, TokenId, UserId,
    WindowId,
};
use crate::error::{Error, Result};
use crate::store::meetings::read::by_id;
use crate::store::sounds::verbs::count;
use crate::store::users::read::BEING_ERASED;
use crate::store::windows::split::{WindowSegment, WindowWithheld};
use crate::store::windows::store_window::StoreWindow;
use crate::store::writer::verb::{Change, Stored, Verb};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The stream of a recording that an engine has heard as a whole.
const WHOLE: &str = "upload";

/// Makes a finished meeting of a recording, whose file is in the folder of the spool.
#[derive(Debug, Serialize, Deserialize)]
pub struct CreateUpload {
    /// Whose it is.
    pub user_id: UserId,
    /// The API token that its seconds are counted to.
    pub token_id: TokenId,
    /// Where the meeting was held.
    pub platform: Platform,
    /// The platform's id of it.
    pub native_meeting_id: String,
    /// A name for its session: a UUID v4.
    pub uid: String,
    /// Its name, for people.
    pub name: Option<String>,
    /// What is spoken.
    pub language: Option<Language>,
    /// When it began.
    pub start_time: Time,
    /// The recording.
    pub file: UploadedFile,
    /// The time of the change.
    pub now: Time,
}

/// A recording.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UploadedFile {
    /// Its name in the folder of the spool.
    pub name: String,
    /// `wav` or `opus`, or what an engine takes as it is.
    pub format: String,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// How long it says that it is, in milliseconds; 0 where only an engine knows.
    pub duration_ms: u64,
    /// Who speaks in which channel; empty where that is not said.
    pub speakers: Vec<String>,
}

impl Verb for CreateUpload {
    type Answer = Meeting;

    fn apply(&self, db: &Connection) -> Result<Meeting> {
        let sql = format!("SELECT 1 FROM users WHERE id = ?1 AND id NOT IN {BEING_ERASED}");
        if !db.prepare_cached(&sql)?.exists([self.user_id])? {
            return Err(Error::UserNotFound);
        }
        let id = self.insert_meeting(db)?;
        let mut session = db.prepare_cached(
            "INSERT INTO sessions (meeting_id, uid, bot_name, language, started_at, cleared_at, token_id)
             VALUES (?1, ?2, '', ?3, ?4, ?5, ?6)",
        )?;
        session.execute(params![
            id,
            self.uid,
            self.language,
            self.start_time,
            self.now,
            self.token_id
        ])?;
        let speakers = serde_json::to_string(&self.file.speakers)
            .map_err(|error| Error::Internal(error.to_string()))?;
        let mut upload = db.prepare_cached(
            "INSERT INTO uploads (meeting_id, file, format, bytes, duration_ms, speakers, next_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let UploadedFile { name, format, bytes, duration_ms, .. } = &self.file;
        let (bytes, duration_ms) = (bytes.cast_signed(), duration_ms.cast_signed());
        upload.execute(params![id, name, format, bytes, duration_ms, speakers, self.now])?;
        by_id(db, id)?.ok_or_else(|| Error::Internal("a meeting is gone at once".to_owned()))
    }

    fn change(&self, _: &Meeting) -> Option<Change> {
        None
    }
}

impl CreateUpload {
    fn insert_meeting(&self, db: &Connection) -> Result<MeetingId> {
        let data = Data::default().with("name", self.name.as_ref());
        let mut meeting = db.prepare_cached(
            "INSERT INTO meetings (user_id, platform, native_meeting_id, status, start_time, end_time, data,
               created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
        )?;
        let seconds = (self.file.duration_ms / 1000).cast_signed();
        meeting.execute(params![
            self.user_id,
            self.platform,
            self.native_meeting_id,
            MeetingStatus::Completed,
            self.start_time,
            self.start_time.plus_seconds(seconds),
            data,
            self.now
        ])?;
        Ok(MeetingId(db.last_insert_rowid()))
    }
}

/// Ends the work on a recording, or puts it off.
#[derive(Debug, Serialize, Deserialize)]
pub struct EndUpload {
    /// Its meeting; one that is gone is passed over.
    pub meeting_id: MeetingId,
    /// What went wrong, in a sentence.
    pub error: Option<String>,
    /// When it is tried again; `None` where it is done or given up.
    pub next_at: Option<Time>,
    /// Whether it waits for room or for another day, which is no attempt.
    #[serde(default)]
    pub waits: bool,
}

impl Verb for EndUpload {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut end = db.prepare_cached(
            "UPDATE uploads SET attempts = attempts + ?4, next_at = ?2, last_error = ?3
             WHERE meeting_id = ?1",
        )?;
        let attempts = i64::from(!self.waits);
        end.execute(params![self.meeting_id, self.next_at, self.error, attempts])?;
        Ok(())
    }
}

/// Stores the words of a recording that an engine has heard as a whole; the recording is done.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoreUploadWords {
    /// Its meeting; one that is gone, or has its words, is passed over.
    pub meeting_id: MeetingId,
    /// What was heard and is believed.
    pub segments: Vec<WindowSegment>,
    /// What was heard and is not.
    #[serde(default)]
    pub withheld: Vec<WindowWithheld>,
    /// The language that was heard.
    pub language: Option<String>,
    /// Who heard it.
    pub engine: String,
    /// How long it is, in milliseconds.
    pub duration_ms: i64,
    /// How much of it is counted as used, in milliseconds.
    #[serde(default)]
    pub sound_ms: i64,
    /// The time of the change.
    pub now: Time,
}

impl Verb for StoreUploadWords {
    type Answer = Option<Arc<Stored>>;

    fn apply(&self, db: &Connection) -> Result<Self::Answer> {
        let mut find = db.prepare_cached(
            "SELECT m.start_time FROM uploads u JOIN meetings m ON m.id = u.meeting_id
             WHERE u.meeting_id = ?1 AND u.next_at IS NOT NULL",
        )?;
        let found: Option<Option<Time>> =
            find.query_row([self.meeting_id], |row| row.get(0)).optional()?;
        let Some(start_time) = found else { return Ok(None) };
        let (sound_id, window_id) = self.insert_window(db, start_time.unwrap_or(self.now))?;
        count(db, sound_id, self.sound_ms, self.now)?;
        let words = StoreWindow {
            window_id,
            segments: self.segments.clone(),
            withheld: self.withheld.clone(),
            language: self.language.clone(),
            engine: Some(self.engine.clone()),
            now: self.now,
        };
        let done = words.apply(db)?;
        let mut end = db.prepare_cached(
            "UPDATE uploads SET attempts = attempts + 1, next_at = NULL, last_error = NULL,
               duration_ms = ?2 WHERE meeting_id = ?1",
        )?;
        end.execute(params![self.meeting_id, self.duration_ms])?;
        Ok(done.and_then(|done| done.news))
    }

    fn change(&self, news: &Self::Answer) -> Option<Change> {
        news.clone().map(Change::SegmentsStored)
    }
}

impl StoreUploadWords {
    /// One window of a sound that is the whole recording.
    fn insert_window(&self, db: &Connection, start_time: Time) -> Result<(SoundId, WindowId)> {
        let mut stream = db.prepare_cached(
            "INSERT INTO streams (meeting_id, uid, started_at) VALUES (?1, ?2, ?3)",
        )?;
        stream.execute(params![self.meeting_id, WHOLE, start_time])?;
        let stream_id = db.last_insert_rowid();
        let mut sound = db.prepare_cached(
            "INSERT INTO sounds (meeting_id, stream_id, source, codec, rate, channels, ended_at, heard_ms, cut_ms,
               token_id)
             VALUES (?1, ?2, ?3, ?4, 16000, 1, ?5, ?6, ?6,
               (SELECT token_id FROM sessions WHERE meeting_id = ?1 ORDER BY id LIMIT 1))",
        )?;
        sound.execute(params![
            self.meeting_id,
            stream_id,
            SoundSource::Upload,
            SoundCodec::S16le,
            self.now,
            self.duration_ms
        ])?;
        let sound_id = SoundId(db.last_insert_rowid());
        let mut window = db.prepare_cached(
            "INSERT INTO windows (sound_id, start_ms, end_ms, spool_offset, created_at, next_at)
             VALUES (?1, 0, ?2, 0, ?3, ?3)",
        )?;
        window.execute(params![sound_id, self.duration_ms, self.now])?;
        Ok((sound_id, WindowId(db.last_insert_rowid())))
    }
}
