//! The words of a window become segments of its stream, and the window is done: one transaction.

use crate::domain::bot::session_alias;
use crate::domain::sound::{SoundSource, WindowOutcome};
use crate::domain::spoken::is_speech;
use crate::domain::{SegmentInput, SentTime, SoundId, Time, TokenId, WindowId};
use crate::error::{Error, Result};
use crate::store::meetings::gathered;
use crate::store::segments::batch::{Batch, NAMED_AGAIN_SECONDS, Prepared};
use crate::store::segments::session::Session;
use crate::store::segments::streams::{self, Stream};
use crate::store::usage;
use crate::store::windows::split::{WindowSegment, WindowWithheld, by_speaker};
use crate::store::writer::verb::{Change, Stored, Verb};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Stores what was heard in a window. A window that is done, or is gone, changes nothing.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoreWindow {
    /// The window.
    pub window_id: WindowId,
    /// What was heard and is believed.
    pub segments: Vec<WindowSegment>,
    /// What was heard and is not.
    pub withheld: Vec<WindowWithheld>,
    /// The language that was heard, where no other is set.
    pub language: Option<String>,
    /// Who heard it; nobody where no voice is in it.
    pub engine: Option<String>,
    /// The time of the change.
    pub now: Time,
}

/// What became of a window.
#[derive(Debug, Clone)]
pub struct WindowDone {
    /// What it held.
    pub outcome: WindowOutcome,
    /// From the end of its sound until its words were stored, in milliseconds.
    pub lag_ms: i64,
    /// The language of its words.
    pub language: Option<String>,
    pub(crate) news: Option<Arc<Stored>>,
}

/// A sound, as its words need it.
pub(crate) struct SoundOfWords {
    pub id: SoundId,
    pub stream: Stream,
    pub uid: String,
    pub source: SoundSource,
    pub speaker: Option<String>,
    pub language: Option<String>,
    pub token_id: Option<TokenId>,
}

const SOUND_COLUMNS: &str =
    "s.id, s.stream_id, t.started_at, t.uid, s.source, s.speaker, s.language,
    s.token_id";

/// The sound with this id; `None` where it is gone.
pub(crate) fn sound_of_words(
    db: &Connection,
    id: SoundId,
) -> rusqlite::Result<Option<SoundOfWords>> {
    let mut find = db.prepare_cached(&format!(
        "SELECT {SOUND_COLUMNS} FROM sounds s JOIN streams t ON t.id = s.stream_id WHERE s.id = ?1"
    ))?;
    find.query_row([id], sound_at).optional()
}

fn sound_at(row: &Row<'_>) -> rusqlite::Result<SoundOfWords> {
    Ok(SoundOfWords {
        id: row.get(0)?,
        stream: Stream { id: row.get(1)?, started_at: row.get(2)? },
        uid: row.get(3)?,
        source: row.get(4)?,
        speaker: row.get(5)?,
        language: row.get(6)?,
        token_id: row.get(7)?,
    })
}

impl SoundOfWords {
    /// What names a segment of a window: the window and its place there, so that the final words
    /// replace the draft, and the same window twice replaces itself.
    pub(crate) fn identity(&self, window_start_ms: i64, place: usize) -> String {
        format!("{}:w{window_start_ms}:{place}", self.stream.id)
    }

    /// What is said in these segments, by speaker.
    pub(crate) fn inputs(
        &self,
        db: &Connection,
        segments: &[WindowSegment],
        language: Option<&String>,
    ) -> Result<Vec<SegmentInput>> {
        let mut parts = Vec::new();
        if self.speaker.is_some() {
            parts.extend_from_slice(segments);
        } else {
            let spans = streams::spans(db, self.stream)?;
            for segment in segments {
                parts.extend(by_speaker(segment, &spans, self.stream.started_at));
            }
        }
        let mut inputs = Vec::new();
        for part in parts.iter().filter(|part| is_speech(&part.text)) {
            let times = (part.start_ms, part.end_ms);
            inputs.push(self.input(times, &part.text, language.cloned(), true));
        }
        Ok(inputs)
    }

    /// The segments of a window on their way into the file.
    pub(crate) fn prepared<'a>(
        &self,
        window_start_ms: i64,
        inputs: &'a [SegmentInput],
    ) -> Vec<Prepared<'a>> {
        let mut prepared = Vec::new();
        for (place, input) in inputs.iter().enumerate() {
            let (start, end) = input.on_clock(self.stream.started_at);
            let identity = self.identity(window_start_ms, place);
            prepared.push(Prepared { identity, start, end, input });
        }
        prepared
    }

    /// A segment as the rules of streams take it.
    pub(crate) fn input(
        &self,
        (start_ms, end_ms): (i64, i64),
        text: &str,
        language: Option<String>,
        completed: bool,
    ) -> SegmentInput {
        SegmentInput {
            segment_id: None,
            start: SentTime::Offset(start_ms),
            end: SentTime::Offset(end_ms),
            absolute: None,
            text: text.trim().to_owned(),
            speaker: self.speaker.clone(),
            by_platform: self.source == SoundSource::Jitsi,
            language,
            completed,
        }
    }
}

/// A window that still waits.
struct Waiting {
    sound_id: SoundId,
    start_ms: i64,
    end_ms: i64,
}

fn waiting(db: &Connection, id: WindowId) -> rusqlite::Result<Option<Waiting>> {
    let mut find = db.prepare_cached(
        "SELECT sound_id, start_ms, end_ms FROM windows WHERE id = ?1 AND next_at IS NOT NULL",
    )?;
    let window = find.query_row([id], |row| {
        Ok(Waiting { sound_id: row.get(0)?, start_ms: row.get(1)?, end_ms: row.get(2)? })
    });
    window.optional()
}

impl Verb for StoreWindow {
    /// `None` where the window was done before, or is gone.
    type Answer = Option<WindowDone>;

    fn apply(&self, db: &Connection) -> Result<Option<WindowDone>> {
        let Some(window) = waiting(db, self.window_id)? else { return Ok(None) };
        let Some(sound) = sound_of_words(db, window.sound_id)? else { return Ok(None) };
        let Some(session) = Session::of_stream(db, sound.stream.id)? else { return Ok(None) };
        let gathered = match session.is_open {
            true => None,
            false => Some(gathered::gathered(db, session.meeting_id)?),
        };
        let language = sound.language.clone().or_else(|| session.language.clone());
        let language = language.or_else(|| self.language.clone());
        let inputs = sound.inputs(db, &self.segments, language.as_ref())?;
        let mut batch = Batch::new(db, &session, self.now);
        let prepared = sound.prepared(window.start_ms, &inputs);
        let has_words = !prepared.is_empty();
        if !has_words {
            batch.remove_one(&sound.identity(window.start_ms, 0))?;
        }
        batch.store_prepared(sound.stream, prepared)?;
        batch.remove_drafts(sound.stream, (window.start_ms, window.end_ms))?;
        let more_ms = batch.more_ms;
        let news = batch.news(session_alias(&sound.uid))?;
        if let Some(before) = gathered {
            gathered::gather_again(db, session.meeting_id, &before, self.now)?;
        }
        if let Some(token_id) = sound.token_id.or(session.token_id) {
            usage::verbs::words_said(db, session.user_id, token_id, more_ms, self.now)?;
        }
        let outcome = self.note(db, has_words)?;
        self.keep_words(db, &sound)?;
        let ended_at = sound.stream.started_at.as_millis().saturating_add(window.end_ms);
        let lag_ms = self.now.as_millis().saturating_sub(ended_at);
        Ok(Some(WindowDone { outcome, lag_ms, language, news }))
    }

    fn change(&self, done: &Option<WindowDone>) -> Option<Change> {
        done.as_ref()?.news.clone().map(Change::SegmentsStored)
    }
}

impl StoreWindow {
    /// Writes what became of the window.
    fn note(&self, db: &Connection, has_words: bool) -> rusqlite::Result<WindowOutcome> {
        let outcome = match (has_words, self.withheld.is_empty()) {
            (true, _) => WindowOutcome::Words,
            (false, false) => WindowOutcome::Withheld,
            (false, true) => WindowOutcome::Silent,
        };
        let mut insert = db.prepare_cached(
            "INSERT INTO withheld (window_id, start_ms, end_ms, text, reason)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for withheld in &self.withheld {
            insert.execute(params![
                self.window_id,
                withheld.start_ms,
                withheld.end_ms,
                withheld.text,
                withheld.reason
            ])?;
        }
        let mut note = db.prepare_cached(
            "UPDATE windows SET outcome = ?2, engine = ?3, done_at = ?4, next_at = NULL, last_error = NULL
             WHERE id = ?1",
        )?;
        note.execute(params![self.window_id, outcome, self.engine, self.now])?;
        Ok(outcome)
    }

    /// Keeps the times of words as long as events may still come that part them; those of earlier
    /// windows are forgotten.
    fn keep_words(&self, db: &Connection, sound: &SoundOfWords) -> Result<()> {
        if sound.speaker.is_some() {
            return Ok(());
        }
        let before = self.now.plus_seconds(-NAMED_AGAIN_SECONDS);
        let mut forget = db.prepare_cached(
            "UPDATE windows INDEXED BY windows_to_name SET heard = NULL
             WHERE sound_id = ?1 AND heard IS NOT NULL AND done_at < ?2",
        )?;
        forget.execute(params![sound.id, before])?;
        if self.segments.iter().all(|segment| segment.words.len() < 2) {
            return Ok(());
        }
        let heard = serde_json::to_string(&self.segments)
            .map_err(|error| Error::Internal(error.to_string()))?;
        db.prepare_cached("UPDATE windows SET heard = ?2 WHERE id = ?1")?
            .execute(params![self.window_id, heard])?;
        Ok(())
    }
}
