//! Alarms as they are shown.

use crate::domain::MeetingId;
use crate::domain::alarm::Alarm;
use crate::error::Result;
use crate::store::doors::Store;
use rusqlite::Connection;

/// The alarms of a meeting, by time.
pub(crate) fn alarms_of(db: &Connection, id: MeetingId) -> rusqlite::Result<Vec<Alarm>> {
    let mut list = db.prepare_cached(
        "SELECT kind, raised_at, cleared_at FROM alarms WHERE meeting_id = ?1
         ORDER BY raised_at, kind",
    )?;
    let alarm = |row: &rusqlite::Row<'_>| Ok(Alarm::new(row.get(0)?, row.get(1)?, row.get(2)?));
    list.query_map([id], alarm)?.collect()
}

impl Store {
    /// The alarms of a meeting, by time; a small read.
    pub(crate) fn alarms(&self, id: MeetingId) -> Result<Vec<Alarm>> {
        self.read(|db| alarms_of(db, id))
    }
}
