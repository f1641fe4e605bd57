//! Segments as they are read.

use crate::domain::{MeetingId, Segment, SegmentId, Time, TokenHash};
use crate::error::Result;
use crate::store::doors::Store;
use crate::store::pages::{Page, page};
use rusqlite::{Row, params};

/// The columns of [`segment_at`], of the table `s`.
macro_rules! segment_columns {
    () => {
        "s.id, s.start_ms, s.end_ms, s.text, s.language, s.speaker, s.created_at, s.absolute_start, s.absolute_end"
    };
}

pub(crate) use segment_columns;

/// A segment from a row that begins with [`segment_columns`].
pub(crate) fn segment_at(row: &Row<'_>) -> rusqlite::Result<(SegmentId, Segment)> {
    let segment = Segment {
        start: row.get(1)?,
        end: row.get(2)?,
        text: row.get(3)?,
        language: row.get(4)?,
        speaker: row.get(5)?,
        created_at: row.get(6)?,
        absolute_start_time: row.get(7)?,
        absolute_end_time: row.get(8)?,
    };
    Ok((row.get(0)?, segment))
}

impl Store {
    /// Whether some meeting that is not over has this secret; a small read.
    pub fn has_session(&self, token_hash: &TokenHash) -> Result<bool> {
        self.read(|db| {
            db.prepare_cached("SELECT 1 FROM sessions WHERE token_hash = ?1")?.exists([token_hash])
        })
    }

    /// A page of a meeting's segments by absolute start, after the one that the last page ended
    /// with; a long read.
    pub async fn segments(
        &self,
        id: MeetingId,
        after: Option<(Time, SegmentId)>,
    ) -> Result<Page<(SegmentId, Segment)>> {
        let (time, last) = after.map_or((i64::MIN, 0), |(time, id)| (time.as_millis(), id.0));
        self.read_long(move |db| {
            let mut statement = db.prepare_cached(concat!(
                "SELECT ",
                segment_columns!(),
                " FROM segments s WHERE meeting_id = ?1 AND (absolute_start, id) > (?2, ?3) ORDER BY absolute_start, id"
            ))?;
            page(statement.query(params![id, time, last])?, |row| {
                let (id, segment) = segment_at(row)?;
                let bytes = segment.text.len();
                Ok(((id, segment), bytes))
            })
        })
        .await
    }
}
