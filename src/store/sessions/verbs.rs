//! Bots: sent under the user's limit, told what to do.

use crate::domain::vocabulary::with_vocabulary;
use crate::domain::{
    Data, Language, Meeting, MeetingId, MeetingStatus, Platform, Task, Time, TokenHash, TokenId,
    UserId,
};
use crate::error::{Error, Result};
use crate::store::meetings::read::{MeetingName, by_id};
use crate::store::meetings::states::SEATED;
use crate::store::sessions::read::seats_taken;
use crate::store::usage;
use crate::store::writer::verb::{Change, Reconfigured, Verb};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Sends a bot into a meeting, if the user's limit allows and none of theirs is there.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendBot {
    /// The owner of the bot.
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
    /// Whether it is to be able to speak.
    #[serde(default)]
    pub has_voice: bool,
    /// Names and terms that may occur in it.
    #[serde(default)]
    pub vocabulary: Vec<String>,
    /// The time of the change.
    pub now: Time,
}

impl Verb for SendBot {
    type Answer = Meeting;

    fn apply(&self, db: &Connection) -> Result<Meeting> {
        let mut limit = db.prepare_cached(
            "SELECT max_concurrent_bots FROM users WHERE id = ?1 AND erasing_at IS NULL",
        )?;
        let limit: i64 = limit
            .query_row([self.user_id], |row| row.get(0))
            .optional()?
            .ok_or(Error::UserNotFound)?;
        let mut taken = db.prepare_cached(&format!(
            "SELECT 1 FROM meetings
             WHERE user_id = ?1 AND platform = ?2 AND native_meeting_id = ?3 AND status IN {}",
            *SEATED
        ))?;
        if taken.exists(params![self.user_id, self.platform, self.native_meeting_id])? {
            return Err(Error::MeetingTaken);
        }
        let seats = seats_taken(db, self.user_id)?;
        if seats >= limit {
            return Err(Error::BotLimitReached { seats, limit });
        }
        usage::verbs::bot_sent(db, self.user_id, self.token_id, self.now)?;
        self.insert(db)
    }

    fn change(&self, meeting: &Meeting) -> Option<Change> {
        Some(Change::SeatsChanged(meeting.user_id))
    }
}

impl SendBot {
    fn insert(&self, db: &Connection) -> Result<Meeting> {
        let now = self.now;
        let status = MeetingStatus::Requested;
        let mut meeting = db.prepare_cached(
            "INSERT INTO meetings (user_id, platform, native_meeting_id, constructed_meeting_url, status, data,
               created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
        )?;
        let data = with_vocabulary(Data::default(), &self.vocabulary);
        meeting.execute(params![
            self.user_id,
            self.platform,
            self.native_meeting_id,
            self.url,
            status,
            data,
            now
        ])?;
        let id = MeetingId(db.last_insert_rowid());
        let mut session = db.prepare_cached(
            "INSERT INTO sessions (meeting_id, uid, token_hash, bot_name, language, task, started_at, token_id,
               has_voice)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        session.execute(params![
            id,
            self.uid,
            self.token_hash,
            self.bot_name,
            self.language,
            self.task,
            now,
            self.token_id,
            self.has_voice
        ])?;
        Ok(Meeting {
            id,
            user_id: self.user_id,
            platform: self.platform.into(),
            native_meeting_id: Some(self.native_meeting_id.clone()),
            constructed_meeting_url: Some(self.url.clone()),
            status: status.into(),
            bot_container_id: None,
            start_time: None,
            end_time: None,
            data,
            created_at: self.now,
            updated_at: self.now,
        })
    }
}

/// Notes what runs the bot of a meeting.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoteContainer {
    /// Which meeting.
    pub meeting_id: MeetingId,
    /// The id by which the runner knows the bot.
    pub container_id: String,
    /// The time of the change.
    pub now: Time,
}

impl Verb for NoteContainer {
    /// The meeting as it is now.
    type Answer = Meeting;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<Meeting> {
        let mut note = db.prepare_cached(
            "UPDATE meetings SET bot_container_id = ?2, updated_at = max(updated_at, ?3) WHERE id = ?1",
        )?;
        note.execute(params![self.meeting_id, self.container_id, self.now])?;
        by_id(db, self.meeting_id)?
            .ok_or_else(|| Error::Internal("a meeting is gone while its bot starts".to_owned()))
    }
}

/// Changes what an active bot is told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reconfigure {
    /// Which meeting.
    pub name: MeetingName,
    /// What is spoken, if that changes.
    pub language: Option<Language>,
    /// What to make of it, if that changes.
    pub task: Option<Task>,
}

impl Verb for Reconfigure {
    /// What the bot is told now; `None` where the meeting has no session.
    type Answer = Option<Arc<Reconfigured>>;

    fn apply(&self, db: &Connection) -> Result<Self::Answer> {
        let meeting = self.name.find(db)?;
        if meeting.status != MeetingStatus::Active {
            return Err(Error::NotActive(meeting.status));
        }
        let mut update = db.prepare_cached(
            "UPDATE sessions SET language = coalesce(?2, language), task = coalesce(?3, task) WHERE meeting_id = ?1
             RETURNING uid, language, task",
        )?;
        let values = params![meeting.id, self.language, self.task];
        let reconfigured = update.query_row(values, |row| {
            Ok(Reconfigured {
                meeting_id: meeting.id,
                uid: row.get(0)?,
                language: row.get(1)?,
                task: row.get(2)?,
            })
        });
        Ok(reconfigured.optional()?.map(Arc::new))
    }

    fn change(&self, answer: &Self::Answer) -> Option<Change> {
        answer.clone().map(Change::BotReconfigured)
    }
}

/// Notes that nothing is left of the bot of a meeting.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoteCleared {
    /// Which meeting.
    pub meeting_id: MeetingId,
    /// The time of the change.
    pub now: Time,
}

impl Verb for NoteCleared {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut note = db.prepare_cached(
            "UPDATE sessions SET cleared_at = max(?2, started_at) WHERE meeting_id = ?1",
        )?;
        note.execute(params![self.meeting_id, self.now])?;
        Ok(())
    }
}
