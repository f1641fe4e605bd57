//! Meetings: rows and verbs of their owners.

use super::pages::{Page, page};
use super::{Change, Store, Verb};
use crate::domain::{Data, Meeting, MeetingId, MeetingStatus, Platform, Scope, Time, UserId};
use crate::error::{Error, Result};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What stays of a meeting's data once its owner deleted it.
const KEPT_OF_DATA: [&str; 3] = ["status_transition", "completion_reason", "error"];

/// How many meetings are read where the request runs; what is more goes to the blocking pool.
const MEETINGS_INLINE_MAX: i64 = 20;

/// Which meetings of a user are asked for; always the newest first.
#[derive(Debug, Clone)]
pub struct MeetingFilter {
    /// Whose.
    pub user_id: UserId,
    /// Only those within it.
    pub scope: Scope,
    /// Only those that stand here.
    pub status: Option<MeetingStatus>,
    /// Only those held here.
    pub platform: Option<Platform>,
    /// Only ids below this one: where a page ended, the next begins.
    pub before: Option<MeetingId>,
    /// How many to leave out first.
    pub skip: i64,
    /// How many at most; all of them where absent.
    pub limit: Option<i64>,
}

impl Store {
    /// A page of a user's meetings: a few are read here and now, many on the blocking pool.
    pub async fn meetings(&self, filter: MeetingFilter) -> Result<Page<Meeting>> {
        let whole = filter.before.is_none()
            && !filter.scope.is_narrow()
            && filter.status.is_none()
            && filter.platform.is_none();
        if whole && filter.skip <= MEETINGS_INLINE_MAX {
            let limit = filter.limit.unwrap_or(i64::MAX).min(MEETINGS_INLINE_MAX + 1);
            let few = self.read(|db| select(db, &MeetingFilter { limit: Some(limit), ..filter.clone() }))?;
            if i64::try_from(few.rows.len()).is_ok_and(|few| few <= MEETINGS_INLINE_MAX) {
                return Ok(few);
            }
        }
        self.read_long(move |db| select(db, &filter)).await
    }
}

/// The columns of [`meeting_at`], of the table `m`.
macro_rules! meeting_columns {
    () => {
        "m.id, m.user_id, m.platform, m.native_meeting_id, m.constructed_meeting_url, m.status, m.bot_container_id,
         m.start_time, m.end_time, m.data, m.created_at, m.updated_at"
    };
}
pub(super) use meeting_columns;

fn select(db: &Connection, filter: &MeetingFilter) -> rusqlite::Result<Page<Meeting>> {
    let mut statement = db.prepare_cached(concat!(
        "SELECT ",
        meeting_columns!(),
        " FROM meetings m
         WHERE user_id = :user AND id < :before AND (:status IS NULL OR status = :status) AND (:platform IS NULL OR platform = :platform)
           AND (:platforms IS NULL OR instr(:platforms, ',' || platform || ','))
           AND (:only IS NULL OR (platform = :only AND native_meeting_id = :only_id))
         ORDER BY id DESC LIMIT :limit OFFSET :skip"
    ))?;
    let only = filter.scope.meeting.as_ref();
    let platforms = filter.scope.platforms.iter().fold(String::from(","), |list, one| list + one.as_str() + ",");
    let platforms = (platforms.len() > 1).then_some(platforms);
    let values = named_params! {
        ":user": filter.user_id.0,
        ":before": filter.before.map_or(i64::MAX, |id| id.0),
        ":status": filter.status.map(MeetingStatus::as_str),
        ":platform": filter.platform.map(Platform::as_str),
        ":platforms": platforms,
        ":only": only.map(|meeting| meeting.platform.as_str()),
        ":only_id": only.map(|meeting| meeting.native_meeting_id.as_str()),
        ":limit": filter.limit.unwrap_or(-1),
        ":skip": filter.skip,
    };
    page(statement.query(values)?, |row| {
        let meeting = meeting_at(row)?;
        let bytes = meeting.data.as_json().len();
        Ok((meeting, bytes))
    })
}

/// A meeting from a row that begins with [`meeting_columns`].
pub fn meeting_at(row: &Row<'_>) -> rusqlite::Result<Meeting> {
    let time = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Time::from_millis));
    Ok(Meeting {
        id: MeetingId(row.get(0)?),
        user_id: UserId(row.get(1)?),
        platform: word(row, 2, Platform::from_word)?,
        native_meeting_id: row.get(3)?,
        constructed_meeting_url: row.get(4)?,
        status: word(row, 5, MeetingStatus::from_word)?,
        bot_container_id: row.get(6)?,
        start_time: time(7)?,
        end_time: time(8)?,
        data: Data::stored(row.get(9)?),
        created_at: Time::from_millis(row.get(10)?),
        updated_at: Time::from_millis(row.get(11)?),
    })
}

/// A column that holds a word of a closed list.
pub fn word<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    let unknown = || format!("unknown word {text:?}").into();
    parse(&text).ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, unknown()))
}

/// A meeting as its owner names it in a path.
#[derive(Debug, Clone, Serialize)]
pub struct MeetingName {
    /// Whose.
    pub user_id: UserId,
    /// Where it is held.
    pub platform: Platform,
    /// The platform's id of it; the newest one is meant.
    pub native_meeting_id: String,
    /// The meeting's own id, where one of several is meant.
    pub meeting_id: Option<MeetingId>,
}

impl MeetingName {
    /// The newest meeting of that name; with an id, that very one, even when its name was removed.
    pub(super) fn look_up(&self, db: &Connection) -> rusqlite::Result<Option<Meeting>> {
        let sql = concat!(
            "SELECT ",
            meeting_columns!(),
            " FROM meetings m WHERE user_id = ?1 AND platform = ?2 AND native_meeting_id = ?3 ORDER BY id DESC LIMIT 1"
        );
        let Some(id) = self.meeting_id else {
            let name = params![self.user_id.0, self.platform.as_str(), self.native_meeting_id];
            return db.prepare_cached(sql)?.query_row(name, meeting_at).optional();
        };
        let is_named = |meeting: &Meeting| {
            let named = meeting.native_meeting_id.as_ref().is_none_or(|name| *name == self.native_meeting_id);
            named && meeting.user_id == self.user_id && meeting.platform == self.platform
        };
        Ok(by_id(db, id)?.filter(is_named))
    }

    /// The meeting, or [`Error::MeetingNotFound`]; somebody else's is not found either.
    pub(super) fn find(&self, db: &Connection) -> Result<Meeting> {
        self.look_up(db)?.ok_or_else(|| Error::MeetingNotFound(self.platform, self.native_meeting_id.clone()))
    }
}

/// The meeting with this id.
pub fn by_id(db: &Connection, id: MeetingId) -> rusqlite::Result<Option<Meeting>> {
    let sql = concat!("SELECT ", meeting_columns!(), " FROM meetings m WHERE m.id = ?1");
    db.prepare_cached(sql)?.query_row([id.0], meeting_at).optional()
}

impl Store {
    /// One meeting of a user; a small read.
    pub fn meeting(&self, name: &MeetingName) -> Result<Meeting> {
        let found = self.read(|db| name.look_up(db))?;
        found.ok_or_else(|| Error::MeetingNotFound(name.platform, name.native_meeting_id.clone()))
    }
}

/// Changes what is noted about a meeting.
#[derive(Debug, Serialize)]
pub struct NoteMeeting {
    /// Which.
    pub name: MeetingName,
    /// The members of its data that change; the others stay.
    pub members: BTreeMap<String, Box<RawValue>>,
    /// When.
    pub now: Time,
}

impl Verb for NoteMeeting {
    type Answer = Meeting;

    fn apply(&self, db: &Connection) -> Result<Meeting> {
        let mut meeting = self.name.find(db)?;
        let mut members = meeting.data.members();
        members.extend(self.members.iter().map(|(name, value)| (name.clone(), value.clone())));
        meeting.data = Data::of(&members);
        meeting.updated_at = self.now;
        let mut update = db.prepare_cached("UPDATE meetings SET data = ?2, updated_at = ?3 WHERE id = ?1")?;
        update.execute(params![meeting.id.0, meeting.data.as_json(), self.now.as_millis()])?;
        Ok(meeting)
    }
}

/// Words that are removed in one transaction: others must not wait long behind it.
const WORDS_AT_ONCE: u16 = 200;

/// Whose words are removed.
#[derive(Debug, Clone, Serialize)]
pub enum WordsOf {
    /// Those of a meeting that is over.
    Meeting(MeetingName),
    /// Those of a user who has no bot in a meeting.
    User(UserId),
}

/// Removes some words, before what they belong to is removed.
#[derive(Debug, Serialize)]
pub struct RemoveWords {
    /// Whose.
    pub of: WordsOf,
}

impl Verb for RemoveWords {
    /// Whether there are more.
    type Answer = bool;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<bool> {
        let (sql, id) = match &self.of {
            WordsOf::Meeting(name) => {
                let meeting = name.find(db)?;
                if !meeting.status.is_over() {
                    return Err(Error::NotOver(meeting.status));
                }
                ("SELECT id FROM segments WHERE meeting_id = ?1 LIMIT ?2", meeting.id.0)
            }
            WordsOf::User(id) => {
                super::users::check_removable(db, *id)?;
                let sql =
                    "SELECT s.id FROM meetings m JOIN segments s ON s.meeting_id = m.id WHERE m.user_id = ?1 LIMIT ?2";
                (sql, id.0)
            }
        };
        let mut remove = db.prepare_cached(&format!("DELETE FROM segments WHERE id IN ({sql})"))?;
        let removed = remove.execute(params![id, WORDS_AT_ONCE])?;
        Ok(removed == usize::from(WORDS_AT_ONCE))
    }
}

impl Store {
    /// Removes all words, a few at a time. What is refused on the way leaves the rest as it was.
    pub async fn remove_words(&self, of: WordsOf) -> Result<()> {
        while self.write(RemoveWords { of: of.clone() }).await? {}
        Ok(())
    }
}

/// Removes the transcript of a meeting that is over, and all that is personal about it; the row stays.
#[derive(Debug, Serialize)]
pub struct RedactMeeting {
    /// Which.
    pub name: MeetingName,
    /// When.
    pub now: Time,
}

impl Verb for RedactMeeting {
    /// The meeting's id.
    type Answer = MeetingId;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<MeetingId> {
        let meeting = self.name.find(db)?;
        if !meeting.status.is_over() {
            return Err(Error::NotOver(meeting.status));
        }
        let mut members = meeting.data.members();
        members.retain(|name, _| KEPT_OF_DATA.contains(&name.as_str()));
        let data = Data::of(&members).with("redacted", Some(&true));
        for sql in [
            "DELETE FROM segments WHERE meeting_id = ?1",
            "DELETE FROM deliveries WHERE meeting_id = ?1",
            "UPDATE sessions SET bot_name = '', language = NULL WHERE meeting_id = ?1",
        ] {
            db.prepare_cached(sql)?.execute([meeting.id.0])?;
        }
        let mut redact = db.prepare_cached(
            "UPDATE meetings SET native_meeting_id = NULL, constructed_meeting_url = NULL, data = ?2, updated_at = ?3 WHERE id = ?1",
        )?;
        redact.execute(params![meeting.id.0, data.as_json(), self.now.as_millis()])?;
        super::erasure::owe(db)?;
        Ok(meeting.id)
    }

    fn change(&self, id: &MeetingId) -> Option<Change> {
        Some(Change::MeetingRedacted(*id))
    }
}
