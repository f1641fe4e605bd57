//! The index of words, kept in step with the segments.

use crate::domain::search::spaced;
use crate::domain::{SegmentId, UserId};
use crate::error::Result;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::cell::RefCell;

/// The word that stands for a user in the index.
pub fn owner(id: UserId) -> String {
    format!("u{}", id.0)
}

thread_local! {
    /// Segments whose words are not in the index yet; the writer's thread empties it before each commit.
    static CHANGED: RefCell<Vec<SegmentId>> = const { RefCell::new(Vec::new()) };
}

/// Notes a segment of which the index does not know yet.
pub fn note_changed(id: SegmentId) {
    CHANGED.with_borrow_mut(|changed| changed.push(id));
}

/// Brings the index into step with the segments that were noted, once for all verbs of a commit: FTS5 writes what it has
/// in memory at each savepoint, which would cost more than all else. What a verb noted and undid is gone, and passed over.
pub fn index_changed(db: &Connection) -> Result<()> {
    let mut changed = CHANGED.take();
    changed.sort_unstable();
    changed.dedup();
    for id in changed {
        let mut find = db.prepare_cached(
            "SELECT m.user_id, s.speaker, s.text FROM segments s JOIN meetings m ON m.id = s.meeting_id WHERE s.id = ?1",
        )?;
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, String>(2)?));
        let Some((user, speaker, text)) = find.query_row([id.0], row).optional()? else { continue };
        let mut index =
            db.prepare_cached("INSERT OR REPLACE INTO words (rowid, owner, speaker, text) VALUES (?1, ?2, ?3, ?4)")?;
        let speaker = speaker.as_deref().map(spaced).unwrap_or_default();
        index.execute(params![id.0, owner(UserId(user)), speaker, spaced(&text)])?;
    }
    Ok(())
}
