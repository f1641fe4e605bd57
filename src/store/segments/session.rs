//! The session of a bot, as its secret opens it.

use crate::domain::{MeetingId, MeetingStatus, Platform, Time, TokenHash, TokenId, UserId, Word};
use crate::store::meetings::states::OPEN;
use crate::store::users::read::BEING_ERASED;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// How long a meeting's secret still opens words after its end, in seconds: bots report the end
/// before their last words.
pub(crate) const WORDS_AFTER_END_SECONDS: i64 = 120;

/// A session and its meeting.
pub(crate) struct Session {
    pub meeting_id: MeetingId,
    pub user_id: UserId,
    pub platform: Word<Platform>,
    pub native_meeting_id: Option<String>,
    pub uid: String,
    /// The clock of the meeting.
    pub started_at: Time,
    pub language: Option<String>,
    pub task: Option<String>,
    /// The API token by which the bot was sent.
    pub token_id: Option<TokenId>,
    /// Whether the meeting is not over.
    pub is_open: bool,
}

const COLUMNS: &str = "m.id, m.user_id, m.platform, m.native_meeting_id, s.uid, s.started_at, s.language, s.task, s.token_id, m.status
    FROM sessions s JOIN meetings m ON m.id = s.meeting_id";

impl Session {
    /// The session with this secret, if its meeting takes words at this time.
    pub(crate) fn find(
        db: &Connection,
        token_hash: &TokenHash,
        now: Time,
    ) -> rusqlite::Result<Option<Self>> {
        let mut find = db.prepare_cached(&format!(
            "SELECT {COLUMNS} WHERE s.token_hash = ?1 AND (m.status IN {} OR m.end_time > ?2)",
            *OPEN
        ))?;
        find.query_row(params![token_hash, ended_after(now)], session_at).optional()
    }

    /// The session of a meeting, unless the meeting is redacted or its user is being erased.
    pub(crate) fn of_meeting(db: &Connection, id: MeetingId) -> rusqlite::Result<Option<Self>> {
        let mut find = db.prepare_cached(&format!(
            "SELECT {COLUMNS} WHERE m.id = ?1 AND m.native_meeting_id IS NOT NULL
               AND m.user_id NOT IN {BEING_ERASED}"
        ))?;
        find.query_row([id], session_at).optional()
    }

    /// The session of the meeting that has this stream.
    pub(crate) fn of_stream(db: &Connection, stream_id: i64) -> rusqlite::Result<Option<Self>> {
        let mut find = db.prepare_cached(&format!(
            "SELECT {COLUMNS} WHERE m.id = (SELECT meeting_id FROM streams WHERE id = ?1)"
        ))?;
        find.query_row([stream_id], session_at).optional()
    }
}

/// Meetings that ended after this time still take words.
pub(crate) fn ended_after(now: Time) -> Time {
    now.plus_seconds(-WORDS_AFTER_END_SECONDS)
}

fn session_at(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        meeting_id: row.get(0)?,
        user_id: row.get(1)?,
        platform: row.get(2)?,
        native_meeting_id: row.get(3)?,
        uid: row.get(4)?,
        started_at: row.get(5)?,
        language: row.get(6)?,
        task: row.get(7)?,
        token_id: row.get(8)?,
        is_open: !row.get::<_, Word<MeetingStatus>>(9)?.is_over(),
    })
}
