//! Meetings as they are read.

use crate::domain::field::{Field, Raw};
use crate::domain::field_error::{FieldError, LocStep, SentValue};
use crate::domain::{Meeting, MeetingId, MeetingStatus, Platform, Scope, UserId, Word};
use crate::error::{Error, Result};
use crate::store::columns::columns;
use crate::store::doors::Store;
use crate::store::meetings::states::OPEN;
use crate::store::meetings::within::{Within, within};
use crate::store::pages::{Page, page};
use crate::store::users::read::BEING_ERASED;
use rusqlite::{Connection, OptionalExtension, named_params, params};
use serde::{Deserialize, Serialize};

/// How many meetings are read where the request runs; what is more goes to the blocking pool.
const MEETINGS_INLINE_MAX: i64 = 20;

/// Which meetings of a user are asked for; always the newest first.
#[derive(Debug, Clone)]
pub struct MeetingFilter {
    /// The owner of the meetings.
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
            let few = self
                .read(|db| select(db, &MeetingFilter { limit: Some(limit), ..filter.clone() }))?;
            if i64::try_from(few.rows.len()).is_ok_and(|few| few <= MEETINGS_INLINE_MAX) {
                return Ok(few);
            }
        }
        self.read_long(move |db| select(db, &filter)).await
    }
}

columns!(meeting_columns, meeting_at: Meeting of "m" {
    id, user_id, platform, native_meeting_id, constructed_meeting_url, status, bot_container_id, start_time, end_time,
    data, created_at, updated_at,
});

fn select(db: &Connection, filter: &MeetingFilter) -> rusqlite::Result<Page<Meeting>> {
    let mut statement = db.prepare_cached(concat!(
        "SELECT ",
        meeting_columns!(),
        " FROM meetings m
         WHERE user_id = :user AND id < :before AND (:status IS NULL OR status = :status) AND (:platform IS NULL OR platform = :platform)
           AND ",
        within!(),
        " ORDER BY id DESC LIMIT :limit OFFSET :skip"
    ))?;
    let within = Within::of(&filter.scope);
    let before = filter.before.map_or(i64::MAX, |id| id.0);
    let limit = filter.limit.unwrap_or(-1);
    let mut values = named_params! {
        ":user": filter.user_id,
        ":before": before,
        ":status": filter.status,
        ":platform": filter.platform,
        ":limit": limit,
        ":skip": filter.skip,
    }
    .to_vec();
    values.extend(within.values());
    page(statement.query(values.as_slice())?, |row| {
        let meeting = meeting_at(row, 0)?;
        let bytes = meeting.data.as_json().len();
        Ok((meeting, bytes))
    })
}

/// A meeting as its owner names it in a path.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MeetingName {
    /// The owner of the meetings.
    pub user_id: UserId,
    /// Where it is held.
    pub platform: Word<Platform>,
    /// The platform's id of it; the newest one is meant.
    pub native_meeting_id: String,
    /// The meeting's own id, where one of several is meant.
    pub meeting_id: Option<MeetingId>,
}

impl MeetingName {
    /// The newest meeting of that name, but one that has a bot comes before one that is planned;
    /// with an id, that very one, even when its name was removed.
    pub(crate) fn look_up(&self, db: &Connection) -> rusqlite::Result<Option<Meeting>> {
        let Some(id) = self.meeting_id else {
            let newest = self.newest_of(db, "true")?;
            if newest.as_ref().is_some_and(|newest| newest.status == MeetingStatus::Scheduled) {
                let with_bot = self.newest_of(db, &format!("status IN {}", *OPEN))?;
                return Ok(with_bot.or(newest));
            }
            return Ok(newest);
        };
        let is_named = |meeting: &Meeting| {
            let named = meeting
                .native_meeting_id
                .as_ref()
                .is_none_or(|name| *name == self.native_meeting_id);
            named && meeting.user_id == self.user_id && meeting.platform == self.platform
        };
        Ok(by_id(db, id)?.filter(is_named))
    }

    /// The same to stop its bot: a plan comes before what is over.
    pub(crate) fn look_up_to_stop(&self, db: &Connection) -> rusqlite::Result<Option<Meeting>> {
        let found = self.look_up(db)?;
        if self.meeting_id.is_none() && found.as_ref().is_some_and(|found| found.status.is_over()) {
            return Ok(self.newest_of(db, "status = 'scheduled'")?.or(found));
        }
        Ok(found)
    }

    /// The newest meeting of that name for which a condition holds.
    fn newest_of(&self, db: &Connection, condition: &str) -> rusqlite::Result<Option<Meeting>> {
        let columns = meeting_columns!();
        let sql = format!(
            "SELECT {columns} FROM meetings m
             WHERE user_id = ?1 AND platform = ?2 AND native_meeting_id = ?3 AND {condition}
             ORDER BY id DESC LIMIT 1"
        );
        let name = params![self.user_id, self.platform, self.native_meeting_id];
        db.prepare_cached(&sql)?.query_row(name, |row| meeting_at(row, 0)).optional()
    }

    /// Why there is no such meeting. A platform that nothing was ever written of is a fault of the
    /// path.
    pub(crate) fn missing(&self) -> Error {
        let platform = self.platform.as_str();
        match Platform::read(Raw::Text(platform)) {
            Ok(_) => Error::MeetingNotFound(self.platform.clone(), self.native_meeting_id.clone()),
            Err(invalid) => {
                let loc = vec![LocStep::Name("path"), LocStep::Name("platform")];
                let sent = SentValue::Text(platform.to_owned());
                Error::Invalid(vec![FieldError::new(loc, sent, invalid)])
            }
        }
    }

    /// The meeting, or [`Error::MeetingNotFound`]; somebody else's is not found either.
    pub(crate) fn find(&self, db: &Connection) -> Result<Meeting> {
        self.look_up(db)?.ok_or_else(|| self.missing())
    }
}

/// The meeting with this id.
pub(crate) fn by_id(db: &Connection, id: MeetingId) -> rusqlite::Result<Option<Meeting>> {
    let sql = concat!("SELECT ", meeting_columns!(), " FROM meetings m WHERE m.id = ?1");
    db.prepare_cached(sql)?.query_row([id], |row| meeting_at(row, 0)).optional()
}

/// The same, unless its user is being erased.
pub(crate) fn by_id_if_found(db: &Connection, id: MeetingId) -> rusqlite::Result<Option<Meeting>> {
    let columns = meeting_columns!();
    let sql = format!(
        "SELECT {columns} FROM meetings m WHERE m.id = ?1 AND m.user_id NOT IN {BEING_ERASED}"
    );
    db.prepare_cached(&sql)?.query_row([id], |row| meeting_at(row, 0)).optional()
}

impl Store {
    /// A meeting by its id, or [`Error::NoSuchMeeting`] where the user has none of that id; a small
    /// read.
    pub(crate) fn meeting_by_id(&self, user_id: UserId, id: MeetingId) -> Result<Meeting> {
        let found = self.read(|db| by_id(db, id))?;
        found.filter(|meeting| meeting.user_id == user_id).ok_or(Error::NoSuchMeeting)
    }

    /// One meeting of a user; a small read.
    pub fn meeting(&self, name: &MeetingName) -> Result<Meeting> {
        let found = self.read(|db| name.look_up(db))?;
        found.ok_or_else(|| name.missing())
    }
}
