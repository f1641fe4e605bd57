//! Segments as they are read.

use crate::domain::{MeetingId, Segment, SegmentId, Time, TokenHash};
use crate::error::Result;
use crate::store::corrections::shown::Correction;
use crate::store::doors::Store;
use crate::store::pages::{Page, page};
use crate::store::segments::row::{shown_id, shown_times};
use crate::store::segments::session::Session;
use rusqlite::{Row, params};

/// The columns of [`segment_at`], of the table `s`.
macro_rules! segment_columns {
    () => {
        concat!(
            "s.id, s.identity, s.text, s.language, s.speaker, s.speaker_source, s.completed, s.created_at, s.absolute_start,
             (SELECT started_at FROM sessions WHERE meeting_id = s.meeting_id), s.absolute_end, ",
            $crate::store::corrections::shown::correction_columns!()
        )
    };
}

pub(crate) use segment_columns;

/// A segment from a row that begins with [`segment_columns`].
pub(crate) fn segment_at(row: &Row<'_>) -> rusqlite::Result<(SegmentId, Segment)> {
    let identity: String = row.get(1)?;
    let (absolute_start_time, absolute_end_time) = (row.get(8)?, row.get(10)?);
    let clock: Option<Time> = row.get(9)?;
    let clock = clock.unwrap_or(absolute_start_time);
    let (start, end) = shown_times(absolute_start_time, absolute_end_time, clock);
    let mut segment = Segment {
        segment_id: shown_id(&identity),
        start,
        end,
        text: row.get(2)?,
        language: row.get(3)?,
        speaker: row.get(4)?,
        speaker_source: row.get(5)?,
        completed: row.get(6)?,
        created_at: row.get(7)?,
        absolute_start_time,
        absolute_end_time,
        corrected: false,
        original_text: None,
        corrected_at: None,
    };
    Correction::at(row, 11)?.show_in(&mut segment);
    Ok((row.get(0)?, segment))
}

impl Store {
    /// Whether some meeting that takes words at this time has this secret; a small read.
    pub fn has_session(&self, token_hash: &TokenHash, now: Time) -> Result<bool> {
        self.read(|db| Ok(Session::find(db, token_hash, now)?.is_some()))
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
