//! Sounds that grow and windows that wait, as their jobs read them.

use crate::domain::sound::{SoundFormat, SoundSource};
use crate::domain::{MeetingId, MeetingStatus, SoundId, Time, UserId, WindowId, Word};
use crate::error::Result;
use crate::store::Store;
use rusqlite::{Connection, Row, params};

/// Most meetings that are read at once.
const MEETINGS_READ: i64 = 1000;

/// A sound of which something may not be cut yet.
#[derive(Debug, Clone)]
pub(crate) struct GrowingSound {
    /// The sound.
    pub id: SoundId,
    /// Its form in the spool.
    pub format: SoundFormat,
    /// Where it comes from.
    pub source: SoundSource,
    /// Whether nothing more comes.
    pub has_ended: bool,
    /// Up to where it is cut, in milliseconds on its clock.
    pub cut_ms: i64,
    /// From where in the spool what follows is read, in bytes.
    pub cut_offset: i64,
}

/// A window that waits for its words.
#[derive(Debug, Clone)]
pub(crate) struct WaitingWindow {
    /// The window.
    pub id: WindowId,
    /// Its sound.
    pub sound: SoundToHear,
    /// When it begins, in milliseconds on the clock of its sound.
    pub start_ms: i64,
    /// When it ends.
    pub end_ms: i64,
    /// From where in the spool it is read, in bytes.
    pub spool_offset: i64,
    /// When its first attempt failed, if one has.
    pub first_failed_at: Option<Time>,
    /// How often it was tried.
    pub attempts: u32,
}

/// What an engine is told of a sound.
#[derive(Debug, Clone)]
pub(crate) struct SoundToHear {
    /// The sound.
    pub id: SoundId,
    /// Its meeting.
    pub meeting_id: MeetingId,
    /// Whose meeting it is.
    pub user_id: UserId,
    /// Where it comes from.
    pub source: SoundSource,
    /// Its form in the spool.
    pub format: SoundFormat,
    /// Whether it is of one speaker.
    pub has_speaker: bool,
    /// In which language it is spoken, where that was said.
    pub language: Option<String>,
    /// What is made of it, where that was said.
    pub task: Option<String>,
}

/// What is left to do with the sound of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SoundState {
    /// Whether the meeting is over, all of its sound is cut, and no window waits or was given up
    /// lately.
    pub is_heard: bool,
    /// When the meeting and its sound ended.
    pub ended_at: Option<Time>,
}

const FORMAT: &str = "s.codec, s.rate, s.channels";

/// The columns of [`sound_to_hear_at`], from `sounds s`, `meetings m` and `sessions b`.
const TO_HEAR: &str =
    "s.id, s.meeting_id, m.user_id, s.source, s.codec, s.rate, s.channels, s.speaker IS NOT NULL,
    coalesce(s.language, b.language), b.task";

const JOINED: &str = "sounds s JOIN meetings m ON m.id = s.meeting_id
    LEFT JOIN sessions b ON b.meeting_id = s.meeting_id";

fn format_at(row: &Row<'_>, at: usize) -> rusqlite::Result<SoundFormat> {
    Ok(SoundFormat { codec: row.get(at)?, rate: row.get(at + 1)?, channels: row.get(at + 2)? })
}

fn sound_to_hear_at(row: &Row<'_>) -> rusqlite::Result<SoundToHear> {
    Ok(SoundToHear {
        id: row.get(0)?,
        meeting_id: row.get(1)?,
        user_id: row.get(2)?,
        source: row.get(3)?,
        format: format_at(row, 4)?,
        has_speaker: row.get(7)?,
        language: row.get(8)?,
        task: row.get(9)?,
    })
}

impl Store {
    /// The meetings of which some sound may not be cut yet.
    pub(crate) fn meetings_with_growing_sounds(&self) -> Result<Vec<MeetingId>> {
        self.read(|db| {
            let mut list = db.prepare_cached(
                "SELECT DISTINCT meeting_id FROM sounds INDEXED BY growing_sounds
                 WHERE ended_at IS NULL OR heard_ms > cut_ms LIMIT ?1",
            )?;
            let ids = list.query_map([MEETINGS_READ], |row| row.get(0))?;
            ids.collect()
        })
    }

    /// The sounds of a meeting that may not be cut yet.
    pub(crate) fn growing_sounds(&self, meeting_id: MeetingId) -> Result<Vec<GrowingSound>> {
        self.read(|db| {
            let mut list = db.prepare_cached(&format!(
                "SELECT s.id, {FORMAT}, s.source, s.ended_at IS NOT NULL, s.cut_ms, s.cut_offset
                 FROM sounds s INDEXED BY sounds_of_meeting
                 WHERE s.meeting_id = ?1 AND (s.ended_at IS NULL OR s.heard_ms > s.cut_ms)
                 ORDER BY s.id"
            ))?;
            let sounds = list.query_map([meeting_id], |row| {
                Ok(GrowingSound {
                    id: row.get(0)?,
                    format: format_at(row, 1)?,
                    source: row.get(4)?,
                    has_ended: row.get(5)?,
                    cut_ms: row.get(6)?,
                    cut_offset: row.get(7)?,
                })
            })?;
            sounds.collect()
        })
    }

    /// What an engine is told of a sound; `None` where it is gone.
    pub(crate) fn sound_to_hear(&self, id: SoundId) -> Result<Option<SoundToHear>> {
        self.read(|db| {
            let mut find =
                db.prepare_cached(&format!("SELECT {TO_HEAR} FROM {JOINED} WHERE s.id = ?1"))?;
            let mut rows = find.query([id])?;
            rows.next()?.map(sound_to_hear_at).transpose()
        })
    }

    /// Windows that are due, so many of each user: those of live sound first, each kind by age.
    /// What was put off beyond `latest`, by a clock that was ahead, is due too. A long read.
    pub(crate) async fn due_windows(
        &self,
        now: Time,
        latest: Time,
        of_user: usize,
        max: usize,
    ) -> Result<Vec<WaitingWindow>> {
        self.read_long(move |db| due_windows(db, now, latest, (of_user, max))).await
    }

    /// The sounds of a meeting that ended before then and are not cut; a small read.
    pub(crate) fn uncut_sounds(&self, meeting_id: MeetingId, before: Time) -> Result<Vec<SoundId>> {
        self.read(|db| {
            let mut list = db.prepare_cached(
                "SELECT id FROM sounds INDEXED BY sounds_of_meeting
                 WHERE meeting_id = ?1 AND heard_ms > cut_ms AND ended_at < ?2",
            )?;
            let ids = list.query_map(params![meeting_id, before], |row| row.get(0))?;
            ids.collect()
        })
    }

    /// What is left to do with the sound of a meeting; `None` where it has none. A long read.
    pub(crate) async fn sound_state(
        &self,
        meeting_id: MeetingId,
        given_up_since: Time,
    ) -> Result<Option<SoundState>> {
        self.read_long(move |db| sound_state(db, meeting_id, given_up_since)).await
    }

    /// From which offset on somebody may still read the spool of a meeting: what is not cut, and the
    /// windows that wait or were given up. A long read.
    pub(crate) async fn sound_needed_from(&self, meeting_id: MeetingId) -> Result<Option<i64>> {
        self.read_long(move |db| {
            let mut find = db.prepare_cached(
                "SELECT coalesce(min(place), (SELECT max(cut_offset) FROM sounds WHERE meeting_id = ?1))
                 FROM (SELECT cut_offset AS place FROM sounds
                       WHERE meeting_id = ?1 AND (ended_at IS NULL OR heard_ms > cut_ms)
                       UNION ALL
                       SELECT w.spool_offset FROM sounds s
                         JOIN windows w INDEXED BY windows_unheard ON w.sound_id = s.id
                       WHERE s.meeting_id = ?1 AND (w.next_at IS NOT NULL OR w.outcome = 'given_up'))",
            )?;
            find.query_row([meeting_id], |row| row.get(0))
        })
        .await
    }

    /// How many other meetings have live sound that goes on.
    pub(crate) fn other_live_meetings(&self, meeting_id: MeetingId) -> Result<usize> {
        self.read(|db| {
            let mut count = db.prepare_cached(
                "SELECT count(DISTINCT meeting_id) FROM sounds INDEXED BY growing_sounds
                 WHERE (ended_at IS NULL OR heard_ms > cut_ms) AND ended_at IS NULL
                   AND source <> 'upload' AND meeting_id <> ?1",
            )?;
            let meetings: i64 = count.query_row([meeting_id], |row| row.get(0))?;
            Ok(usize::try_from(meetings).unwrap_or(usize::MAX))
        })
    }
}

fn due_windows(
    db: &Connection,
    now: Time,
    latest: Time,
    (of_user, max): (usize, usize),
) -> rusqlite::Result<Vec<WaitingWindow>> {
    let mut list = db.prepare_cached(&format!(
        "SELECT * FROM (
           SELECT {TO_HEAR}, w.id AS window_id, w.start_ms, w.end_ms, w.spool_offset, w.created_at,
             w.attempts, s.source = 'upload' AS is_recorded, row_number() OVER (
               PARTITION BY m.user_id ORDER BY s.source = 'upload', w.id) AS place_of_user
           FROM windows w INDEXED BY windows_waiting JOIN {JOINED}
           WHERE w.next_at IS NOT NULL AND (w.next_at <= ?1 OR w.next_at > ?2)
             AND s.id = w.sound_id)
         WHERE place_of_user <= ?3 ORDER BY is_recorded, window_id LIMIT ?4"
    ))?;
    let of_user = i64::try_from(of_user).unwrap_or(i64::MAX);
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let windows = list.query_map(params![now, latest, of_user, max], |row| {
        Ok(WaitingWindow {
            sound: sound_to_hear_at(row)?,
            id: row.get(10)?,
            start_ms: row.get(11)?,
            end_ms: row.get(12)?,
            spool_offset: row.get(13)?,
            first_failed_at: row.get(14)?,
            attempts: row.get(15)?,
        })
    })?;
    windows.collect()
}

pub(crate) fn sound_state(
    db: &Connection,
    meeting_id: MeetingId,
    given_up_since: Time,
) -> rusqlite::Result<Option<SoundState>> {
    let mut find = db.prepare_cached(
        "SELECT m.status, m.end_time, count(s.id),
           coalesce(sum(s.ended_at IS NULL OR s.heard_ms > s.cut_ms), 0), max(s.ended_at)
         FROM meetings m LEFT JOIN sounds s ON s.meeting_id = m.id WHERE m.id = ?1 GROUP BY m.id",
    )?;
    let mut rows = find.query([meeting_id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let status: Word<MeetingStatus> = row.get(0)?;
    let (sounds, growing): (i64, i64) = (row.get(2)?, row.get(3)?);
    if sounds == 0 {
        return Ok(None);
    }
    let ended_at: Option<Time> = row.get::<_, Option<Time>>(1)?.max(row.get(4)?);
    if growing > 0 || !status.is_over() {
        return Ok(Some(SoundState { is_heard: false, ended_at }));
    }
    let mut needed = db.prepare_cached(
        "SELECT 1 FROM sounds s JOIN windows w INDEXED BY windows_unheard ON w.sound_id = s.id
         WHERE s.meeting_id = ?1 AND (w.next_at IS NOT NULL OR w.outcome = 'given_up')
           AND (w.next_at IS NOT NULL OR (w.outcome = 'given_up' AND w.created_at > ?2)) LIMIT 1",
    )?;
    let is_heard = !needed.exists(params![meeting_id, given_up_since])?;
    Ok(Some(SoundState { is_heard, ended_at }))
}
