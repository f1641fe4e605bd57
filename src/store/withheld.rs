//! Words that are withheld, as they are read. Whoever stores windows writes them.

use crate::domain::withheld::Withheld;
use crate::domain::{MeetingId, Time};
use crate::error::Result;
use crate::store::corrections::shown::shown_speaker;
use crate::store::doors::Store;
use crate::store::pages::{Page, page};
use crate::store::segments::row::shown_times;
use rusqlite::{Row, params};

/// Where a page of them ends: the time, and the number.
pub(crate) type WithheldPlace = (Time, i64);

/// A meeting's withheld words by the clock, behind a time and a number.
const WITHHELD: &str = concat!(
    "SELECT w.id, st.started_at + w.start_ms AS began, st.started_at + w.end_ms, w.text, w.reason, ",
    shown_speaker!(),
    ", (SELECT started_at FROM sessions WHERE meeting_id = s.meeting_id)
    FROM sounds s
    JOIN streams st ON st.id = s.stream_id
    JOIN windows n ON n.sound_id = s.id
    JOIN withheld w ON w.window_id = n.id
    WHERE s.meeting_id = ?1 AND (st.started_at + w.start_ms, w.id) > (?2, ?3)
    ORDER BY began, w.id"
);

impl Store {
    /// A page of what was heard in a meeting and is withheld, by its time, after the place where the
    /// last page ended; a long read.
    pub(crate) async fn withheld(
        &self,
        id: MeetingId,
        after: Option<WithheldPlace>,
    ) -> Result<Page<(WithheldPlace, Withheld)>> {
        let (time, last) = after.map_or((i64::MIN, 0), |(time, id)| (time.as_millis(), id));
        self.read_long(move |db| {
            page(db.prepare_cached(WITHHELD)?.query(params![id, time, last])?, |row| {
                let (place, withheld) = withheld_at(row)?;
                let bytes = withheld.text.len();
                Ok(((place, withheld), bytes))
            })
        })
        .await
    }

    /// The number of the last words that are withheld in a meeting, which grows with each; 0 where
    /// there are none. A small read.
    pub(crate) fn last_withheld(&self, id: MeetingId) -> Result<i64> {
        self.read(|db| {
            let mut last = db.prepare_cached(
                "SELECT ifnull(max(w.id), 0) FROM sounds s
                 JOIN windows n ON n.sound_id = s.id JOIN withheld w ON w.window_id = n.id
                 WHERE s.meeting_id = ?1",
            )?;
            last.query_row([id], |row| row.get(0))
        })
    }
}

fn withheld_at(row: &Row<'_>) -> rusqlite::Result<(WithheldPlace, Withheld)> {
    let (began, ended): (Time, Time) = (row.get(1)?, row.get(2)?);
    let clock: Option<Time> = row.get(6)?;
    let (start, end) = shown_times(began, ended, clock.unwrap_or(began));
    let withheld = Withheld {
        start,
        end,
        absolute_start_time: began,
        text: row.get(3)?,
        reason: row.get(4)?,
        speaker: row.get(5)?,
    };
    Ok(((began, row.get(0)?), withheld))
}
