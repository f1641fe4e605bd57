//! The draft of a window that still grows: one for each sound, replaced by the next one and by the
//! final words.

use crate::domain::bot::session_alias;
use crate::domain::spoken::is_speech;
use crate::domain::{SoundId, Time};
use crate::error::Result;
use crate::store::meetings::gathered;
use crate::store::segments::batch::{Batch, Prepared};
use crate::store::segments::session::Session;
use crate::store::usage;
use crate::store::windows::store_window::sound_of_words;
use crate::store::writer::verb::{Change, Stored, Verb};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Stores what is heard so far in a window that grows. Where the window is done meanwhile, its
/// final words stand; once the meeting is over, no draft comes.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoreDraft {
    /// The sound.
    pub sound_id: SoundId,
    /// When the window begins, in milliseconds on the clock of the sound.
    pub window_start_ms: i64,
    /// When the words begin.
    pub start_ms: i64,
    /// When they end.
    pub end_ms: i64,
    /// The words.
    pub text: String,
    /// The language that was heard, where no other is set.
    pub language: Option<String>,
    /// Whether it is too late as well where the sound is cut there by now, and has no such window.
    #[serde(default)]
    pub must_grow: bool,
    /// The time of the change.
    pub now: Time,
}

impl Verb for StoreDraft {
    /// What has changed; `None` where its words stand already, or come too late.
    type Answer = Option<Arc<Stored>>;

    fn apply(&self, db: &Connection) -> Result<Self::Answer> {
        if !is_speech(&self.text) || self.is_late(db)? {
            return Ok(None);
        }
        let Some(sound) = sound_of_words(db, self.sound_id)? else { return Ok(None) };
        let Some(session) = Session::of_stream(db, sound.stream.id)? else { return Ok(None) };
        if !session.is_open {
            return Ok(None);
        }
        let language = sound.language.clone().or_else(|| session.language.clone());
        let language = language.or_else(|| self.language.clone());
        let input = sound.input((self.start_ms, self.end_ms), &self.text, language, false);
        let (start, end) = input.on_clock(sound.stream.started_at);
        let identity = sound.identity(self.window_start_ms, 0);
        let mut batch = Batch::new(db, &session, self.now);
        batch.store_draft(sound.stream, Prepared { identity, start, end, input: &input })?;
        batch.news(session_alias(&sound.uid))
    }

    fn change(&self, news: &Self::Answer) -> Option<Change> {
        news.clone().map(Change::SegmentsStored)
    }
}

impl StoreDraft {
    /// Whether a window that is done has what it heard, or it was found to be no speech.
    fn is_late(&self, db: &Connection) -> rusqlite::Result<bool> {
        let mut find = db.prepare_cached(
            "SELECT max(next_at IS NULL) FROM windows
             WHERE sound_id = ?1 AND start_ms <= ?2 AND end_ms > ?2",
        )?;
        let of_place = params![self.sound_id, self.window_start_ms];
        let is_done: Option<bool> = find.query_row(of_place, |row| row.get(0))?;
        if let Some(is_done) = is_done {
            return Ok(is_done);
        }
        let mut find = db.prepare_cached("SELECT 1 FROM sounds WHERE id = ?1 AND cut_ms > ?2")?;
        Ok(self.must_grow && find.exists(of_place)?)
    }
}

/// Deletes what was drafted of these windows of a sound, which will never be: no words were said
/// there. What was deleted; `None` is nothing.
pub(super) fn withdraw(
    db: &Connection,
    id: SoundId,
    windows_ms: &[i64],
    now: Time,
) -> Result<Option<Arc<Stored>>> {
    if windows_ms.is_empty() {
        return Ok(None);
    }
    let Some(sound) = sound_of_words(db, id)? else { return Ok(None) };
    let Some(session) = Session::of_stream(db, sound.stream.id)? else { return Ok(None) };
    let gathered = match session.is_open {
        true => None,
        false => Some(gathered::gathered(db, session.meeting_id)?),
    };
    let mut batch = Batch::new(db, &session, now);
    for window_ms in windows_ms {
        batch.remove_one(&sound.identity(*window_ms, 0))?;
    }
    let more_ms = batch.more_ms;
    let Some(news) = batch.news(session_alias(&sound.uid))? else { return Ok(None) };
    if let Some(before) = gathered {
        gathered::gather_again(db, session.meeting_id, &before, now)?;
    }
    if let Some(token_id) = sound.token_id.or(session.token_id) {
        usage::verbs::words_said(db, session.user_id, token_id, more_ms, now)?;
    }
    Ok(Some(news))
}
