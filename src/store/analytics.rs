//! What an operator is told about meetings and their owners. All of it is long reads, each as of
//! one moment.

use crate::domain::analytics::{
    MeetingStats, MeetingSummary, MeetingWithUser, MeetingsWithUsers, Performance, Session,
    Telematics, TranscriptionStats, UsagePatterns, UserSummary, per_day, seconds,
};
use crate::domain::bot::session_alias;
use crate::domain::{MeetingId, MeetingStatus, Platform, Time, User, UserId};
use crate::error::{Error, Result};
use crate::store::corrections::shown::shown_speaker;
use crate::store::doors::Store;
use crate::store::meetings::read::{by_id, meeting_at, meeting_columns};
use crate::store::positions::{Positions, Start, Table};
use crate::store::users::read::{
    BEING_ERASED, data_columns, find, is_any_being_erased, user_at, user_columns,
};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use std::sync::Arc;

/// Where the columns of a user begin behind those of a meeting.
const BEHIND_MEETING: usize = 12;
/// Most languages that are named of one meeting.
const LANGUAGES_MAX: i64 = 100;
/// Most hours of the day that are named of one user.
const PEAK_HOURS_MAX: i64 = 3;
/// The length of a meeting that lasted, in milliseconds; a clock that was set back makes it 0.
const LASTED_MS: &str = "max(end_time - start_time, 0)";

/// A page of a list.
#[derive(Debug, Clone, Copy)]
pub struct ListPage {
    /// How many to leave out first.
    pub skip: i64,
    /// How many at most.
    pub limit: i64,
}

/// Which of everybody's meetings are asked for.
#[derive(Debug, Clone)]
pub struct MeetingsWanted {
    /// Only those of this user.
    pub user_id: Option<UserId>,
    /// Only those held here.
    pub platform: Option<Platform>,
    /// Only those that the platform calls so.
    pub native_meeting_id: Option<String>,
    /// The page of them.
    pub page: ListPage,
}

/// What is asked about one meeting, beside its row and its times.
#[derive(Debug, Clone, Copy)]
pub struct TelematicsWanted {
    /// Which meeting, whosesoever it is.
    pub id: MeetingId,
    /// Whether its segments are counted.
    pub transcriptions: bool,
    /// Whether its sessions are listed.
    pub sessions: bool,
}

impl Store {
    /// Everybody's meetings with their owners, newest first.
    pub async fn meetings_with_users(&self, page: ListPage) -> Result<MeetingsWithUsers> {
        let positions = Arc::clone(&self.positions);
        self.read_long(move |db| {
            let db = db.unchecked_transaction()?;
            let start = behind_newest(&db, &positions, page.skip)?;
            let total = db.query_row(&format!(
                "SELECT (SELECT count(*) FROM meetings) - (SELECT count(*) FROM meetings WHERE user_id IN {BEING_ERASED})"
            ), [], |row| row.get(0))?;
            let mut statement = db.prepare_cached(concat!(
                "SELECT ",
                meeting_columns!(),
                ", ",
                user_columns!(),
                " FROM meetings m CROSS JOIN users u ON u.id = m.user_id AND u.erasing_at IS NULL
                 WHERE m.id < ?1 ORDER BY m.id DESC LIMIT ?2 OFFSET ?3"
            ))?;
            let item =
                |row: &Row<'_>| Ok(MeetingWithUser { meeting: meeting_at(row, 0)?, user: user_at(row, BEHIND_MEETING)? });
            let items = statement.query_map([start.id, page.limit, start.skip], item)?.collect::<rusqlite::Result<_>>()?;
            Ok(MeetingsWithUsers { total, items })
        })
        .await
    }

    /// All users by id, without what is attached to them.
    pub async fn user_summaries(&self, page: ListPage) -> Result<Vec<UserSummary>> {
        let positions = Arc::clone(&self.positions);
        self.read_long(move |db| {
            let db = db.unchecked_transaction()?;
            let start = positions.behind_first(&db, Table::Users, 0, page.skip)?;
            let mut statement = db.prepare_cached(
                "SELECT id, email, name, image_url, max_concurrent_bots, created_at FROM users
                 WHERE id > ?1 AND erasing_at IS NULL ORDER BY id LIMIT ?2 OFFSET ?3",
            )?;
            statement.query_map([start.id, page.limit, start.skip], user_summary)?.collect()
        })
        .await
    }

    /// Everybody's meetings, newest first, without what is noted about them.
    pub async fn meeting_summaries(&self, wanted: MeetingsWanted) -> Result<Vec<MeetingSummary>> {
        let positions = Arc::clone(&self.positions);
        self.read_long(move |db| {
            let db = db.unchecked_transaction()?;
            let skip = wanted.page.skip;
            let is_everything =
                wanted.user_id.is_none() && wanted.platform.is_none() && wanted.native_meeting_id.is_none();
            let start = match is_everything {
                true => behind_newest(&db, &positions, skip)?,
                false => Start { id: i64::MAX, skip },
            };
            // Spelled out, so that a user's meetings are found by their index.
            let whose = if wanted.user_id.is_some() { "user_id = :user" } else { ":user IS NULL" };
            let mut statement = db.prepare_cached(&format!(
                "SELECT id, user_id, platform, native_meeting_id, constructed_meeting_url, status, bot_container_id,
                   start_time, end_time, created_at, updated_at
                 FROM meetings
                 WHERE {whose} AND id < :before AND (:platform IS NULL OR platform = :platform)
                   AND (:native IS NULL OR native_meeting_id = :native)
                   AND user_id NOT IN {BEING_ERASED}
                 ORDER BY id DESC LIMIT :limit OFFSET :skip"
            ))?;
            let values = named_params! {
                ":user": wanted.user_id,
                ":platform": wanted.platform,
                ":native": wanted.native_meeting_id,
                ":before": start.id,
                ":limit": wanted.page.limit,
                ":skip": start.skip,
            };
            statement.query_map(values, meeting_summary)?.collect()
        })
        .await
    }

    /// All that is known of one meeting.
    pub async fn telematics(&self, wanted: TelematicsWanted) -> Result<Telematics> {
        let found =
            self.read_long(move |db| telematics(&*db.unchecked_transaction()?, wanted)).await?;
        found.ok_or(Error::NoSuchMeeting)
    }

    /// A user and their meetings in figures.
    pub async fn user_figures(&self, id: UserId) -> Result<(User, MeetingStats, UsagePatterns)> {
        let found =
            self.read_long(move |db| user_figures(&*db.unchecked_transaction()?, id)).await?;
        found.ok_or(Error::UserNotFound)
    }
}

/// Where the page of everybody's meetings begins that leaves out the newest `skip`; first in its
/// transaction. The counts of the blocks know nothing of who is being erased meanwhile: then the
/// rows are left out one by one.
fn behind_newest(db: &Connection, positions: &Positions, skip: i64) -> rusqlite::Result<Start> {
    let start = positions.behind_newest(db, Table::Meetings, skip)?;
    match is_any_being_erased(db)? {
        true => Ok(Start { id: i64::MAX, skip }),
        false => Ok(start),
    }
}

/// A user from the first six columns of a row.
pub(crate) fn user_summary(row: &Row<'_>) -> rusqlite::Result<UserSummary> {
    Ok(UserSummary {
        id: row.get(0)?,
        email: row.get(1)?,
        name: row.get(2)?,
        image_url: row.get(3)?,
        max_concurrent_bots: row.get(4)?,
        created_at: row.get(5)?,
    })
}

/// A meeting from the first eleven columns of a row.
pub(crate) fn meeting_summary(row: &Row<'_>) -> rusqlite::Result<MeetingSummary> {
    Ok(MeetingSummary {
        id: row.get(0)?,
        user_id: row.get(1)?,
        platform: row.get(2)?,
        native_meeting_id: row.get(3)?,
        constructed_meeting_url: row.get(4)?,
        status: row.get(5)?,
        bot_container_id: row.get(6)?,
        start_time: row.get(7)?,
        end_time: row.get(8)?,
        created_at: row.get(9)?,
        updated_at: row.get(10)?,
    })
}

fn telematics(db: &Connection, wanted: TelematicsWanted) -> rusqlite::Result<Option<Telematics>> {
    let Some(meeting) = by_id(db, wanted.id)? else { return Ok(None) };
    if find(db, meeting.user_id)?.is_none() {
        return Ok(None);
    }
    let sessions = if wanted.sessions { sessions(db, wanted.id)? } else { Vec::new() };
    let transcription_stats =
        if wanted.transcriptions { Some(transcription_stats(db, wanted.id)?) } else { None };
    let performance_metrics = Performance::of(&meeting);
    Ok(Some(Telematics { meeting, sessions, transcription_stats, performance_metrics }))
}

fn sessions(db: &Connection, id: MeetingId) -> rusqlite::Result<Vec<Session>> {
    let mut statement = db.prepare_cached(
        "SELECT id, meeting_id, uid, started_at FROM sessions WHERE meeting_id = ?1 ORDER BY id",
    )?;
    let session = |row: &Row<'_>| {
        Ok(Session {
            id: row.get(0)?,
            meeting_id: row.get(1)?,
            session_uid: session_alias(&row.get::<_, String>(2)?),
            session_start_time: row.get(3)?,
        })
    };
    statement.query_map([id], session)?.collect()
}

fn transcription_stats(db: &Connection, id: MeetingId) -> rusqlite::Result<TranscriptionStats> {
    let mut figures = db.prepare_cached(concat!(
        "SELECT count(*), coalesce(sum(s.absolute_end - s.absolute_start), 0), count(DISTINCT ",
        shown_speaker!(),
        ") FROM segments s WHERE s.meeting_id = ?1 AND s.completed"
    ))?;
    let figures = figures.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut languages = db.prepare_cached(
        "SELECT language FROM segments WHERE meeting_id = ?1 AND language IS NOT NULL AND completed
         GROUP BY language ORDER BY min(absolute_start), language LIMIT ?2",
    )?;
    let languages = languages.query_map(params![id, LANGUAGES_MAX], |row| row.get(0))?;
    Ok(TranscriptionStats {
        total_transcriptions: figures.0,
        total_duration: seconds(figures.1),
        unique_speakers: figures.2,
        languages_detected: languages.collect::<rusqlite::Result<_>>()?,
    })
}

fn user_figures(
    db: &Connection,
    id: UserId,
) -> rusqlite::Result<Option<(User, MeetingStats, UsagePatterns)>> {
    let Some(user) = find(db, id)? else { return Ok(None) };
    Ok(Some((user, meeting_stats(db, id)?, usage_patterns(db, id)?)))
}

fn meeting_stats(db: &Connection, id: UserId) -> rusqlite::Result<MeetingStats> {
    let mut figures = db.prepare_cached(&format!(
        "SELECT count(*), count(*) FILTER (WHERE status = ?2), count(*) FILTER (WHERE status = ?3),
           coalesce(sum({LASTED_MS}), 0), CAST(avg({LASTED_MS}) AS INTEGER)
         FROM meetings WHERE user_id = ?1"
    ))?;
    figures.query_row(params![id, MeetingStatus::Completed, MeetingStatus::Failed], |row| {
        let (total_meetings, completed_meetings, failed_meetings) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(MeetingStats {
            total_meetings,
            completed_meetings,
            failed_meetings,
            active_meetings: total_meetings - completed_meetings - failed_meetings,
            total_duration: seconds(row.get(3)?),
            average_duration: row.get::<_, Option<i64>>(4)?.map(seconds),
        })
    })
}

fn usage_patterns(db: &Connection, id: UserId) -> rusqlite::Result<UsagePatterns> {
    let mut favourite = db.prepare_cached(
        "SELECT platform FROM meetings WHERE user_id = ?1 GROUP BY platform ORDER BY count(*) DESC, max(id) DESC LIMIT 1",
    )?;
    let mut hours = db.prepare_cached(
        "SELECT created_at / 3600000 % 24 AS hour FROM meetings WHERE user_id = ?1
         GROUP BY hour ORDER BY count(*) DESC, hour LIMIT ?2",
    )?;
    let mut figures = db.prepare_cached(
        "SELECT count(*), coalesce(max(created_at) / 86400000 - min(created_at) / 86400000 + 1, 0), max(updated_at)
         FROM meetings WHERE user_id = ?1",
    )?;
    let (count, days, last_activity): (i64, i64, Option<Time>) =
        figures.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(UsagePatterns {
        most_used_platform: favourite.query_row([id], |row| row.get(0)).optional()?,
        meetings_per_day: per_day(count, days),
        peak_usage_hours: hours
            .query_map(params![id, PEAK_HOURS_MAX], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?,
        last_activity,
    })
}
