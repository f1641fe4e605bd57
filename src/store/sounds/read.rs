//! Sounds as they are read.

use crate::domain::sound::{MeetingSound, SoundFormat};
use crate::domain::{Day, MeetingId, SoundId, Time, UserId};
use crate::error::Result;
use crate::store::corrections::shown::shown_speaker;
use crate::store::doors::Store;
use rusqlite::{Row, params};

/// Most sounds of a meeting that are listed with it.
const MEETING_SOUNDS_MAX: i64 = 500;

/// A sound that has not ended.
#[derive(Debug, Clone)]
pub(crate) struct OpenSound {
    pub id: SoundId,
    pub meeting_id: MeetingId,
    /// Its stream.
    pub uid: String,
    pub format: SoundFormat,
    /// How much of it is noted, in milliseconds of its clock.
    pub heard_ms: i64,
    /// Up to where it is cut: as much had come, also where the spool has it no more.
    pub cut_ms: i64,
}

/// The form of a sound.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SoundForm {
    pub id: SoundId,
    pub format: SoundFormat,
    /// When nothing more of it came; `None` while something may come.
    pub ended_at: Option<Time>,
}

impl Store {
    /// The sounds that have not ended, by meeting; a long read.
    pub(crate) async fn open_sounds(&self) -> Result<Vec<OpenSound>> {
        self.read_long(|db| {
            let mut list = db.prepare_cached(
                "SELECT s.id, s.meeting_id, s.codec, s.rate, s.channels, s.heard_ms, t.uid,
                   s.cut_ms
                 FROM sounds s INDEXED BY growing_sounds JOIN streams t ON t.id = s.stream_id
                 WHERE (s.ended_at IS NULL OR s.heard_ms > s.cut_ms) AND s.ended_at IS NULL
                 ORDER BY s.meeting_id, s.id",
            )?;
            list.query_map([], open_at)?.collect()
        })
        .await
    }

    /// Whether a sound has not ended, and so much of it is noted; a small read.
    pub(crate) fn is_open_with(&self, id: SoundId, heard_ms: i64) -> Result<bool> {
        self.read(|db| {
            let find = "SELECT 1 FROM sounds WHERE id = ?1 AND ended_at IS NULL AND heard_ms = ?2";
            db.prepare_cached(find)?.exists(params![id, heard_ms])
        })
    }

    /// How much sound of a user is counted on a day, in milliseconds; a small read.
    pub(crate) fn sound_ms_of(&self, user_id: UserId, day: Day) -> Result<i64> {
        self.read(|db| {
            let mut sum = db.prepare_cached(
                "SELECT coalesce(sum(sound_ms), 0) FROM usage WHERE user_id = ?1 AND day = ?2",
            )?;
            sum.query_row(params![user_id, day], |row| row.get(0))
        })
    }

    /// The sounds of a meeting with their forms: what its bot has recorded of all, and then the others
    /// in the order in which they began; a small read.
    pub(crate) fn sounds_of(&self, meeting_id: MeetingId) -> Result<Vec<SoundForm>> {
        self.read(|db| {
            let mut list = db.prepare_cached(
                "SELECT s.id, s.codec, s.rate, s.channels, s.ended_at
                 FROM sounds s JOIN streams t ON t.id = s.stream_id
                 WHERE s.meeting_id = ?1 ORDER BY s.source <> 'recording', t.started_at, s.id",
            )?;
            let sound = |row: &Row<'_>| {
                let format =
                    SoundFormat { codec: row.get(1)?, rate: row.get(2)?, channels: row.get(3)? };
                Ok(SoundForm { id: row.get(0)?, format, ended_at: row.get(4)? })
            };
            list.query_map([meeting_id], sound)?.collect()
        })
    }

    /// The first sounds of a meeting of which something came, in the order in which they began,
    /// each with its speaker as segments show them; a small read.
    pub(crate) fn meeting_sounds(&self, meeting_id: MeetingId) -> Result<Vec<MeetingSound>> {
        self.read(|db| {
            let mut list = db.prepare_cached(concat!(
                "SELECT s.id, s.source, iif(s.speaker IS NULL, NULL, ",
                shown_speaker!(),
                "), t.started_at, s.heard_ms
                     FROM sounds s JOIN streams t ON t.id = s.stream_id
                     WHERE s.meeting_id = ?1 AND s.heard_ms > 0
                     ORDER BY t.started_at, s.id LIMIT ?2"
            ))?;
            let sound = |row: &Row<'_>| {
                Ok(MeetingSound {
                    id: row.get(0)?,
                    source: row.get(1)?,
                    speaker: row.get(2)?,
                    started_at: row.get(3)?,
                    seconds: row.get::<_, i64>(4)? / 1000,
                })
            };
            list.query_map(params![meeting_id, MEETING_SOUNDS_MAX], sound)?.collect()
        })
    }

    /// The meetings whose files are to be deleted from the spool; a small read.
    pub(crate) fn erased_sounds(&self) -> Result<Vec<MeetingId>> {
        self.read(|db| {
            let mut list =
                db.prepare_cached("SELECT meeting_id FROM erased_sounds ORDER BY meeting_id")?;
            list.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// Whether there is a meeting, and whether it has sounds; a small read.
    pub(crate) fn has_sound(&self, id: MeetingId) -> Result<(bool, bool)> {
        self.read(|db| {
            let mut look = db.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM meetings WHERE id = ?1), EXISTS (SELECT 1 FROM sounds WHERE meeting_id = ?1)",
            )?;
            look.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        })
    }
}

fn open_at(row: &Row<'_>) -> rusqlite::Result<OpenSound> {
    let format = SoundFormat { codec: row.get(2)?, rate: row.get(3)?, channels: row.get(4)? };
    Ok(OpenSound {
        id: row.get(0)?,
        meeting_id: row.get(1)?,
        uid: row.get(6)?,
        format,
        heard_ms: row.get(5)?,
        cut_ms: row.get(7)?,
    })
}
