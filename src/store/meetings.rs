//! Meetings: rows.

use super::Store;
use crate::domain::{Data, Meeting, MeetingId, MeetingStatus, Platform, Time, UserId};
use crate::error::Result;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, named_params};

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

fn select(db: &Connection, filter: &MeetingFilter) -> rusqlite::Result<Vec<Meeting>> {
    let mut statement = db.prepare_cached(
        "SELECT id, user_id, platform, native_meeting_id, constructed_meeting_url, status, bot_container_id,
                start_time, end_time, data, created_at, updated_at
         FROM meetings
         WHERE user_id = :user AND (:status IS NULL OR status = :status) AND (:platform IS NULL OR platform = :platform)
         ORDER BY id DESC LIMIT :limit OFFSET :skip",
    )?;
    let values = named_params! {
        ":user": filter.user_id.0,
        ":status": filter.status.map(MeetingStatus::as_str),
        ":platform": filter.platform.map(Platform::as_str),
        ":limit": filter.limit.unwrap_or(-1),
        ":skip": filter.skip,
    };
    statement.query_map(values, meeting)?.collect()
}

fn meeting(row: &Row<'_>) -> rusqlite::Result<Meeting> {
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
fn word<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    let unknown = || format!("unknown word {text:?}").into();
    parse(&text).ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, unknown()))
}
