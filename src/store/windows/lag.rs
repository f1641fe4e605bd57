//! How far words are behind their sound: what waits in the whole database, and by meeting.

use crate::domain::{MeetingId, Platform, Time, UserId, Word};
use crate::error::Result;
use crate::store::Store;
use rusqlite::{Connection, Row, params};

/// Most meetings that are told of their lag.
const MEETINGS_MAX: i64 = 1000;

/// What waits for words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Windows of live sound.
    pub live_windows: u64,
    /// When the sound of the oldest of them ended.
    pub oldest_live: Option<Time>,
    /// Windows of recordings.
    pub recorded_windows: u64,
    /// Sounds that go on, those of recordings too.
    pub open_sounds: u64,
    /// Sounds that are live and go on.
    pub live_sounds: u64,
    /// Meetings whose sound is live and goes on.
    pub live_meetings: u64,
}

/// A meeting whose live words wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WaitingMeeting {
    /// The meeting.
    pub id: MeetingId,
    /// Whose it is.
    pub user_id: UserId,
    /// Where it is held.
    pub platform: Word<Platform>,
    /// The platform's id of it.
    pub native_meeting_id: Option<String>,
    /// How many windows wait.
    pub windows: u64,
    /// When the sound of the oldest of them ended.
    pub oldest: Time,
}

impl Store {
    /// What waits for words. A long read.
    pub(crate) async fn waiting_words(&self) -> Result<Waiting> {
        self.read_long(waiting_words).await
    }

    /// The meetings whose live words wait since before then. A long read.
    pub(crate) async fn meetings_waiting_since(&self, before: Time) -> Result<Vec<WaitingMeeting>> {
        self.read_long(move |db| meetings_waiting_since(db, before)).await
    }
}

fn waiting_words(db: &Connection) -> rusqlite::Result<Waiting> {
    let mut waiting = Waiting::default();
    let mut count = db.prepare_cached(
        "SELECT s.source = 'upload', count(*), min(t.started_at + w.end_ms)
         FROM windows w INDEXED BY windows_waiting
           JOIN sounds s ON s.id = w.sound_id JOIN streams t ON t.id = s.stream_id
         WHERE w.next_at IS NOT NULL GROUP BY 1",
    )?;
    let mut rows = count.query([])?;
    while let Some(row) = rows.next()? {
        let windows = row.get::<_, i64>(1)?.cast_unsigned();
        if row.get(0)? {
            waiting.recorded_windows = windows;
        } else {
            waiting.live_windows = windows;
            waiting.oldest_live = row.get(2)?;
        }
    }
    let mut open = db.prepare_cached(
        "SELECT count(*), count(*) FILTER (WHERE source <> 'upload'),
           count(DISTINCT meeting_id) FILTER (WHERE source <> 'upload')
         FROM sounds INDEXED BY growing_sounds
         WHERE (ended_at IS NULL OR heard_ms > cut_ms) AND ended_at IS NULL",
    )?;
    let counts = |row: &Row<'_>| Ok([row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?]);
    let [sounds, live, meetings] = open.query_row([], counts)?;
    waiting.open_sounds = sounds.cast_unsigned();
    waiting.live_sounds = live.cast_unsigned();
    waiting.live_meetings = meetings.cast_unsigned();
    Ok(waiting)
}

fn meetings_waiting_since(db: &Connection, before: Time) -> rusqlite::Result<Vec<WaitingMeeting>> {
    let mut list = db.prepare_cached(
        "SELECT m.id, m.user_id, m.platform, m.native_meeting_id, count(*),
           min(t.started_at + w.end_ms) AS oldest
         FROM windows w INDEXED BY windows_waiting JOIN sounds s ON s.id = w.sound_id
           JOIN streams t ON t.id = s.stream_id JOIN meetings m ON m.id = s.meeting_id
         WHERE w.next_at IS NOT NULL AND s.source <> 'upload'
         GROUP BY m.id HAVING oldest < ?1 ORDER BY oldest LIMIT ?2",
    )?;
    let meetings = list.query_map(params![before, MEETINGS_MAX], |row| {
        Ok(WaitingMeeting {
            id: row.get(0)?,
            user_id: row.get(1)?,
            platform: row.get(2)?,
            native_meeting_id: row.get(3)?,
            windows: row.get::<_, i64>(4)?.cast_unsigned(),
            oldest: row.get(5)?,
        })
    })?;
    meetings.collect()
}
