//! Meetings that have been over for a long time: which they are, and how one goes whole.

use crate::domain::{MeetingId, Time};
use crate::error::Result;
use crate::store::doors::Store;
use crate::store::meetings::read::MeetingName;
use crate::store::meetings::states::NOT_OVER;
use rusqlite::{OptionalExtension, Row, params};

/// Meetings that are looked up in one read.
const MEETINGS_READ: u16 = 100;

/// What is to go of a meeting that is old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionTarget {
    /// What was said, and all that is personal about it.
    Words,
    /// The meeting itself.
    Meeting,
}

impl Store {
    /// Some meetings that were over before `end` and still have what is to go, behind `after` by
    /// id; a long read. A meeting that has no end counts from its last change.
    pub async fn old_meetings(
        &self,
        of: RetentionTarget,
        end: Time,
        after: MeetingId,
    ) -> Result<Vec<MeetingName>> {
        self.read_long(move |db| {
            let mut list = db.prepare_cached(&format!(
                "SELECT id, user_id, platform, coalesce(native_meeting_id, '') FROM meetings
                 WHERE id > ?1 AND status NOT IN {} AND coalesce(end_time, updated_at) < ?2
                   AND (?3 OR json_extract(data, '$.redacted') IS NULL) ORDER BY id LIMIT ?4",
                *NOT_OVER
            ))?;
            let values = params![after, end, of == RetentionTarget::Meeting, MEETINGS_READ];
            list.query_map(values, name_at)?.collect()
        })
        .await
    }

    /// Whether a meeting was over before `end`, or is not there at all; a small read.
    pub fn is_old_or_gone(&self, id: MeetingId, end: Time) -> Result<bool> {
        let found = self.read(|db| {
            let mut find = db.prepare_cached(&format!(
                "SELECT status NOT IN {} AND coalesce(end_time, updated_at) < ?2 FROM meetings WHERE id = ?1",
                *NOT_OVER
            ))?;
            find.query_row(params![id, end], |row| row.get(0)).optional()
        })?;
        Ok(found.unwrap_or(true))
    }
}

fn name_at(row: &Row<'_>) -> rusqlite::Result<MeetingName> {
    Ok(MeetingName {
        meeting_id: Some(row.get(0)?),
        user_id: row.get(1)?,
        platform: row.get(2)?,
        native_meeting_id: row.get(3)?,
    })
}
