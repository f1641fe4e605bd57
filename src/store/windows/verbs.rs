//! Writes of windows besides their words: a sound is cut, an attempt failed, nobody heard it.

use crate::domain::sound::WindowOutcome;
use crate::domain::{SoundId, Time, WindowId};
use crate::error::Result;
use crate::store::windows::draft::withdraw;
use crate::store::writer::verb::{Change, Stored, Verb};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A window on its way into the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewWindow {
    /// When it begins, in milliseconds on the clock of its sound.
    pub start_ms: i64,
    /// When it ends.
    pub end_ms: i64,
    /// From where in the spool it is read, in bytes.
    pub spool_offset: i64,
}

/// Notes how far a sound is cut, with the windows that this made. Windows that are there already
/// stay as they are; of a sound that is gone nothing is noted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CutWindows {
    /// The sound.
    pub sound_id: SoundId,
    /// The windows, in their order; none where nobody spoke.
    pub windows: Vec<NewWindow>,
    /// When windows would have begun of what sounded like speech and turned out to be none: what was
    /// drafted of it is withdrawn, also where the draft is final meanwhile.
    #[serde(default)]
    pub unsaid_ms: Vec<i64>,
    /// Up to where it is cut, in milliseconds on its clock.
    pub cut_ms: i64,
    /// From where in the spool what follows is read, in bytes.
    pub cut_offset: i64,
    /// Whether nothing of it is left to be cut: it has ended.
    pub is_whole: bool,
    /// The time of the change.
    pub now: Time,
}

impl Verb for CutWindows {
    /// What was withdrawn; `None` is nothing.
    type Answer = Option<Arc<Stored>>;

    fn apply(&self, db: &Connection) -> Result<Self::Answer> {
        let mut find = db.prepare_cached("SELECT 1 FROM sounds WHERE id = ?1")?;
        if !find.exists([self.sound_id])? {
            return Ok(None);
        }
        let mut insert = db.prepare_cached(
            "INSERT INTO windows (sound_id, start_ms, end_ms, spool_offset, created_at, next_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT DO NOTHING",
        )?;
        for window in &self.windows {
            insert.execute(params![
                self.sound_id,
                window.start_ms,
                window.end_ms,
                window.spool_offset,
                self.now
            ])?;
        }
        let mut note = db.prepare_cached(
            "UPDATE sounds SET cut_ms = max(cut_ms, ?2, CASE WHEN ?4 THEN heard_ms ELSE 0 END),
               cut_offset = max(cut_offset, ?3) WHERE id = ?1",
        )?;
        note.execute(params![self.sound_id, self.cut_ms, self.cut_offset, self.is_whole])?;
        withdraw(db, self.sound_id, &self.unsaid_ms, self.now)
    }

    fn change(&self, withdrawn: &Self::Answer) -> Option<Change> {
        withdrawn.clone().map(Change::SegmentsStored)
    }
}

/// Puts a window off after an attempt that failed. One that is done stays done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PutOffWindow {
    /// The window.
    pub window_id: WindowId,
    /// How often it was tried by now.
    pub attempts: u32,
    /// Why the attempt failed.
    pub error: String,
    /// When it is tried again.
    pub next_at: Time,
    /// When the attempt failed.
    pub now: Time,
}

impl Verb for PutOffWindow {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut note = db.prepare_cached(
            "UPDATE windows SET attempts = ?2, last_error = ?3, next_at = ?4,
               first_failed_at = coalesce(first_failed_at, ?5)
             WHERE id = ?1 AND next_at IS NOT NULL",
        )?;
        let Self { window_id, attempts, error, next_at, now } = self;
        note.execute(params![window_id, attempts, error, next_at, now])?;
        Ok(())
    }
}

/// Gives a window up: it is not tried any more. One that is done stays done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GiveUpWindow {
    /// The window.
    pub window_id: WindowId,
    /// Why, where that is known better than from the last attempt.
    pub error: Option<String>,
}

impl Verb for GiveUpWindow {
    /// Whether it was given up by this.
    type Answer = bool;

    fn apply(&self, db: &Connection) -> Result<bool> {
        let mut note = db.prepare_cached(
            "UPDATE windows SET outcome = ?2, last_error = coalesce(?3, last_error), next_at = NULL
             WHERE id = ?1 AND next_at IS NOT NULL",
        )?;
        let given_up = note.execute(params![self.window_id, WindowOutcome::GivenUp, self.error])?;
        Ok(given_up > 0)
    }
}

/// Gives up what of an ended sound was never cut, as one window.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GiveUpSound {
    /// The sound.
    pub sound_id: SoundId,
    /// Why.
    pub error: String,
    /// The time of the change.
    pub now: Time,
}

impl Verb for GiveUpSound {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut find = db.prepare_cached(
            "SELECT cut_ms, heard_ms, cut_offset FROM sounds
             WHERE id = ?1 AND ended_at IS NOT NULL AND heard_ms > cut_ms",
        )?;
        let found = find.query_row([self.sound_id], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        let Some((cut_ms, heard_ms, cut_offset)) = found.optional()? else { return Ok(()) };
        let mut insert = db.prepare_cached(
            "INSERT INTO windows
               (sound_id, start_ms, end_ms, spool_offset, created_at, outcome, last_error)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        )?;
        let given_up = WindowOutcome::GivenUp;
        let values =
            params![self.sound_id, cut_ms, heard_ms, cut_offset, self.now, given_up, self.error];
        insert.execute(values)?;
        db.prepare_cached("UPDATE sounds SET cut_ms = heard_ms WHERE id = ?1")?
            .execute([self.sound_id])?;
        Ok(())
    }
}
