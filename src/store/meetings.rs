//! Meetings: rows and verbs of their owners.

use super::{Change, Store, Verb};
use crate::domain::{Data, Meeting, MeetingId, MeetingStatus, Platform, Time, UserId};
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
#[derive(Debug, Clone, Copy)]
pub struct MeetingFilter {
    /// Whose.
    pub user_id: UserId,
    /// Only those that stand here.
    pub status: Option<MeetingStatus>,
    /// Only those held here.
    pub platform: Option<Platform>,
    /// How many to leave out first.
    pub skip: i64,
    /// How many at most; all of them where absent.
    pub limit: Option<i64>,
}

impl Store {
    /// A user's meetings: a few are read here and now, many on the blocking pool.
    pub async fn meetings(&self, filter: MeetingFilter) -> Result<Vec<Meeting>> {
        if filter.skip <= MEETINGS_INLINE_MAX && filter.status.is_none() && filter.platform.is_none() {
            let limit = filter.limit.unwrap_or(i64::MAX).min(MEETINGS_INLINE_MAX + 1);
            let few = self.read(|db| select(db, &MeetingFilter { limit: Some(limit), ..filter }))?;
            if i64::try_from(few.len()).is_ok_and(|few| few <= MEETINGS_INLINE_MAX) {
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

fn select(db: &Connection, filter: &MeetingFilter) -> rusqlite::Result<Vec<Meeting>> {
    let mut statement = db.prepare_cached(concat!(
        "SELECT ",
        meeting_columns!(),
        " FROM meetings m
         WHERE user_id = :user AND (:status IS NULL OR status = :status) AND (:platform IS NULL OR platform = :platform)
         ORDER BY id DESC LIMIT :limit OFFSET :skip"
    ))?;
    let values = named_params! {
        ":user": filter.user_id.0,
        ":status": filter.status.map(MeetingStatus::as_str),
        ":platform": filter.platform.map(Platform::as_str),
        ":limit": filter.limit.unwrap_or(-1),
        ":skip": filter.skip,
    };
    statement.query_map(values, meeting_at)?.collect()
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

/// The newest meeting of a user with this name; with an id, that very one, even when its name was removed.
pub fn newest(
    db: &Connection,
    user_id: UserId,
    platform: Platform,
    native_id: &str,
    id: Option<MeetingId>,
) -> rusqlite::Result<Option<Meeting>> {
    let by_name = concat!(
        "SELECT ",
        meeting_columns!(),
        " FROM meetings m WHERE user_id = ?1 AND platform = ?2 AND native_meeting_id = ?3 ORDER BY id DESC LIMIT 1"
    );
    let by_id = concat!(
        "SELECT ",
        meeting_columns!(),
        " FROM meetings m WHERE id = ?4 AND user_id = ?1 AND platform = ?2
           AND (native_meeting_id = ?3 OR native_meeting_id IS NULL)"
    );
    match id {
        None => db
            .prepare_cached(by_name)?
            .query_row(params![user_id.0, platform.as_str(), native_id], meeting_at)
            .optional(),
        Some(id) => db
            .prepare_cached(by_id)?
            .query_row(params![user_id.0, platform.as_str(), native_id, id.0], meeting_at)
            .optional(),
    }
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
    /// The meeting, or [`Error::MeetingNotFound`]; somebody else's is not found either.
    pub fn find(&self, db: &Connection) -> Result<Meeting> {
        let found = newest(db, self.user_id, self.platform, &self.native_meeting_id, self.meeting_id)?;
        found.ok_or_else(|| Error::MeetingNotFound(self.platform, self.native_meeting_id.clone()))
    }
}

impl Store {
    /// One meeting of a user; a small read.
    pub fn meeting(&self, name: &MeetingName) -> Result<Meeting> {
        self.read(|db| newest(db, name.user_id, name.platform, &name.native_meeting_id, name.meeting_id))?
            .ok_or_else(|| Error::MeetingNotFound(name.platform, name.native_meeting_id.clone()))
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
        Ok(meeting.id)
    }

    fn change(&self, id: &MeetingId) -> Option<Change> {
        Some(Change::MeetingRedacted(*id))
    }
}
