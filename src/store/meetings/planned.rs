//! Bots that are planned: sent when their time has come. A plan is a meeting of the status
//! `scheduled` with the settings of its bot; it takes no seat until then.

use crate::domain::vocabulary::with_vocabulary;
use crate::domain::{
    Data, FailureStage, Language, Meeting, MeetingId, MeetingStatus, Platform, StatusReport, Task,
    Time, TokenHash, TokenId, TransitionSource, UserId,
};
use crate::error::{Error, Result};
use crate::store::doors::Store;
use crate::store::meetings::advance::{Advance, Advanced, MeetingRef};
use crate::store::meetings::read::{by_id, by_id_if_found};
use crate::store::sessions::read::{seats_taken, takes_seat};
use crate::store::usage;
use crate::store::users::read::BEING_ERASED;
use crate::store::writer::verb::{Change, Moved, Verb};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most bots that a user may have planned.
pub(crate) const PLANNED_MAX: i64 = 1000;
/// The member of a meeting's data that says when its bot joins.
pub(crate) const JOIN_AT: &str = "join_at";

/// What a planned bot is given that is kept nowhere else.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PlannedSettings {
    /// What opens the meeting.
    pub passcode: Option<String>,
    /// Whether it is to be able to speak.
    pub has_voice: bool,
}

impl PlannedSettings {
    /// As it is stored.
    pub(crate) fn json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::Internal(error.to_string()))
    }
}

/// Plans a bot for a meeting; where one is planned for it, the plan is replaced.
#[derive(Debug, Serialize, Deserialize)]
pub struct PlanBot {
    /// The owner of the bot.
    pub user_id: UserId,
    /// The API token by which it is planned.
    pub token_id: TokenId,
    /// Where the meeting is held.
    pub platform: Platform,
    /// The platform's id of it.
    pub native_meeting_id: String,
    /// The address that the bot opens.
    pub url: String,
    /// A name for the bot's session until it has one: a UUID v4.
    pub uid: String,
    /// What the bot calls itself.
    pub bot_name: String,
    /// What is spoken.
    pub language: Option<Language>,
    /// What to make of it.
    pub task: Option<Task>,
    /// Names and terms that may occur in it; none leave those that are noted.
    #[serde(default)]
    pub vocabulary: Vec<String>,
    /// What else it is given.
    pub settings: PlannedSettings,
    /// When it joins.
    pub join_at: Time,
    /// The time of the change.
    pub now: Time,
}

/// A plan as it is now.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its meeting.
    pub meeting: Meeting,
    /// Whether there was none for this meeting before.
    pub is_new: bool,
}

impl Verb for PlanBot {
    type Answer = Planned;

    fn apply(&self, db: &Connection) -> Result<Planned> {
        let sql = format!("SELECT 1 FROM users WHERE id = ?1 AND id NOT IN {BEING_ERASED}");
        if !db.prepare_cached(&sql)?.exists([self.user_id])? {
            return Err(Error::UserNotFound);
        }
        let mut find = db.prepare_cached(
            "SELECT id FROM meetings INDEXED BY scheduled_of_user
             WHERE user_id = ?1 AND platform = ?2 AND native_meeting_id = ?3 AND status = 'scheduled'",
        )?;
        let name = params![self.user_id, self.platform, self.native_meeting_id];
        let found: Option<MeetingId> = find.query_row(name, |row| row.get(0)).optional()?;
        let id = match found {
            Some(id) => self.replace(db, id)?,
            None => self.insert(db)?,
        };
        let meeting = by_id(db, id)?;
        let meeting =
            meeting.ok_or_else(|| Error::Internal("a plan is gone at once".to_owned()))?;
        Ok(Planned { meeting, is_new: found.is_none() })
    }
}

impl PlanBot {
    fn insert(&self, db: &Connection) -> Result<MeetingId> {
        let mut count = db.prepare_cached(
            "SELECT count(*) FROM meetings INDEXED BY scheduled_of_user
             WHERE user_id = ?1 AND status = 'scheduled'",
        )?;
        let planned: i64 = count.query_row([self.user_id], |row| row.get(0))?;
        if planned >= PLANNED_MAX {
            return Err(Error::TooManyPlanned { max: PLANNED_MAX });
        }
        let mut meeting = db.prepare_cached(
            "INSERT INTO meetings (user_id, platform, native_meeting_id, constructed_meeting_url, status, data,
               created_at, updated_at, join_at)
             VALUES (?1, ?2, ?3, ?4, 'scheduled', ?5, ?6, ?6, ?7)",
        )?;
        meeting.execute(params![
            self.user_id,
            self.platform,
            self.native_meeting_id,
            self.url,
            self.noted_in(&Data::default()),
            self.now,
            self.join_at
        ])?;
        let id = MeetingId(db.last_insert_rowid());
        let mut session = db.prepare_cached(
            "INSERT INTO sessions (meeting_id, uid, bot_name, language, task, started_at, token_id, plan,
               has_voice)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        session.execute(params![
            id,
            self.uid,
            self.bot_name,
            self.language,
            self.task,
            self.join_at,
            self.token_id,
            self.settings.json()?,
            self.settings.has_voice
        ])?;
        Ok(id)
    }

    /// The data of its meeting.
    fn noted_in(&self, data: &Data) -> Data {
        with_vocabulary(data.with(JOIN_AT, Some(&self.join_at)), &self.vocabulary)
    }

    /// The notes about the meeting stay.
    fn replace(&self, db: &Connection, id: MeetingId) -> Result<MeetingId> {
        let data = by_id(db, id)?.map(|meeting| meeting.data).unwrap_or_default();
        let mut meeting = db.prepare_cached(
            "UPDATE meetings SET constructed_meeting_url = ?2, data = ?3, updated_at = max(updated_at, ?4), join_at = ?5
             WHERE id = ?1",
        )?;
        let data = self.noted_in(&data);
        meeting.execute(params![id, self.url, data, self.now, self.join_at])?;
        let mut session = db.prepare_cached(
            "UPDATE sessions SET bot_name = ?2, language = ?3, task = ?4, started_at = ?5, token_id = ?6, plan = ?7,
               has_voice = ?8
             WHERE meeting_id = ?1",
        )?;
        session.execute(params![
            id,
            self.bot_name,
            self.language,
            self.task,
            self.join_at,
            self.token_id,
            self.settings.json()?,
            self.settings.has_voice
        ])?;
        Ok(id)
    }
}

/// Requests the bot of a plan whose time has come; where it may not be sent, the meeting fails and
/// says why.
#[derive(Debug, Serialize, Deserialize)]
pub struct RequestPlanned {
    /// The meeting.
    pub meeting_id: MeetingId,
    /// The name of the bot's session: a UUID v4.
    pub uid: String,
    /// BLAKE3 of the meeting's secret.
    pub token_hash: TokenHash,
    /// What was to join before this time comes too late.
    pub not_before: Time,
    /// The time of the change.
    pub now: Time,
}

/// What became of a plan.
#[derive(Debug, Clone)]
pub struct PlanEnd {
    /// The step of its meeting: to `requested`, or to `failed`.
    pub advanced: Advanced,
    /// How its bot is started; `None` where it may not be sent.
    pub bot: Option<PlannedBot>,
}

/// How a planned bot is started.
#[derive(Debug, Clone)]
pub struct PlannedBot {
    /// What it calls itself.
    pub bot_name: String,
    /// What is spoken.
    pub language: Option<Language>,
    /// What to make of it.
    pub task: Option<Task>,
    /// What else it is given.
    pub settings: PlannedSettings,
    /// How many bots its owner may have in meetings.
    pub limit: i64,
}

impl Verb for RequestPlanned {
    /// `None` where there is no such plan any more, or its time has not come.
    type Answer = Option<PlanEnd>;

    fn apply(&self, db: &Connection) -> Result<Self::Answer> {
        let sql =
            "SELECT join_at FROM meetings WHERE id = ?1 AND status = 'scheduled' AND join_at <= ?2";
        let mut find = db.prepare_cached(sql)?;
        let join_at: Option<Time> =
            find.query_row(params![self.meeting_id, self.now], |row| row.get(0)).optional()?;
        let (Some(join_at), Some(meeting)) = (join_at, by_id_if_found(db, self.meeting_id)?) else {
            return Ok(None);
        };
        let user_sql =
            "SELECT max_concurrent_bots, disabled_at IS NOT NULL FROM users WHERE id = ?1";
        let (limit, is_disabled): (i64, bool) = db
            .prepare_cached(user_sql)?
            .query_row([meeting.user_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let refusal = if join_at < self.not_before {
            Some("The server did not run at the time of the meeting.".to_owned())
        } else if is_disabled {
            Some("The user is disabled.".to_owned())
        } else if takes_seat(db, &meeting)? {
            Some(Error::MeetingTaken.to_string())
        } else if seats_taken(db, meeting.user_id)? >= limit {
            Some(Error::BotLimitReached { seats: limit, limit }.to_string())
        } else {
            None
        };
        let is_refused = refusal.is_some();
        let Some(advanced) = self.advance(db, refusal)? else { return Ok(None) };
        let bot = if is_refused { None } else { Some(self.begin_session(db, &meeting, limit)?) };
        Ok(Some(PlanEnd { advanced, bot }))
    }

    fn change(&self, end: &Self::Answer) -> Option<Change> {
        let advanced = &end.as_ref()?.advanced;
        let meeting = advanced.meeting.clone();
        let from = advanced.from.known()?;
        let moved = Moved { at: meeting.updated_at, meeting, from, settled: Vec::new() };
        Some(Change::MeetingMoved(Arc::new(moved)))
    }
}

impl RequestPlanned {
    fn advance(&self, db: &Connection, refusal: Option<String>) -> Result<Option<Advanced>> {
        let report = match refusal {
            Some(why) => {
                let mut report =
                    StatusReport::new(MeetingStatus::Failed, TransitionSource::Server).because(why);
                report.failure_stage = Some(FailureStage::Requested);
                report
            }
            None => StatusReport::new(MeetingStatus::Requested, TransitionSource::Server),
        };
        let meeting_ref = MeetingRef::Meeting(self.meeting_id);
        Advance { meeting_ref, report, container_id: None, now: self.now }.apply(db)
    }

    fn begin_session(&self, db: &Connection, meeting: &Meeting, limit: i64) -> Result<PlannedBot> {
        let mut find = db.prepare_cached("SELECT plan FROM sessions WHERE meeting_id = ?1")?;
        let plan: Option<String> = find.query_row([self.meeting_id], |row| row.get(0))?;
        let settings = plan.and_then(|plan| serde_json::from_str(&plan).ok()).unwrap_or_default();
        let mut begin = db.prepare_cached(
            "UPDATE sessions SET uid = ?2, token_hash = ?3, started_at = ?4, plan = NULL WHERE meeting_id = ?1
             RETURNING bot_name, language, task, token_id",
        )?;
        let values = params![self.meeting_id, self.uid, self.token_hash, self.now];
        let (bot, token_id) = begin.query_row(values, |row| {
            let (bot_name, language, task) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let bot = PlannedBot { bot_name, language, task, settings, limit };
            Ok((bot, row.get::<_, TokenId>(3)?))
        })?;
        usage::verbs::bot_sent(db, meeting.user_id, token_id, self.now)?;
        Ok(bot)
    }
}

impl Store {
    /// Some plans whose time has come, the earliest first; a small read.
    pub fn due_plans(&self, now: Time, limit: usize) -> Result<Vec<MeetingId>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|db| {
            let mut list = db.prepare_cached(&format!(
                "SELECT id FROM meetings INDEXED BY scheduled_meetings
                 WHERE status = 'scheduled' AND join_at <= ?1 AND user_id NOT IN {BEING_ERASED}
                 ORDER BY join_at, id LIMIT ?2"
            ))?;
            list.query_map(params![now, limit], |row| row.get(0))?.collect()
        })
    }
}
