//! Bots: sent under the user's limit, told what to do.

use super::meetings::{MeetingName, by_id, meeting_at, meeting_columns};
use super::{Change, Store, Verb, usage};
use crate::domain::{
    Data, Language, Meeting, MeetingId, MeetingStatus, Platform, Task, Time, TokenHash, TokenId, UserId,
};
use crate::error::{Error, Result};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

/// How many seats a user's bots take: those that were not told to leave.
pub fn seats_taken(db: &Connection, user_id: UserId) -> rusqlite::Result<i64> {
    let mut seats = db.prepare_cached(
        "SELECT count(*) FROM meetings INDEXED BY seats WHERE user_id = ?1
           AND status IN ('requested', 'joining', 'awaiting_admission', 'active')",
    )?;
    seats.query_row([user_id.0], |row| row.get(0))
}

/// Sends a bot into a meeting, if the user's limit allows and none of theirs is there.
#[derive(Debug, Serialize)]
pub struct SendBot {
    /// Whose.
    pub user_id: UserId,
    /// The API token by which it is sent.
    pub token_id: TokenId,
    /// Where the meeting is held.
    pub platform: Platform,
    /// The platform's id of it.
    pub native_meeting_id: String,
    /// The address that the bot opens.
    pub url: String,
    /// The name of the bot's session: a UUID v4.
    pub uid: String,
    /// BLAKE3 of the meeting's secret.
    pub token_hash: TokenHash,
    /// What the bot calls itself.
    pub bot_name: String,
    /// What is spoken.
    pub language: Option<Language>,
    /// What to make of it.
    pub task: Option<Task>,
    /// When.
    pub now: Time,
}

impl Verb for SendBot {
    type Answer = Meeting;

    fn apply(&self, db: &Connection) -> Result<Meeting> {
        let mut limit = db.prepare_cached("SELECT max_concurrent_bots FROM users WHERE id = ?1")?;
        let limit: i64 = limit.query_row([self.user_id.0], |row| row.get(0)).optional()?.ok_or(Error::UserNotFound)?;
        let mut taken = db.prepare_cached(
            "SELECT 1 FROM meetings WHERE user_id = ?1 AND platform = ?2 AND native_meeting_id = ?3
               AND status IN ('requested', 'joining', 'awaiting_admission', 'active')",
        )?;
        if taken.exists(params![self.user_id.0, self.platform.as_str(), self.native_meeting_id])? {
            return Err(Error::MeetingTaken);
        }
        let seats = seats_taken(db, self.user_id)?;
        if seats >= limit {
            return Err(Error::BotLimitReached { seats, limit });
        }
        usage::bot_sent(db, self.user_id, self.token_id, self.now)?;
        self.insert(db)
    }

    fn change(&self, meeting: &Meeting) -> Option<Change> {
        Some(Change::SeatsChanged(meeting.user_id))
    }
}

impl SendBot {
    fn insert(&self, db: &Connection) -> Result<Meeting> {
        let now = self.now.as_millis();
        let mut meeting = db.prepare_cached(
            "INSERT INTO meetings (user_id, platform, native_meeting_id, constructed_meeting_url, status, data, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, 'requested', '{}', ?5, ?5)",
        )?;
        meeting.execute(params![self.user_id.0, self.platform.as_str(), self.native_meeting_id, self.url, now])?;
        let id = MeetingId(db.last_insert_rowid());
        let mut session = db.prepare_cached(
            "INSERT INTO sessions (meeting_id, uid, token_hash, bot_name, language, task, started_at, token_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        let (language, task) = (self.language.map(Language::as_str), self.task.map(Task::as_str));
        let (hash, token_id) = (self.token_hash.0, self.token_id.0);
        session.execute(params![id.0, self.uid, hash, self.bot_name, language, task, now, token_id])?;
        Ok(Meeting {
            id,
            user_id: self.user_id,
            platform: self.platform,
            native_meeting_id: Some(self.native_meeting_id.clone()),
            constructed_meeting_url: Some(self.url.clone()),
            status: MeetingStatus::Requested,
            bot_container_id: None,
            start_time: None,
            end_time: None,
            data: Data::default(),
            created_at: self.now,
            updated_at: self.now,
        })
    }
}

/// Notes what runs the bot of a meeting.
#[derive(Debug, Serialize)]
pub struct NoteContainer {
    /// Which meeting.
    pub meeting_id: MeetingId,
    /// The id by which the runner knows the bot.
    pub container_id: String,
    /// When.
    pub now: Time,
}

impl Verb for NoteContainer {
    /// The meeting as it is now.
    type Answer = Meeting;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<Meeting> {
        let mut note = db.prepare_cached("UPDATE meetings SET bot_container_id = ?2, updated_at = ?3 WHERE id = ?1")?;
        note.execute(params![self.meeting_id.0, self.container_id, self.now.as_millis()])?;
        by_id(db, self.meeting_id)?.ok_or_else(|| Error::Internal("a meeting is gone while its bot starts".to_owned()))
    }
}

/// Changes what an active bot is told.
#[derive(Debug, Serialize)]
pub struct Reconfigure {
    /// Which meeting.
    pub name: MeetingName,
    /// What is spoken, if that changes.
    pub language: Option<Language>,
    /// What to make of it, if that changes.
    pub task: Option<Task>,
}

impl Verb for Reconfigure {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let meeting = self.name.find(db)?;
        if meeting.status != MeetingStatus::Active {
            return Err(Error::NotActive(meeting.status));
        }
        let mut update = db.prepare_cached(
            "UPDATE sessions SET language = coalesce(?2, language), task = coalesce(?3, task) WHERE meeting_id = ?1",
        )?;
        let (language, task) = (self.language.map(Language::as_str), self.task.map(Task::as_str));
        update.execute(params![meeting.id.0, language, task])?;
        Ok(())
    }
}

/// A bot at work: its meeting and its session.
#[derive(Debug, Clone)]
pub struct BotAtWork {
    /// The meeting.
    pub meeting: Meeting,
    /// The session's name.
    pub uid: String,
    /// What the bot calls itself.
    pub bot_name: String,
}

/// What [`bots_at_work`] reads.
macro_rules! bot_select {
    ($from:literal) => {
        concat!("SELECT ", meeting_columns!(), ", s.uid, s.bot_name ", $from)
    };
}

/// The meetings of a query that begins with [`bot_select`].
fn bots_at_work(db: &Connection, sql: &str, user_id: Option<UserId>) -> rusqlite::Result<Vec<BotAtWork>> {
    let at_work =
        |row: &Row<'_>| Ok(BotAtWork { meeting: meeting_at(row)?, uid: row.get(12)?, bot_name: row.get(13)? });
    let mut statement = db.prepare_cached(sql)?;
    match user_id {
        Some(id) => statement.query_map([id.0], at_work)?.collect(),
        None => statement.query_map([], at_work)?.collect(),
    }
}

impl Store {
    /// A meeting, whoever's it is: for what runs its bot, never for a caller. A small read.
    pub fn meeting_of_bot(&self, id: MeetingId) -> Result<Option<Meeting>> {
        self.read(|db| by_id(db, id))
    }

    /// Whether there is such a session; a small read.
    pub fn is_session(&self, uid: &str) -> Result<bool> {
        self.read(|db| db.prepare_cached("SELECT 1 FROM sessions WHERE uid = ?1")?.exists([uid]))
    }

    /// The meetings that are not over, of one user or of all, oldest first; a long read.
    pub async fn open_meetings(&self, user_id: Option<UserId>) -> Result<Vec<BotAtWork>> {
        let all = bot_select!(
            "FROM meetings m JOIN sessions s ON s.meeting_id = m.id
             WHERE m.status NOT IN ('completed', 'failed') ORDER BY m.id"
        );
        let of_user = bot_select!(
            "FROM meetings m JOIN sessions s ON s.meeting_id = m.id
             WHERE m.user_id = ?1 AND m.status NOT IN ('completed', 'failed') ORDER BY m.id"
        );
        let sql = if user_id.is_some() { of_user } else { all };
        self.read_long(move |db| bots_at_work(db, sql, user_id)).await
    }

    /// The meetings that are over, of whose bots something may be left; a long read.
    pub async fn uncleared_meetings(&self) -> Result<Vec<BotAtWork>> {
        let sql = bot_select!(
            "FROM sessions s INDEXED BY uncleared JOIN meetings m ON m.id = s.meeting_id
             WHERE s.cleared_at IS NULL AND m.bot_container_id IS NOT NULL AND m.status IN ('completed', 'failed')"
        );
        self.read_long(move |db| bots_at_work(db, sql, None)).await
    }

    /// The meetings of a user; a long read.
    pub async fn meeting_ids(&self, user_id: UserId) -> Result<Vec<MeetingId>> {
        self.read_long(move |db| {
            let mut ids = db.prepare_cached("SELECT id FROM meetings WHERE user_id = ?1 ORDER BY id")?;
            ids.query_map([user_id.0], |row| row.get(0).map(MeetingId))?.collect()
        })
        .await
    }
}

/// Notes that nothing is left of the bot of a meeting.
#[derive(Debug, Serialize)]
pub struct NoteCleared {
    /// Which meeting.
    pub meeting_id: MeetingId,
    /// When.
    pub now: Time,
}

impl Verb for NoteCleared {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut note = db.prepare_cached("UPDATE sessions SET cleared_at = ?2 WHERE meeting_id = ?1")?;
        note.execute([self.meeting_id.0, self.now.as_millis()])?;
        Ok(())
    }
}
