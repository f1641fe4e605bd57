//! A segment as it is stored: what names it, and how it is written.

use crate::domain::{MeetingId, Offset, Segment, SegmentId, SpeakerSource, Time, UserId};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// What a name begins with that was sent. One that is made begins with the number of a stream.
const SENT: char = '#';

/// What names a segment in its meeting: the id that was sent, or the stream, the start to the
/// millisecond, and the speaker as sent. What has the same identity is replaced.
pub(crate) fn identity(
    segment_id: Option<&str>,
    stream_id: i64,
    start_ms: i64,
    speaker: Option<&str>,
) -> String {
    match segment_id {
        Some(id) => format!("{SENT}{id}"),
        None => format!("{stream_id}:{start_ms}:{}", speaker.unwrap_or_default()),
    }
}

/// The identities that a segment of this id can have, as it is shown.
pub(crate) fn identities_of(segment_id: &str) -> [String; 2] {
    [format!("{SENT}{segment_id}"), segment_id.to_owned()]
}

/// The id as it is shown.
pub(crate) fn shown_id(identity: &str) -> String {
    identity.strip_prefix(SENT).unwrap_or(identity).to_owned()
}

/// Start and end as they are shown: from the clock of the meeting. What was said before it began is
/// shown from there.
pub(crate) fn shown_times(start: Time, end: Time, clock: Time) -> (Offset, Offset) {
    let from = (start.as_millis() - clock.as_millis()).max(0);
    let to = (end.as_millis() - clock.as_millis()).max(from + 1);
    (Offset(from), Offset(to))
}

/// A row of `segments`.
#[derive(Debug, Clone)]
pub(crate) struct SegmentRow {
    pub id: SegmentId,
    pub stream_id: i64,
    pub identity: String,
    pub start: Time,
    pub end: Time,
    pub text: String,
    pub speaker: Option<String>,
    pub speaker_source: SpeakerSource,
    pub language: Option<String>,
    pub completed: bool,
    pub created_at: Time,
    pub is_indexed: bool,
}

/// The columns of [`row_at`].
macro_rules! row_columns {
    () => {
        "id, stream_id, identity, absolute_start, absolute_end, text, speaker, speaker_source, language, completed,
         created_at, unindexed_user_id IS NULL"
    };
}

pub(crate) use row_columns;

pub(crate) fn row_at(row: &Row<'_>) -> rusqlite::Result<SegmentRow> {
    Ok(SegmentRow {
        id: row.get(0)?,
        stream_id: row.get(1)?,
        identity: row.get(2)?,
        start: row.get(3)?,
        end: row.get(4)?,
        text: row.get(5)?,
        speaker: row.get(6)?,
        speaker_source: row.get(7)?,
        language: row.get(8)?,
        completed: row.get(9)?,
        created_at: row.get(10)?,
        is_indexed: row.get(11)?,
    })
}

/// The segment of a meeting that has this identity.
pub(crate) fn find(
    db: &Connection,
    meeting_id: MeetingId,
    identity: &str,
) -> rusqlite::Result<Option<SegmentRow>> {
    let sql = concat!(
        "SELECT ",
        row_columns!(),
        " FROM segments WHERE meeting_id = ?1 AND identity = ?2"
    );
    db.prepare_cached(sql)?.query_row(params![meeting_id, identity], row_at).optional()
}

impl SegmentRow {
    /// The speaker as sent: empty where none was.
    pub(crate) fn sent_speaker(&self) -> &str {
        match &self.speaker {
            Some(speaker) if self.speaker_source.is_sent() => speaker,
            _ => "",
        }
    }

    /// How long it lasts, as far as it counts: a draft does not.
    pub(crate) fn counted_ms(&self) -> i64 {
        if self.completed { self.end.as_millis() - self.start.as_millis() } else { 0 }
    }

    /// As it came, where the clock of its meeting began at this time.
    pub(crate) fn shown(&self, clock: Time) -> Segment {
        let (start, end) = shown_times(self.start, self.end, clock);
        Segment {
            segment_id: shown_id(&self.identity),
            start,
            end,
            text: self.text.clone(),
            language: self.language.clone(),
            speaker: self.speaker.clone(),
            speaker_source: self.speaker_source,
            completed: self.completed,
            created_at: self.created_at,
            absolute_start_time: self.start,
            absolute_end_time: self.end,
            corrected: false,
            original_text: None,
            corrected_at: None,
        }
    }

    /// Inserts it, and returns its id.
    pub(crate) fn insert(
        &self,
        db: &Connection,
        meeting_id: MeetingId,
        user_id: UserId,
        revision: i64,
    ) -> rusqlite::Result<SegmentId> {
        let mut insert = db.prepare_cached(
            "INSERT INTO segments (meeting_id, stream_id, identity, absolute_start, absolute_end, text, speaker,
               speaker_source, language, completed, created_at, updated_at, unindexed_user_id, revision)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12, ?13)",
        )?;
        // A draft is not searched.
        let unindexed = self.completed.then_some(user_id);
        insert.execute(params![
            meeting_id,
            self.stream_id,
            self.identity,
            self.start,
            self.end,
            self.text,
            self.speaker,
            self.speaker_source,
            self.language,
            self.completed,
            self.created_at,
            unindexed,
            revision
        ])?;
        Ok(SegmentId(db.last_insert_rowid()))
    }

    /// Whether the other one shows the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let of =
            |row: &Self| (row.stream_id, row.start, row.end, row.completed, row.speaker_source);
        of(self) == of(other)
            && (&self.text, &self.speaker, &self.language)
                == (&other.text, &other.speaker, &other.language)
    }

    /// Whether it has other words than before, for the index.
    pub(crate) fn is_to_be_indexed(&self, before: &Self) -> bool {
        let has_other_words = (&self.text, &self.speaker) != (&before.text, &before.speaker);
        self.completed && (has_other_words || !before.completed)
    }

    /// Writes what has changed into the row of that id, which keeps the time of its creation.
    pub(crate) fn replace(
        &self,
        db: &Connection,
        before: &Self,
        user_id: UserId,
        (now, revision): (Time, i64),
    ) -> rusqlite::Result<()> {
        let mut update = db.prepare_cached(
            "UPDATE segments SET stream_id = ?2, absolute_start = ?3, absolute_end = ?4, text = ?5, speaker = ?6,
               speaker_source = ?7, language = ?8, completed = ?9, updated_at = ?10, revision = ?11
             WHERE id = ?1",
        )?;
        update.execute(params![
            before.id,
            self.stream_id,
            self.start,
            self.end,
            self.text,
            self.speaker,
            self.speaker_source,
            self.language,
            self.completed,
            now,
            revision
        ])?;
        self.mark(db, before, user_id)
    }

    /// Writes another name of the speaker, and nothing else, into the row of that id.
    pub(crate) fn rename(
        &self,
        db: &Connection,
        before: &Self,
        user_id: UserId,
        revision: i64,
    ) -> rusqlite::Result<()> {
        let mut update = db.prepare_cached(
            "UPDATE segments SET speaker = ?2, speaker_source = ?3, revision = ?4 WHERE id = ?1",
        )?;
        update.execute(params![before.id, self.speaker, self.speaker_source, revision])?;
        self.mark(db, before, user_id)
    }

    /// Marks the row for the index, where it must be indexed anew.
    fn mark(&self, db: &Connection, before: &Self, user_id: UserId) -> rusqlite::Result<()> {
        if self.is_to_be_indexed(before) && before.is_indexed {
            let mut mark =
                db.prepare_cached("UPDATE segments SET unindexed_user_id = ?2 WHERE id = ?1")?;
            mark.execute(params![before.id, user_id])?;
        }
        Ok(())
    }
}

/// Deletes a segment.
pub(crate) fn delete(db: &Connection, id: SegmentId) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM segments WHERE id = ?1")?.execute([id])?;
    Ok(())
}
