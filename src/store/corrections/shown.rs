//! What a segment shows in place of what came: corrected words, and the name that its speaker was
//! given. The row of the segment stays as it came, so that a bot which sends it again finds it as
//! it was, and a correction can be taken back.

use crate::domain::{MeetingId, Segment, SegmentId, SpeakerSource, Time};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::HashMap;

/// The words of a segment `s` as they are shown.
macro_rules! shown_text {
    () => {
        "coalesce((SELECT text FROM corrections WHERE segment_id = s.id), s.text)"
    };
}

/// The speaker of a segment `s` as it is shown. A name may be given to those without one: to ''.
macro_rules! shown_speaker {
    () => {
        "coalesce((SELECT name FROM renamed_speakers
           WHERE meeting_id = s.meeting_id AND speaker = coalesce(s.speaker, '')), s.speaker)"
    };
}

/// The columns of [`Correction::at`], of the table `s`.
macro_rules! correction_columns {
    () => {
        "(SELECT text FROM corrections WHERE segment_id = s.id),
         (SELECT corrected_at FROM corrections WHERE segment_id = s.id),
         (SELECT name FROM renamed_speakers WHERE meeting_id = s.meeting_id AND speaker = coalesce(s.speaker, ''))"
    };
}

pub(crate) use {correction_columns, shown_speaker, shown_text};

/// What is shown of a segment in place of what came.
#[derive(Debug, Default)]
pub(crate) struct Correction {
    text: Option<String>,
    corrected_at: Option<Time>,
    name: Option<String>,
}

impl Correction {
    /// From the columns of a row that begin at this one.
    pub(crate) fn at(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            text: row.get(first)?,
            corrected_at: row.get(first + 1)?,
            name: row.get(first + 2)?,
        })
    }

    /// Shows a segment, which is as it came, with it.
    pub(crate) fn show_in(self, segment: &mut Segment) {
        if let Some(text) = self.text {
            let original = std::mem::replace(&mut segment.text, text);
            segment.original_text = Some(original);
            segment.corrected_at = self.corrected_at;
            segment.corrected = true;
        }
        if let Some(name) = self.name {
            segment.speaker = Some(name);
            segment.speaker_source = SpeakerSource::Corrected;
        }
    }
}

/// What is corrected in a meeting, asked once for all of its segments that are told together.
pub(crate) struct Corrections<'a> {
    db: &'a Connection,
    /// The names that were given, by those that came.
    names: HashMap<String, String>,
    /// Whether any line of any meeting was corrected: on many servers none ever is.
    has_words: bool,
}

impl<'a> Corrections<'a> {
    pub(crate) fn of(db: &'a Connection, meeting_id: MeetingId) -> rusqlite::Result<Self> {
        let mut given =
            db.prepare_cached("SELECT speaker, name FROM renamed_speakers WHERE meeting_id = ?1")?;
        let names = given.query_map([meeting_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let names = names.collect::<rusqlite::Result<_>>()?;
        let has_words = db.prepare_cached("SELECT 1 FROM corrections LIMIT 1")?.exists([])?;
        Ok(Self { db, names, has_words })
    }

    /// Shows a segment, which is as it came, as it is corrected.
    pub(crate) fn show(&self, id: SegmentId, segment: &mut Segment) -> rusqlite::Result<()> {
        let (text, corrected_at) = self.words(id)?.unzip();
        let speaker = segment.speaker.as_deref().unwrap_or_default();
        let name = self.names.get(speaker).cloned();
        Correction { text, corrected_at, name }.show_in(segment);
        Ok(())
    }

    fn words(&self, id: SegmentId) -> rusqlite::Result<Option<(String, Time)>> {
        if !self.has_words {
            return Ok(None);
        }
        let sql = "SELECT text, corrected_at FROM corrections WHERE segment_id = ?1";
        let mut find = self.db.prepare_cached(sql)?;
        find.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }
}
