//! The names that speakers were given, as they are read.

use crate::domain::MeetingId;
use crate::domain::export::ExportedName;
use crate::error::Result;
use crate::store::doors::Store;
use rusqlite::{Connection, params};

/// The names by which speakers came that are shown by this one; '' is those without a name.
/// Nothing where it is shown of nobody.
pub(crate) fn names_shown_as(
    db: &Connection,
    id: MeetingId,
    shown: &str,
) -> rusqlite::Result<Vec<String>> {
    let mut list = db.prepare_cached(
        "SELECT speaker FROM renamed_speakers WHERE meeting_id = ?1 AND name = ?2
         UNION
         SELECT ?2 WHERE
           NOT EXISTS (SELECT 1 FROM renamed_speakers WHERE meeting_id = ?1 AND speaker = ?2)
           AND EXISTS (SELECT 1 FROM segments WHERE meeting_id = ?1 AND coalesce(speaker, '') = ?2)
         ORDER BY 1",
    )?;
    list.query_map(params![id, shown], |row| row.get(0))?.collect()
}

impl Store {
    /// The names that the speakers of a meeting were given; a small read.
    pub(crate) fn names_given(&self, id: MeetingId) -> Result<Vec<ExportedName>> {
        self.read(|db| {
            let mut list = db.prepare_cached(
                "SELECT speaker, name FROM renamed_speakers WHERE meeting_id = ?1 ORDER BY speaker",
            )?;
            let name = |row: &rusqlite::Row<'_>| {
                let speaker: String = row.get(0)?;
                let speaker = Some(speaker).filter(|speaker| !speaker.is_empty());
                Ok(ExportedName { speaker, name: row.get(1)? })
            };
            list.query_map([id], name)?.collect()
        })
    }
}
